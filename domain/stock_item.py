"""Stock items, and which of them a variant takes: one, or as a bundle several."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import any_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from db import StockItem, VariantStockItem
from db.connection import Tx, new_id
from domain import audit
from domain.actor import Actor
from domain.refusal import Gathering, NotFound, ValidationFailed

LONGEST_TITLE: Final = 255
LONGEST_SKU: Final = 100
MOST_PARTS: Final = 50
MOST_OF_A_PART: Final = 1_000_000


@dataclass(frozen=True)
class ItemChange:
    """Of a new item the title is given; of one that is there None leaves a part as it is, an empty sku is none."""

    title: str | None = None
    sku: str | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("title"):
            if self.title is not None:
                _check_line(self.title, 1, LONGEST_TITLE)
        with gathering.at("sku"):
            if self.sku is not None:
                _check_line(self.sku, 0, LONGEST_SKU)
        gathering.raise_if_any()

    @property
    def values(self) -> dict[str, Any]:
        given = {name: value.strip() for name, value in vars(self).items() if value is not None}
        return {**given, "sku": given["sku"] or None} if "sku" in given else given


@dataclass(frozen=True)
class Part:
    item_id: UUID
    quantity: int


@dataclass(frozen=True)
class Recipe:
    """All that one unit of a variant takes; nothing: nobody has counted it yet."""

    variant_id: UUID
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if len(self.parts) > MOST_PARTS:
            raise ValidationFailed(f"A variant takes at most {MOST_PARTS} items.", path=("items",))
        gathering, seen = Gathering(), set[UUID]()
        for i, part in enumerate(self.parts):
            with gathering.at("items", str(i), "quantity"):
                if not 1 <= part.quantity <= MOST_OF_A_PART:
                    raise ValidationFailed(f"A quantity is 1 to {MOST_OF_A_PART:,}.")
            with gathering.at("items", str(i), "stock_item_id"):
                if part.item_id in seen:
                    raise ValidationFailed("This item is in the list already.")
            seen.add(part.item_id)
        gathering.raise_if_any()


def _check_line(text_: str, least: int, most: int) -> None:
    if not least <= len(text_.strip()) <= most or not text_.isprintable():
        raise ValidationFailed(f"This has {least} to {most} characters on one line.")


async def create(tx: Tx, change: ItemChange, actor: Actor) -> UUID:
    statement = insert(StockItem).values(id=new_id(), **change.values)
    made = await tx.scalar(statement.on_conflict_do_nothing(index_elements=["sku"]).returning(StockItem.id))
    if made is None:
        raise _taken()
    await audit.record(tx, actor, "stockItemCreate", f"stock_item:{made}", audit.changed({}, change.values))
    return made


async def change(tx: Tx, item_id: UUID, to: ItemChange, actor: Actor) -> None:
    locked = select(StockItem).where(StockItem.id == item_id).with_for_update(key_share=True)
    before = await tx.first(locked)
    if before is None:
        raise NotFound(path=("stock_item_id",))
    if to.values:
        try:
            await tx.run(update(StockItem).where(StockItem.id == item_id).values(**to.values))
        except UniqueViolationError:
            raise _taken() from None
    difference = audit.changed({name: getattr(before, name) for name in to.values}, to.values)
    await audit.record(tx, actor, "stockItemUpdate", f"stock_item:{item_id}", difference)


async def set_recipe(tx: Tx, recipe: Recipe, actor: Actor) -> None:
    """Replaces what the variant takes from now on; what was reserved before is shipped as it was reserved."""
    if not await tx.records(_LOCK_VARIANT, id=recipe.variant_id):
        raise NotFound(path=("variant_id",))
    wanted = {part.item_id: part.quantity for part in recipe.parts}
    named = StockItem.id == any_(list(wanted))  # pyright: ignore[reportArgumentType]
    there = set(await tx.scalars(select(StockItem.id).where(named)))
    gathering = Gathering()
    for i, part in enumerate(recipe.parts):
        with gathering.at("items", str(i), "stock_item_id"):
            if part.item_id not in there:
                raise NotFound
    gathering.raise_if_any()
    before = {str(row.stock_item_id): row.quantity for row in await tx.all(_of(recipe.variant_id))}
    parts = [{"item": item, "quantity": quantity} for item, quantity in wanted.items()]
    await tx.run(_OTHERS_GO, variant=recipe.variant_id, items=list(wanted))
    await tx.run(_PARTS, variant=recipe.variant_id, parts=parts)
    after = {str(item): quantity for item, quantity in wanted.items()}
    difference = {"stock_items": [_sorted(before), _sorted(after)]} if before != after else {}
    await audit.record(tx, actor, "variantSetStockItems", f"variant:{recipe.variant_id}", difference)


def _sorted(parts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"stockItemId": item, "quantity": parts[item]} for item in sorted(parts)]


def _of(variant_id: UUID) -> Any:
    return select(VariantStockItem).where(VariantStockItem.variant_id == variant_id)


def _taken() -> ValidationFailed:
    return ValidationFailed("There is an item with this number.", path=("sku",))


_LOCK_VARIANT: Final = text("SELECT id FROM variant WHERE id = :id FOR NO KEY UPDATE")
_OTHERS_GO: Final = text("DELETE FROM variant_stock_item WHERE variant_id = :variant AND stock_item_id <> ALL(:items)")
_PARTS: Final = text(
    """
    INSERT INTO variant_stock_item AS link (variant_id, stock_item_id, quantity)
    SELECT CAST(:variant AS uuid), item, quantity
    FROM jsonb_to_recordset(:parts) AS p (item uuid, quantity integer) ORDER BY item
    ON CONFLICT (variant_id, stock_item_id) DO UPDATE SET quantity = excluded.quantity
    WHERE link.quantity <> excluded.quantity
    """
)
