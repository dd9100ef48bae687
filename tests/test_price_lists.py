"""Price lists: sales and prices of customer groups, with windows; what shoppers see of them, and carts are told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from db.workflow import ActorKind
from domain.price import PriceDraft
from domain.processes.shop import Shop
from tests import carts, given
from tests.answers import Keeping, keeping_app
from tests.api import Api
from tests.pricing import DAY, NOW, group, price_list

MONEY = "{ amount currency }"
PRICE = f"""amount {MONEY} original {MONEY} compareAt {MONEY} minQuantity priceList {{ kind endsAt }}
    tiers {{ minQuantity amount {MONEY} original {MONEY} }}"""
CUP = '{ product(by: { handle: "paper-cup" }) { variants { nodes { price(quantity: %d) { %s } } } } }'


async def shown(api: Api, quantity: int = 1, selection: str = PRICE) -> Any:
    """The price of the cup's only variant."""
    (variant,) = (await api(CUP % (quantity, selection)))["product"]["variants"]["nodes"]
    return variant["price"]


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


async def cup(shop: Shop, **more: Any) -> tuple[given.Sold, UUID]:
    await given.regions(shop)
    sold = await given.product(shop, prices={"EUR": 1000}, **more)
    return sold, sold.keys[0]


async def member(shop: Shop, api: Api, email: str = "sam@shop.example") -> tuple[Api, UUID]:
    customer = await given.customer(shop, email)
    return api.signed_in(await given.access_token(shop, ActorKind.CUSTOMER, customer)), customer


async def test_a_price_explains_itself_and_names_no_list(shop: Shop, api: Api) -> None:
    _, variant = await cup(shop)
    ends = datetime.now(UTC).replace(microsecond=0) + DAY
    await given.prices(shop, PriceDraft(variant, "EUR", 900, min_quantity=10))
    rows = (PriceDraft(variant, "EUR", 800), PriceDraft(variant, "EUR", 950, 1200, min_quantity=20))
    await price_list(shop, "sale", *rows, name="Clear out before the audit", ends_at=ends)
    now = await shown(api)
    assert now == {
        "amount": euros("8.00"),
        "original": euros("10.00"),
        "compareAt": euros("10.00"),
        "minQuantity": 1,
        "priceList": {"kind": "SALE", "endsAt": ends.isoformat()},
        "tiers": [
            {"minQuantity": 1, "amount": euros("8.00"), "original": euros("10.00")},
            {"minQuantity": 10, "amount": euros("8.00"), "original": euros("9.00")},
            {"minQuantity": 20, "amount": euros("9.00"), "original": euros("9.00")},
        ],
    }
    many = await shown(api, 20)  # the sale's own tier is not lower than what so many cost anyway
    assert (many["amount"], many["compareAt"], many["minQuantity"], many["priceList"]) == (
        euros("9.00"),
        None,
        10,
        None,
    )
    fields = (await api('{ __type(name: "AppliedPriceList") { fields { name } } }'))["__type"]["fields"]
    assert [field["name"] for field in fields] == ["kind", "endsAt"]
    everything = await api.raw(CUP % (1, PRICE + " priorLowestPrice { amount } taxIncluded"))
    assert "audit" not in everything.text


async def test_a_list_without_a_regular_price_sells_nothing_and_one_that_overrides_does(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sold = await given.product(shop, prices={"USD": 1100})
    await price_list(shop, "sale", PriceDraft(sold.keys[0], "EUR", 100))
    assert await shown(api) is None
    await price_list(shop, "override", PriceDraft(sold.keys[0], "EUR", 300), priority=2)
    assert (await shown(api))["amount"] == euros("1.00")
    first = await price_list(shop, "override", PriceDraft(sold.keys[0], "EUR", 50), priority=1)
    assert (await shown(api))["priceList"] == {"kind": "OVERRIDE", "endsAt": None}
    assert (await shown(api))["amount"] == euros("0.50")
    await carts.execute(shop, "UPDATE price_list SET status = 'draft' WHERE id = :id", id=first)
    assert (await shown(api))["amount"] == euros("1.00")


async def test_what_has_a_price_for_others_or_for_later_alone_cannot_be_added(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sold = await given.product(shop, prices={"USD": 1100})
    trader, customer = await member(shop, api)
    trade = await group(shop, "trade", customer)
    price = PriceDraft(sold.keys[0], "EUR", 300)
    draft = await price_list(shop, "override", price, status="draft")
    await price_list(shop, "override", price, starts_at=NOW + DAY)
    await price_list(shop, "override", price, ends_at=NOW - DAY)
    await price_list(shop, "sale", price)
    await price_list(shop, "override", price, groups=[trade], priority=2)
    line = {"lines": [{"variantId": sold.variant}]}
    assert await carts.refused(shop, api, "cartCreate", line) == [
        ("NotForSale", "NOT_FOR_SALE", ["lines", "0", "variantId"])
    ]
    assert (await carts.bare(trader, *line["lines"])).total == euros("3.00")
    await carts.execute(shop, "UPDATE price_list SET status = 'active' WHERE id = :id", id=draft)
    assert (await carts.bare(api, *line["lines"])).total == euros("3.00")


async def test_prices_of_a_group_are_for_its_customers_and_their_carts_alone(shop: Shop, api: Api) -> None:
    sold, variant = await cup(shop)
    sam, customer = await member(shop, api)
    kim, _ = await member(shop, api, "kim@shop.example")
    trade = await group(shop, "Trade", customer)
    await price_list(shop, "override", PriceDraft(variant, "EUR", 700), groups=[trade])
    amounts = [(await shown(one, 1, "amount { amount } tiers { amount { amount } }")) for one in (api, kim, sam)]
    assert amounts == [
        {"amount": {"amount": n}, "tiers": [{"amount": {"amount": n}}]} for n in ("10.00", "10.00", "7.00")
    ]
    line = {"variantId": sold.variant, "quantity": 2}
    totals = [(await given.cart(one, line)).total["amount"] for one in (api, kim, sam)]
    assert totals == ["20.00", "20.00", "14.00"]
    cart = await given.cart(sam, line)
    lines = "lines { variant { price { amount { amount } } } }"
    inside = f"query ($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{ {lines} }} }}"
    found = await api(inside, carts.of(cart))  # whoever has its token reads it where and for whom it is
    assert found["cart"]["lines"][0]["variant"]["price"] == {"amount": {"amount": "7.00"}}
    async with shop.tx() as tx:
        await tx.run(text("DELETE FROM customer_group"))
    assert (await shown(sam))["amount"] == (await shown(api))["amount"] == euros("10.00")
    assert await shop.read.value(text("SELECT for_groups FROM price_list"))


async def test_a_guests_cart_takes_the_prices_of_the_customer_who_signs_in_and_says_so(shop: Shop, api: Api) -> None:
    sold, variant = await cup(shop)
    sam, customer = await member(shop, api)
    await price_list(shop, "sale", PriceDraft(variant, "EUR", 600), groups=[await group(shop, "Trade", customer)])
    cart = await given.cart(api, {"variantId": sold.variant})
    assert cart.total["amount"] == "10.00"
    given_ = {**cart.key, "email": "sam@shop.example"}
    told = await sam.done("cartSetCustomer", given_, "cart { totals { total { gross { amount } } } }")
    assert told["cart"]["totals"]["total"]["gross"]["amount"] == "6.00"
    assert [(one["__typename"], one["code"]) for one in told["warnings"]] == [
        ("PriceChangedSince", "PRICE_CHANGED_SINCE")
    ]


@pytest.mark.parametrize("change", ["a sale begins", "a sale ends", "the customer leaves the group"])
async def test_what_changes_between_adding_and_completing_is_told_and_nothing_is_ordered(
    shop: Shop, api: Api, change: str
) -> None:
    sold, variant = await cup(shop)
    sam, customer = await member(shop, api)
    trade = await group(shop, "Trade", customer)
    status, groups = ("draft", []) if change == "a sale begins" else ("active", [trade] if "group" in change else [])
    await price_list(shop, "sale", PriceDraft(variant, "EUR", 600), status=status, groups=groups)
    cart = await given.cart(sam, {"variantId": sold.variant})
    former, now = ("10.00", "6.00") if change == "a sale begins" else ("6.00", "10.00")
    assert cart.total["amount"] == former
    statements = {
        "a sale begins": "UPDATE price_list SET status = 'active'",
        "a sale ends": "UPDATE price_list SET ends_at = clock_timestamp() - CAST('1 second' AS interval)",
        "the customer leaves the group": "DELETE FROM customer_group_member",
    }
    await carts.execute(shop, statements[change])
    read = "query ($id: ID!) { cart(id: $id) { lines { unitPrice { amount } } warnings { __typename } } }"
    seen = (await sam(read, {"id": cart.id}))["cart"]
    assert seen["lines"] == [{"unitPrice": {"amount": now}}]
    assert seen["warnings"] == [{"__typename": "PriceChangedSince"}]
    before = await carts.stored(shop)
    facts = "userErrors { ... on PriceChanged { expected { amount } current { amount } } }"
    refused = await sam.do("cartComplete", cart.completion(), f"order {{ id }} {facts}")
    assert refused["order"] is None
    (error,) = refused["userErrors"]
    assert (error["code"], error["expected"], error["current"]) == (
        "PRICE_CHANGED",
        {"amount": former},
        {"amount": now},
    )
    assert await carts.stored(shop) == before
    assert await shop.read.value(text('SELECT count(*) FROM "order"')) == 0
    agreed = {**cart.completion("key-2"), "expectedTotal": {"amount": now, "currency": "EUR"}}
    placed = await sam.done("cartComplete", agreed, "order { lines { unitPrice { amount } } }")
    assert placed["order"]["lines"] == [{"unitPrice": {"amount": now}}]


@pytest_asyncio.fixture
async def keeping(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeping]:
    async with keeping_app(database_url, monkeypatch) as running:
        yield running


async def test_kept_answers_follow_lists_and_their_windows_and_never_show_a_groups_price(
    shop: Shop, keeping: Keeping
) -> None:
    _, variant = await cup(shop)
    await given.product(shop, "box", prices={"EUR": 100})
    query, other = CUP % (1, "amount { amount }"), '{ product(by: { handle: "box" }) { title } }'
    token = await given.access_token(shop, ActorKind.CUSTOMER, customer := await given.customer(shop))
    trade = await group(shop, "Trade", customer)

    async def seen(**headers: str) -> str:
        variants = (await keeping.post(query, **headers)).json()["data"]["product"]["variants"]
        return variants["nodes"][0]["price"]["amount"]["amount"]

    await keeping.told()
    await price_list(shop, "override", PriceDraft(variant, "EUR", 700), groups=[trade])
    await keeping.told()
    for _ in range(2):
        assert await seen() == "10.00"
        assert await seen(authorization=f"Bearer {token}") == "7.00"
    assert await keeping.was_kept(query)
    opens = datetime.now(UTC) + timedelta(seconds=1.5)
    listed = await price_list(
        shop, "sale", PriceDraft(variant, "EUR", 800), starts_at=opens, ends_at=opens + timedelta(seconds=1.5)
    )
    await keeping.told()
    assert await seen() == "10.00"
    await keeping.post(other)
    await given.until(lambda: datetime.now(UTC) >= opens + timedelta(seconds=0.9))
    assert await seen() == "8.00"
    await given.until(lambda: datetime.now(UTC) >= opens + timedelta(seconds=2.4))
    assert await seen() == "10.00"
    assert await keeping.was_kept(query)
    await carts.execute(shop, "UPDATE price_list SET ends_at = NULL WHERE id = :id", id=listed)
    await keeping.told()
    assert await seen() == "8.00"
    assert await keeping.was_kept(other)
