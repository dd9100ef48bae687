"""Taxes that somebody else counts: asked with nothing held, kept for the cart that they were asked about."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

import server.app
from domain.delivery import Offer
from domain.processes.shop import Shop
from domain.tax_provider import ItemTax, TaxItem, TaxRequest, Unfit, checked
from domain.totals import TaxAmount
from server.app import make_shop
from tests import carts, deliveries, given, taxing
from tests.api import Api, running_app
from tests.completion import complete, refusal
from tests.deliveries import Courier
from tests.invariants import violations
from tests.taxing import Assessor, by_rate, taxed_by, to, total

BY_COURIER: dict[str, Any] = {"code": "courier", "tiers": (), "provider": "courier", "fallback": 900}


@pytest.fixture
def assessor() -> Assessor:
    return Assessor()


@pytest.fixture
def courier() -> Courier:
    return Courier()


@pytest_asyncio.fixture
async def api(
    database_url: str, assessor: Assessor, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    """The application with an assessor and a courier plugged in, who may take half a second."""
    monkeypatch.setattr(
        server.app,
        "make_shop",
        lambda *given_: taxed_by(make_shop(*given_), assessor, within=0.5, deliveries={"courier": courier}),
    )
    async with running_app(database_url) as running:
        yield running


async def begun(shop: Shop, api: Api) -> given.Cart:
    """Two cups at 10.00 in a region whose taxes the assessor counts; nobody has said yet where they go."""
    await given.regions(shop)
    await carts.execute(shop, "UPDATE region SET tax_provider = 'assessor'")
    cup = await given.product(shop, "cup", stock=10)
    cart = await carts.bare(api, {"variantId": cup.variant, "quantity": 2})
    await api.done("cartSetCustomer", {**cart.key, "email": "sam@shop.example"}, "__typename")
    return given.Cart(cart.id, cart.token, {"amount": "20.00", "currency": "EUR"})


async def seen(api: Api, cart: given.Cart) -> dict[str, Any]:
    return await deliveries.seen(api, cart, taxing.TAXES)


async def test_it_is_asked_once_about_what_is_in_the_cart_and_its_answer_counts(
    shop: Shop, api: Api, assessor: Assessor
) -> None:
    cart = await begun(shop, api)
    assert by_rate(await seen(api, cart)) == {"VAT 0.21": "3.47"}
    assert assessor.asked == []
    sent = await to(api, cart, {})
    assert (by_rate(sent), total(sent), sent["requirements"]) == ({"Toll 0.1": "2.00"}, ["18.00", "2.00", "20.00"], [])
    assert by_rate(await seen(api, cart)) == {"Toll 0.1": "2.00"}
    (asked,) = assessor.asked
    assert (asked.currency, asked.included) == ("EUR", True)
    assert asked.address == {
        "country": "NL", "province": "", "postal_code": "", "city": "Amsterdam", "address1": "Keizersgracht 1",
        "address2": "",
    }  # fmt: skip
    assert [(i.amount, i.quantity, i.sku, i.tax_class, i.is_delivery) for i in asked.items] == [
        (2000, 2, "CUP-1", "standard", False)
    ]
    placed = await complete(api, cart)
    assert placed["userErrors"] == []
    assert len(assessor.asked) == 1
    kept = await shop.read.value(text("SELECT taxes FROM order_line"))
    assert kept == [{"name": "Toll", "rate": "0.1", "amount": 200}]
    assert await violations(shop.read) == []
    await carts.execute(shop, "UPDATE quote SET expires_at = now()")
    assert by_rate(await seen(api, cart)) == {"Toll 0.1": "2.00"}  # what was agreed does not expire


async def test_what_changes_the_taxes_makes_it_be_asked_anew_and_choosing_a_delivery_does_not(
    shop: Shop, api: Api, assessor: Assessor
) -> None:
    cart = await begun(shop, api)
    option = await deliveries.option(shop)
    await deliveries.option(shop, code="own", tax_treatment="own")
    await to(api, cart, {})
    assert [(i.amount, i.is_delivery) for i in assessor.asked[0].items] == [(2000, False), (500, True)]
    chosen = await deliveries.choose(api, cart, option)
    assert (by_rate(chosen), total(chosen)) == ({"Toll 0.1": "2.50"}, ["22.50", "2.50", "25.00"])
    await api.done("cartSetMetadata", {**cart.key, "metadata": {"a": 1}}, f"cart {{ {taxing.TAXES} }}")
    assert len(assessor.asked) == 1
    await to(api, cart, {"postalCode": "1012"})
    (line,) = (await deliveries.seen(api, cart, "lines { id }"))["lines"]
    change = {**cart.key, "lines": [{"lineId": line["id"], "quantity": 3}]}
    changed = (await api.done("cartUpdateLines", change, f"cart {{ {taxing.TAXES} }}"))["cart"]
    assert total(changed) == ["31.50", "3.50", "35.00"]
    assert [(len(one.items), one.address["postal_code"]) for one in assessor.asked] == [
        (2, ""),
        (2, "1012"),
        (2, "1012"),
    ]


async def test_an_order_is_made_only_by_an_answer_that_fits_and_one_that_is_missing_is_fetched(
    shop: Shop, api: Api, assessor: Assessor
) -> None:
    cart = await begun(shop, api)
    await to(api, cart, {})
    assessor.answer = lambda request: [ItemTax(item.key) for item in request.items]
    for spoilt in ("expires_at = now()", "hash = 'of something else'"):
        await carts.execute(shop, f"UPDATE quote SET {spoilt}")
        placed = await complete(api, cart, expectedTotal={"amount": "1.00", "currency": "EUR"})
        assert refusal(placed)["__typename"] == "PriceChanged"  # so it was fetched, and the cart lacks nothing
    assert len(assessor.asked) == 3
    await carts.execute(shop, "UPDATE quote SET expires_at = now()")
    assert (await complete(api, cart))["userErrors"] == []
    assert await shop.read.value(text('SELECT tax FROM "order"')) == 0
    assert len(assessor.asked) == 4


async def test_a_delivery_that_has_to_be_priced_is_priced_first_and_then_taxed(
    shop: Shop, api: Api, assessor: Assessor, courier: Courier
) -> None:
    cart = await begun(shop, api)
    option = await deliveries.option(shop, **BY_COURIER)
    await to(api, cart, {})
    chosen = await deliveries.choose(api, cart, option)
    assert (total(chosen), chosen["requirements"]) == (["28.80", "3.20", "32.00"], [])
    await carts.execute(shop, "UPDATE quote SET expires_at = now()")
    courier.offers = (Offer("courier", 1500),)
    dear = await complete(api, cart, expectedTotal={"amount": "32.00", "currency": "EUR"})
    assert refusal(dear)["current"]["amount"] == "35.00"
    assert (await complete(api, cart, expectedTotal={"amount": "35.00", "currency": "EUR"}))["userErrors"] == []
    assert await shop.read.value(text('SELECT shipping_tax FROM "order"')) == 150


def doubled(request: TaxRequest) -> list[ItemTax]:
    return [*taxing.tenth(request), *taxing.tenth(request)]


def more_than_all(request: TaxRequest) -> list[ItemTax]:
    taxes = (TaxAmount("Toll", Decimal("0.1"), request.items[0].amount + 1),)
    return [ItemTax(item.key, taxes) for item in request.items]


def refusing(_: TaxRequest) -> Any:
    raise ConnectionError("the assessor's line is dead")


@pytest.mark.parametrize("how", ["slow", "down", "a parrot", "twice", "nothing", "too much", "unknown"])
async def test_while_it_gives_no_answer_that_can_be_the_stored_rates_count_and_it_is_told(
    shop: Shop, api: Api, assessor: Assessor, how: str
) -> None:
    cart = await begun(shop, api)
    assessor.silent = how == "slow"
    wrong: dict[str, Any] = {
        "down": refusing, "a parrot": lambda _: ["a parrot"], "twice": doubled, "nothing": lambda _: [],
        "too much": more_than_all,
    }  # fmt: skip
    assessor.answer = wrong.get(how, taxing.tenth)
    if how == "unknown":
        await carts.execute(shop, "UPDATE region SET tax_provider = 'nobody'")
    sent = await to(api, cart, {})
    assert (by_rate(sent), total(sent), sent["requirements"]) == ({"VAT 0.21": "3.47"}, ["16.53", "3.47", "20.00"], [])
    assert sent["warnings"] == [{"__typename": "FallbackTax", "path": ["totals", "taxes"]}]
    assert (await complete(api, cart))["userErrors"] == []
    assert len(assessor.asked) == (0 if how == "unknown" else 1)
    assert await violations(shop.read) == []


async def test_it_is_asked_again_after_a_while(shop: Shop, api: Api, assessor: Assessor) -> None:
    cart = await begun(shop, api)
    assessor.answer = refusing
    assert by_rate(await to(api, cart, {})) == {"VAT 0.21": "3.47"}
    assessor.answer = taxing.tenth
    assert by_rate(await seen(api, cart)) == {"VAT 0.21": "3.47"}
    await carts.execute(shop, "UPDATE quote SET expires_at = now()")
    found = await seen(api, cart)
    assert (by_rate(found), found["warnings"]) == ({"Toll 0.1": "2.00"}, [])


async def test_one_that_takes_long_holds_no_connection_no_lock_and_nobody_else(
    shop: Shop, api: Api, assessor: Assessor, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent until the test has looked; the process may wait for half a minute."""
    cart = await begun(shop, api)
    address = {**cart.key, "shippingAddress": given.ADDRESS}
    await api.done("cartSetAddresses", address, "__typename")
    monkeypatch.setattr(server.app, "make_shop", lambda *given_: taxed_by(make_shop(*given_), assessor, within=30))
    assessor.silent = True
    async with running_app(database_url) as slow:
        waiting = [asyncio.create_task(seen(slow, cart)) for _ in range(8)]
        waiting += [asyncio.create_task(complete(slow, cart, f"key-{n}")) for n in range(8)]
        await given.until(lambda: len(assessor.asked) == 16)
        await asyncio.sleep(0.2)  # a query gives its connection back when it has read nothing for a while
        assert slow.database is not None
        pool = slow.database.pool
        assert pool.get_idle_size() == pool.get_size()
        held = """SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in transaction%'"""
        assert await shop.read.value(text(held)) == 0
        await api.done("cartSetMetadata", {**cart.key, "metadata": {"n": 1}}, "cart { id }")
        assessor.spoke.set()
        told = await asyncio.gather(*waiting)
    assert [total(one) for one in told[:8]] == [["18.00", "2.00", "20.00"]] * 8
    assert len([one for one in told[8:] if not one["userErrors"]]) == 1
    assert await violations(shop.read) == []


async def test_outside_of_the_region_it_is_asked_about_what_is_left_without_the_homes_tax(
    shop: Shop, api: Api, assessor: Assessor
) -> None:
    cart = await begun(shop, api)
    sent = await to(api, cart, taxing.ZURICH)
    (asked,) = assessor.asked
    assert (asked.included, [item.amount for item in asked.items]) == (False, [1653])
    assert (by_rate(sent), total(sent)) == ({"Toll 0.1": "1.65"}, ["16.53", "1.65", "18.18"])


async def test_a_cart_without_anything_that_is_taxed_asks_nobody(shop: Shop, api: Api, assessor: Assessor) -> None:
    cart = await begun(shop, api)
    await carts.execute(shop, "UPDATE variant SET taxable = false")
    sent = await to(api, cart, {})
    assert (by_rate(sent), sent["requirements"], assessor.asked) == ({"VAT 0.21": "0.00"}, [], [])
    assert (await complete(api, cart))["userErrors"] == []


@pytest.mark.parametrize(
    ("included", "taxes"),
    [
        (True, [TaxAmount("T", Decimal("0.1"), 101)]),
        (False, [TaxAmount("T", Decimal("0.1"), 301)]),
        (True, [TaxAmount("T", Decimal("0.1"), -1)]),
        (True, [TaxAmount(" ", Decimal("0.1"), 1)]),
        (True, [TaxAmount("T", Decimal("NaN"), 1)]),
        (True, [TaxAmount("T", Decimal("-0.1"), 1)]),
        (True, [TaxAmount("T", Decimal("0.1234567"), 1)]),
        (True, [TaxAmount("T", 0.1, 1)]),  # pyright: ignore[reportArgumentType]
        (True, [TaxAmount("T", Decimal("0.1"), 1.5)]),  # pyright: ignore[reportArgumentType]
        (True, [TaxAmount("T", Decimal("0"), 0)] * 101),
    ],
)
def test_what_cannot_be_a_tax_is_no_answer(included: bool, taxes: list[TaxAmount]) -> None:
    request = TaxRequest("EUR", included, {}, (TaxItem("line", 100, "standard"),))
    with pytest.raises(Unfit):
        checked(request, [ItemTax("line", tuple(taxes))])
    assert checked(request, [ItemTax("line", (TaxAmount("T", Decimal("0.1"), 100),))])
