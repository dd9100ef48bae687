"""Delivery: what each way of a region costs for what is in a cart, and providers that are asked for their price.

Pure, but for the providers: those are asked with no transaction open (domain/processes/quote_delivery.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final, Protocol
from uuid import UUID

import orjson

from db.delivery import LOCAL, DeliveryKind, DeliveryTax
from domain.money import LARGEST
from domain.tax import Levy
from domain.tax_provider import Answer
from domain.totals import LineTotal, Rate, line_total, taxed

MOST: Final = LARGEST // 10_000
"""No delivery costs more; so much fits beside every cart."""


@dataclass(frozen=True)
class QuotedLine:
    """Units that are to be sent."""

    variant_id: UUID
    sku: str | None
    quantity: int
    weight_grams: int
    """Of one unit."""


@dataclass(frozen=True)
class QuoteRequest:
    """All that a provider's price may depend on. `subtotal` is in minor units, as the region shows prices."""

    currency: str
    address: Mapping[str, Any]
    lines: tuple[QuotedLine, ...]
    subtotal: int

    @property
    def weight_grams(self) -> int:
        return sum(line.quantity * line.weight_grams for line in self.lines)

    @property
    def hash(self) -> str:
        """Equal for requests that must get the same answer."""
        return hashlib.sha256(orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


@dataclass(frozen=True)
class Offer:
    """`code` is that of the delivery option whose price it is; `amount` in minor units, as the region shows prices."""

    code: str
    amount: int
    days_min: int | None = None
    days_max: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= MOST:
            raise ValueError(f"{self.amount} is no price of a delivery")


class DeliveryProvider(Protocol):
    """Calls may take long and fail with any exception: then the options' fallback prices count for a while."""

    @property
    def name(self) -> str:
        """As `delivery_option.provider` names it."""
        ...

    async def quote(self, request: QuoteRequest) -> Sequence[Offer]:
        """The ways in which this can be sent; options without an offer cannot be had."""
        ...


@dataclass(frozen=True)
class Way:
    """A delivery option that is in use, as it is stored."""

    id: UUID
    code: str
    name: str
    kind: DeliveryKind
    tiers: tuple[tuple[int, int | None], ...]
    free_from: int | None
    tax_treatment: DeliveryTax
    rates: tuple[Rate, ...]
    countries: frozenset[str]
    provider: str
    fallback: int | None
    days_min: int | None
    days_max: int | None
    tax_class_code: str | None = None
    """Of the treatment `region`; null: the default one."""

    @property
    def tax_key(self) -> str:
        """As providers of taxes are asked about it."""
        return f"delivery:{self.id}"

    @property
    def is_local(self) -> bool:
        return self.provider == LOCAL

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Way":
        """Of a row of `delivery_option`, as columns or as JSON."""
        plain = ("code", "name", "free_from", "provider", "fallback", "days_min", "days_max", "tax_class_code")
        return cls(
            id=UUID(str(row["id"])),
            kind=DeliveryKind(row["kind"]),
            tiers=tuple((tier["from"], tier["amount"]) for tier in row["tiers"]),
            tax_treatment=DeliveryTax(row["tax_treatment"]),
            rates=tuple(Rate(rate["name"], Decimal(rate["rate"])) for rate in row["tax_rates"]),
            countries=frozenset(row["countries"]),
            **{name: row[name] for name in plain},
        )


@dataclass(frozen=True)
class Parcel:
    """What is to be delivered. Without lines that are sent there is nothing to deliver."""

    request: QuoteRequest
    country: str | None
    """Null: nobody has said yet where it goes."""
    lines: tuple[LineTotal, ...]
    """All lines of the cart."""
    at_home: tuple[LineTotal, ...]
    """The same as they would be in the region's home."""
    levy: Levy
    answer: Answer | None = None
    """What a provider of taxes said about the ways that are taxed by a class."""

    def total(self, way: Way, amount: int) -> LineTotal:
        """The price of a way with its taxes. Rates of its own hold wherever it goes."""
        levy, code = self.levy, way.tax_class_code
        if way.tax_treatment == DeliveryTax.PROPORTIONAL:
            return levy.like(amount, self.lines, self.at_home)
        if way.tax_treatment == DeliveryTax.OWN:
            return line_total(amount, 1, way.rates, inclusive=levy.inclusive, rounding=levy.rounding)
        if self.answer is not None and way.tax_key in self.answer:
            return taxed(levy.base(amount, 1, code), self.answer[way.tax_key], inclusive=levy.included)
        return levy.line(amount, 1, code)


@dataclass(frozen=True)
class Offered:
    """A way that a cart can be delivered in, and what it costs."""

    way: Way
    amount: int
    """As the region shows prices."""
    total: LineTotal
    days_min: int | None
    days_max: int | None
    is_fallback: bool = False
    """Its provider gave no answer; this is the price for such cases."""

    @property
    def data(self) -> dict[str, Any]:
        """What an order keeps of it."""
        shown = {"code": self.way.code, "name": self.way.name, "days_min": self.days_min, "days_max": self.days_max}
        return {**shown, "taxes": [tax.data for tax in self.total.taxes]}


Quotes = Mapping[str, list[dict[str, Any]] | None]
"""Answers that still count, by provider; null: it gave none."""


@dataclass(frozen=True)
class Delivery:
    """How a cart can be delivered. `unquoted` are the ways whose price nobody knows before their provider is asked."""

    is_needed: bool
    offered: tuple[Offered, ...] = ()
    unquoted: tuple[Way, ...] = ()
    chosen: Offered | None = None
    """Null: nothing was chosen, or what was chosen cannot be had (any more)."""
    chosen_unquoted: Way | None = None


NOT_NEEDED: Final = Delivery(False)


def delivery(ways: Sequence[Way], parcel: Parcel, quotes: Quotes, chosen: UUID | None) -> Delivery:
    """A cart needs delivery where its region has ways of it and there is something to be sent."""
    if not ways or not parcel.request.lines:
        return NOT_NEEDED
    serving = [way for way in ways if not way.countries or parcel.country is None or parcel.country in way.countries]
    unquoted = tuple(w for w in serving if not w.is_local and w.provider not in quotes and parcel.country is not None)
    found = (_offered(way, parcel, quotes) for way in serving)
    offered = tuple(one for one in found if one is not None)
    return Delivery(
        True,
        offered,
        unquoted,
        next((one for one in offered if one.way.id == chosen), None),
        next((way for way in unquoted if way.id == chosen), None),
    )


def _offered(way: Way, parcel: Parcel, quotes: Quotes) -> Offered | None:
    amount, days, is_fallback = _tier(way, parcel), (way.days_min, way.days_max), False
    if not way.is_local:
        if way.provider not in quotes:
            return None
        offers = quotes[way.provider]
        offer = next((offer for offer in offers or () if offer["code"] == way.code), None)
        is_fallback = offers is None
        amount = way.fallback if is_fallback else None
        if offer is not None:
            amount, days = offer["amount"], _days(offer, way)
    if amount is None:
        return None
    if way.free_from is not None and parcel.request.subtotal >= way.free_from:
        amount = 0
    return Offered(way, amount, parcel.total(way, amount), *days, is_fallback)


def _days(offer: Mapping[str, Any], way: Way) -> tuple[int | None, int | None]:
    """Those of the offer, if it has any."""
    if offer["days_min"] is None and offer["days_max"] is None:
        return way.days_min, way.days_max
    return offer["days_min"], offer["days_max"]


def _tier(way: Way, parcel: Parcel) -> int | None:
    """The amount of the last tier that is reached."""
    measures = {
        DeliveryKind.FLAT: 0,
        DeliveryKind.BY_WEIGHT: parcel.request.weight_grams,
        DeliveryKind.BY_SUBTOTAL: parcel.request.subtotal,
    }
    reached = [amount for start, amount in way.tiers if start <= measures[way.kind]]
    return reached[-1] if reached else None
