"""What is to be written of products and variants: gathered first, then written by a fixed number of statements."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from sqlalchemy import any_, delete, func, update

from db import Media, OptionValue, Product, ProductOption, Variant, VariantOptionValue
from db.base import Base
from db.connection import Tx, new_id
from domain.publication import publish_new


def any_of(values: Iterable[Any]) -> Any:
    return any_(cast("Any", list(values)))


@dataclass
class Plan:
    """What is to be written, gathered over all products of a batch."""

    inserts: dict[type[Base], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    updates: dict[type[Base], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    touched: set[UUID] = field(default_factory=set[UUID])
    """Products of which anything is written."""
    archived: set[UUID] = field(default_factory=set[UUID])
    """Variants to archive; those that are only moving to another SKU or combination come back by an update."""
    relinked: list[UUID] = field(default_factory=list[UUID])
    """Variants whose option values are replaced."""
    gone: dict[type[Base], list[UUID]] = field(default_factory=lambda: defaultdict(list))

    def put(self, model: type[Base], product_id: UUID | None, old: Any, row: Mapping[str, Any]) -> UUID:
        """Notes the row if it is new or differs, and returns its id. All rows of a model name the same columns."""
        if old is not None and all(old[column] == value for column, value in row.items()):
            return old["id"]
        row_id: UUID = new_id() if old is None else old["id"]
        (self.inserts if old is None else self.updates)[model].append({"id": row_id, **row})
        self.touched.add(product_id or row_id)
        return row_id

    async def write(self, tx: Tx) -> None:
        """Seventeen statements at most; the order is what foreign keys and unique indexes ask for."""
        for model in (Product, Media, ProductOption, OptionValue):
            await tx.insert(model, self.inserts[model])
            await tx.update(model, self.updates[model])
        await publish_new(tx, (row["id"] for row in self.inserts[Product]))
        # Unique indexes do not wait for the end of a statement, so a variant steps out of them before it moves.
        await _run(tx, update(Variant).values(archived_at=func.now()), Variant.id, self.archived)
        await _run(tx, delete(VariantOptionValue), VariantOptionValue.variant_id, self.relinked)
        await tx.update(Variant, self.updates[Variant])
        await tx.insert(Variant, self.inserts[Variant])
        await tx.insert(VariantOptionValue, self.inserts[VariantOptionValue])
        await _run(tx, delete(VariantOptionValue), VariantOptionValue.value_id, self.gone[OptionValue])
        unpictured = update(Variant).values(media_id=None).where(Variant.product_id == any_of(self.touched))
        await _run(tx, unpictured, Variant.media_id, self.gone[Media])
        for model in (OptionValue, ProductOption, Media):
            await _run(tx, delete(model), model.id, self.gone[model])
        new = {row["id"] for row in self.inserts[Product]}
        touch = update(Product).values(version=Product.version + 1, updated_at=func.now())
        await _run(tx, touch, Product.id, self.touched - new)


async def _run(tx: Tx, statement: Any, column: Any, ids: Iterable[UUID]) -> None:
    if listed := list(ids):
        await tx.run(statement.where(column == any_of(listed)))
