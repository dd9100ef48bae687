"""Forgetting a customer: what is theirs alone goes, what the law wants kept no longer tells whose it was.

Orders keep their lines, amounts, taxes, dates and countries. Carts that became nothing are deleted. Guest orders and
carts with the address count as theirs if the address was proven to be; else they may be somebody else's.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import text

from db.cart import CartStatus
from db.connection import Tx
from db.workflow import ActorKind
from domain import audit, file, notification
from domain.actor import Actor
from domain.balance import by
from domain.cart import NO_TOKEN, CartPaying
from domain.event import Event, announce
from domain.processes.shop import Shop
from domain.refusal import NotFound

INSTEAD: Final = "(erased)"
"""What a message of an erased customer says."""


@dataclass(frozen=True)
class CustomerErased(Event):
    """Nothing of theirs is known any more; whoever copied something forgets it too."""

    about: ClassVar[str] = "customer_id"
    customer_id: UUID


async def erase_customer(shop: Shop, customer_id: UUID, actor: Actor) -> None:
    """Their address may register again, as somebody new. Refused while a payment of theirs is under way."""
    async with shop.tx() as tx:
        who = {"id": customer_id, "email": await _lock(tx, customer_id)}
        carts = await _lock_carts(tx, who)
        orders = [row.id for row in await tx.records(_ORDERS, **who)]
        whose = {"orders": orders, "nobody": f"erased-{customer_id}@erased.invalid"}
        for statement, parameters in (
            (_STRIP_ORDERS, whose),
            (_STRIP_ORDER_LINES, {"orders": orders}),
            (_WRITE_CREDIT_OFF, {"id": customer_id, **by(actor)}),
            (_FORGET_NOTES, who),
            (_FORGET_RECIPIENT, {"email": who["email"]}),
            (_STRIP_TICKETS, {"orders": orders}),
            (_STRIP_BRIEFS, {"orders": orders}),
            (_STRIP_DECISIONS, {"orders": orders}),
            (_STRIP_COMMENTS, {"orders": orders, "instead": INSTEAD}),
            (_STRIP_MESSAGES, {"orders": orders, "instead": INSTEAD}),
            (_DELETE_CARTS, {"carts": carts}),
            (_STRIP_CARTS, {"carts": carts, "no_token": NO_TOKEN}),
            (_STRIP_CART_LINES, {"carts": carts}),
            (_DELETE_ORDER_LINKS, {"orders": orders}),
            *((statement, {"id": customer_id}) for statement in _DELETE_OWN),
            (_STRIP_CUSTOMER, {"id": customer_id, "nobody": whose["nobody"]}),
        ):
            await tx.run(statement, **parameters)
        await notification.forget(tx, [f"customer:{customer_id}", *(f"order:{key}" for key in orders)])
        await file.remove_of_orders(tx, orders)
        await announce(tx, CustomerErased(customer_id))
        if actor.kind != ActorKind.CUSTOMER:
            await audit.record(tx, actor, "customerEraseByStaff", f"customer:{customer_id}", {})


async def _lock(tx: Tx, customer_id: UUID) -> str | None:
    """The address, if it was proven. Not locked against being referred to: a checkout holds its cart and needs that."""
    found = await tx.records(_CUSTOMER, id=customer_id)
    if not found:
        raise NotFound(path=("customer_id",))
    return found[0].email if found[0].confirmed_at is not None else None


async def _lock_carts(tx: Tx, who: dict[str, Any]) -> list[UUID]:
    carts = await tx.records(_CARTS, **who)
    for cart in carts:
        if cart.status == CartStatus.PAYING:
            raise CartPaying("A payment is under way; try again when it has ended.", since=cart.updated_at)
    return [cart.id for cart in carts]


_CUSTOMER: Final = text("SELECT * FROM customer WHERE id = :id AND erased_at IS NULL FOR NO KEY UPDATE")
# An address that was not proven is null here, and null equals nothing.
_CARTS: Final = text(
    """
    SELECT id, status, updated_at FROM cart
    WHERE customer_id = :id OR customer_id IS NULL AND email = :email
       OR id IN (SELECT cart_id FROM "order" WHERE "order".customer_id = :id)
    ORDER BY id FOR UPDATE
    """
)
_ORDERS: Final = text(
    """
    SELECT id FROM "order" WHERE customer_id = :id OR customer_id IS NULL AND email = :email
    ORDER BY id FOR NO KEY UPDATE
    """
)
_STRIP_ORDERS: Final = text(
    """
    UPDATE "order" SET email = :nobody, access_version = access_version + 1, version = version + 1,
        shipping_address = (
            SELECT jsonb_object_agg(key, CASE key WHEN 'country' THEN value ELSE '""' END)
            FROM jsonb_each(shipping_address)),
        billing_address = (
            SELECT jsonb_object_agg(key, CASE key WHEN 'country' THEN value ELSE '""' END)
            FROM jsonb_each(billing_address))
    WHERE id = ANY(:orders)
    """
)
_STRIP_ORDER_LINES: Final = text("UPDATE order_line SET brief = NULL WHERE order_id = ANY(:orders)")
_STRIP_TICKETS: Final = text(
    "UPDATE ticket SET brief = NULL, version = version + 1, updated_at = now() WHERE order_id = ANY(:orders)"
)
_STRIP_BRIEFS: Final = text(
    "UPDATE ticket_brief SET brief = NULL FROM ticket WHERE ticket.id = ticket_id AND ticket.order_id = ANY(:orders)"
)
_STRIP_DECISIONS: Final = text(
    """
    UPDATE ticket_proof SET comment = '' FROM ticket
    WHERE ticket.id = ticket_id AND ticket.order_id = ANY(:orders) AND decided_by_kind = 'customer'
    """
)
_STRIP_COMMENTS: Final = text(
    """
    UPDATE ticket_event SET data = data || jsonb_build_object('comment', CAST(:instead AS text))
    FROM ticket WHERE ticket.id = ticket_event.ticket_id AND ticket.order_id = ANY(:orders)
      AND ticket_event.kind = 'proof_decided' AND ticket_event.actor_kind = 'customer'
    """
)
_STRIP_MESSAGES: Final = text(
    """
    UPDATE ticket_event SET data = jsonb_build_object('body', CAST(:instead AS text))
    FROM ticket WHERE ticket.id = ticket_event.ticket_id AND ticket.order_id = ANY(:orders)
      AND ticket_event.kind = 'message' AND ticket_event.actor_kind = 'customer'
    """
)
_DELETE_CARTS: Final = text(
    'DELETE FROM cart WHERE id = ANY(:carts) AND NOT EXISTS (SELECT FROM "order" WHERE "order".cart_id = cart.id)'
)
_STRIP_CARTS: Final = text(
    """
    WITH gone AS (DELETE FROM quote WHERE cart_id = ANY(:carts))
    UPDATE cart SET email = NULL, shipping_address = NULL, billing_address = NULL, metadata = '{}',
        version = version + 1, token_hash = :no_token
    WHERE id = ANY(:carts)
    """
)
# The hash of a brief tells one that was guessed; what makes lines differ may be anything.
_STRIP_CART_LINES: Final = text(
    """
    UPDATE cart_line SET brief = NULL, metadata = '{}',
        brief_hash = CASE brief_hash WHEN '' THEN '' ELSE CAST(id AS text) END
    WHERE cart_id = ANY(:carts)
    """
)
_DELETE_ORDER_LINKS: Final = text(
    "DELETE FROM single_use_token WHERE purpose = 'order_access' AND subject_id = ANY(:orders)"
)
# Nobody can spend it any more: it is no debt of the shop now. No order holds any of it, as no payment is under way.
_WRITE_CREDIT_OFF: Final = text(
    """
    WITH locked AS (
        SELECT id, amount - held AS free FROM balance WHERE customer_id = :id AND amount > held ORDER BY id FOR UPDATE
    ), lowered AS (
        UPDATE balance SET amount = amount - free FROM locked WHERE balance.id = locked.id RETURNING balance.id, free
    )
    INSERT INTO balance_entry (balance_id, delta, reason, actor_kind, staff_id, api_key_id)
    SELECT id, -free, 'expired', :actor_kind, CAST(:staff_id AS uuid), CAST(:api_key_id AS uuid) FROM lowered
    """
)
_FORGET_NOTES: Final = text(
    """
    UPDATE balance_entry SET note = NULL FROM balance
    WHERE balance.id = balance_entry.balance_id AND note IS NOT NULL AND (customer_id = :id OR recipient_email = :email)
    """
)
_FORGET_RECIPIENT: Final = text("UPDATE balance SET recipient_email = NULL WHERE recipient_email = :email")
_DELETE_OWN: Final = (
    text(
        """
        DELETE FROM single_use_token WHERE purpose IN ('confirm_email', 'reset_password') AND subject_id = :id
           OR purpose IN ('confirm_old_email', 'confirm_new_email')
              AND subject_id IN (SELECT email_change.id FROM email_change WHERE customer_id = :id)
        """
    ),
    text("DELETE FROM email_change WHERE customer_id = :id"),
    text("DELETE FROM customer_address WHERE customer_id = :id"),
    text("DELETE FROM customer_group_member WHERE customer_id = :id"),
    text("DELETE FROM session WHERE customer_id = :id"),
)
# Last, since from here on nothing new can refer to them until the end.
_STRIP_CUSTOMER: Final = text(
    """
    UPDATE customer SET email = :nobody, password_hash = NULL, first_name = '', last_name = '', phone = '',
        locale = NULL, confirmed_at = NULL, erased_at = now(), updated_at = now()
    WHERE id = :id
    """
)
