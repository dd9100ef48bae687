"""Regions as staff make them: countries, a currency that stays while it is counted in, who is paid through there."""

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from db.connection import new_id
from domain.price import PriceDraft
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, deliveries, given
from tests.api import Api
from tests.pricing import region

REGION = """region { id code name currency taxInclusive isDefault countries metadata version archivedAt
    admin { rounding paymentProviders externalId translations } }"""
NEW = {"code": "uk", "name": "Kingdom", "currency": "GBP", "taxInclusive": True, "countries": ["GB"]}


async def keeper(shop: Shop, api: Api) -> Api:
    return await given.caller(shop, api, "staff", "regions:write")


async def key(shop: Shop, code: str) -> dict[str, str]:
    return {"id": ids.encode("Region", await region(shop, code))}


async def stored(shop: Shop) -> Any:
    statements = ("SELECT * FROM region ORDER BY id", "SELECT * FROM region_country ORDER BY country",
                  "SELECT * FROM audit_entry ORDER BY id")  # fmt: skip
    return [[dict(row) for row in await shop.read.records(text(statement))] for statement in statements]


async def refusals(shop: Shop, api: Api, mutation: str, given_: dict[str, Any], more: str = "") -> list[Any]:
    """Type, path and facts of each; nothing changed."""
    before = await stored(shop)
    payload = await api.do(mutation, given_, "__typename" + (f" userErrors {{ {more} }}" if more else ""))
    assert await stored(shop) == before
    return [
        (error.pop("__typename"), error.pop("path"), {**error, "message": "", "code": ""})
        for error in payload["userErrors"]
    ]


async def types(shop: Shop, api: Api, mutation: str, given_: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [found[:2] for found in await refusals(shop, api, mutation, given_)]


async def test_a_region_is_made_changed_and_archived(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff = await keeper(shop, api)
    more = {"rounding": "HALF_EVEN", "paymentProviders": ["manual"], "translations": {"de": {"name": "Königreich"}}}
    made = (await staff.done("regionCreate", {**NEW, **more, "metadata": {"a": 1}, "externalId": "R1"}, REGION))[
        "region"
    ]
    assert made | {"id": ""} == {
        "id": "", "code": "uk", "name": "Kingdom", "currency": "GBP", "taxInclusive": True, "isDefault": False,
        "countries": ["GB"], "metadata": {"a": 1}, "version": 1, "archivedAt": None,
        "admin": {"externalId": "R1", **more},
    }  # fmt: skip
    there = {"id": made["id"]}
    named = f'query @inContext(locale: "de-AT") {{ region(id: "{made["id"]}") {{ name admin {{ externalId }} }} }}'
    assert (await api(named))["region"] == {"name": "Königreich", "admin": None}
    changed = {
        "countries": ["IE", "GB"],
        "externalId": None,
        "paymentProviders": None,
        "isDefault": True,
        "ifVersion": 1,
    }
    now = (await staff.done("regionUpdate", {**there, **changed}, REGION))["region"]
    assert (now["countries"], now["isDefault"], now["version"]) == (["GB", "IE"], True, 2)
    assert (now["admin"]["externalId"], now["admin"]["paymentProviders"]) == (None, None)
    assert (await staff.done("regionUpdate", {**there, "isDefault": True}, REGION))["region"]["version"] == 2
    assert [one["code"] for one in (await api("{ regions { code } }"))["regions"]] == ["uk", "eu", "jp", "us"]
    us = await key(shop, "us")
    sold = await given.product(shop)
    cart = await given.cart(api.in_country("US"), {"variantId": sold.variant})
    archived = (await staff.done("regionArchive", us, REGION))["region"]
    assert (archived["countries"], archived["archivedAt"] is None) == ([], False)
    assert [one["code"] for one in (await api("{ regions { code } }"))["regions"]] == ["uk", "eu", "jp"]
    assert {one["code"] for one in (await staff("{ allRegions { code } }"))["allRegions"]} == {"uk", "eu", "jp", "us"}
    assert (await api(f'{{ region(id: "{us["id"]}") {{ id }} }}'))["region"] is None
    priced = "products { nodes { variants { nodes { price { taxIncluded } } } } }"
    for context in ("country: US", f'region: "{us["id"]}"'):
        answer = await api.answer(f"query @inContext({context}) {{ {priced} }}")
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    shown = "requirements { code } lines { unitPrice { amount } }"
    read = f"query ($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{ {shown} }} }}"
    left = (await api(read, carts.of(cart)))["cart"]
    assert left == {"requirements": [{"code": "FOR_SALE"}], "lines": [{"unitPrice": None}]}
    moved = {**cart.key, "to": {"country": "NL"}}
    again = await api.done("cartSetContext", moved, "cart { lines { unitPrice { currency } } }")
    assert again["cart"]["lines"] == [{"unitPrice": {"currency": "EUR"}}]
    await staff.done("regionUpdate", {**there, "countries": ["GB", "US"]}, REGION)  # it is free now


async def test_a_country_belongs_to_one_region_and_moves_when_that_is_said(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff, eu = await keeper(shop, api), await key(shop, "eu")
    facts = "... on CountryTaken { country regionId regionName }"
    taken = await refusals(shop, staff, "regionCreate", {**NEW, "countries": ["GB", "DE", "US"]}, facts)
    assert [(kind, path, error["country"], error["regionName"]) for kind, path, error in taken] == [
        ("CountryTaken", ["countries", "1"], "DE", "Europe"),
        ("CountryTaken", ["countries", "2"], "US", "United States"),
    ]
    assert taken[0][2]["regionId"] == eu["id"]
    moving = {**NEW, "countries": ["GB", "DE"], "moveCountries": True}
    assert (await staff.done("regionCreate", moving, REGION))["region"]["countries"] == ["DE", "GB"]
    assert (await api(f'{{ region(id: "{eu["id"]}") {{ countries }} }}'))["region"] == {"countries": ["NL"]}
    home = "SELECT region.code || country FROM region_country JOIN region ON region.id = region_id WHERE is_home"
    assert sorted(await shop.read.scalars(text(home))) == ["euNL", "jpJP", "ukGB", "usUS"]  # pyright: ignore[reportArgumentType]


async def test_a_currency_stays_while_anything_is_counted_in_it(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff, jp = await keeper(shop, api), await key(shop, "jp")
    to_euro = {**jp, "currency": "EUR"}
    sold = await given.product(shop)
    cart = await given.cart(api.in_country("JP"), {"variantId": sold.variant})
    await given.prices(shop, PriceDraft(sold.keys[0], "JPY", 500, region_id=await region(shop, "jp")))
    await deliveries.option(shop, "jp")
    facts = "... on RegionInUse { openCarts prices deliveryOptions }"
    ((kind, path, error),) = await refusals(shop, staff, "regionUpdate", to_euro, facts)
    assert (kind, path) == ("RegionInUse", ["currency"])
    assert (error["openCarts"], error["prices"], error["deliveryOptions"]) == (1, 1, 1)
    await api.done("cartSetContext", {**cart.key, "to": {"country": "NL"}}, "cart { id }")
    await carts.execute(shop, "UPDATE delivery_option SET archived_at = now()")
    await carts.execute(shop, "DELETE FROM price WHERE region_id IS NOT NULL")
    assert (await staff.done("regionUpdate", to_euro, REGION))["region"]["currency"] == "EUR"
    bought = await given.cart(api.in_country("JP"), {"variantId": sold.variant})
    assert bought.total == {"amount": "10.00", "currency": "EUR"}


async def test_a_cart_that_is_begun_while_the_currency_changes_has_the_new_one(
    shop: Shop, api: Api, database_url: str
) -> None:
    """The region is read before it changes, the cart is written after."""
    await given.regions(shop)
    connection = await asyncpg.connect(database_url)
    async with connection.transaction():
        await connection.execute("SELECT FROM region WHERE code = 'jp' FOR UPDATE")
        await connection.execute("UPDATE region SET currency = 'EUR' WHERE code = 'jp'")
        made = asyncio.create_task(api.in_country("JP").done("cartCreate", {}, "cart { currency }"))
        waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"
        await given.until(lambda: shop.read.value(text(waits)))
    await connection.close()
    assert (await made)["cart"] == {"currency": "EUR"}


async def test_homes_are_chosen_while_countries_move_and_nobody_waits_for_ever(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff = await given.caller(shop, api, "staff", "regions:write", "tax:write")
    eu, us = await key(shop, "eu"), await key(shop, "us")

    async def home(country: str) -> Any:
        return await staff.do("regionSetTax", {"regionId": eu["id"], "homeCountry": country}, "__typename")

    async def moved(region_: dict[str, str], *countries: str) -> Any:
        return await staff.do("regionUpdate", {**region_, "countries": countries, "moveCountries": True}, "__typename")

    for _ in range(6):
        done = await asyncio.gather(
            home("DE"), moved(us, "US", "DE", "NL"), home("NL"), moved(eu, "DE", "NL"), home("DE"), moved(us, "US")
        )
        assert {error["path"][0] for one in done for error in one["userErrors"]} <= {"homeCountry"}
        await moved(eu, "NL", "DE")


async def test_an_archived_region_keeps_its_taxes_as_they_are(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff = await given.caller(shop, api, "staff", "regions:write", "tax:write")
    us = await key(shop, "us")
    await staff.done("regionArchive", us, "__typename")
    found = await types(shop, staff, "regionSetTax", {"regionId": us["id"], "homeCountry": None})
    assert found == [("ValidationFailed", ["regionId"])]


async def test_what_no_region_can_be_is_told_by_its_path(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff, eu = await keeper(shop, api), await key(shop, "eu")
    for mutation, given_, expected in (
        ("regionCreate", {**NEW, "code": "eu"}, [("ValidationFailed", ["code"])]),
        ("regionCreate", {**NEW, "code": "javascript:alert(1)"}, [("ValidationFailed", ["code"])]),
        ("regionUpdate", {**eu, "code": "e\u202eu"}, [("ValidationFailed", ["code"])]),
        ("regionUpdate", {**eu, "code": "e/u"}, [("ValidationFailed", ["code"])]),
        ("regionCreate", {**NEW, "name": "Europe"}, [("ValidationFailed", ["name"])]),
        ("regionCreate", {**NEW, "name": " ", "code": "a\nb"},
         [("ValidationFailed", ["code"]), ("ValidationFailed", ["name"])]),
        ("regionCreate", {**NEW, "paymentProviders": ["nobody"]}, [("ValidationFailed", ["paymentProviders", "0"])]),
        ("regionCreate", {**NEW, "translations": {"de": {"title": "x"}}},
         [("ValidationFailed", ["translations", "de", "title"])]),
        ("regionCreate", {**NEW, "metadata": {"a": "x" * 17000}}, [("ValidationFailed", ["metadata"])]),
        ("regionUpdate", {**eu, "name": None, "rounding": None},
         [("ValidationFailed", ["name"]), ("ValidationFailed", ["rounding"])]),
        ("regionUpdate", {**eu, "countries": None}, [("ValidationFailed", ["countries"])]),
        ("regionUpdate", {**eu, "isDefault": False}, [("ValidationFailed", ["isDefault"])]),
        ("regionUpdate", {**eu, "code": "us"}, [("ValidationFailed", ["code"])]),
        ("regionUpdate", {**eu, "ifVersion": 9}, [("VersionConflict", ["ifVersion"])]),
        ("regionUpdate", {"id": ids.encode("Region", new_id())}, [("NotFound", ["id"])]),
        ("regionArchive", eu, [("ValidationFailed", ["id"])]),
        ("regionArchive", {**eu, "ifVersion": 9}, [("VersionConflict", ["ifVersion"])]),
    ):  # fmt: skip
        assert sorted(await types(shop, staff, mutation, given_)) == expected, given_


async def test_a_cart_is_paid_through_what_its_region_offers(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff, eu = await keeper(shop, api), await key(shop, "eu")
    sold = await given.product(shop)
    cart = await given.cart(api, {"variantId": sold.variant})
    offered = (
        "query ($id: ID!, $token: String) { cart(id: $id, token: $token) { paymentOptions { provider needsSession } } }"
    )
    assert {"provider": "manual", "needsSession": False} in (await api(offered, carts.of(cart)))["cart"][
        "paymentOptions"
    ]
    await staff.done("regionUpdate", {**eu, "paymentProviders": ["test"]}, "region { id }")
    assert (await api(offered, carts.of(cart)))["cart"]["paymentOptions"] == [
        {"provider": "test", "needsSession": True}
    ]
    before = await carts.stored(shop)
    payload = await api.do("cartComplete", cart.completion(), "order { id }")
    assert [(error["__typename"], error["path"]) for error in payload["userErrors"]] == [
        ("ValidationFailed", ["paymentProvider"])
    ]
    assert await carts.stored(shop) == before
    assert await shop.read.value(text('SELECT count(*) FROM "order"')) == 0
    await staff.done("regionUpdate", {**eu, "paymentProviders": ["manual"]}, "region { id }")
    session = await api.do("paymentSessionCreate", {**cart.key, "provider": "test"}, "session { id }")
    assert [error["path"] for error in session["userErrors"]] == [["provider"]]
    await api.done("cartComplete", cart.completion(), "order { id }")


@pytest.mark.parametrize("who", ["nobody", "customer", "staff"])
async def test_regions_are_changed_by_staff_with_the_permission_alone(shop: Shop, api: Api, who: str) -> None:
    await given.regions(shop)
    eu, caller = await key(shop, "eu"), await given.caller(shop, api, who, "products:write")
    before = await stored(shop)
    for query in (
        "{ allRegions { id } }",
        f'mutation {{ regionArchive(input: {{ id: "{eu["id"]}" }}) {{ region {{ id }} }} }}',
        f'mutation {{ regionUpdate(input: {{ id: "{eu["id"]}", name: "x" }}) {{ region {{ id }} }} }}',
        'mutation { regionCreate(input: { code: "a", name: "a", currency: EUR, taxInclusive: true }) { '
        "region { id } } }",
    ):
        answer = await caller.answer(query)
        assert answer["errors"][0]["extensions"]["code"] == ("UNAUTHENTICATED" if who == "nobody" else "FORBIDDEN")
    assert await stored(shop) == before
    assert {one["admin"] for one in (await caller("{ regions { admin { externalId } } }"))["regions"]} == {None}
