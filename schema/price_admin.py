"""Price lists and prices, for staff."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import strawberry

from db import Price as PriceTable
from db import PriceList as PriceListTable
from db.price import PriceListKind, PriceListStatus
from domain.money import money
from domain.price_explanation import Verdict
from domain.upsert import RowResult
from resolvers import catalog, ids
from resolvers import price_admin as admin
from schema.build import column, derived, enum, given, input_type, loads, partial_input, required, user_errors, view
from schema.catalog import Variant
from schema.errors import Payload, UserError
from schema.money import Money
from schema.node import PAGE_ARGS, Connection, Node, page_args, public_id
from schema.price import Price
from schema.region import Region
from schema.scalars import CurrencyCode
from schema.upsert import OnError, Outcome

enum(
    PriceListStatus,
    "Whether a price list is used.",
    DRAFT="It is worked on; none of its prices counts.",
    ACTIVE="Its prices count within its window.",
    ARCHIVED="It is not used any more, for good.",
)
enum(
    Verdict,
    "Why a price counts, or does not.",
    OTHER_CURRENCY="The region sells in another currency.",
    OTHER_REGION="It is for another region.",
    NOT_ACTIVE="Its price list is a draft or archived.",
    NOT_STARTED="The window of its price list begins later.",
    ENDED="The window of its price list is over.",
    OTHER_GROUPS="Its price list is for other customers.",
    QUANTITY_NOT_REACHED="It is for larger quantities.",
    REGION_FIRST="Its price list has a price of the region itself.",
    LARGER_QUANTITY="Its price list has another one, from a larger quantity on that is reached, too.",
    LIST_FIRST="It is a regular price, and another price list comes first; every list comes before base.",
    OTHER_LIST="It is of a sale, and another sale has a lower one or comes first.",
    NOT_LOWER="It is the best of the sales, but not lower than the regular price, or there is none.",
    REGULAR="It is the regular price; a sale is lower.",
    COUNTS="It is what is paid.",
)


@view()
class PriceListAudience:
    """Customers for whom a price list is."""

    group_id: strawberry.ID = derived(lambda row: ids.encode("CustomerGroup", row["id"]), "The customer group.")
    name: str = strawberry.field(description="Its name.")


def _pages(lists: Any, **args: Any) -> list[Any]:
    page = page_args(**args)
    return [(row["id"], page) for row in lists]


@view(PriceListTable)
class PriceList(Node):
    """Prices that count beside the base: for a while, or for some customers. No shopper is told its name."""

    id: strawberry.ID = public_id("PriceList")
    name: str = column("For staff.")
    kind: PriceListKind = column("What its prices do to the regular price.")
    status: PriceListStatus = column("Whether it is used.")
    priority: int = column("1 comes first.")
    starts_at: datetime | None = column("From when on; null: since ever.")
    ends_at: datetime | None = column("Until when, that moment not included; null: for ever.")
    for_groups: bool = column("It is for customers of its groups alone. Without any of them it is for nobody.")
    audience: list[PriceListAudience] = loads(admin.groups_of_list, "id", "Its customer groups.")
    external_id: str | None = column("What another system calls it; unique.")
    version: int = column("Rises with every change.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it was last changed.")
    prices: "Connection[PriceRow]" = loads(admin.prices_of_list, _pages, "Its prices, by variant.", **PAGE_ARGS)


@view(PriceTable)
class PriceRow(Node):
    """A price as it is written down: of a variant in a currency, from a quantity on."""

    id: strawberry.ID = public_id("PriceRow")
    variant: Variant | None = loads(catalog.variant_by_id, "variant_id", "Of what.")
    currency: CurrencyCode = column("In which currency.")
    region: Region | None = loads(catalog.region_by_id, "region_id", "In this region alone; null: of the currency.")
    price_list: PriceList | None = loads(admin.list_by_id, "price_list_id", "Of which price list; null: base.")
    min_quantity: int = column("From this quantity on.")
    amount: Money = derived(lambda row: money(row["amount"], row["currency"]), "Per unit.")
    compare_at: Money | None = derived(
        lambda row: None if row["compare_at"] is None else money(row["compare_at"], row["currency"]),
        "The price it is compared with.",
    )
    valid_from: datetime = column("Since when it is this.")


@input_type
class PriceRowFilter:
    """Which prices; what is left out does not matter."""

    variant_id: strawberry.ID | None = given("Of this variant.")
    price_list_id: strawberry.ID | None = given("Of this price list.")
    is_base: bool | None = given("`true`: of no price list; `false`: of any.")
    region_id: strawberry.ID | None = given("Of this region alone, without those of its whole currency.")
    currency: CurrencyCode | None = given("In this currency.")


@view()
class PriceCandidate:
    """A price of a variant, and what became of it."""

    price: PriceRow = strawberry.field(description="The price as it is written down.")
    verdict: Verdict = strawberry.field(description="Why it counts, or does not.")


@view()
class PriceExplanation:
    """Why a price is what it is."""

    price: Price | None = strawberry.field(description="What is paid. Null: it is not for sale there.")
    candidates: list[PriceCandidate] = strawberry.field(
        description="Every price of the variant, with what became of it."
    )


@partial_input
class PriceListCreateInput:
    """A new price list."""

    name: str = required("For staff.")
    kind: PriceListKind = required("What its prices do to the regular price. It stays.")
    status: PriceListStatus | None = given("DRAFT, which it is without this, or ACTIVE.")
    priority: int | None = given("1 comes first, and is what it has without this.")
    starts_at: datetime | None = given("From when on.")
    ends_at: datetime | None = given("Until when, that moment not included.")
    external_id: str | None = given("What another system calls it; unique.")
    customer_group_ids: list[strawberry.ID] | None = given("For whom; without it, or with null, for everybody.")


@view()
class PriceListCreatePayload(Payload):
    """A new price list."""

    price_list: PriceList | None = strawberry.field(description="The price list.")


@partial_input
class PriceListUpdateInput:
    """A price list that is to be another; what is left out stays."""

    id: strawberry.ID = required("Which one.")
    if_version: int | None = given("Only if it is at this version.")
    name: str | None = given("For staff.")
    status: PriceListStatus | None = given("DRAFT or ACTIVE.")
    priority: int | None = given("1 comes first.")
    starts_at: datetime | None = given("From when on; null: since ever.")
    ends_at: datetime | None = given("Until when, that moment not included; null: for ever.")
    external_id: str | None = given("What another system calls it; null: nothing.")


@view()
class PriceListUpdatePayload(Payload):
    """A price list as it is now."""

    price_list: PriceList | None = strawberry.field(description="The price list.")


@input_type
class PriceListArchiveInput:
    """A price list that is not to be used any more, for good."""

    id: strawberry.ID = required("Which one.")
    if_version: int | None = given("Only if it is at this version.")


@view()
class PriceListArchivePayload(Payload):
    """A price list as it was last."""

    price_list: PriceList | None = strawberry.field(description="The price list.")


@partial_input
class PriceListSetGroupsInput:
    """For whom a price list is, in place of whom it was for."""

    id: strawberry.ID = required("Which one.")
    if_version: int | None = given("Only if it is at this version.")
    customer_group_ids: list[strawberry.ID] | None = given(
        "The customer groups, at most 100; none: it is for nobody. Null, which has to be written: for everybody."
    )


@view()
class PriceListSetGroupsPayload(Payload):
    """A price list as it is now."""

    price_list: PriceList | None = strawberry.field(description="The price list.")


@partial_input
class PriceUpsertInput:
    """A price as it is to be. Variant, currency, price list, region and quantity say which one it is."""

    variant_id: strawberry.ID | None = given("Of which variant.")
    sku: str | None = given("Or of the one that has this SKU and is not archived.")
    price_list_id: strawberry.ID | None = given("Of which price list; otherwise base.")
    region_id: strawberry.ID | None = given("In this region alone; otherwise in all of the currency.")
    currency: CurrencyCode = required("In which currency.")
    min_quantity: int | None = given("From this quantity on; otherwise from 1.")
    amount: Decimal | None = given('Per unit, in major units: `"12.50"`. Null, which has to be written, takes it away.')
    compare_at: Decimal | None = given("The price it is compared with; null: none. Left out, it stays.")


@input_type
class PricesUpsertInput:
    """Many prices at once."""

    rows: list[PriceUpsertInput] = required("1 to 1,000.")
    on_error: OnError = given("What becomes of the other rows when one is refused.", OnError.ABORT)


@view(RowResult)
class PriceUpsertResult:
    """What became of a row."""

    index: int = column("Which one, from 0.")
    price: PriceRow | None = loads(admin.price_by_id, "id", "The price. Null: it was taken away, or the row refused.")
    outcome: Outcome | None = column("What was done. Null: the row was refused.")
    errors: list[UserError] = derived(
        lambda result: [error for refusal in result.refusals for error in user_errors(refusal)],
        "Why it was refused; paths begin inside the row.",
    )


@view()
class PricesUpsertPayload(Payload):
    """What became of the rows."""

    results: list[PriceUpsertResult] = derived(
        lambda payload: payload.get("results") or [], "Of every row, in their order; none if nothing was done."
    )
