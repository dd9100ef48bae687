"""What a customer should know of their cart although nothing of it is refused."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Read
from domain.assessment import Assessment
from domain.money import Money
from domain.warning import FallbackPrice, FallbackTax, Notice, OutsideRegion, PriceChangedSince, ShortStock


def known(assessment: Assessment) -> Iterator[Notice]:
    """What an assessment tells by itself."""
    yield from price_changes(assessment)
    yield from outside(assessment, "shipping_address", "country")
    chosen = assessment.delivery.chosen
    if chosen is not None and chosen.is_fallback:
        message = "The provider of the delivery gives no answer; this is its price for such cases."
        yield FallbackPrice(message=message, path=("delivery",), option_id=chosen.way.id)
    if assessment.tax.is_fallback:
        message = "The provider of taxes gives no answer; the shop's own rates count meanwhile."
        yield FallbackTax(message=message, path=("totals", "taxes"))


def price_changes(assessment: Assessment, before: str | None = None) -> Iterator[PriceChangedSince]:
    """`before` is the currency of the former prices, where that is another one."""
    currency = assessment.cart.currency
    for index, line in enumerate(assessment.lines):
        if line.changed_from is not None and line.price is not None:
            yield PriceChangedSince(
                message="The price of this line has changed.",
                path=("lines", str(index)),
                line_id=line.row["id"],
                before=Money(line.changed_from, before or currency),
                current=Money(line.price.amount, currency),
            )


def outside(assessment: Assessment, *path: str) -> Iterator[OutsideRegion]:
    address = assessment.cart.shipping_address
    if assessment.is_outside and address is not None:
        message = f"{address['country']} is not a country of the cart's region."
        yield OutsideRegion(message=message, path=path, country=address["country"])


_STOCK: Final = text(
    """
    SELECT variant.id, link.stock_item_id AS item, coalesce(link.quantity, 1) AS per_unit,
        (SELECT coalesce(sum(greatest(on_hand + backorder_limit - reserved - allocated, 0)), 0)::bigint
            FROM stock_level WHERE stock_item_id = link.stock_item_id) AS free
    FROM variant LEFT JOIN variant_stock_item AS link ON link.variant_id = variant.id
    WHERE variant.id = ANY(:variants) AND variant.manage_stock
    """
)


async def short_stock(read: Read, assessments: Sequence[Assessment]) -> list[list[ShortStock]]:
    """For each cart, by one statement for all, the lines of which there is less than they have."""
    variants = {line.row["variant_id"] for one in assessments for line in one.lines}
    parts: dict[UUID, list[Any]] = defaultdict(list)
    if variants:
        for row in await read.records(_STOCK, variants=list(variants)):
            parts[row["id"]].append(row)
    return [list(_short(one, parts)) for one in assessments]


def _short(assessment: Assessment, parts: Mapping[UUID, Sequence[Any]]) -> Iterator[ShortStock]:
    """Two lines that take of the same thing share what there is of it; the earlier one takes first."""
    free = {part.item: part.free for of_variant in parts.values() for part in of_variant}
    for index, line in enumerate(assessment.lines):
        needed = parts.get(line.row["variant_id"], ())
        if not needed:
            continue
        quantity = line.row["quantity"]
        available = min(free[part.item] // part.per_unit for part in needed)
        for part in needed:
            free[part.item] -= min(available, quantity) * part.per_unit
        if available < quantity:
            message = f"Only {available:,} of these can be had now."
            yield ShortStock(
                message=message, path=("lines", str(index)), line_id=line.row["id"], available=int(available)
            )
