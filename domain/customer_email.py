"""Another e-mail address for an account: it counts when the old and the new one have confirmed it, by a mail each.

Whether the new address has an account already is told to nobody but its owner, by the mail that it gets instead.
"""

from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import select, text

from db import Customer
from db.connection import Tx, new_id
from db.session import Purpose
from domain import single_use
from domain.actor import Actor
from domain.customer import check_own, lock_by_token
from domain.refusal import ValidationFailed
from domain.single_use import TokenInvalid

SIDES: Final = (Purpose.CONFIRM_OLD_EMAIL, Purpose.CONFIRM_NEW_EMAIL)


async def request(tx: Tx, customer_id: UUID, new_email: str) -> None:
    """Mails both sides. A change that was asked for before is replaced, and its links are good no more."""
    present = select(Customer.email).where(Customer.id == customer_id).with_for_update(key_share=True)
    if await tx.scalar(present) == new_email:
        raise ValidationFailed("This is the address of your account.", path=("new_email",))
    change_id = new_id()
    await tx.run(_REQUEST, customer_id=customer_id, id=change_id, new_email=new_email)
    for side in SIDES:
        await single_use.issue(tx, side, change_id)


async def confirm(tx: Tx, token_id: UUID | None, side: Purpose, actor: Actor) -> Customer | None:
    """One side has confirmed; the customer with the new address when both have."""
    await lock_by_token(tx, token_id)
    used = await single_use.use(tx, token_id, side)
    found = await tx.records(_CONFIRM, id=used.subject_id, old=side == Purpose.CONFIRM_OLD_EMAIL)
    if not found:
        raise TokenInvalid(path=("token",))
    (change,) = found
    check_own(actor, change.customer_id)
    return await _complete(tx, change) if change.complete else None


async def _complete(tx: Tx, change: Any) -> Customer:
    """What was mailed to the old address opens nothing any more."""
    for purpose in (Purpose.CONFIRM_EMAIL, Purpose.RESET_PASSWORD):
        await single_use.withdraw(tx, purpose, change.customer_id)
    try:
        changed = await tx.records(_CHANGE, customer_id=change.customer_id)
    except UniqueViolationError:  # somebody registered the address at this moment
        changed = []
    if not changed:
        raise TokenInvalid(path=("token",))
    return changed[0]


_REQUEST: Final = text(
    """
    INSERT INTO email_change (customer_id, id, new_email) VALUES (:customer_id, :id, :new_email)
    ON CONFLICT (customer_id) DO UPDATE SET id = excluded.id, new_email = excluded.new_email,
        old_confirmed_at = NULL, new_confirmed_at = NULL, created_at = now()
    """
)
_CONFIRM: Final = text(
    """
    UPDATE email_change SET
        old_confirmed_at = CASE WHEN :old THEN now() ELSE old_confirmed_at END,
        new_confirmed_at = CASE WHEN :old THEN new_confirmed_at ELSE now() END
    WHERE id = :id
    RETURNING customer_id, num_nulls(old_confirmed_at, new_confirmed_at) = 0 AS complete
    """
)
_CHANGE: Final = text(
    """
    WITH change AS (DELETE FROM email_change WHERE customer_id = :customer_id RETURNING new_email)
    UPDATE customer SET email = change.new_email, confirmed_at = now(), updated_at = now()
    FROM change
    WHERE customer.id = :customer_id AND customer.erased_at IS NULL
      AND NOT EXISTS (SELECT FROM customer AS owner WHERE owner.email = change.new_email)
    RETURNING customer.*
    """
)
