"""Products of collections that are chosen by hand, and their order.

A move changes the rank of what is moved and of nothing else, under the lock of the collection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import Collection, Product, ProductCollection
from db.connection import Tx
from domain import audit, rank, showcase
from domain.actor import Actor
from domain.refusal import Gathering, NotFound, ValidationFailed

MOST_AT_ONCE: Final = 1_000
MOST_PRODUCTS: Final = 50_000
"""Chosen by hand for one collection."""


@dataclass(frozen=True)
class OfCollection:
    """Products of a collection by hand. They are put in front of one of the others, null: behind all."""

    collection_id: UUID
    products: Sequence[UUID]
    before_id: UUID | None = None
    if_version: int | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("product_ids"):
            if not 1 <= len(self.products) <= MOST_AT_ONCE or len(set(self.products)) < len(self.products):
                raise ValidationFailed(f"Name 1 to {MOST_AT_ONCE:,} products, each once.")
        with gathering.at("before_id"):
            if self.before_id in self.products:
                raise ValidationFailed("Name a product that stays where it is.")
        gathering.raise_if_any()


async def add(tx: Tx, command: OfCollection, actor: Actor) -> Collection:
    """In the given order. Those that are in it already stay where they are."""
    await _hold_products(tx, command.products)
    before = await _by_hand(tx, command)
    there = set(await tx.scalars(_THERE, id=before.id, products=list(command.products)))
    new = [product_id for product_id in command.products if product_id not in there]
    if not new:
        return before
    (counted,) = await tx.records(_COUNT, id=before.id)
    if counted.count + len(new) > MOST_PRODUCTS:
        message = f"By hand are chosen at most {MOST_PRODUCTS:,} products: give the collection a rule."
        raise ValidationFailed(message, path=("product_ids",))
    ranks = await _ranks(tx, command, new)
    await tx.run(_ADD, id=before.id, products=new, ranks=ranks)
    return await _changed(tx, "collectionAddProducts", before, {"products": [[], [str(key) for key in new]]}, actor)


async def remove(tx: Tx, command: OfCollection, actor: Actor) -> Collection:
    """Those that are not in it stay out."""
    await _hold_products(tx, command.products)
    before = await _by_hand(tx, command)
    gone = await tx.records(_REMOVE, id=before.id, products=list(command.products))
    if not gone:
        return before
    difference = {"products": [sorted(str(row.product_id) for row in gone), []]}
    return await _changed(tx, "collectionRemoveProducts", before, difference, actor)


async def reorder(tx: Tx, command: OfCollection, actor: Actor) -> Collection:
    """Puts products of the collection, in the given order, to another place of it."""
    before = await _by_hand(tx, command)
    there = set(await tx.scalars(_THERE, id=before.id, products=list(command.products)))
    gathering = Gathering()
    for i, product_id in enumerate(command.products):
        with gathering.at("product_ids", str(i)):
            if product_id not in there:
                raise NotFound("This product is not in the collection.")
    gathering.raise_if_any()
    ranks = await _ranks(tx, command, command.products)
    await tx.run(_RERANK, id=before.id, products=list(command.products), ranks=ranks)
    moved = [str(key) for key in command.products]
    place = None if command.before_id is None else str(command.before_id)
    return await _changed(tx, "collectionReorder", before, {"moved": [None, moved], "before": [None, place]}, actor)


async def _changed(tx: Tx, action: str, before: Collection, difference: dict[str, Any], actor: Actor) -> Collection:
    await audit.record(tx, actor, action, f"collection:{before.id}", difference)
    return await showcase.touch(tx, Collection, before.id)


async def _by_hand(tx: Tx, command: OfCollection) -> Collection:
    """The collection, locked: what its products and their ranks are stays so until the commit."""
    row = await showcase.locked(tx, Collection, command.collection_id, command.if_version, "collection_id")
    if row.by_rule:
        raise ValidationFailed("A rule chooses the products of this collection.", path=("collection_id",))
    return row


async def _ranks(tx: Tx, command: OfCollection, moved: Sequence[UUID]) -> list[str]:
    """A rank for each of these in front of `before_id`, behind what then stands before them."""
    after: str | None = None
    if command.before_id is not None:
        after = await tx.scalar(_RANK, id=command.collection_id, product_id=command.before_id)
        if after is None:
            raise NotFound("This product is not in the collection.", path=("before_id",))
    (below,) = await tx.records(_BELOW, id=command.collection_id, after=after, products=list(moved))
    return rank.spread(below.rank, after, len(moved))


async def _hold_products(tx: Tx, products: Sequence[UUID]) -> None:
    there = set(await tx.scalars(_HELD, products=list(products)))
    gathering = Gathering()
    for i, product_id in enumerate(products):
        with gathering.at("product_ids", str(i)):
            if product_id not in there:
                raise NotFound
    gathering.raise_if_any()


_HELD: Final = (
    select(Product.id)
    .where(Product.id == any_(bindparam("products", type_=ARRAY(Uuid))))
    .order_by(Product.id)
    .with_for_update(read=True, key_share=True)
)
_OF: Final = ProductCollection.collection_id == bindparam("id")
_THERE: Final = select(ProductCollection.product_id).where(
    _OF, ProductCollection.product_id == any_(bindparam("products", type_=ARRAY(Uuid)))
)
_COUNT: Final = text("SELECT count(*) AS count FROM product_collection WHERE collection_id = :id")
_RANK: Final = select(ProductCollection.rank).where(_OF, ProductCollection.product_id == bindparam("product_id"))
# Ranks of what is moved are free: it may go to where it stands.
_BELOW: Final = text(
    """
    SELECT max(rank) AS rank FROM product_collection
    WHERE collection_id = :id AND (rank < CAST(:after AS text) OR CAST(:after AS text) IS NULL)
      AND product_id <> ALL(CAST(:products AS uuid[]))
    """
)
_ADD: Final = text(
    """
    INSERT INTO product_collection (product_id, collection_id, rank)
    SELECT given.id, CAST(:id AS uuid), given.rank
    FROM unnest(CAST(:products AS uuid[]), CAST(:ranks AS text[])) AS given (id, rank)
    """
)
_REMOVE: Final = text(
    """
    DELETE FROM product_collection
    WHERE collection_id = :id AND product_id = ANY(CAST(:products AS uuid[])) RETURNING product_id
    """
)
_RERANK: Final = text(
    """
    UPDATE product_collection AS p SET rank = given.rank
    FROM unnest(CAST(:products AS uuid[]), CAST(:ranks AS text[])) AS given (id, rank)
    WHERE p.collection_id = :id AND p.product_id = given.id
    """
)
