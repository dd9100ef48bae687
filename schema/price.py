"""What a variant costs, and why."""

from datetime import datetime
from typing import Any

import strawberry

from db.price import PriceListKind
from domain.money import money
from resolvers import price
from schema.build import derived, enum, loads, view
from schema.money import Money

enum(
    PriceListKind,
    "What a price list does to the regular price.",
    SALE="The best of such lists counts where it is lower than the regular price.",
    OVERRIDE="It is the regular price: the first such list by priority that has one.",
)


def _money(row: Any, name: str) -> Any:
    return None if row[name] is None else money(row[name], row["currency"])


@view()
class PriceTier:
    """What one unit costs from a quantity on."""

    min_quantity: int = derived(lambda tier: tier["quantity"], "From so many on.")
    amount: Money = derived(lambda tier: _money(tier, "amount"), "Per unit.")
    original: Money = derived(lambda tier: _money(tier, "original"), "The regular price of so many, per unit.")
    compare_at: Money | None = derived(lambda tier: _money(tier, "compare_at"), "The price it is compared with.")


@view()
class AppliedPriceList:
    """A price list that made a price, as far as shoppers are told of it."""

    kind: PriceListKind = derived(lambda row: row["list_kind"], "What it does.")
    ends_at: datetime | None = derived(lambda row: row["list_ends_at"], "Until when; null: no end is set.")


@view()
class PriceRange:
    """What one unit of a product costs at least and at most, by variant."""

    minimum: Money = derived(lambda row: _money(row, "minimum"), "Of the cheapest variant.")
    maximum: Money = derived(lambda row: _money(row, "maximum"), "Of the dearest variant.")
    tax_included: bool = strawberry.field(description="The amounts are with tax.")


@view()
class Price:
    """What one unit costs in a region."""

    amount: Money = derived(lambda row: _money(row, "amount"), "Per unit: the lower of the regular price and a sale.")
    original: Money = derived(lambda row: _money(row, "original"), "The regular price per unit, without any sale.")
    compare_at: Money | None = derived(
        lambda row: _money(row, "compare_at"),
        "The price it is compared with, crossed out beside it; in a sale that names none, the regular price.",
    )
    tax_included: bool = strawberry.field(description="The amount is with tax.")
    min_quantity: int = strawberry.field(description="From this quantity on this price counts.")
    price_list: AppliedPriceList | None = derived(
        lambda row: None if row["list_id"] is None else row, "The price list that it is of. Null: of none."
    )
    tiers: list[PriceTier] = loads(
        price.tiers_of_price, price.tier_keys, "What one unit costs by quantity, the smallest first."
    )
    prior_lowest_price: Money | None = loads(
        price.prior_lowest_of_price,
        price.prior_lowest_keys,
        "The lowest price that anybody paid for one unit in the 30 days before the present reduction began, if it "
        "has been reduced without interruption since. Null: it is not reduced, or was not for sale before.",
        then=lambda row: money(row["amount"], row["currency"]),
    )
