"""Whom to tell: the customer side of an order, or the staff who do a ticket."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Read
from domain.notification import Recipient


async def customer_of(read: Read, order_id: UUID, *, where_placed: bool = False) -> Recipient | None:
    """Its customer, with an account or without. Null for those who were erased.

    They are written to at the address that is proven to be theirs, or with `where_placed` at that of the order.
    """
    found = await read.records(_CUSTOMER, order_id=order_id)
    return _customer(found[0], where_placed=where_placed) if found else None


def _customer(row: Any, *, where_placed: bool) -> Recipient | None:
    email = row.email if where_placed else row.own_email or row.email
    if email is None:
        return None
    phone, locale = row.own_phone or row.phone or "", row.own_locale or row.locale
    return Recipient(f"order:{row.id}", email, phone, locale, row.customer_id)


async def staff_of(read: Read, ticket_id: UUID) -> list[Recipient]:
    """Who does it, or else everybody who could: active, with what it takes to see tickets."""
    found = await read.records(_STAFF, ticket_id=ticket_id)
    doing = [row for row in found if row.does_it] or [row for row in found if row.could]
    return [_member(row) for row in doing]


async def again(read: Read, key: str, order_id: UUID, *, where_placed: bool) -> Recipient | None:
    """Whoever a notification was meant for, as they are now; null if nobody is there any more."""
    kind, _, of = key.partition(":")
    if kind == "staff":
        found = await read.records(_MEMBER, id=UUID(of))
        return _member(found[0]) if found else None
    return await customer_of(read, order_id, where_placed=where_placed) if kind == "order" else None


def _member(row: Any) -> Recipient:
    return Recipient(f"staff:{row.id}", row.email, locale=row.locale)


_CUSTOMER: Final = text(
    """
    SELECT "order".id, "order".customer_id, "order".locale,
        CASE WHEN "order".email NOT LIKE '%@erased.invalid' THEN "order".email END AS email,
        CASE WHEN customer.confirmed_at IS NOT NULL THEN customer.email END AS own_email,
        customer.locale AS own_locale, nullif(customer.phone, '') AS own_phone,
        "order".shipping_address ->> 'phone' AS phone
    FROM "order" LEFT JOIN customer ON customer.id = "order".customer_id
    WHERE "order".id = :order_id AND customer.erased_at IS NULL
    """
)
# Whoever was invited and has not come yet is not told of customers.
_MEMBER: Final = text(
    """
    SELECT id, email, locale FROM staff
    WHERE id = :id AND active AND password_hash IS NOT NULL AND EXISTS (
        SELECT FROM staff_role JOIN role ON role.id = staff_role.role_id
        WHERE staff_role.staff_id = staff.id AND role.permissions && ARRAY['tickets:read', '*'])
    """
)
_STAFF: Final = text(
    """
    SELECT staff.id, staff.email, staff.locale, (staff.id = ticket.assignee_id) IS TRUE AS does_it,
        bool_or(role.permissions && ARRAY['tickets:write', '*']) AS could
    FROM ticket CROSS JOIN staff
    JOIN staff_role ON staff_role.staff_id = staff.id JOIN role ON role.id = staff_role.role_id
    WHERE ticket.id = :ticket_id AND staff.active AND staff.password_hash IS NOT NULL
    GROUP BY staff.id, ticket.id
    HAVING bool_or(role.permissions && ARRAY['tickets:read', '*'])
    ORDER BY staff.id
    """
)
