"""Prices: what a variant costs in a currency, a region and a quantity."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import text

from db.connection import Read, Tx, new_id
from domain.money import LARGEST, digits
from domain.refusal import ValidationFailed


@dataclass(frozen=True, slots=True)
class PriceDraft:
    """Amounts in minor units; `amount` None takes the price away. Region None: any region of the currency."""

    variant_id: UUID
    currency: str
    amount: int | None
    compare_at: int | None = None
    region_id: UUID | None = None
    min_quantity: int = 1

    def __post_init__(self) -> None:
        digits(self.currency)
        for name, minor in (("amount", self.amount), ("compare_at", self.compare_at)):
            if minor is not None and not 0 <= minor <= LARGEST:
                raise ValidationFailed("A price is 0 or more.", path=(name,))
        if self.min_quantity < 1:
            raise ValidationFailed("A price counts from a quantity of 1 or more.", path=("min_quantity",))

    @property
    def row(self) -> dict[str, object]:
        return {
            "id": new_id(),
            "variant_id": self.variant_id,
            "currency": self.currency,
            "region_id": self.region_id,
            "min_quantity": self.min_quantity,
            "amount": self.amount,
            "compare_at": self.compare_at,
        }


# Sorted, so that two transactions that set the same prices wait for each other and never deadlock.
_WRITE = text(
    """
    WITH given AS (SELECT * FROM jsonb_populate_recordset(CAST(NULL AS price), :rows)),
    gone AS (
        DELETE FROM price USING given
        WHERE given.amount IS NULL AND price.variant_id = given.variant_id AND price.currency = given.currency
          AND price.region_id IS NOT DISTINCT FROM given.region_id AND price.min_quantity = given.min_quantity
        RETURNING price.variant_id
    ),
    written AS (
        INSERT INTO price (id, variant_id, currency, region_id, min_quantity, amount, compare_at)
        SELECT id, variant_id, currency, region_id, min_quantity, amount, compare_at FROM given
        WHERE amount IS NOT NULL
        ORDER BY variant_id, currency, region_id, min_quantity
        ON CONFLICT (variant_id, currency, region_id, min_quantity) DO UPDATE
        SET amount = excluded.amount, compare_at = excluded.compare_at
        WHERE (price.amount, price.compare_at) IS DISTINCT FROM (excluded.amount, excluded.compare_at)
        RETURNING variant_id
    )
    SELECT variant_id FROM gone UNION ALL SELECT variant_id FROM written
    """
)


async def set_prices(tx: Tx, prices: Iterable[PriceDraft]) -> list[UUID]:
    """Writes what differs, by one statement; one entry per price changed: its variant's id.

    Of two drafts for the same variant, currency, region and quantity the later one counts.
    """
    rows = {(p.variant_id, p.currency, p.region_id, p.min_quantity): p.row for p in prices}
    if not rows:
        return []
    return [row.variant_id for row in await tx.records(_WRITE.bindparams(rows=list(rows.values())))]


class Wanted(NamedTuple):
    """A price is asked for by variant and quantity, in a region and its currency."""

    variant_id: UUID
    quantity: int
    region_id: UUID


class Found(Protocol):
    """Per unit, in minor units; gross or net as the region says. `min_quantity` is the tier that applied."""

    @property
    def amount(self) -> int: ...
    @property
    def compare_at(self) -> int | None: ...
    @property
    def currency(self) -> str: ...
    @property
    def min_quantity(self) -> int: ...
    @property
    def tax_included(self) -> bool: ...


async def best(read: Read, wanted: Sequence[Wanted]) -> list[Found | None]:
    """The price of each, in their order, by one statement; null: not for sale there.

    The region's own rows count if one has min_quantity <= quantity, otherwise the currency's; of those the
    largest min_quantity.
    """
    found: list[Found | None] = [None] * len(wanted)
    if wanted:
        variants, quantities, regions = (list(column) for column in zip(*wanted, strict=True))
        for row in await read.records(_BEST, variants=variants, quantities=quantities, regions=regions):
            found[row["position"] - 1] = row
    return found


_BEST = text(
    """
    SELECT DISTINCT ON (w.position)
        w.position, p.amount, p.compare_at, p.currency, p.min_quantity, r.tax_inclusive AS tax_included
    FROM unnest(CAST(:variants AS uuid[]), CAST(:quantities AS int[]), CAST(:regions AS uuid[])) WITH ORDINALITY
           AS w (variant_id, quantity, region_id, position)
    JOIN region r ON r.id = w.region_id
    JOIN price p ON p.variant_id = w.variant_id AND p.currency = r.currency
                AND p.min_quantity <= w.quantity AND (p.region_id = w.region_id OR p.region_id IS NULL)
    ORDER BY w.position, p.region_id IS NULL, p.min_quantity DESC
    """
)
