"""Base prices that are given beside what they are of: a variant's, in any region of the currency or in one."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx
from domain.money import minor_units
from domain.price import PriceDraft, set_prices
from domain.refusal import Gathering, NotFound, ValidationFailed, gathered


@dataclass(frozen=True)
class Offer:
    """`amount` and `compare_at` in minor units. Amount null takes the price away."""

    currency: str
    amount: int | None
    compare_at: int | None = None
    region_id: UUID | None = None
    min_quantity: int = 1

    def __post_init__(self) -> None:
        PriceDraft(_NOBODY, self.currency, self.amount, self.compare_at, self.region_id, self.min_quantity)

    def of(self, variant_id: UUID) -> PriceDraft:
        return PriceDraft(variant_id, self.currency, self.amount, self.compare_at, self.region_id, self.min_quantity)


def offer(given: Any, region_id: UUID | None) -> Offer:
    """Of an input with amounts in major units."""
    parts = [((), partial(_minor, given, name)) for name in ("amount", "compare_at")]
    amount, compare_at = gathered(parts)
    least = 1 if given.min_quantity is None else given.min_quantity
    return Offer(given.currency, amount, compare_at, region_id, least)


def _minor(given: Any, name: str) -> int | None:
    value = getattr(given, name)
    try:
        return None if value is None else minor_units(value, given.currency)
    except ValidationFailed as refused:
        raise ValidationFailed(refused.message, path=(name,)) from None


async def check_regions(tx: Tx, offers: Iterable[tuple[tuple[str, ...], Offer]]) -> None:
    """Refuses, each under its path, a region that there is not, or that has another currency."""
    named = [(path, offer) for path, offer in offers if offer.region_id is not None]
    if not named:
        return
    found = await tx.records(_REGIONS, regions=[offer.region_id for _, offer in named])
    currencies = {row.id: row.currency for row in found}
    gathering = Gathering()
    for path, one in named:
        with gathering.at(*path, "region_id"):
            if one.region_id not in currencies:
                raise NotFound
            if currencies[one.region_id] != one.currency:
                raise ValidationFailed(f"The region sells in {currencies[one.region_id]}.")
    gathering.raise_if_any()


async def set_offers(tx: Tx, offers: Iterable[tuple[UUID, Offer]]) -> set[UUID]:
    """The variants whose prices changed."""
    return set(await set_prices(tx, [one.of(variant) for variant, one in offers]))


_NOBODY: Final = UUID(int=0)
# Their currencies stay until the commit, and what is archived has no new prices, as in domain/price_upsert.py.
_REGIONS: Final = text(
    """
    SELECT id, currency FROM region WHERE id = ANY(CAST(:regions AS uuid[])) AND archived_at IS NULL
    ORDER BY id FOR KEY SHARE
    """
)
