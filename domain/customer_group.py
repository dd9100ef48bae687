"""Groups of customers, made by staff; every change stands in the audit log, by ids."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import any_, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from db import Customer, CustomerGroup
from db.connection import Tx, new_id
from domain import audit
from domain.actor import Actor
from domain.address import check_line
from domain.refusal import Gathering, NotFound, ValidationFailed, under

MOST_AT_ONCE: Final = 100


async def create(tx: Tx, name: str, actor: Actor) -> CustomerGroup:
    named = _checked(name)
    statement = insert(CustomerGroup).values(id=new_id(), name=named).on_conflict_do_nothing(index_elements=["name"])
    made = await tx.first(statement.returning(CustomerGroup))
    if made is None:
        raise _taken()
    await audit.record(tx, actor, "customerGroupCreate", _subject(made.id), audit.changed({}, {"name": named}))
    return made


async def rename(tx: Tx, group_id: UUID, name: str, actor: Actor) -> CustomerGroup:
    named = _checked(name)
    before = await _lock(tx, group_id)
    others = select(CustomerGroup.id).where(CustomerGroup.name == named, CustomerGroup.id != group_id)
    if await tx.scalar(others):
        raise _taken()
    renamed = update(CustomerGroup).where(CustomerGroup.id == group_id).values(name=named).returning(CustomerGroup)
    after = await tx.one(renamed)
    difference = audit.changed({"name": before.name}, {"name": named})
    await audit.record(tx, actor, "customerGroupUpdate", _subject(group_id), difference)
    return after


async def remove(tx: Tx, group_id: UUID, actor: Actor) -> None:
    before = await _lock(tx, group_id)
    await tx.run(delete(CustomerGroup).where(CustomerGroup.id == group_id))
    difference = audit.changed({"name": before.name}, {})
    await audit.record(tx, actor, "customerGroupDelete", _subject(group_id), difference)


async def add_members(tx: Tx, group_id: UUID, customers: Sequence[UUID], actor: Actor) -> CustomerGroup:
    """Who is in it already stays in it."""
    group = await _lock(tx, group_id)
    await _check_there(tx, customers)
    added = await tx.records(_ADD, group_id=group_id, customers=list(customers))
    await _record_members(tx, "customerGroupAddMembers", group_id, {"added": added}, actor)
    return group


async def remove_members(tx: Tx, group_id: UUID, customers: Sequence[UUID], actor: Actor) -> CustomerGroup:
    """Who is not in it stays out of it."""
    group = await _lock(tx, group_id)
    await _check_there(tx, customers)
    removed = await tx.records(_REMOVE, group_id=group_id, customers=list(customers))
    await _record_members(tx, "customerGroupRemoveMembers", group_id, {"removed": removed}, actor)
    return group


def _checked(name: str) -> str:
    with under("name"):
        check_line(name)
        if not name.strip():
            raise ValidationFailed("A group has a name.")
    return name.strip()


def _taken() -> ValidationFailed:
    return ValidationFailed("There is a group with this name.", path=("name",))


def _subject(group_id: UUID) -> str:
    return f"customer_group:{group_id}"


async def _lock(tx: Tx, group_id: UUID) -> CustomerGroup:
    found = await tx.first(select(CustomerGroup).where(CustomerGroup.id == group_id).with_for_update(key_share=True))
    if found is None:
        raise NotFound(path=("group_id",))
    return found


async def _check_there(tx: Tx, customers: Sequence[UUID]) -> None:
    if not 1 <= len(customers) <= MOST_AT_ONCE:
        raise ValidationFailed(f"Name 1 to {MOST_AT_ONCE} customers.", path=("customer_ids",))
    named = Customer.id == any_(list(customers))  # pyright: ignore[reportArgumentType]
    there = set(await tx.scalars(select(Customer.id).where(named, Customer.erased_at.is_(None))))
    gathering = Gathering()
    for i, customer_id in enumerate(customers):
        with gathering.at("customer_ids", str(i)):
            if customer_id not in there:
                raise NotFound
    gathering.raise_if_any()


async def _record_members(tx: Tx, action: str, group_id: UUID, changed: dict[str, Sequence[Any]], actor: Actor) -> None:
    difference = {name: [None, sorted(str(row.customer_id) for row in rows)] for name, rows in changed.items() if rows}
    if difference:
        await audit.record(tx, actor, action, _subject(group_id), difference)


_ADD: Final = text(
    """
    INSERT INTO customer_group_member (group_id, customer_id) SELECT :group_id, unnest(CAST(:customers AS uuid[]))
    ON CONFLICT DO NOTHING RETURNING customer_id
    """
)
_REMOVE: Final = text(
    """
    DELETE FROM customer_group_member WHERE group_id = :group_id AND customer_id = ANY(:customers)
    RETURNING customer_id
    """
)
