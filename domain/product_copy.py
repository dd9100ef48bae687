"""A product once more, to be made another one of: a draft with everything but what is each product's own."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from db import Media, OptionValue, Price, Product, ProductCategory, ProductOption, Variant, VariantOptionValue
from db.base import Base
from db.catalog import ProductStatus
from db.connection import Tx, new_id
from domain import audit, handle
from domain.actor import Actor
from domain.catalog_lock import lock_product
from domain.product_change import subject
from domain.product_details import check_details
from domain.publication import publish_new
from domain.refusal import Gathering, ValidationFailed
from domain.variant import SkuTaken

LONGEST_SUFFIX: Final = 50
_OWN: Final[Mapping[type[Base], Set[str]]] = {
    Product: {"id", "handle", "version", "external_id", "archived_at", "created_at", "updated_at"},
    Media: {"file_id"},
    Variant: {"barcode", "ean", "upc", "external_id", "archived_at", "created_at"},
    Price: {"valid_from", "created_at"},
}
"""What a copy begins anew with. An uploaded picture stays the file of the first, at whose address both show it."""


@dataclass(frozen=True)
class DuplicateProduct:
    """Title null: the same. Suffix null: the copies of variants have no SKUs."""

    id: UUID
    title: str | None = None
    sku_suffix: str | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at():
            if self.title is not None:
                check_details({"title": self.title})
        with gathering.at("sku_suffix"):
            suffix = self.sku_suffix
            if suffix is not None and not (1 <= len(suffix) <= LONGEST_SUFFIX and suffix.isprintable()):
                raise ValidationFailed(f"A suffix has 1 to {LONGEST_SUFFIX} characters.")
        gathering.raise_if_any()


async def duplicate(tx: Tx, command: DuplicateProduct, actor: Actor) -> Product:
    """Its options, live variants, prices, pictures, categories and translations once more, with a new handle."""
    before = await lock_product(tx, command.id, None, "id")
    title = before.title if command.title is None else command.title.strip()
    columns = {**_without_own(Product, before), "title": title, "status": str(ProductStatus.DRAFT)}
    made: Any = await handle.made(tx, Product, columns, None, title)
    await publish_new(tx, [made.id])
    try:
        await _copy_parts(tx, command, made.id)
    except UniqueViolationError:
        raise ValidationFailed("An SKU was taken at this moment: try again.", path=("sku_suffix",)) from None
    told = {"copy_of": command.id, "title": title, "handle": made.handle}
    await audit.record(tx, actor, "productDuplicate", subject(made.id), audit.changed({}, told))
    return made


async def _copy_parts(tx: Tx, command: DuplicateProduct, product_id: UUID) -> None:
    ids = {command.id: product_id}
    parts: dict[type[Base], list[Any]] = {}
    for model, statement, key in _PARTS:
        parts[model] = await tx.all(statement, keys=[row["id"] for row in parts[key]] if key else [command.id])
        ids |= {row["id"]: new_id() for row in parts[model] if "id" in row.keys()}  # noqa: SIM118 - of a driver's row
    skus = {row["sku"]: row["sku"] + command.sku_suffix for row in parts[Variant] if row["sku"] and command.sku_suffix}
    await _check_skus(tx, skus.values())
    for model, rows in parts.items():
        copies = [_copy(model, row, ids) for row in rows]
        if model is Variant:
            copies = [{**copy, "sku": skus.get(copy["sku"])} for copy in copies]
        await tx.insert(model, copies)


def _copy(model: type[Base], row: Mapping[str, Any], ids: Mapping[UUID, UUID]) -> dict[str, Any]:
    """The row with the ids of what is copied with it."""
    return {name: _renamed(value, ids) for name, value in _without_own(model, row).items()}


def _renamed(value: Any, ids: Mapping[Any, UUID]) -> Any:
    if isinstance(value, UUID):
        return ids.get(value, value)
    parts: list[Any] = cast("list[Any]", value) if isinstance(value, list) else []
    if parts and isinstance(parts[0], UUID):  # the combination of a variant, which is sorted
        return sorted(ids.get(part, part) for part in parts)
    return cast("Any", value)


def _without_own(model: type[Base], row: Mapping[str, Any]) -> dict[str, Any]:
    own = _OWN.get(model, frozenset[str]())
    return {name: value for name, value in row.items() if name not in own}


async def _check_skus(tx: Tx, skus: Iterable[str]) -> None:
    gathering = Gathering()
    for row in await tx.records(_TAKEN, skus=list(skus)):
        with gathering.at("sku_suffix"):
            raise SkuTaken(f"Another variant has the SKU {row.sku}.", variant_id=row.id, sku=row.sku)
    gathering.raise_if_any()


_KEYS: Final = any_(bindparam("keys", type_=ARRAY(Uuid)))
_PARTS: Final[tuple[tuple[type[Base], Any, type[Base] | None], ...]] = (
    (Media, select(Media).where(Media.product_id == _KEYS), None),
    (ProductOption, select(ProductOption).where(ProductOption.product_id == _KEYS), None),
    (OptionValue, select(OptionValue).where(OptionValue.option_id == _KEYS), ProductOption),
    (Variant, select(Variant).where(Variant.product_id == _KEYS, Variant.archived_at.is_(None)), None),
    (VariantOptionValue, select(VariantOptionValue).where(VariantOptionValue.variant_id == _KEYS), Variant),
    (Price, select(Price).where(Price.variant_id == _KEYS), Variant),
    (ProductCategory, select(ProductCategory).where(ProductCategory.product_id == _KEYS), None),
)
"""What belongs to a product, in the order of its foreign keys, and by the ids of what."""
_TAKEN: Final = (
    select(Variant.id, Variant.sku)
    .where(Variant.archived_at.is_(None), Variant.sku == any_(bindparam("skus", type_=ARRAY(Variant.sku.type))))
    .order_by(Variant.sku)
)
