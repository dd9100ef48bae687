"""Orders."""

from datetime import datetime
from typing import Any

import strawberry

from db import Order as OrderRow
from db import OrderLine as OrderLineRow
from db.order import FulfillmentStatus, OrderStatus, PaymentStatus, WorkStatus
from domain.money import Money as Amount
from resolvers import balance, catalog, fulfilment, ids, order, payment, ticket
from resolvers.context import Ctx, order_token
from schema.balance import BalancePayment
from schema.build import asks, column, derived, enum, given, loads, one_of_input, view
from schema.estimated_days import EstimatedDays, days
from schema.fulfilment import Fulfilment
from schema.money import Money, TaxAmount, TaxedMoney, tax_amounts, taxed
from schema.node import Node, public_id
from schema.payment import Payment, Refund
from schema.region import Region
from schema.scalars import BigInt, CountryCode, CurrencyCode, Json
from schema.ticket import Ticket

enum(
    OrderStatus,
    "Where an order is as a whole.",
    PENDING="It is being paid.",
    PLACED="It is agreed.",
    COMPLETED="Nothing is left to be done or paid.",
    CANCELLED="It was called off.",
)
enum(
    PaymentStatus,
    "Where the money of an order is.",
    NOT_REQUIRED="There is nothing to be paid.",
    PENDING="Nothing has come yet.",
    AUTHORISED="It is promised.",
    PARTIALLY_PAID="Some has come.",
    PAID="All has come.",
    PARTIALLY_REFUNDED="Some went back.",
    REFUNDED="All went back.",
    DISPUTED="The payer asks for it back.",
)
enum(
    FulfillmentStatus,
    "Where the goods of an order are.",
    NONE="With the merchant.",
    PARTIAL="Some were sent.",
    FULFILLED="All were sent.",
    DELIVERED="All have arrived.",
    RETURNED="They came back.",
)
enum(
    WorkStatus,
    "Where the work on an order's tickets is.",
    NONE="There is none.",
    WAITING_CUSTOMER="A ticket waits for the customer.",
    IN_PROGRESS="It is under way.",
    DONE="All tickets are done.",
)


@view()
class Address:
    """A postal address as it was written down."""

    first_name: str = strawberry.field(description="Given name.")
    last_name: str = strawberry.field(description="Family name.")
    company: str = strawberry.field(description="Company.")
    address1: str = strawberry.field(description="Street and number.")
    address2: str = strawberry.field(description="Floor, door, building.")
    postal_code: str = strawberry.field(description="Postal code.")
    city: str = strawberry.field(description="City or town.")
    province: str = strawberry.field(description="State, province or the like.")
    country: CountryCode = strawberry.field(description="Country.")
    phone: str = strawberry.field(description="For the carrier.")


@view()
class LineOption:
    """What was chosen for an option."""

    name: str = strawberry.field(description="The option's name when it was ordered.")
    value: str = strawberry.field(description="The value's name when it was ordered.")


@view(OrderLineRow)
class OrderLine(Node):
    """What was bought, as it was when it was bought."""

    id: strawberry.ID = public_id("OrderLine")
    position: int = column("1 is the first.")
    title: str = column("The product's title.")
    sku: str | None = column("The merchant's number.")
    options: list[LineOption] = column("What was chosen.")
    image_url: str | None = column("Its picture.")
    quantity: int = column("How many units.")
    cancelled: int = column("How many of them are not wanted any more.")
    shipped: int = column("How many of them were sent.")
    delivered: int = column("How many of them have arrived.")
    brief: Json | None = column("What was told about the work on it when it was ordered.")
    unit_price: Money = derived(
        lambda line: Amount(line["unit_price"], line["currency"]), "Of one unit, as the region shows prices."
    )
    total: TaxedMoney = derived(lambda line: taxed(line["net"], line["tax"], line["currency"]), "Of all its units.")
    taxes: list[TaxAmount] = derived(
        lambda line: tax_amounts(line["taxes"], line["currency"]), "Of its total, by rate."
    )
    tax_class_code: str | None = column("The class that it was taxed by. Null: it was not, or there were none yet.")


async def _paid(ctx: Ctx, row: Any) -> Amount:
    sums = await ctx.load(payment.sums_of_order, row["id"])
    return Amount(int(sums["captured"]) if sums else 0, row["currency"])


async def _refunded(ctx: Ctx, row: Any) -> Amount:
    sums = await ctx.load(payment.sums_of_order, row["id"])
    return Amount(int(sums["refunded"]) if sums else 0, row["currency"])


async def _payments(ctx: Ctx, row: Any) -> list[Any]:
    return await ctx.load(payment.payments_of_order, row["id"]) if ctx.actor.may("orders:read") else []


@view()
class OrderDelivery:
    """How an order is sent, and what that costs, as it was agreed."""

    code: str = strawberry.field(description="The merchant's short name for it.")
    name: str = strawberry.field(description="What the customer was shown.")
    price: TaxedMoney = strawberry.field(description="What it costs.")
    taxes: list[TaxAmount] = strawberry.field(description="Its part of the order's, by rate.")
    estimated_days: EstimatedDays | None = strawberry.field(description="How long it takes; null: nobody said.")


def _delivery(order: Any) -> dict[str, Any] | None:
    kept = order["delivery"]
    if kept is None:
        return None
    return {
        "code": kept["code"],
        "name": kept["name"],
        "price": taxed(order["shipping_net"], order["shipping_tax"], order["currency"]),
        "taxes": tax_amounts(kept["taxes"], order["currency"]),
        "estimated_days": days(kept["days_min"], kept["days_max"]),
    }


@view(OrderRow)
class Order(Node):
    """A cart that was completed. It shows what was agreed, whatever the catalogue says today."""

    id: strawberry.ID = public_id("Order")
    number: BigInt | None = column("For people. It rises, with gaps, and opens nothing.")
    status: OrderStatus = column("Where it is as a whole.")
    payment_status: PaymentStatus = column("Where its money is.")
    fulfillment_status: FulfillmentStatus = column("Where its goods are.")
    work_status: WorkStatus = column("Where the work on its tickets is.")
    currency: CurrencyCode = column("All its amounts are in this currency.")
    region: Region = loads(catalog.region_by_id, "region_id", "Where it was bought.")
    email: str = column("Contact.")
    shipping_address: Address = column("Where it is sent.")
    billing_address: Address = column("Where the bill goes.")
    lines: list[OrderLine] = loads(order.lines_of_order, "id", "What was bought.")
    subtotal: Money = derived(lambda o: Amount(o["subtotal"], o["currency"]), "The lines, as the region shows prices.")
    delivery: OrderDelivery | None = derived(_delivery, "How it is sent; null: nothing was to be chosen.")
    shipping: TaxedMoney = derived(
        lambda o: taxed(o["shipping_net"], o["shipping_tax"], o["currency"]), "What sending it costs."
    )
    taxes: list[TaxAmount] = derived(
        lambda o: tax_amounts(o["taxes"], o["currency"]), "By rate, with those of shipping."
    )
    total: TaxedMoney = derived(lambda o: taxed(o["total"] - o["tax"], o["tax"], o["currency"]), "What was to be paid.")
    amount_due: Money = derived(
        lambda o: Amount(o["amount_due"], o["currency"]), "What is still to be paid; below nothing: paid too much."
    )
    paid: Money = asks(_paid, "What has come through payment providers, whether or not some of it went back.")
    refunded: Money = asks(_refunded, "What went back of it.")
    payments: list[Payment] = asks(_payments, "Its payments, for staff with `orders:read`; for others none.")
    refunds: list[Refund] = loads(payment.refunds_of_order, "id", "What goes back or went back, the first first.")
    balance_payments: list[BalancePayment] = loads(
        balance.payments_of_order, "id", "What gift cards and store credit paid of it, in the order of spending."
    )
    fulfilments: list[Fulfilment] = loads(fulfilment.fulfilments_of_order, "id", "What was sent, the first one first.")
    tickets: list[Ticket] = loads(ticket.tickets_of_order, "id", "The work on it: one per line that wants one.")
    version: int = column("Rises with every change.")
    placed_at: datetime | None = column("When it was placed.")


async def _token(ctx: Ctx, row: Any) -> str:
    return order_token(ctx, row)


@view(OrderRow)
class PlacedOrder:
    """What the cart's token still opens of the order: with `accessToken` it can be read."""

    id: strawberry.ID = derived(lambda row: ids.encode("Order", row["id"]), "Public id, `order_…`.")
    number: BigInt | None = column("For people.")
    access_token: str = asks(_token, "Proves the order to be the caller's.")


@one_of_input
class OrderBy:
    """Names an order, by one of these."""

    id: strawberry.ID | None = given("By its id.")
    number: BigInt | None = given("By its number, which opens nothing by itself.")
