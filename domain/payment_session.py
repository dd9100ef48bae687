"""Sessions: what a provider prepared, for which amount of which cart. PREPARE accepts no other."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from db import PaymentSession, Region
from db.connection import Read, Tx
from domain.money import Money
from domain.payment_provider import CreatedSession
from domain.refusal import ErrorCode, NotFound, Refusal, ValidationFailed


@dataclass(eq=False)
class PaymentSessionStale(Refusal):
    """The session is for another amount, or for the cart as it was; make a new one."""

    expected: Money | None = None
    """What is to be paid now."""
    code = ErrorCode.PAYMENT_SESSION_STALE


@dataclass(frozen=True)
class Payable:
    """What is to be paid: for a version of a cart, or for an order."""

    amount: int
    currency: str
    cart_id: UUID | None = None
    cart_version: int | None = None
    order_id: UUID | None = None


_KEPT: Final = (
    "id",
    "cart_id",
    "order_id",
    "provider",
    "reference",
    "amount",
    "currency",
    "cart_version",
    "client_data",
)
_KEEP: Final = insert(PaymentSession).values({name: bindparam(name) for name in _KEPT}).returning(PaymentSession)


async def keep(tx: Tx, session_id: UUID, provider: str, payable: Payable, created: CreatedSession) -> PaymentSession:
    """What the provider noted counts, so that one which noted another amount is refused when it is used."""
    values: dict[str, Any] = {
        "id": session_id,
        "cart_id": payable.cart_id,
        "order_id": payable.order_id,
        "provider": provider,
        "reference": created.reference,
        "amount": created.amount,
        "currency": created.currency,
        "cart_version": payable.cart_version,
        "client_data": dict(created.client_data),
    }
    return await tx.one(_KEEP, **values)


def check_offered(region: Region, provider: str, *path: str) -> None:
    """Refuses a provider through which carts of the region are not paid."""
    offered = region.payment_providers
    if offered is not None and provider not in offered:
        known = ", ".join(offered) or "none"
        raise ValidationFailed(f"The region is not paid through this provider; choose of: {known}.", path=path)


_SESSION: Final = select(PaymentSession).where(PaymentSession.id == bindparam("session_id"))


async def find(read: Read, session_id: UUID, payable: Payable) -> PaymentSession:
    """The session, if it is for exactly this."""
    session = await read.first(_SESSION, session_id=session_id)
    subject = (payable.cart_id, payable.order_id)
    if session is None or (session.cart_id, session.order_id) != subject:
        raise NotFound("There is no such session, or it is not for this.", path=("payment_session_id",))
    kept = (session.amount, session.currency, session.cart_version)
    if kept != (payable.amount, payable.currency, payable.cart_version):
        raise PaymentSessionStale(
            "The session is for something else than what is to be paid now; make a new one.",
            path=("payment_session_id",),
            expected=Money(payable.amount, payable.currency),
        )
    return session
