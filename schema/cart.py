"""Carts and the mutations on them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry

from db import Cart as CartRow
from db.cart import CartStatus
from domain.money import Money as Amount
from resolvers import cart, catalog
from schema.build import column, derived, enum, given, input_type, loads, required, view
from schema.catalog import Variant
from schema.errors import Payload, Requirement
from schema.money import Money, MoneyInput, TaxAmount, TaxedMoney, tax_amounts, taxed
from schema.node import Node, public_id
from schema.order import Address, Order, PlacedOrder
from schema.region import Region
from schema.scalars import CountryCode, CurrencyCode, Json

enum(
    CartStatus,
    "Where a cart is on its way.",
    OPEN="It can be changed.",
    PAYING="A payment is under way; nothing can be changed until it is decided.",
    COMPLETED="It has become an order.",
)


def _variant_keys(lines: Sequence[Any]) -> list[Any]:
    return [(line["variant_id"], line["region_id"]) for line in lines]


@view()
class CartLine(Node):
    """A variant in a cart. The same variant with another brief is another line."""

    id: strawberry.ID = public_id("CartLine")
    quantity: int = strawberry.field(description="How many units.")
    brief: Json | None = strawberry.field(description="About the work on it; after completion the order has it.")
    title: str = strawberry.field(description="The product's title.")
    unit_price: Money | None = derived(
        lambda line: Amount(line["price"].amount, line["price"].currency) if line["price"] else None,
        "Of one unit, as the region shows prices. Null: no longer for sale.",
    )
    total: TaxedMoney = derived(
        lambda line: taxed(line["total"].net, line["total"].tax, line["currency"]), "Of all its units."
    )
    variant: Variant = loads(catalog.variant_in_region, _variant_keys, "What is bought.")


@view()
class CartTotals:
    """What everything comes to, computed by the server and nowhere else."""

    subtotal: Money = derived(lambda t: Amount(t.subtotal, t.currency), "The lines, as the region shows prices.")
    taxes: list[TaxAmount] = derived(lambda t: tax_amounts((tax.data for tax in t.taxes), t.currency), "By rate.")
    total: TaxedMoney = derived(
        lambda t: taxed(t.net, t.tax, t.currency), "What is to be paid; its gross is the `expectedTotal`."
    )


@view(CartRow)
class Cart(Node):
    """What someone means to buy. It is read and changed by its secret token, or by its signed-in customer."""

    id: strawberry.ID = public_id("Cart")
    status: CartStatus = column("Where it is on its way.")
    version: int = column("Rises with every change.")
    currency: CurrencyCode = column("That of its region.")
    region: Region = loads(catalog.region_by_id, "region_id", "Where it is bought; all its prices are read there.")
    email: str | None = derived(lambda row: _personal(row, "email"), "Contact of the order.")
    shipping_address: Address | None = derived(lambda row: _personal(row, "shipping_address"), "Where it is sent.")
    billing_address: Address | None = derived(lambda row: _personal(row, "billing_address"), "Where the bill goes.")
    lines: list[CartLine] = loads(cart.assessment_of_cart, "id", "What is in it, as it was added.", then=cart.lines)
    totals: CartTotals = loads(
        cart.assessment_of_cart, "id", "What it comes to.", then=lambda assessment: assessment.totals
    )
    requirements: list[Requirement] = loads(
        cart.assessment_of_cart,
        "id",
        "What is missing before it can be completed; empty: nothing.",
        then=lambda assessment: list(assessment.requirements),
    )
    created_at: datetime = column("When it was begun.")
    updated_at: datetime = column("When it was last changed.")
    order: PlacedOrder | None = loads(cart.order_of_cart, "id", "What became of it, once it is completed.")


def _personal(row: Any, name: str) -> Any:
    """After completion the cart's token opens the order's number and token, and nothing else personal."""
    return None if row["status"] == CartStatus.COMPLETED else row[name]


@input_type
class CartLineInput:
    """Units of a variant to be added."""

    variant_id: strawberry.ID = required("What.")
    quantity: int = given("How many: 1 to 1,000,000.", 1)
    brief: Json | None = given("About the work on it, as the product's `briefSchema` says.")


@input_type
class CartLineUpdateInput:
    """A new quantity of a line."""

    line_id: strawberry.ID = required("Which line.")
    quantity: int = required("How many from now on; 0 removes the line.")


@input_type
class AddressInput:
    """A postal address."""

    first_name: str | None = given("Given name.")
    last_name: str = required("Family name.")
    company: str | None = given("Company.")
    address1: str = required("Street and number.")
    address2: str | None = given("Floor, door, building.")
    postal_code: str | None = given("Postal code.")
    city: str = required("City or town.")
    province: str | None = given("State, province or the like.")
    country: CountryCode = required("Country.")
    phone: str | None = given("For the carrier.")


@input_type
class CartCreateInput:
    """A new cart in the region of the context."""

    lines: list[CartLineInput] | None = given("What is in it from the beginning.")
    email: str | None = given("Contact.")


@input_type
class CartAddLinesInput:
    """Lines to be added to a cart."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    lines: list[CartLineInput] = required("What to add; the same variant and brief accumulate.")


@input_type
class CartUpdateLinesInput:
    """New quantities for lines of a cart."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    lines: list[CartLineUpdateInput] = required("The changes.")


@input_type
class CartRemoveLinesInput:
    """Lines to be taken out of a cart."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    line_ids: list[strawberry.ID] = required("Which lines.")


@input_type
class CartSetCustomerInput:
    """Who the order will be for. A signed-in customer becomes the cart's owner."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    email: str = required("Contact of the order.")


@input_type
class CartSetAddressesInput:
    """Where the order will go."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    shipping_address: AddressInput = required("Where it is sent.")
    billing_address: AddressInput | None = given("Where the bill goes; by default where it is sent.")


@input_type
class CartCompleteInput:
    """The order for what is in the cart."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    expected_total: MoneyInput = required("`Cart.totals.total.gross` as the customer was shown it. Only compared.")
    idempotency_key: str = required("Of your making, one per order: however often it is sent, it is one order.")
    payment_provider: str = given("How it is paid.", "manual")


@view()
class CartCreatePayload(Payload):
    """The new cart and its secret."""

    cart: Cart | None = strawberry.field(description="The cart.")
    token: str | None = strawberry.field(description="Its secret, told this once: whoever has it has the cart.")


@view()
class CartPayload(Payload):
    """A cart that was changed."""

    cart: Cart | None = strawberry.field(description="The cart as it is now.")


@view()
class CartAddLinesPayload(CartPayload):
    """The cart with the new lines."""


@view()
class CartUpdateLinesPayload(CartPayload):
    """The cart with the new quantities."""


@view()
class CartRemoveLinesPayload(CartPayload):
    """The cart without the lines."""


@view()
class CartSetCustomerPayload(CartPayload):
    """The cart with its contact."""


@view()
class CartSetAddressesPayload(CartPayload):
    """The cart with its addresses."""


@view()
class CartCompletePayload(Payload):
    """The order that the cart became."""

    cart: Cart | None = strawberry.field(description="The cart, now completed.")
    order: Order | None = strawberry.field(description="The order.")
    access_token: str | None = strawberry.field(description="Proves the order to be the caller's, from now on.")
