"""Many variants at once, each found by external id or SKU and changed, or made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx
from domain import audit, catalog_lock
from domain.actor import Actor
from domain.offer import Offer, check_regions, set_offers
from domain.option import choices_of
from domain.product import Outcome
from domain.refusal import Gathering, NotFound, ValidationFailed
from domain.upsert import RowResult, Rows, Written, by_policy
from domain.variant_batch import VariantBatch, Wanted
from domain.variant_write import VariantChange


@dataclass(frozen=True)
class VariantRow:
    """`product_id` says of what a variant is made that is not found."""

    change: VariantChange
    product_id: UUID | None = None
    offers: tuple[Offer, ...] = ()

    def __post_init__(self) -> None:
        if self.external_id is None and self.sku is None:
            raise ValidationFailed("Give an SKU or an external id: the variant is found by it.", path=("sku",))

    @property
    def external_id(self) -> str | None:
        return self.change.columns.get("external_id")

    @property
    def sku(self) -> str | None:
        return self.change.columns.get("sku")


async def upsert_variants(tx: Tx, rows: Rows[VariantRow], actor: Actor) -> list[RowResult]:
    """A variant is found by external id, else by SKU, live ones first; one that is archived is restored. What is not
    found is made. What a row does not give stays as it is.
    """
    await catalog_lock.alone(tx)

    async def attempt(left: Mapping[int, VariantRow]) -> Mapping[int, Written]:
        return await _write(tx, left, actor)

    return await by_policy(rows, attempt)


async def _write(tx: Tx, rows: Mapping[int, VariantRow], actor: Actor) -> Mapping[int, Written]:
    found = await _found(tx, rows)
    owners = _owners(rows, found)
    products = await catalog_lock.lock_products(tx, set(owners.values()))
    choices = await choices_of(tx, products)
    batch, gathering, ids = VariantBatch(), Gathering(), dict[int, UUID]()
    for i, row in rows.items():
        with gathering.at(str(i)):
            if owners[i] not in products:
                raise NotFound(path=("product_id",))
            catalog_lock.check_editable(products[owners[i]])
            wanted = Wanted(choices[owners[i]], row.change.columns, row.change.options, found.get(i), (str(i),))
            ids[i] = batch.put(wanted)
    gathering.raise_if_any()
    await batch.check(tx)
    listed = [((str(i), "prices", str(j)), one) for i, row in rows.items() for j, one in enumerate(row.offers)]
    await check_regions(tx, listed)
    await batch.write(tx)
    priced = await set_offers(tx, [(ids[i], one) for i, row in rows.items() for one in row.offers])
    changed = batch.changed | priced
    differences = dict(batch.differences())
    subjects = [f"variant:{variant}" for variant in ids.values() if variant in changed]
    await audit.record_all(tx, actor, "variantsUpsert", [(one, differences.get(one, {})) for one in subjects])
    return {i: Written(variant, _outcome(found.get(i), variant in changed)) for i, variant in ids.items()}


def _outcome(old: Any, changed: bool) -> Outcome:
    if old is None:
        return Outcome.CREATED
    return Outcome.UPDATED if changed else Outcome.UNCHANGED


async def _found(tx: Tx, rows: Mapping[int, VariantRow]) -> dict[int, Any]:
    """The variant of each row that there is one for; refuses a second row about the same one."""
    numbers = {"external_ids": [row.external_id for row in rows.values()], "skus": [row.sku for row in rows.values()]}
    by_external: dict[str, Any] = {}
    by_sku: dict[str, Any] = {}
    for variant in await tx.records(_NUMBERED, **numbers):
        by_external.setdefault(variant.external_id, variant)
        by_sku.setdefault(variant.sku, variant)
    gathering, found, seen = Gathering(), dict[int, Any](), set[UUID]()
    for i, row in rows.items():
        variant = by_external.get(row.external_id or "") or by_sku.get(row.sku or "")
        with gathering.at(str(i)):
            if variant is not None and variant.id in seen:
                raise ValidationFailed("Another row is about this variant, too.")
        if variant is not None:
            seen.add(variant.id)
            found[i] = variant
    gathering.raise_if_any()
    return found


def _owners(rows: Mapping[int, VariantRow], found: Mapping[int, Any]) -> dict[int, UUID]:
    gathering, owners = Gathering(), dict[int, UUID]()
    for i, row in rows.items():
        with gathering.at(str(i)):
            variant = found.get(i)
            if variant is None and row.product_id is None:
                path = ("sku",) if row.external_id is None else ("external_id",)
                raise NotFound("There is no such variant; name the product of which it is to be made.", path=path)
            if variant is not None and row.product_id not in {None, variant.product_id}:
                raise ValidationFailed("The variant is of another product.", path=("product_id",))
            owners[i] = row.product_id if variant is None else variant.product_id  # pyright: ignore[reportArgumentType]
    gathering.raise_if_any()
    return owners


_NUMBERED: Final = text(
    """
    SELECT * FROM variant
    WHERE external_id = ANY(CAST(:external_ids AS text[])) OR sku = ANY(CAST(:skus AS text[]))
    ORDER BY archived_at DESC NULLS FIRST, id
    """
)
