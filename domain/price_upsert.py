"""Many prices at once: each found by what it is the price of, and written, changed or taken away."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Text, Uuid, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import PriceList, Region, Variant
from db.connection import Read, Tx
from db.price import PriceListStatus
from domain import audit, catalog_lock
from domain.actor import Actor
from domain.price import PriceDraft, set_prices
from domain.product import Outcome
from domain.refusal import Gathering, NotFound, ValidationFailed
from domain.upsert import RowResult, Rows, Written, by_policy


@dataclass(frozen=True)
class PriceRow:
    """The price of a variant, which is named by id or by SKU; in minor units, amount null takes it away.

    `keeps_compare_at`: nothing was said about what it is compared with.
    """

    sku: str | None
    variant_id: UUID | None
    currency: str
    amount: int | None
    compare_at: int | None = None
    keeps_compare_at: bool = False
    region_id: UUID | None = None
    price_list_id: UUID | None = None
    min_quantity: int = 1

    def __post_init__(self) -> None:
        if (self.sku is None) == (self.variant_id is None):
            raise ValidationFailed("Name the variant by its id or by its SKU.", path=("variant_id",))
        self.of(_NOBODY)

    def of(self, variant_id: UUID) -> PriceDraft:
        place = (self.region_id, self.min_quantity, self.price_list_id)
        return PriceDraft(variant_id, self.currency, self.amount, self.compare_at, *place)


@dataclass(frozen=True)
class _Names:
    """What the rows name, as far as it is there: variants by SKU, region currencies, lists that take prices."""

    by_sku: Mapping[str, UUID]
    variants: frozenset[UUID]
    currencies: Mapping[UUID, str]
    lists: frozenset[UUID]

    def key(self, row: PriceRow) -> UUID:
        """The row's variant; refuses all in the row that is not there."""
        gathering = Gathering()
        variant = row.variant_id if row.variant_id is not None else self.by_sku.get(row.sku or "")
        with gathering.at("sku" if row.variant_id is None else "variant_id"):
            if variant is None or variant not in self.variants:
                raise NotFound
        with gathering.at("region_id"):
            if row.region_id is not None and row.region_id not in self.currencies:
                raise NotFound
        with gathering.at("currency"):
            sold_in = self.currencies.get(row.region_id, row.currency) if row.region_id else row.currency
            if sold_in != row.currency:
                raise ValidationFailed(f"The region sells in {sold_in}.")
        with gathering.at("price_list_id"):
            if row.price_list_id is not None and row.price_list_id not in self.lists:
                raise NotFound("There is no such price list, or it is archived.")
        gathering.raise_if_any()
        assert variant is not None
        return variant


async def upsert_prices(tx: Tx, rows: Rows[PriceRow], actor: Actor) -> list[RowResult]:
    """What is given is what is then. A result names the price, also one that was taken away."""
    await catalog_lock.alone(tx)

    async def attempt(left: Mapping[int, PriceRow]) -> Mapping[int, Written]:
        return await _write(tx, left, actor)

    return await by_policy(rows, attempt)


async def _write(tx: Tx, rows: Mapping[int, PriceRow], actor: Actor) -> Mapping[int, Written]:
    names = await _names(tx, rows.values())
    gathering, drafts, seen = Gathering(), dict[int, PriceDraft](), set[Any]()
    for i, row in rows.items():
        with gathering.at(str(i)):
            draft = row.of(names.key(row))
            if draft.key in seen:
                raise ValidationFailed("Another row is about this price, too.")
            seen.add(draft.key)
            drafts[i] = draft
    gathering.raise_if_any()
    before = await _stored(tx, drafts.values())
    for i, draft in drafts.items():
        if rows[i].keeps_compare_at and draft.amount is not None and (old := before.get(draft.key)):
            drafts[i] = PriceDraft(*draft.key[:2], draft.amount, old.compare_at, *_place(draft))
    await set_prices(tx, drafts.values())
    after = await _stored(tx, drafts.values())
    await _record(tx, drafts.values(), before, after, actor)
    return {i: _written(before.get(draft.key), after.get(draft.key)) for i, draft in drafts.items()}


def _place(draft: PriceDraft) -> tuple[UUID | None, int, UUID | None]:
    return draft.region_id, draft.min_quantity, draft.price_list_id


def _written(before: Any, after: Any) -> Written:
    known = after if after is not None else before
    outcome = Outcome.UNCHANGED
    if before is None and after is not None:
        outcome = Outcome.CREATED
    elif _told(before) != _told(after):
        outcome = Outcome.UPDATED
    return Written(_NOBODY if known is None else known.id, outcome)


def _told(row: Any) -> dict[str, Any]:
    return {} if row is None else {"amount": row.amount, "compare_at": row.compare_at}


async def _record(
    tx: Tx, drafts: Iterable[PriceDraft], before: Mapping[Any, Any], after: Mapping[Any, Any], actor: Actor
) -> None:
    """By variant all its prices that changed, each under what it is the price of."""
    by_variant: dict[UUID, dict[str, Any]] = {}
    for draft in drafts:
        difference = audit.changed(_told(before.get(draft.key)), _told(after.get(draft.key)))
        name = " ".join(str(part) for part in draft.key[1:] if part is not None)
        for field, pair in difference.items():
            by_variant.setdefault(draft.variant_id, {})[f"{name} {field}"] = pair
    made = [(f"variant:{variant}", difference) for variant, difference in by_variant.items()]
    await audit.record_all(tx, actor, "pricesUpsert", made)


async def _names(tx: Tx, rows: Iterable[PriceRow]) -> _Names:
    """The lists stay in use until the commit."""
    listed = list(rows)
    skus = [row.sku for row in listed if row.sku is not None]
    given = [row.variant_id for row in listed if row.variant_id is not None]
    found = await tx.records(_VARIANTS, skus=skus, variants=given)
    regions = await tx.records(_REGIONS, regions=[row.region_id for row in listed if row.region_id is not None])
    lists = await tx.scalars(_LISTS, lists=[row.price_list_id for row in listed if row.price_list_id is not None])
    return _Names(
        {row.sku: row.id for row in found if row.sku is not None},
        frozenset(row.id for row in found),
        {row.id: row.currency for row in regions},
        frozenset(lists),
    )


async def _stored(read: Read, drafts: Iterable[PriceDraft]) -> dict[Any, Any]:
    """The prices that there are, by their keys; in a transaction locked, in the order in which they are written."""
    rows = [draft.row for draft in drafts]
    stored = await read.records(_STORED, rows=rows) if rows else []
    names = ("variant_id", "currency", "price_list_id", "region_id", "min_quantity")
    return {tuple(row[name] for name in names): row for row in stored}


_NOBODY: Final = UUID(int=0)
_VARIANTS: Final = (
    select(Variant.id, Variant.sku)
    .where(
        (Variant.id == any_(bindparam("variants", type_=ARRAY(Uuid))))
        | ((Variant.sku == any_(bindparam("skus", type_=ARRAY(Text)))) & Variant.archived_at.is_(None))
    )
    .order_by(Variant.id)
    .with_for_update(key_share=True)
)
_REGIONS: Final = (
    select(Region.id, Region.currency)
    .where(Region.id == any_(bindparam("regions", type_=ARRAY(Uuid))), Region.archived_at.is_(None))
    .order_by(Region.id)
    .with_for_update(key_share=True, read=True)
)
_LISTS: Final = (
    select(PriceList.id)
    .where(PriceList.id == any_(bindparam("lists", type_=ARRAY(Uuid))), PriceList.status != PriceListStatus.ARCHIVED)
    .order_by(PriceList.id)
    .with_for_update(read=True)
)
_STORED: Final = text(
    """
    SELECT price.*
    FROM jsonb_populate_recordset(CAST(NULL AS price), :rows) AS given
    JOIN price ON price.variant_id = given.variant_id AND price.currency = given.currency
      AND price.price_list_id IS NOT DISTINCT FROM given.price_list_id
      AND price.region_id IS NOT DISTINCT FROM given.region_id AND price.min_quantity = given.min_quantity
    ORDER BY price.variant_id, price.currency, price.price_list_id, price.region_id, price.min_quantity
    FOR UPDATE OF price
    """
)
