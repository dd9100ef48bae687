"""Carts, and what becomes of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry

from db import Cart as CartRow
from db.cart import CartStatus
from domain.money import Money as Amount
from resolvers import balance, cart, catalog, ids
from resolvers.region import payment_options_of_region
from schema.balance import CartGiftCard, CartStoreCredit
from schema.build import column, derived, enum, given, input_type, loads, required, view
from schema.catalog import Variant
from schema.errors import Payload, Requirement
from schema.errors import Warning as AnyWarning
from schema.estimated_days import EstimatedDays, days
from schema.money import Money, MoneyInput, TaxAmount, TaxedMoney, tax_amounts, taxed
from schema.next_action import NextAction
from schema.node import Node, public_id
from schema.order import Address, Order, PlacedOrder
from schema.region import PaymentOption, Region
from schema.scalars import CurrencyCode, Json

enum(
    CartStatus,
    "Where a cart is on its way.",
    OPEN="It can be changed.",
    PAYING="A payment is under way; nothing can be changed until it is decided.",
    COMPLETED="It has become an order.",
)


def _variant_keys(lines: Sequence[Any]) -> list[Any]:
    return [(line["variant_id"], line["place"]) for line in lines]


@view()
class CartLine(Node):
    """A variant in a cart. The same variant with another brief is another line."""

    id: strawberry.ID = public_id("CartLine")
    quantity: int = strawberry.field(description="How many units.")
    brief: Json | None = strawberry.field(description="About the work on it; after completion the order has it.")
    metadata: Json = strawberry.field(description="The storefront's own data about it.")
    title: str = strawberry.field(description="The product's title.")
    unit_price: Money | None = derived(
        lambda line: Amount(line["price"].amount, line["price"].currency) if line["price"] else None,
        "Of one unit, as the region shows prices. Null: no longer for sale.",
    )
    total: TaxedMoney = derived(
        lambda line: taxed(line["total"].net, line["total"].tax, line["currency"]), "Of all its units."
    )
    taxes: list[TaxAmount] = derived(
        lambda line: tax_amounts((tax.data for tax in line["total"].taxes), line["currency"]), "Of its total, by rate."
    )
    variant: Variant = loads(catalog.variant_in_place, _variant_keys, "What is bought.")


@view()
class CartTotals:
    """What everything comes to, computed by the server and nowhere else."""

    subtotal: Money = derived(lambda t: Amount(t.subtotal, t.currency), "The lines, as the region shows prices.")
    shipping: TaxedMoney = derived(
        lambda t: taxed(t.shipping.net, t.shipping.tax, t.currency), "The delivery that was chosen; else nothing."
    )
    taxes: list[TaxAmount] = derived(
        lambda t: tax_amounts((tax.data for tax in t.taxes), t.currency), "By rate, with those of shipping."
    )
    total: TaxedMoney = derived(
        lambda t: taxed(t.net, t.tax, t.currency), "What is to be paid; its gross is the `expectedTotal`."
    )
    amount_due: Money = derived(
        lambda t: Amount(t.amount_due, t.currency),
        "What gift cards and store credit leave of the total: a payment is for this much. 0: none is needed.",
    )


@view()
class CartDelivery:
    """A way in which a cart can be delivered, and what it costs for what is in it."""

    option_id: strawberry.ID = derived(
        lambda d: ids.encode("DeliveryOption", d["option_id"]), "Chosen by `cartSetDelivery` with it."
    )
    code: str = strawberry.field(description="The merchant's short name for it.")
    name: str = strawberry.field(description="Shown to shoppers.")
    price: TaxedMoney = derived(lambda d: taxed(d["total"].net, d["total"].tax, d["currency"]), "What it costs.")
    estimated_days: EstimatedDays | None = derived(lambda d: days(*d["days"]), "How long it takes; null: nobody says.")
    is_chosen: bool = strawberry.field(description="The cart has it.")
    is_fallback: bool = strawberry.field(
        description="Its provider gives no answer now; this is the price for such cases."
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
    totals: CartTotals = loads(cart.assessment_of_cart, "id", "What it comes to.", then=balance.totals)
    gift_cards: list[CartGiftCard] = loads(
        cart.assessment_of_cart,
        "id",
        "Gift cards that are to pay for it, in the order in which they are spent; none after completion.",
        then=balance.cart_gift_cards,
    )
    store_credit: CartStoreCredit | None = loads(
        balance.store_credit_of_cart,
        "id",
        "The customer's credit, if it is to pay for what gift cards do not; null after completion, and for everybody "
        "but the cart's own signed-in customer.",
    )
    payment_options: list[PaymentOption] = loads(
        payment_options_of_region, "region_id", "The ways in which it can be paid, as its region says."
    )
    delivery_options: list[CartDelivery] = loads(
        cart.deliveries_of_cart,
        "id",
        "How it can be delivered to where it is sent, in the merchant's order. Providers may have to be asked.",
        then=cart.deliveries,
    )
    delivery: CartDelivery | None = loads(
        cart.assessment_of_cart,
        "id",
        "How it is delivered. Null: nothing was chosen that it can have.",
        then=cart.delivery,
    )
    requirements: list[Requirement] = loads(
        cart.assessment_of_cart,
        "id",
        "What is missing before it can be completed; empty: nothing.",
        then=lambda assessment: list(assessment.requirements),
    )
    warnings: list[AnyWarning] = loads(
        cart.warnings_of_cart, "id", "What else is worth knowing: prices that changed, stock that is short."
    )
    metadata: Json = derived(lambda row: row["metadata"], "The storefront's own data about it.")
    created_at: datetime = column("When it was begun.")
    updated_at: datetime = column("When it was last changed.")
    order: PlacedOrder | None = loads(cart.order_of_cart, "id", "What became of it, once it is completed.")


def _personal(row: Any, name: str) -> Any:
    """After completion the cart's token opens the order's number and token, and nothing else personal."""
    return None if row["status"] == CartStatus.COMPLETED else row[name]


@input_type
class CartCompleteInput:
    """The order for what is in the cart."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    expected_total: MoneyInput = required("`Cart.totals.total.gross` as the customer was shown it. Only compared.")
    expected_amount_due: MoneyInput | None = given(
        "`Cart.totals.amountDue` as the customer was shown it. Only compared: with it, a payment never becomes larger "
        "because a gift card or store credit was spent elsewhere meanwhile."
    )
    idempotency_key: str = required("Of your making, one per order: however often it is sent, it is one order.")
    payment_provider: str = given("How it is paid where no session is needed.", "manual")
    payment_session_id: strawberry.ID | None = given(
        "The session that it is paid by (`paymentSessionCreate`); the provider is the session's."
    )


@view()
class CartPayload(Payload):
    """A cart that was changed."""

    cart: Cart | None = strawberry.field(description="The cart as it is now.")


@input_type
class CartCancelPaymentInput:
    """A cart whose payment is to be ended."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")


@view()
class CartCancelPaymentPayload(CartPayload):
    """The cart, open again."""


@view()
class CartCompletePayload(Payload):
    """The order that the cart became, or what the customer has to do first."""

    cart: Cart | None = strawberry.field(description="The cart, now completed; or paying.")
    order: Order | None = strawberry.field(description="The order; null while `nextAction` is to be done.")
    next_action: NextAction | None = strawberry.field(
        description="What the customer has to do at the provider. Then send the same call again, with the same key."
    )
    access_token: str | None = strawberry.field(description="Proves the order to be the caller's, from now on.")
