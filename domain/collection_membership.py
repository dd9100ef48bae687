"""Which products rules find, kept in `product_collection`.

Triggers note in `collection_due` what a rule may see otherwise now, in the transaction of the write. What is noted is
taken out in the transaction in which it was looked at, so whatever is killed leaves it there. One looks at a time: of
two that cannot see each other's rows the one with the older view could have the last word.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, delete, exists, func, literal, not_, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert

from db import Collection, Product, ProductCollection
from db.connection import Read, Tx
from domain import collection_rule
from domain.collection_rule import Rules

AT_ONCE: Final = 2_000
"""Notes that are looked at in one transaction."""


async def refresh(tx: Tx, at_most: int = AT_ONCE) -> int:
    """Looks at what is due, the oldest first; how much that was. None while somebody else is looking."""
    if not await tx.scalar(_MINE):
        return 0
    due = await tx.records(_TAKE, at_most=at_most)
    if due:
        products = sorted({row.product_id for row in due if row.product_id is not None})
        whole = {row.collection_id for row in due if row.collection_id is not None}
        for collection in await tx.all(_BY_RULE):
            rules = collection_rule.read(collection.rules or {})
            if collection.id in whole:
                await _look(tx, collection.id, rules, None)
            elif products:
                await _look(tx, collection.id, rules, products)
    return len(due)


async def enter(tx: Tx, products: list[UUID]) -> None:
    """Puts products that this transaction has made where rules find them. Until it ends nobody else looks."""
    await tx.scalar(_IN_TURN)
    for collection in await tx.all(_BY_RULE):
        await _look(tx, collection.id, collection_rule.read(collection.rules or {}), products)


async def _look(tx: Tx, collection_id: UUID, rules: Rules, products: list[UUID] | None) -> None:
    """At these products, null: at all."""
    found = select(Product.id).where(collection_rule.matches(rules))
    members = delete(ProductCollection).where(ProductCollection.collection_id == collection_id)
    if products is not None:
        named = bindparam("products", products, type_=ARRAY(Uuid))
        found = found.where(Product.id == any_(named))
        members = members.where(ProductCollection.product_id == any_(named))
    # Not NOT IN: of more ids than fit into its memory PostgreSQL would go through all for each.
    stays = select(Product.id).where(Product.id == ProductCollection.product_id, collection_rule.matches(rules))
    await tx.run(members.where(not_(stays.correlate(ProductCollection).exists())))
    new = found.add_columns(literal(collection_id, Uuid)).where(not_(_member(collection_id)))
    await tx.run(
        insert(ProductCollection)
        .from_select(["product_id", "collection_id"], new, include_defaults=False)
        .on_conflict_do_nothing(index_elements=["product_id", "collection_id"])
    )


def _member(collection_id: UUID) -> Any:
    return exists().where(ProductCollection.collection_id == collection_id, ProductCollection.product_id == Product.id)


async def preview(read: Read, rules: Rules, first: int) -> tuple[int, list[Any]]:
    """How many products the rules find, published or not, and the newest of them."""
    found = collection_rule.matches(rules)
    (counted,) = await read.records(select(func.count().label("count")).select_from(Product).where(found))
    rows = await read.records(select(Product).where(found).order_by(Product.id.desc()).limit(first))
    return counted.count, rows


_MINE: Final = select(func.pg_try_advisory_xact_lock(func.hashtext("counterfoil.collections")))
_IN_TURN: Final = select(func.pg_advisory_xact_lock(func.hashtext("counterfoil.collections")))
_TAKE: Final = text(
    """
    DELETE FROM collection_due WHERE id = ANY(ARRAY(SELECT id FROM collection_due ORDER BY id LIMIT :at_most))
    RETURNING product_id, collection_id
    """
)
_BY_RULE: Final = select(Collection).where(Collection.by_rule).order_by(Collection.id)
