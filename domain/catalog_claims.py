"""What no two products or variants have together, and who of those that are written at once may have it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx
from domain.product import ProductDraft, Upserted
from domain.refusal import Gathering, ValidationFailed
from domain.variant import SkuTaken, VariantExternalIdTaken

Owners = dict[tuple[str, str], Any]
"""Who has an SKU, as a live variant, or an external id: variants, and products under `product`."""


async def owners_of(tx: Tx, drafts: Sequence[ProductDraft]) -> Owners:
    """Who has the numbers that the drafts name."""
    variants = [variant for draft in drafts for variant in draft.variants]
    numbers = {
        "skus": {variant.sku for variant in variants if variant.sku},
        "external_ids": {variant.more["external_id"] for variant in variants if variant.more.get("external_id")},
        "products": {draft.more["external_id"] for draft in drafts if draft.more.get("external_id")},
    }
    rows = await tx.records(_OWNERS, **{name: list(values) for name, values in numbers.items()})
    return {(row.kind, row.number): row for row in rows}


def refuse_taken(
    stored: Mapping[str, Any], owners: Owners, made: Sequence[tuple[ProductDraft, Upserted]], archived: Container[UUID]
) -> None:
    """Handles, SKUs and external ids that something else has, in the shop or among the drafts. `stored` are products by
    handle; what is archived has no SKU any more.
    """
    gathering = Gathering()
    handles: set[str] = set()
    claims = {key: row for key, row in owners.items() if key[0] != "sku" or row.id not in archived}
    for i, (draft, result) in enumerate(made):
        with gathering.at(str(i), "handle"):
            if draft.handle in handles:
                raise ValidationFailed("Another product of the batch has this handle.")
            if (holder := stored.get(draft.handle)) is not None and holder.id != result.product_id:
                raise ValidationFailed("Something else has this handle: choose another one.")
        handles.add(draft.handle)
        with gathering.at(str(i), "external_id"):
            if not _claimed(claims, ("product", draft.more.get("external_id")), result.product_id, draft):
                raise ValidationFailed("Another product has this external id.")
        _refuse_numbers(gathering, claims, i, (draft, result))
    gathering.raise_if_any()


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who claims a number that nobody had."""

    id: UUID
    product_id: UUID
    handle: str


def _claimed(owners: Owners, key: tuple[str, str | None], mine: UUID, draft: ProductDraft) -> bool:
    """Whether the number is free, mine already, or none; from now on it is mine."""
    kind, number = key
    return number is None or owners.setdefault((kind, number), _Owner(mine, mine, draft.handle)).id == mine


def _refuse_numbers(gathering: Gathering, owners: Owners, i: int, made: tuple[ProductDraft, Upserted]) -> None:
    draft, result = made
    if "variants" in draft.keep:
        return
    for j, (variant, variant_id) in enumerate(zip(draft.variants, result.variant_ids, strict=True)):
        path, sku = (str(i), "variants", str(j)), variant.sku or None
        with gathering.at(*path, "sku"):
            if draft.archived:
                sku = None
            owner = (
                owners.setdefault(("sku", sku), _Owner(variant_id, result.product_id, draft.handle)) if sku else None
            )
            if owner is not None and owner.product_id != result.product_id:
                message = f"The SKU {sku} is in use by {owner.handle}: give this variant its own."
                raise SkuTaken(message, variant_id=owner.id, sku=sku or "")
        with gathering.at(*path, "external_id"):
            key = ("variant", str(variant.more.get("external_id")))
            if variant.more.get("external_id") and not _claimed(owners, key, variant_id, draft):
                raise VariantExternalIdTaken(variant_id=owners[key].id, external_id=key[1])


_OWNERS: Final = text(
    """
    SELECT 'sku' AS kind, v.sku AS number, v.id, v.product_id, p.handle
    FROM variant AS v JOIN product AS p ON p.id = v.product_id
    WHERE v.archived_at IS NULL AND v.sku = ANY(CAST(:skus AS text[]))
    UNION ALL
    SELECT 'variant', v.external_id, v.id, v.product_id, p.handle
    FROM variant AS v JOIN product AS p ON p.id = v.product_id
    WHERE v.external_id = ANY(CAST(:external_ids AS text[]))
    UNION ALL
    SELECT 'product', external_id, id, id, handle FROM product WHERE external_id = ANY(CAST(:products AS text[]))
    """
)
