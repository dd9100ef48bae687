"""Which products stand in which categories."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import Category
from db.connection import Tx
from domain import audit
from domain.actor import Actor
from domain.catalog_lock import lock_product, lock_products
from domain.refusal import Gathering, NotFound, ValidationFailed, VersionConflict

MOST_CATEGORIES: Final = 100
"""Of one product."""
MOST_PRODUCTS: Final = 1_000
"""That are put into a category at once."""


async def set_categories(
    tx: Tx, product_id: UUID, categories: Sequence[UUID], if_version: int | None, actor: Actor
) -> None:
    """The product stands in these categories and in no others."""
    if len(categories) > MOST_CATEGORIES or len(set(categories)) < len(categories):
        message = f"Name at most {MOST_CATEGORIES} categories, each once."
        raise ValidationFailed(message, path=("category_ids",))
    await lock_product(tx, product_id, if_version)
    await _hold(tx, categories, "category_ids")
    given = {"product_id": product_id, "categories": list(categories)}
    gone = [row.category_id for row in await tx.records(_TAKE_OUT, **given)]
    new = [row.category_id for row in await tx.records(_PUT_IN, **given)]
    if gone or new:
        await tx.run(_TOUCH, products=[product_id])
        await audit.record(tx, actor, "productSetCategories", f"product:{product_id}", _difference(gone, new))


async def add(tx: Tx, category_id: UUID, products: Sequence[UUID], if_version: int | None, actor: Actor) -> None:
    """Those that stand there already stay."""
    await _lock(tx, category_id, products, if_version)
    new = [row.product_id for row in await tx.records(_ADD, category_id=category_id, products=list(products))]
    await _changed(tx, "categoryAddProducts", category_id, {"products": [[], sorted(map(str, new))]}, actor)
    if new:
        await tx.run(_TOUCH, products=new)


async def remove(tx: Tx, category_id: UUID, products: Sequence[UUID], if_version: int | None, actor: Actor) -> None:
    """Those that do not stand there stay away. What stands below the category stays there."""
    await _lock(tx, category_id, products, if_version)
    gone = [row.product_id for row in await tx.records(_REMOVE, category_id=category_id, products=list(products))]
    await _changed(tx, "categoryRemoveProducts", category_id, {"products": [sorted(map(str, gone)), []]}, actor)
    if gone:
        await tx.run(_TOUCH, products=gone)


async def _lock(tx: Tx, category_id: UUID, products: Sequence[UUID], if_version: int | None) -> None:
    """The products, then the category; refuses what there is not."""
    _check_many(products)
    there = await lock_products(tx, products)
    gathering = Gathering()
    with gathering.at():
        await _hold_one(tx, category_id, if_version, "category_id")
    for i, product_id in enumerate(products):
        with gathering.at("product_ids", str(i)):
            if product_id not in there:
                raise NotFound
    gathering.raise_if_any()


async def _changed(tx: Tx, action: str, category_id: UUID, difference: dict[str, Any], actor: Actor) -> None:
    if any(difference["products"]):
        await audit.record(tx, actor, action, f"category:{category_id}", difference)


def _check_many(products: Sequence[UUID]) -> None:
    if not 1 <= len(products) <= MOST_PRODUCTS:
        raise ValidationFailed(f"Name 1 to {MOST_PRODUCTS:,} products.", path=("product_ids",))


async def _hold(tx: Tx, categories: Iterable[UUID], path: str) -> None:
    """They stay while products are put into them: in the order of their ids, as whoever moves some locks them."""
    listed = list(categories)
    there = set(await tx.scalars(_HELD, ids=listed))
    gathering = Gathering()
    for i, key in enumerate(listed):
        with gathering.at(path, str(i)):
            if key not in there:
                raise NotFound
    gathering.raise_if_any()


async def _hold_one(tx: Tx, category_id: UUID, if_version: int | None, *path: str) -> None:
    row: Any = await tx.first(_HELD_ONE, id=category_id)
    if row is None:
        raise NotFound(path=path)
    if if_version is not None and row.version != if_version:
        message = f"It has changed since it was read: it is at version {row.version}."
        raise VersionConflict(message, path=("if_version",), current_version=row.version)


def _difference(gone: list[UUID], new: list[UUID]) -> dict[str, Any]:
    return {"categories": [sorted(map(str, gone)), sorted(map(str, new))]}


_HELD: Final = (
    select(Category.id)
    .where(Category.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(Category.id)
    .with_for_update(read=True, key_share=True)
)
_HELD_ONE: Final = select(Category).where(Category.id == bindparam("id")).with_for_update(read=True, key_share=True)
_TAKE_OUT: Final = text(
    """
    DELETE FROM product_category
    WHERE product_id = :product_id AND category_id <> ALL(CAST(:categories AS uuid[])) RETURNING category_id
    """
)
_PUT_IN: Final = text(
    """
    INSERT INTO product_category (product_id, category_id)
    SELECT CAST(:product_id AS uuid), id FROM unnest(CAST(:categories AS uuid[])) AS id
    ON CONFLICT DO NOTHING RETURNING category_id
    """
)
_ADD: Final = text(
    """
    INSERT INTO product_category (product_id, category_id)
    SELECT id, CAST(:category_id AS uuid) FROM unnest(CAST(:products AS uuid[])) AS id
    ON CONFLICT DO NOTHING RETURNING product_id
    """
)
_REMOVE: Final = text(
    """
    DELETE FROM product_category
    WHERE category_id = :category_id AND product_id = ANY(CAST(:products AS uuid[])) RETURNING product_id
    """
)
_TOUCH: Final = text(
    "UPDATE product SET version = version + 1, updated_at = now() WHERE id = ANY(CAST(:products AS uuid[]))"
)
