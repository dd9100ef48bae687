"""Staff make tax classes and rates, say how regions count taxes, and try them out."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from domain.processes.quote_tax import preview
from domain.processes.shop import Shop
from tests import carts, deliveries, given, people
from tests.api import Api
from tests.taxing import CLASS, RATE, Assessor, rate, tax_class, taxed_by, taxman

STORED = (
    "SELECT * FROM tax_class ORDER BY id",
    "SELECT * FROM tax_rate ORDER BY id",
    "SELECT * FROM region_country ORDER BY country",
    "SELECT * FROM region ORDER BY id",
    "SELECT tax_class_code FROM product ORDER BY id",
    "SELECT * FROM audit_entry ORDER BY id",
)


async def stored(shop: Shop) -> list[dict[str, Any]]:
    return [dict(row) for statement in STORED for row in await shop.read.records(text(statement))]


async def refused(shop: Shop, api: Api, mutation: str, input_: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Type and path of what it is refused with; nothing may have changed."""
    before = await stored(shop)
    payload = await api.do(mutation, input_, "__typename")
    assert await stored(shop) == before
    return [(error["__typename"], error["path"]) for error in payload["userErrors"]]


def wrong(*path: str) -> list[tuple[str, list[str]]]:
    return [("ValidationFailed", list(path))]


async def test_a_class_is_made_renamed_made_the_default_and_archived(shop: Shop, api: Api) -> None:
    staff = await taxman(shop, api)
    made = await tax_class(staff, "books")
    renamed = await staff.done("taxClassUpdate", {"id": made, "name": " Printed books "}, f"taxClass {{ {CLASS} }}")
    assert renamed["taxClass"]["name"] == "Printed books"
    await staff.done("taxClassUpdate", {"id": made, "isDefault": True}, "__typename")
    listed = (await staff(f"{{ taxClasses {{ {CLASS} }} }}"))["taxClasses"]
    assert [(one["code"], one["isDefault"]) for one in listed] == [("books", True), ("standard", False)]
    assert await refused(shop, staff, "taxClassArchive", {"id": made}) == wrong("id")
    assert await refused(shop, staff, "taxClassUpdate", {"id": made, "isDefault": False}) == wrong("isDefault")
    assert await refused(shop, staff, "taxClassUpdate", {"id": made, "name": None}) == wrong("name")
    assert await refused(shop, staff, "taxClassUpdate", {"id": made, "name": " "}) == wrong("name")
    for code in ("books", "Books", "", "a b", "ä", "x" * 101):
        assert await refused(shop, staff, "taxClassCreate", {"code": code, "name": "B"}) == wrong("code"), code
    former = listed[1]["id"]
    archived = await staff.done("taxClassArchive", {"id": former}, f"taxClass {{ {CLASS} }}")
    assert archived["taxClass"]["archivedAt"] is not None
    assert await refused(shop, staff, "taxClassArchive", {"id": former}) == []
    assert await refused(shop, staff, "taxClassUpdate", {"id": former, "isDefault": True}) == wrong("isDefault")
    again = await staff.done(
        "taxClassCreate", {"code": "new", "name": "N", "isDefault": True}, f"taxClass {{ {CLASS} }}"
    )
    assert again["taxClass"]["isDefault"] is True
    told = [(action, difference) for action, _, difference in await people.audited(shop)]
    assert told[:3] == [
        ("taxClassCreate", {"code": [None, "books"], "name": [None, "Books"], "is_default": [None, False]}),
        ("taxClassUpdate", {"name": ["Books", "Printed books"]}),
        ("taxClassUpdate", {"is_default": [False, True]}),
    ]


async def test_there_is_one_default_class_however_many_are_made_it_at_once(shop: Shop, api: Api) -> None:
    staff = await taxman(shop, api)
    made = [await tax_class(staff, f"c{n}") for n in range(4)]
    inputs = [("taxClassUpdate", {"id": one, "isDefault": True}) for one in made]
    inputs += [("taxClassCreate", {"code": f"d{n}", "name": "D", "isDefault": True}) for n in range(4)]
    told = await asyncio.gather(*(staff.do(mutation, input_, "__typename") for mutation, input_ in inputs))
    assert [one["userErrors"] for one in told] == [[]] * 8
    assert await shop.read.value(text("SELECT count(*) FROM tax_class WHERE is_default")) == 1


async def test_a_rate_is_made_changed_and_removed(shop: Shop, api: Api) -> None:
    staff = await taxman(shop, api)
    await tax_class(staff, "books")
    bavarian = {"subdivision": "Bayern", "postcodeFrom": "80-3", "taxClassCode": "books"}
    made = await rate(staff, "DE", "Beer tax", "0.015", **bavarian)

    async def changed(**to: Any) -> dict[str, Any]:
        return (await staff.done("taxRateUpdate", {"id": made, **to}, f"taxRate {{ {RATE} }}"))["taxRate"]

    whole = {
        "id": made, "country": "DE", "subdivision": "BY", "postcodeFrom": "803", "postcodeTo": "803",
        "taxClassCode": "books", "name": "Beer tax", "rate": "0.015000", "replaces": False,
    }  # fmt: skip
    assert await changed() == whole
    assert await changed(rate="0.02", replaces=True) == whole | {"rate": "0.020000", "replaces": True}
    assert (await changed(postcodeFrom="90"))["postcodeTo"] == "90"
    assert (await changed(postcodeFrom="80000", postcodeTo="81999"))["postcodeTo"] == "81999"
    assert (await changed(postcodeTo="82999"))["postcodeFrom"] == "80000"
    bare = await changed(postcodeFrom=None, postcodeTo=None, subdivision=None, taxClassCode=None, replaces=False)
    assert (bare["postcodeFrom"], bare["subdivision"], bare["taxClassCode"]) == (None, None, "standard")
    for field in ("country", "name", "rate", "replaces"):
        assert await refused(shop, staff, "taxRateUpdate", {"id": made, field: None}) == wrong(field)
    other = await rate(staff, "DE", "Wine tax", "0.015")
    assert await refused(shop, staff, "taxRateUpdate", {"id": other, "name": "Beer tax"}) == wrong("name")
    assert await refused(shop, staff, "taxRateCreate", {"country": "DE", "name": "Wine tax", "rate": "0.1"}) == wrong(
        "name"
    )
    listing = "query ($country: CountryCode) { taxRates(country: $country) { nodes { id } totalCount } }"
    assert (await staff(listing, {"country": "DE"}))["taxRates"]["totalCount"] == 2
    assert (await staff(listing, {"country": "NL"}))["taxRates"]["totalCount"] == 0
    await staff.done("taxRateRemove", {"id": made}, "__typename")
    assert [one["id"] for one in (await staff(listing))["taxRates"]["nodes"]] == [other]
    assert await refused(shop, staff, "taxRateRemove", {"id": made}) == [("NotFound", ["id"])]
    actions = [action for action, _, _ in await people.audited(shop)]
    assert actions[-3:] == ["taxRateUpdate", "taxRateCreate", "taxRateRemove"]


@pytest.mark.parametrize(
    ("input_", "path"),
    [
        ({"rate": "1.1"}, ["rate"]),
        ({"rate": "-0.1"}, ["rate"]),
        ({"rate": "0.1234567"}, ["rate"]),
        ({"name": " "}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"subdivision": "CA"}, ["subdivision"]),
        ({"subdivision": ""}, ["subdivision"]),
        ({"postcodeTo": "10"}, ["postcodeFrom"]),
        ({"postcodeFrom": "--"}, ["postcodeFrom"]),
        ({"postcodeFrom": "1" * 13}, ["postcodeFrom"]),
        ({"postcodeFrom": "10", "postcodeTo": "9"}, ["postcodeTo"]),
        ({"postcodeFrom": "20", "postcodeTo": "19"}, ["postcodeTo"]),
        ({"replaces": True}, ["replaces"]),
        ({"taxClassCode": "nothing"}, ["taxClassCode"]),
        ({"taxClassCode": "old"}, ["taxClassCode"]),
    ],
)
async def test_what_cannot_be_a_rate_is_refused_by_its_field(
    shop: Shop, api: Api, input_: dict[str, Any], path: list[str]
) -> None:
    staff = await taxman(shop, api)
    await staff.done("taxClassArchive", {"id": await tax_class(staff, "old")}, "__typename")
    good = {"country": "DE", "name": "VAT", "rate": "0.19"}
    assert await refused(shop, staff, "taxRateCreate", {**good, **input_}) == wrong(*path)


async def test_products_and_deliveries_are_given_classes_that_there_are(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff = await taxman(shop, api)
    books = await tax_class(staff, "books")
    cup = await given.product(shop, "cup")
    update = {"id": cup.product, "taxClassCode": "books"}
    await staff.done("productUpdate", update, "__typename")
    kept = "SELECT tax_class_code FROM product"
    assert await shop.read.value(text(kept)) == "books"
    await staff.done("taxClassArchive", {"id": books}, "__typename")
    await staff.done("productUpdate", {**update, "title": "Mug"}, "__typename")
    await staff.done("productUpdate", {**update, "taxClassCode": None}, "__typename")
    assert await shop.read.value(text(kept)) is None
    for code in ("books", "nothing"):
        assert await refused(shop, staff, "productUpdate", {**update, "taxClassCode": code}) == wrong("taxClassCode")
    with pytest.raises(Exception, match="tax class"):
        await deliveries.option(shop, tax_class_code="books")
    with pytest.raises(Exception, match="Only the treatment REGION"):
        await deliveries.option(shop, tax_treatment="own", tax_class_code="standard")


async def test_a_region_is_told_its_home_and_who_counts_its_taxes(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff = await taxman(shop, api)
    region = (await api("{ regions { id } }"))["regions"][0]["id"]
    here = {"regionId": region}
    assert await refused(shop, staff, "regionSetTax", {**here, "homeCountry": "US"}) == wrong("homeCountry")
    assert await refused(shop, staff, "regionSetTax", {**here, "taxProvider": "nobody"}) == wrong("taxProvider")
    assert await refused(shop, staff, "regionSetTax", {**here, "ifVersion": 77}) == [("VersionConflict", ["ifVersion"])]
    await staff.done("regionSetTax", {**here, "homeCountry": "DE", "ifVersion": 1}, "__typename")
    assert await refused(shop, staff, "regionSetTax", {**here, "homeCountry": "NL", "ifVersion": 1}) == [
        ("VersionConflict", ["ifVersion"])
    ]
    told = [(action, difference) for action, _, difference in await people.audited(shop)]
    assert told == [("regionSetTax", {"home_country": ["NL", "DE"]})]


PREVIEW = f"""query P($region: ID!, $address: TaxAddressInput!, $amount: MoneyInput!, $code: String) {{
  taxPreview(regionId: $region, address: $address, amount: $amount, taxClassCode: $code) {{
    total {{ {deliveries.PRICE} }} taxes {{ name rate }} provider isFallback isOutside }} }}"""


async def test_an_amount_is_tried_out_for_an_address(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff = await taxman(shop, api)
    region = (await api("{ regions { id } }"))["regions"][0]["id"]

    async def asked(amount: str = "121.00", **address: Any) -> dict[str, Any]:
        money = {"amount": amount, "currency": "EUR"}
        return (await staff(PREVIEW, {"region": region, "address": address, "amount": money}))["taxPreview"]

    home = await asked(country="DE", postalCode="10115")
    assert home["total"]["gross"] == {"amount": "121.00", "currency": "EUR"}
    assert home["taxes"] == [{"name": "VAT", "rate": "0.210000"}]
    assert (home["provider"], home["isFallback"], home["isOutside"]) == ("local", False, False)
    away = await asked(country="CH")
    assert (away["total"]["gross"]["amount"], away["taxes"], away["isOutside"]) == ("100.00", [], True)
    await carts.execute(shop, "UPDATE region SET tax_provider = 'nobody'")
    assert (await asked(country="NL"))["isFallback"] is True
    for variables, argument in (
        ({"amount": {"amount": "-1", "currency": "EUR"}}, "amount.amount"),
        ({"amount": {"amount": "92233720368547758.07", "currency": "EUR"}}, "amount.amount"),
        ({"amount": {"amount": "1", "currency": "USD"}}, "amount.currency"),
        ({"code": "nothing"}, "taxClassCode"),
        ({"region": home_less()}, "regionId"),
    ):
        good = {"region": region, "address": {"country": "NL"}, "amount": {"amount": "1", "currency": "EUR"}}
        answer = await staff.answer(PREVIEW, {**good, **variables})
        assert [error["extensions"].get("argument") for error in answer["errors"]] == [argument]


def home_less() -> str:
    return given.ids.encode("Region", given.new_id())


async def test_a_provider_is_tried_out_too(shop: Shop) -> None:
    await given.regions(shop)
    await carts.execute(shop, "UPDATE region SET tax_provider = 'assessor'")
    region_id = await shop.read.value(text("SELECT id FROM region WHERE code = 'eu'"))
    assessor = Assessor()
    from_assessor = await preview(taxed_by(shop, assessor), region_id, {"country": "NL"}, None, 12100)
    assert (from_assessor.provider, from_assessor.total.tax, from_assessor.is_fallback) == ("assessor", 1210, False)
    assessor.answer = lambda _: []
    local = await preview(taxed_by(shop, assessor), region_id, {"country": "NL"}, None, 12100)
    assert (local.provider, local.total.tax, local.is_fallback) == ("local", 2100, True)


@pytest.mark.parametrize("who", ["nobody", "customer", "staff without", "staff with tax:read"])
async def test_only_those_with_the_permission_see_and_change_taxes(shop: Shop, api: Api, who: str) -> None:
    await given.regions(shop)
    staff = await taxman(shop, api)
    made = await tax_class(staff, "books")
    permissions = ["tax:read"] if who.endswith("tax:read") else ["products:write"]
    caller = await given.caller(shop, api, who.partition(" ")[0], *permissions)
    before = await stored(shop)
    code = "UNAUTHENTICATED" if who == "nobody" else "FORBIDDEN"
    for mutation, input_ in (
        ("taxClassUpdate", {"id": made, "name": "X"}),
        ("taxRateCreate", {"country": "DE", "name": "VAT", "rate": "0.19"}),
    ):
        kind = mutation[0].upper() + mutation[1:]
        document = f"mutation ($input: {kind}Input!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}"
        answer = await caller.answer(document, {"input": input_})
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await stored(shop) == before
    answer = await caller.answer("query ($id: ID!) { taxClasses { code } node(id: $id) { id } }", {"id": made})
    if permissions == ["tax:read"]:
        assert answer["data"]["node"] == {"id": made}
    else:
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
        assert (await caller("query ($id: ID!) { node(id: $id) { id } }", {"id": made}))["node"] is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tax_class SET archived_at = now()",
        "INSERT INTO tax_class (id, code, name, is_default) VALUES (gen_random_uuid(), 'x', 'X', true)",
        "UPDATE tax_rate SET postcode_from = '1'",
        "UPDATE tax_rate SET postcode_from = '20', postcode_to = '19'",
        "UPDATE tax_rate SET postcode_from = '2', postcode_to = '30'",
        "UPDATE tax_rate SET rate = 1.1",
        "UPDATE tax_rate SET replaces = true",
        "UPDATE tax_rate SET country = 'US'",
        "UPDATE region_country SET is_home = true",
    ],
)
async def test_the_database_says_no_by_itself(shop: Shop, statement: str) -> None:
    await given.regions(shop)
    before = await stored(shop)
    await carts.execute(shop, "UPDATE tax_rate SET name = 'Tax' WHERE country <> 'JP'")
    with pytest.raises(Exception, match=r"violates (check|unique) constraint"):
        await carts.execute(shop, statement)
    await carts.execute(shop, "UPDATE tax_rate SET name = 'VAT' WHERE country IN ('NL', 'DE')")
    await carts.execute(shop, "UPDATE tax_rate SET name = 'Sales tax' WHERE country = 'US'")
    assert await stored(shop) == before
