"""Ways of delivery of a region, for staff."""

from decimal import Decimal
from typing import Any

import strawberry

from db import DeliveryOption as Row
from db.delivery import DeliveryKind, DeliveryTax
from domain.money import money
from resolvers import catalog
from schema.build import column, derived, enum, given, input_type, loads, required, view
from schema.errors import Payload
from schema.estimated_days import EstimatedDays, days
from schema.money import Money, MoneyInput
from schema.node import Node, public_id
from schema.region import Region
from schema.scalars import CountryCode

enum(
    DeliveryKind,
    "What the price of a delivery goes by.",
    FLAT="One price.",
    BY_WEIGHT="What everything that is sent weighs.",
    BY_SUBTOTAL="What the lines come to.",
)
enum(
    DeliveryTax,
    "How a delivery is taxed.",
    REGION="By the rates of where it goes, for its tax class.",
    OWN="By rates of its own.",
    PROPORTIONAL="As the lines are, each for its share.",
)


@view()
class DeliveryTier:
    """A step of a price."""

    weight_grams: int | None = strawberry.field(description="From this weight on.")
    subtotal: Money | None = strawberry.field(description="From this subtotal on.")
    amount: Money | None = strawberry.field(description="What it costs; null: not delivered from there on.")


@view()
class DeliveryTaxRate:
    """A tax of its own."""

    name: str = strawberry.field(description="Its name, for example VAT.")
    rate: Decimal = strawberry.field(description="As a fraction: 0.21 is 21 %.")


def _tiers(row: Any) -> list[dict[str, Any]]:
    kind, currency = row["kind"], row["currency"]
    return [
        {
            "weight_grams": tier["from"] if kind == DeliveryKind.BY_WEIGHT else None,
            "subtotal": money(tier["from"], currency) if kind == DeliveryKind.BY_SUBTOTAL else None,
            "amount": None if tier["amount"] is None else money(tier["amount"], currency),
        }
        for tier in row["tiers"]
    ]


def _rates(row: Any) -> list[dict[str, Any]]:
    return [{**rate, "rate": Decimal(rate["rate"])} for rate in row["tax_rates"]]


def _amount(row: Any, name: str) -> Any:
    return None if row[name] is None else money(row[name], row["currency"])


@view(Row)
class DeliveryOption(Node):
    """A way in which a region delivers. What it costs for a cart is in `Cart.deliveryOptions`."""

    id: strawberry.ID = public_id("DeliveryOption")
    region: Region = loads(catalog.region_by_id, "region_id", "Where it can be chosen.")
    code: str = column("Short name, unique in its region; a provider's offer has it too.")
    name: str = column("Shown to shoppers.")
    position: int = column("Lower ones are shown first.")
    active: bool = column("It can be chosen.")
    kind: DeliveryKind = column("What its price goes by.")
    tiers: list[DeliveryTier] = derived(_tiers, "Its prices, as the region shows prices.")
    free_from: Money | None = derived(lambda row: _amount(row, "free_from"), "The subtotal from which it is free.")
    tax_treatment: DeliveryTax = column("How it is taxed.")
    tax_rates: list[DeliveryTaxRate] = derived(_rates, "Taxes of its own.")
    tax_class_code: str | None = column("Its tax class, for REGION; null: the default one.")
    countries: list[CountryCode] = column("Where it delivers to; none: anywhere.")
    provider: str = column("Who prices it; `local`: its tiers do.")
    fallback: Money | None = derived(
        lambda row: _amount(row, "fallback"),
        "What it costs while its provider gives no answer; null: it cannot be had.",
    )
    estimated_days: EstimatedDays | None = derived(
        lambda row: days(row["days_min"], row["days_max"]), "How long it takes."
    )


@input_type
class DeliveryTierInput:
    """A step of a price. The first one is from 0 on: leave both out."""

    weight_grams: int | None = given("From this weight on; for BY_WEIGHT.")
    subtotal: MoneyInput | None = given("From this subtotal on; for BY_SUBTOTAL.")
    amount: MoneyInput | None = given("What it costs; null: not delivered from there on.")


@input_type
class DeliveryTaxRateInput:
    """A tax of its own."""

    name: str = required("Its name, for example VAT.")
    rate: Decimal = required("As a fraction: 0.21 is 21 %.")


@input_type
class EstimatedDaysInput:
    """How many days a delivery takes."""

    minimum: int = required("At least.")
    maximum: int = required("At most, 365.")


@input_type
class DeliveryOptionInput:
    """A way of delivery as it is to be; what is left out is as by default. Amounts are in the region's currency."""

    code: str = required("Short name, unique in its region; a provider's offer has it too.")
    name: str = required("Shown to shoppers.")
    position: int = given("Lower ones are shown first.", 0)
    active: bool = given("It can be chosen.", True)
    kind: DeliveryKind = given("What its price goes by.", DeliveryKind.FLAT)
    tiers: list[DeliveryTierInput] | None = given("Its prices; for FLAT one. None where a provider prices it.")
    free_from: MoneyInput | None = given("The subtotal from which it is free.")
    tax_treatment: DeliveryTax = given("How it is taxed.", DeliveryTax.REGION)
    tax_rates: list[DeliveryTaxRateInput] | None = given("Taxes of its own; for OWN.")
    tax_class_code: str | None = given("The code of its tax class, for REGION; without it, the default one.")
    countries: list[CountryCode] | None = given("Where it delivers to; none: anywhere.")
    provider: str = given("Who prices it; `local`: its tiers do.", "local")
    fallback: MoneyInput | None = given("What it costs while its provider gives no answer.")
    estimated_days: EstimatedDaysInput | None = given("How long it takes.")


@input_type
class DeliveryOptionCreateInput:
    """A new way of delivery."""

    region_id: strawberry.ID = required("Where it can be chosen.")
    option: DeliveryOptionInput = required("What it is.")


@input_type
class DeliveryOptionUpdateInput:
    """A way of delivery as it is to be from now on."""

    option_id: strawberry.ID = required("Which one.")
    option: DeliveryOptionInput = required("All of it.")


@input_type
class DeliveryOptionArchiveInput:
    """A way of delivery that is to be no more."""

    option_id: strawberry.ID = required("Which one.")


@view()
class DeliveryOptionCreatePayload(Payload):
    """A new way of delivery."""

    delivery_option: DeliveryOption | None = strawberry.field(description="What was made.")


@view()
class DeliveryOptionUpdatePayload(Payload):
    """A way of delivery as it is now."""

    delivery_option: DeliveryOption | None = strawberry.field(description="What it is now.")


@view()
class DeliveryOptionArchivePayload(Payload):
    """A way of delivery that nobody can choose any more; orders keep what was agreed."""

    delivery_option: DeliveryOption | None = strawberry.field(description="What it was.")
