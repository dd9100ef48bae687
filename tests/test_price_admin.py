"""Price lists and prices as staff write them, and why a price is what it is."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from db.connection import new_id
from domain.price import PriceDraft, Wanted, best
from domain.price_explanation import Asked, explain
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api
from tests.pricing import DAY, group, price_list, public_id, region

LIST = """priceList { id name kind status priority startsAt endsAt forGroups externalId version
    audience { groupId name } }"""
RESULTS = """results { index outcome errors { __typename path } price { amount { minorUnits } compareAt { minorUnits }
    minQuantity region { code } priceList { name } variant { sku } } }"""


async def seller(shop: Shop, api: Api) -> Api:
    return await given.caller(shop, api, "staff", "prices:read", "prices:write")


async def stored(shop: Shop) -> Any:
    """Everything that the pages of prices show, and what was noted of it."""
    tables = ("price", "price_list", "price_list_group", "audit_entry")
    return [
        [dict(row) for row in await shop.read.records(text(f"SELECT * FROM {name} ORDER BY 1, 2"))] for name in tables
    ]


async def refusals(shop: Shop, api: Api, mutation: str, given_: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Type and path of each; nothing changed."""
    before = await stored(shop)
    payload = await api.do(mutation, given_, "__typename")
    assert await stored(shop) == before
    return [(error["__typename"], error["path"]) for error in payload["userErrors"]]


async def test_a_price_list_is_made_changed_and_archived_by_version(shop: Shop, api: Api) -> None:
    staff, trade = await seller(shop, api), await group(shop, "Trade")
    named = {"name": "Summer", "kind": "SALE", "customerGroupIds": [ids.encode("CustomerGroup", trade)]}
    made = (await staff.done("priceListCreate", named, LIST))["priceList"]
    assert made | {"id": ""} == {
        "id": "", "name": "Summer", "kind": "SALE", "status": "DRAFT", "priority": 1, "startsAt": None, "endsAt": None,
        "forGroups": True, "externalId": None, "version": 1,
        "audience": [{"groupId": named["customerGroupIds"][0], "name": "Trade"}],
    }  # fmt: skip
    key, starts = {"id": made["id"]}, datetime.now(UTC)
    more = {
        "status": "ACTIVE",
        "startsAt": starts.isoformat(),
        "endsAt": (starts + DAY).isoformat(),
        "externalId": "S1",
    }
    changed = (await staff.done("priceListUpdate", {**key, **more, "ifVersion": 1}, LIST))["priceList"]
    assert (changed["status"], changed["version"], changed["name"]) == ("ACTIVE", 2, "Summer")
    again = (await staff.done("priceListUpdate", {**key, **more}, LIST))["priceList"]
    assert again["version"] == 2
    endless = (await staff.done("priceListUpdate", {**key, "endsAt": None, "externalId": None}, LIST))["priceList"]
    assert (endless["endsAt"], endless["externalId"], endless["startsAt"] is None) == (None, None, False)
    for groups, shown in (([], (True, [])), (None, (False, []))):
        audience = {**key, "customerGroupIds": groups}
        now = (await staff.done("priceListSetGroups", audience, LIST))["priceList"]
        assert (now["forGroups"], now["audience"]) == shown
    archived = (await staff.done("priceListArchive", key, LIST))["priceList"]
    assert (archived["status"], archived["version"]) == ("ARCHIVED", 6)
    assert (await staff.done("priceListArchive", key, LIST))["priceList"]["version"] == 6
    found = await staff(
        "{ priceLists(status: ARCHIVED) { nodes { name } } one: priceLists(status: DRAFT) { nodes { id } } }"
    )
    assert found == {"priceLists": {"nodes": [{"name": "Summer"}]}, "one": {"nodes": []}}
    was = await shop.read.records(text("SELECT status, for_groups FROM price_list_history ORDER BY id"))
    assert [tuple(row) for row in was] == [("draft", True), ("active", True), ("active", True), ("active", False)]


async def test_what_no_price_list_can_be_is_told_by_its_path(shop: Shop, api: Api) -> None:
    staff = await seller(shop, api)
    key = {"id": public_id(await price_list(shop, "sale", external_id="S1", ends_at=datetime.now(UTC)))}
    other = {"id": public_id(await price_list(shop, "sale"))}
    nobody = ids.encode("CustomerGroup", new_id())
    new = {"name": "Summer", "kind": "SALE"}
    moment, later = datetime.now(UTC).isoformat(), (datetime.now(UTC) + DAY).isoformat()
    for mutation, given_, expected in (
        ("priceListCreate", {**new, "name": " "}, [("ValidationFailed", ["name"])]),
        ("priceListCreate", {**new, "name": "a\nb", "priority": 0},
         [("ValidationFailed", ["name"]), ("ValidationFailed", ["priority"])]),
        ("priceListCreate", {**new, "status": "ARCHIVED"}, [("ValidationFailed", ["status"])]),
        ("priceListCreate", {**new, "status": None}, [("ValidationFailed", ["status"])]),
        ("priceListCreate", {**new, "startsAt": moment, "endsAt": moment}, [("ValidationFailed", ["endsAt"])]),
        ("priceListCreate", {**new, "startsAt": "0001-01-01T00:00:00Z"}, [("ValidationFailed", ["startsAt"])]),
        ("priceListCreate", {**new, "externalId": "S1"}, [("ValidationFailed", ["externalId"])]),
        ("priceListCreate", {**new, "customerGroupIds": [nobody]}, [("NotFound", ["customerGroupIds", "0"])]),
        ("priceListUpdate", {**other, "externalId": "S1"}, [("ValidationFailed", ["externalId"])]),
        ("priceListUpdate", {**other, "name": None}, [("ValidationFailed", ["name"])]),
        ("priceListUpdate", {**key, "startsAt": later}, [("ValidationFailed", ["endsAt"])]),
        ("priceListUpdate", {**key, "ifVersion": 7}, [("VersionConflict", ["ifVersion"])]),
        ("priceListUpdate", {"id": public_id(new_id())}, [("NotFound", ["id"])]),
        ("priceListArchive", {**key, "ifVersion": 7}, [("VersionConflict", ["ifVersion"])]),
        ("priceListSetGroups", key, [("ValidationFailed", ["customerGroupIds"])]),
        ("priceListSetGroups", {**key, "customerGroupIds": [nobody]}, [("NotFound", ["customerGroupIds", "0"])]),
    ):  # fmt: skip
        assert await refusals(shop, staff, mutation, given_) == expected, given_
    await staff.done("priceListArchive", key, "priceList { id }")
    assert await refusals(shop, staff, "priceListUpdate", {**key, "name": "x"}) == [("ValidationFailed", ["id"])]


async def test_prices_are_written_by_the_row_and_taken_away_by_null(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff, sold = await seller(shop, api), await given.product(shop, prices={"EUR": 1000, "USD": 1100})
    listed, eu = (
        public_id(await price_list(shop, "sale", name="Summer")),
        ids.encode("Region", await region(shop, "eu")),
    )
    cup, euro = {"sku": "PAPER-CUP-1"}, {"currency": "EUR"}
    rows = [
        {**cup, **euro, "amount": "9.50", "compareAt": "12"},
        {"variantId": sold.variant, **euro, "amount": "8", "priceListId": listed, "regionId": eu, "minQuantity": 5},
        {**cup, "currency": "USD", "amount": None},
        {**cup, "currency": "JPY", "amount": "500"},
        {**cup, "currency": "GBP", "amount": None},
        {**cup, "currency": "KWD", "amount": "1.234"},
    ]
    results = (await staff.done("pricesUpsert", {"rows": rows}, RESULTS))["results"]
    assert [(one["index"], one["outcome"], one["errors"]) for one in results] == [
        (0, "UPDATED", []), (1, "CREATED", []), (2, "UPDATED", []), (3, "CREATED", []), (4, "UNCHANGED", []),
        (5, "CREATED", []),
    ]  # fmt: skip
    assert [one["price"] and one["price"]["amount"]["minorUnits"] for one in results] == [
        "950", "800", None, "500", None, "1234",
    ]  # fmt: skip
    assert results[1]["price"] == {
        "amount": {"minorUnits": "800"}, "compareAt": None, "minQuantity": 5, "region": {"code": "eu"},
        "priceList": {"name": "Summer"}, "variant": {"sku": "PAPER-CUP-1"},
    }  # fmt: skip
    kept = (await staff.done("pricesUpsert", {"rows": [{**cup, **euro, "amount": "9"}]}, RESULTS))["results"][0]
    assert (kept["outcome"], kept["price"]["compareAt"]) == ("UPDATED", {"minorUnits": "1200"})
    gone = [{**cup, **euro, "amount": "9", "compareAt": None}]
    assert (await staff.done("pricesUpsert", {"rows": gone}, RESULTS))["results"][0]["price"]["compareAt"] is None
    query = "query ($f: PriceRowFilter) { prices(filter: $f, first: 2) { totalCount nodes { amount { formatted } } } }"
    for filter_, amounts in (
        ({"priceListId": listed}, ["€8.00"]),
        ({"isBase": True, "currency": "JPY"}, ["¥500"]),
        ({"regionId": eu}, ["€8.00"]),
        ({"variantId": sold.variant, "isBase": False}, ["€8.00"]),
    ):
        page = (await staff(query, {"f": filter_}))["prices"]
        assert (page["totalCount"], [row["amount"]["formatted"] for row in page["nodes"]]) == (1, amounts)
    assert (await staff(query))["prices"]["totalCount"] == 4


async def test_a_bad_row_is_named_and_stops_all_or_itself_alone(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff, sold = await seller(shop, api), await given.product(shop, prices={"EUR": 1000})
    cup, us = {"sku": "PAPER-CUP-1"}, ids.encode("Region", await region(shop, "us"))
    archived = public_id(await price_list(shop, "sale", status="archived"))
    good = {**cup, "currency": "EUR", "amount": "1", "minQuantity": 7}
    bad: list[tuple[dict[str, Any], list[str]]] = [
        ({"currency": "EUR", "amount": "1"}, ["variantId"]),
        ({**cup, "variantId": sold.variant, "currency": "EUR", "amount": "1"}, ["variantId"]),
        ({"sku": "NONE", "currency": "EUR", "amount": "1"}, ["sku"]),
        ({**cup, "currency": "EUR"}, ["amount"]),
        ({**cup, "currency": "EUR", "amount": "1.005"}, ["amount"]),
        ({**cup, "currency": "JPY", "amount": "1.5"}, ["amount"]),
        ({**cup, "currency": "KWD", "amount": "1", "compareAt": "1.2345"}, ["compareAt"]),
        ({**cup, "currency": "EUR", "amount": "-1"}, ["amount"]),
        ({**cup, "currency": "EUR", "amount": "1", "minQuantity": 0}, ["minQuantity"]),
        ({**cup, "currency": "EUR", "amount": "1", "regionId": us}, ["currency"]),
        ({**cup, "currency": "EUR", "amount": "1", "priceListId": archived}, ["priceListId"]),
        (good, []),
    ]
    rows = [good, *(row for row, _ in bad)]
    told = await refusals(shop, staff, "pricesUpsert", {"rows": rows})
    assert sorted(path[1] for _, path in told) == sorted({path[1] for _, path in told})
    assert await refusals(shop, staff, "pricesUpsert", {"rows": []}) == [("ValidationFailed", ["rows"])]
    assert await refusals(shop, staff, "pricesUpsert", {"rows": [good] * 1001}) == [("ValidationFailed", ["rows"])]
    done = (await staff.done("pricesUpsert", {"rows": rows, "onError": "SKIP"}, RESULTS))["results"]
    assert done[0]["outcome"] == "CREATED"
    assert [[error["path"] for error in one["errors"]] for one in done[1:]] == [[path] for _, path in bad]
    assert await shop.read.value(text("SELECT count(*) FROM price")) == 2


async def test_every_price_of_a_variant_says_why_it_counts_or_does_not(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sold = await given.product(shop, prices={"EUR": 1000, "USD": 1})
    (variant,), eu, us = sold.keys, await region(shop, "eu"), await region(shop, "us")
    trade, now = await group(shop, "Trade"), datetime.now(UTC)

    def euro(amount: int, **more: Any) -> PriceDraft:
        return PriceDraft(variant, "EUR", amount, **more)

    await given.prices(shop, euro(1, region_id=us), euro(900, min_quantity=50))
    await price_list(shop, "override", euro(950, region_id=eu), euro(940), euro(930, region_id=eu, min_quantity=5))
    await price_list(shop, "override", euro(2), priority=2)
    await price_list(shop, "sale", euro(800), name="Summer")
    await price_list(shop, "sale", euro(810))
    await price_list(shop, "sale", euro(3), status="draft")
    await price_list(shop, "sale", euro(4), starts_at=now + DAY)
    await price_list(shop, "sale", euro(5), ends_at=now - DAY)
    await price_list(shop, "sale", euro(6), groups=[trade])
    staff = await seller(shop, api)
    query = """query ($id: ID!, $at: DateTime, $groups: [ID!]) {
      priceExplain(variantId: $id, quantity: 10, at: $at, customerGroupIds: $groups) {
        price { amount { minorUnits } original { minorUnits } }
        candidates { verdict price { amount { minorUnits } currency priceList { name } } } } }"""
    explained = (await staff(query, {"id": sold.variant}))["priceExplain"]
    assert explained["price"] == {"amount": {"minorUnits": "800"}, "original": {"minorUnits": "930"}}
    verdicts = {
        (one["price"]["amount"]["minorUnits"], one["price"]["currency"]): one["verdict"]
        for one in explained["candidates"]
    }
    assert verdicts == {
        ("1", "USD"): "OTHER_CURRENCY", ("1", "EUR"): "OTHER_REGION", ("900", "EUR"): "QUANTITY_NOT_REACHED",
        ("1000", "EUR"): "LIST_FIRST", ("950", "EUR"): "LARGER_QUANTITY", ("940", "EUR"): "REGION_FIRST",
        ("930", "EUR"): "REGULAR", ("2", "EUR"): "LIST_FIRST", ("800", "EUR"): "COUNTS", ("810", "EUR"): "OTHER_LIST",
        ("3", "EUR"): "NOT_ACTIVE", ("4", "EUR"): "NOT_STARTED", ("5", "EUR"): "ENDED", ("6", "EUR"): "OTHER_GROUPS",
    }  # fmt: skip
    later = {"id": sold.variant, "at": (now + 2 * DAY).isoformat(), "groups": [ids.encode("CustomerGroup", trade)]}
    then = (await staff(query, later))["priceExplain"]
    assert then["price"]["amount"] == {"minorUnits": "4"}
    assert [one["price"]["amount"]["minorUnits"] for one in then["candidates"] if one["verdict"] == "COUNTS"] == ["4"]
    error = (await staff.answer(query, {"id": ids.encode("Variant", eu)}))["errors"][0]["extensions"]
    assert (error["code"], error["argument"]) == ("BAD_USER_INPUT", "variantId")
    for quantity in (1, 4, 50):
        (found,) = await best(shop.read, [Wanted(variant, quantity, eu)])
        (counts,) = [
            row for row, verdict in (await explain(shop.read, Asked(variant, quantity, eu))).rows if verdict == "counts"
        ]
        assert found is not None
        assert (counts.amount, counts.min_quantity) == (found.amount, found.min_quantity)


@pytest.mark.parametrize("who", ["nobody", "customer", "staff"])
async def test_lists_and_rows_of_prices_are_for_staff_with_the_permission(shop: Shop, api: Api, who: str) -> None:
    await given.regions(shop)
    sold = await given.product(shop, prices={"EUR": 1000})
    key = public_id(await price_list(shop, "sale", PriceDraft(sold.keys[0], "EUR", 900), name="Clear out"))
    caller = await given.caller(shop, api, who, "products:write")
    code = "UNAUTHENTICATED" if who == "nobody" else "FORBIDDEN"
    for query in (
        "{ priceLists { nodes { name } } }",
        f'{{ priceList(id: "{key}") {{ name }} }}',
        "{ prices { nodes { id } } }",
        f'{{ priceExplain(variantId: "{sold.variant}") {{ candidates {{ verdict }} }} }}',
        f'mutation {{ priceListArchive(input: {{ id: "{key}" }}) {{ priceList {{ name }} }} }}',
        'mutation { pricesUpsert(input: { rows: [{ sku: "PAPER-CUP-1", currency: EUR, amount: "1" }] }) '
        "{ results { index } } }",
    ):
        answer = await caller.raw(query)
        assert answer.json()["errors"][0]["extensions"]["code"] == code
        assert "Clear out" not in answer.text
    cup = "{ variants { nodes { price { amount { amount } } } } }"
    seen = f'{{ node(id: "{key}") {{ id }} product(by: {{ handle: "paper-cup" }}) {cup} }}'
    found = await caller(seen)
    assert found["node"] is None
    assert found["product"]["variants"]["nodes"] == [{"price": {"amount": {"amount": "9.00"}}}]
