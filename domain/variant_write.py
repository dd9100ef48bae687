"""What staff do to single variants. Each raises the product's version and leaves an audit entry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx
from domain import audit, catalog_lock
from domain.actor import Actor
from domain.option import Choices, Chosen, choices_of
from domain.product import MOST_VARIANTS
from domain.refusal import Gathering, NotFound, ValidationFailed
from domain.variant import columns_of
from domain.variant_batch import VariantBatch, Wanted


@dataclass(frozen=True)
class VariantChange:
    """What is said of a variant: fields by name, as `columns_of` takes them, and values for some of its options."""

    fields: Mapping[str, Any]
    options: tuple[Chosen, ...] = ()
    columns: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", columns_of(self.fields))


async def create(
    tx: Tx, product_id: UUID, change: VariantChange, actor: Actor, *, if_version: int | None = None
) -> UUID:
    """Behind those that there are."""
    await catalog_lock.lock_editable(tx, product_id, if_version)
    choices = (await choices_of(tx, [product_id]))[product_id]
    return await _write(tx, Wanted(choices, change.columns, change.options), actor, "variantCreate")


async def change(
    tx: Tx, variant_id: UUID, change: VariantChange, actor: Actor, *, if_version: int | None = None
) -> None:
    """Refuses what is archived: whether another has its SKU or its values is checked when it is restored."""
    old, choices = await _locked(tx, variant_id, if_version)
    if old.archived_at is not None:
        raise ValidationFailed("The variant is archived: restore it first.", path=("variant_id",))
    await _write(tx, Wanted(choices, change.columns, change.options, old), actor, "variantUpdate")


async def archive(tx: Tx, variant_id: UUID, actor: Actor, *, if_version: int | None = None) -> None:
    """It is not for sale from now on; orders go on naming it. One that is archived stays so."""
    old, choices = await _locked(tx, variant_id, if_version)
    if old.archived_at is None:
        await tx.run(_ARCHIVE, variant=variant_id)
        await tx.run(_TOUCH, product=choices.product_id)
        await audit.record(tx, actor, "variantArchive", f"variant:{variant_id}", {"archived": [False, True]})


async def restore(
    tx: Tx, variant_id: UUID, options: Sequence[Chosen], actor: Actor, *, if_version: int | None = None
) -> None:
    """For sale again, unless another variant has its SKU or its values by now. `options` are values for options that
    the product has got since, or others than it had. One that is not archived stays as it is.
    """
    old, choices = await _locked(tx, variant_id, if_version)
    if old.archived_at is not None:
        await _write(tx, Wanted(choices, {}, options, old), actor, "variantRestore")


async def reorder(
    tx: Tx, product_id: UUID, variants: Sequence[UUID], actor: Actor, *, if_version: int | None = None
) -> None:
    """The named ones come first, in this order; the others follow as they were."""
    if not 1 <= len(variants) <= MOST_VARIANTS or len(set(variants)) < len(variants):
        raise ValidationFailed(f"Name 1 to {MOST_VARIANTS:,} variants, each once.", path=("variant_ids",))
    await catalog_lock.lock_editable(tx, product_id, if_version)
    before = [row.id for row in await tx.records(_LIVE, product=product_id)]
    gathering, live = Gathering(), set(before)
    for i, variant in enumerate(variants):
        with gathering.at("variant_ids", str(i)):
            if variant not in live:
                raise NotFound
    gathering.raise_if_any()
    named = set(variants)
    after = [*variants, *(variant for variant in before if variant not in named)]
    if before == after:
        return
    await tx.run(_RANKS, variants=after)
    await tx.run(_TOUCH, product=product_id)
    told = {"variants": [[str(variant) for variant in order] for order in (before, after)]}
    await audit.record(tx, actor, "variantsReorder", f"product:{product_id}", told)


async def _write(tx: Tx, wanted: Wanted, actor: Actor, action: str) -> UUID:
    batch = VariantBatch()
    variant_id = batch.put(wanted)
    await batch.check(tx)
    await batch.write(tx)
    await audit.record_all(tx, actor, action, batch.differences())
    return variant_id


async def _locked(tx: Tx, variant_id: UUID, if_version: int | None) -> tuple[Any, Choices]:
    """The variant as it is once its product is locked, and what there is to choose."""
    product_id = await tx.records(_PRODUCT_OF, variant=variant_id)
    if not product_id:
        raise NotFound(path=("variant_id",))
    owner: UUID = product_id[0].product_id
    await catalog_lock.lock_editable(tx, owner, if_version, "variant_id")
    (old,) = await tx.records(_VARIANT, variant=variant_id)
    return old, (await choices_of(tx, [owner]))[owner]


_PRODUCT_OF: Final = text("SELECT product_id FROM variant WHERE id = :variant")
_VARIANT: Final = text("SELECT * FROM variant WHERE id = :variant FOR NO KEY UPDATE")
_ARCHIVE: Final = text("UPDATE variant SET archived_at = now() WHERE id = :variant")
_TOUCH: Final = text("UPDATE product SET version = version + 1, updated_at = now() WHERE id = :product")
_LIVE: Final = text("SELECT id FROM variant WHERE product_id = :product AND archived_at IS NULL ORDER BY rank, id")
_RANKS: Final = text(
    """
    UPDATE variant SET rank = given.rank
    FROM unnest(CAST(:variants AS uuid[])) WITH ORDINALITY AS given (id, rank)
    WHERE variant.id = given.id AND variant.rank <> given.rank
    """
)
