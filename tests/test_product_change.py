"""Staff make products, say everything about them, and change what they said."""

import asyncio
import json
from typing import Any

import pytest
from asyncpg import DeadlockDetectedError

from domain import product_change
from domain.processes.shop import Shop
from tests import products
from tests.api import Api
from tests.products import audited, created, for_staff, refused, staff

EVERYTHING = {
    "externalId": "erp-17",
    "subtitle": "Single-wall, 250 ml",
    "description": '<p onclick="steal()">Strong <b>and</b> light.</p><script>steal()</script>',
    "vendor": "Paper & Co",
    "type": "Cup",
    "tags": ["takeaway", " paper ", "takeaway"],
    "seoTitle": "Paper cups",
    "seoDescription": "Cups of paper",
    "originCountry": "NL",
    "hsCode": "4823.69 10",
    "material": "Paper",
    "weightGrams": 8,
    "lengthMm": 80,
    "widthMm": 80,
    "heightMm": 0,
    "discountable": False,
    "workflowCode": None,
    "briefSchema": {"type": "object", "properties": {"text": {"type": "string", "pattern": "^[a-z]+$"}}},
    "briefDue": "BEFORE_ORDER",
    "priceQuantity": "PRODUCT",
    "metadata": {"shelf": 4, "note": None},
}
TOLD: dict[str, Any] = {
    "handle": "paper-cup",
    "title": "Paper cup",
    "subtitle": "Single-wall, 250 ml",
    "description": "<p>Strong <b>and</b> light.</p>",
    "vendor": "Paper & Co",
    "type": "Cup",
    "tags": ["takeaway", "paper"],
    "seo": {"title": "Paper cups", "description": "Cups of paper"},
    "material": "Paper",
    "originCountry": "NL",
    "weightGrams": 8,
    "dimensions": {"lengthMm": 80, "widthMm": 80, "heightMm": 0},
    "metadata": {"shelf": 4, "note": None},
    "briefSchema": EVERYTHING["briefSchema"],
    "briefDue": "BEFORE_ORDER",
    "version": 1,
    "variants": {
        "nodes": [
            {
                "title": "Default Title",
                "sku": None,
                "selectedOptions": [{"name": "Title", "value": "Default Title"}],
            }
        ]
    },
}
ADMIN = {
    "status": "DRAFT",
    "externalId": "erp-17",
    "hsCode": "48236910",
    "discountable": False,
    "workflowCode": None,
    "priceQuantity": "PRODUCT",
    "translations": {},
    "archivedAt": None,
}


def known(product: dict[str, Any]) -> dict[str, Any]:
    """Without what no test can know."""
    admin = {name: value for name, value in product["admin"].items() if name != "updatedAt"}
    return {**{name: value for name, value in product.items() if name != "id"}, "admin": admin}


async def test_staff_make_a_product_and_say_everything_about_it(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    made = await created(toni, **EVERYTHING)
    assert known(made) == {**TOLD, "admin": ADMIN}
    assert known(await for_staff(toni, made["id"])) == {**TOLD, "admin": ADMIN}
    ((action, difference),) = await audited(shop)
    assert (action, difference["title"], difference["hs_code"]) == (
        "productCreate",
        [None, "Paper cup"],
        [None, "48236910"],
    )
    assert difference["handle"] == [None, "paper-cup"]


async def test_what_a_change_leaves_out_stays_and_null_empties(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    made = await created(toni, **EVERYTHING)
    key = {"id": made["id"]}
    changed = (await toni.done("productUpdate", {**key, "title": "Mug", "ifVersion": 1}, products.PRODUCT))["product"]
    assert known(changed) == {**TOLD, "title": "Mug", "version": 2, "admin": ADMIN}, "its handle stays"
    as_it_was = await toni.done("productUpdate", {**key, **EVERYTHING, "title": "Mug"}, products.PRODUCT)
    assert as_it_was["product"]["version"] == 2
    assert [action for action, _ in await audited(shop)] == ["productCreate", "productUpdate"]
    empty = dict.fromkeys(EVERYTHING.keys() - {"discountable", "briefDue", "priceQuantity"})
    emptied = (await toni.done("productUpdate", {**key, **empty}, products.PRODUCT))["product"]
    nothing = dict.fromkeys(("subtitle", "material", "originCountry", "weightGrams", "briefSchema"))
    nothing |= {"vendor": "", "type": "", "description": "", "tags": [], "metadata": {}}
    nothing |= {"seo": {"title": None, "description": None}, "title": "Mug", "version": 3}
    sizes = {"dimensions": {"lengthMm": None, "widthMm": None, "heightMm": None}}
    assert known(emptied) == {**TOLD, **nothing, **sizes, "admin": {**ADMIN, "externalId": None, "hsCode": None}}


WRONG: list[tuple[str, Any, str]] = [
    ("title", None, "title"),
    ("title", " ", "title"),
    ("title", "x" * 256, "title"),
    ("title", "two\nlines", "title"),
    ("handle", None, "handle"),
    ("handle", "", "handle"),
    ("handle", "a b", "handle"),
    ("handle", "mug", "handle"),
    ("externalId", "erp-mug", "externalId"),
    ("tags", ["good", ""], "tags.1"),
    ("tags", [str(i) for i in range(251)], "tags"),
    ("description", "x" * 100_001, "description"),
    ("hsCode", "12345", "hsCode"),
    ("hsCode", "48236x", "hsCode"),
    ("weightGrams", -1, "weightGrams"),
    ("lengthMm", -1, "lengthMm"),
    ("discountable", None, "discountable"),
    ("briefDue", None, "briefDue"),
    ("priceQuantity", None, "priceQuantity"),
    ("workflowCode", "nowhere", "workflowCode"),
    ("briefSchema", {"type": "array"}, "briefSchema"),
    ("briefSchema", {"type": "object", "properties": 5}, "briefSchema"),
    ("briefSchema", {"type": "object", "properties": {"a": {"pattern": "("}}}, "briefSchema"),
    ("briefSchema", {"type": "object", "properties": {"a": {"pattern": "(" * 9_000}}}, "briefSchema"),
    ("briefSchema", {"type": "object", "properties": {"a": {"pattern": "(?=a)b"}}}, "briefSchema"),
    ("briefSchema", {"type": "object", "properties": {"a": {"pattern": "a{99999999999}"}}}, "briefSchema"),
    ("briefSchema", {"type": "object", "allOf": [{"propertyNames": {"pattern": "a{600}"}}] * 20}, "briefSchema"),
    ("briefSchema", {"type": "object", "patternProperties": {"(a+)+$": {}}}, "briefSchema"),
    ("briefSchema", {"type": "object", "allOf": [{"unevaluatedProperties": False}]}, "briefSchema"),
    ("briefSchema", {"type": "object", "items": json.loads('{"not":' * 60 + "true" + "}" * 60)}, "briefSchema"),
    ("briefSchema", {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1/x"}}}, "briefSchema"),
    ("briefSchema", {"type": "object", "allOf": [{"$ref": "#"}]}, "briefSchema"),
    ("briefSchema", {"type": "object", "description": "x" * 20_000}, "briefSchema"),
    ("metadata", {"a": "x" * 16_384}, "metadata"),
]


async def test_what_cannot_be_is_refused_by_its_name_and_changes_nothing(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    made, mug = await created(toni, "Cup"), await created(toni, "Mug", externalId="erp-mug")
    for name, value, path in WRONG:
        expected = [("ValidationFailed", path)]
        assert await refused(toni, "productUpdate", {"id": made["id"], "vendor": "New", name: value}) == expected, name
        if value is not None:
            assert await refused(toni, "productCreate", {"title": "Other", name: value}) == expected, name
    many = {"id": made["id"], "title": "", "handle": "/", "hsCode": "1", "tags": [""]}
    paths = [("ValidationFailed", path) for path in ("title", "handle", "tags.0", "hsCode")]
    assert await refused(toni, "productUpdate", many) == paths
    assert await for_staff(toni, made["id"]) == made
    listed = await toni("{ adminProducts { nodes { id } } }")
    assert [node["id"] for node in listed["adminProducts"]["nodes"]] == [mug["id"], made["id"]]
    assert [action for action, _ in await audited(shop)] == ["productCreate"] * 2


async def test_a_change_of_another_version_is_refused(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    made = await created(toni)
    key = {"id": made["id"], "ifVersion": 2}
    for mutation, more in (
        ("productUpdate", {"title": "Mug"}),
        ("productSetStatus", {"status": "PROPOSED"}),
        ("productSetTranslations", {"locale": "de", "title": "Becher"}),
        ("productArchive", {}),
        ("productRestore", {}),
    ):
        assert await refused(toni, mutation, {**key, **more}) == [("VersionConflict", "ifVersion")]
    assert await for_staff(toni, made["id"]) == made


async def test_of_changes_made_at_once_for_one_version_one_counts(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    made = await created(toni)
    tries = (
        toni.do("productUpdate", {"id": made["id"], "subtitle": f"{i}", "ifVersion": 1}, "product { subtitle }")
        for i in range(6)
    )
    outcomes = await asyncio.gather(*tries)
    won = [one["product"]["subtitle"] for one in outcomes if not one["userErrors"]]
    now = await for_staff(toni, made["id"])
    assert ([now["subtitle"]], now["version"]) == (won, 2)


async def test_products_of_one_title_made_at_once_each_get_a_handle(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    made = await asyncio.gather(*(created(toni, "Paper cup") for _ in range(6)))
    assert {one["handle"] for one in made} == {"paper-cup", *(f"paper-cup-{i}" for i in range(2, 7))}


async def test_a_change_that_waits_crosswise_for_another_is_done_anew(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    toni = await staff(shop, api)
    made, change, tries = await created(toni), product_change.change, list[int]()

    async def unlucky(*arguments: Any) -> Any:
        tries.append(len(tries))
        changed = await change(*arguments)
        if len(tries) == 1:
            raise DeadlockDetectedError
        return changed

    monkeypatch.setattr(product_change, "change", unlucky)
    payload = await toni.do("productUpdate", {"id": made["id"], "handle": "other"}, "product { handle version }")
    assert (payload["product"], tries) == ({"handle": "other", "version": 2}, [0, 1])


async def test_of_one_external_id_or_handle_given_twice_at_once_one_is_taken(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    for name in ("externalId", "handle"):
        tries = (refused(toni, "productCreate", {"title": f"Cup {i}", name: "erp-1"}) for i in range(4))
        outcomes = await asyncio.gather(*tries)
        assert sorted(outcomes) == [[], *[[("ValidationFailed", name)]] * 3]


@pytest.mark.parametrize("who", ["nobody", "customer", "staff"])
async def test_only_staff_with_the_permission_see_and_change_what_is_not_for_sale(
    shop: Shop, api: Api, who: str
) -> None:
    toni = await staff(shop, api)
    made = await created(toni, externalId="erp-17")
    caller = await products.given.caller(shop, api, who, "products:publish")
    code = "UNAUTHENTICATED" if who == "nobody" else "FORBIDDEN"
    by = [f'id: "{made["id"]}"', 'handle: "paper-cup"', 'externalId: "erp-17"']
    for document in (
        "{ adminProducts { nodes { id } } }",
        *(f"{{ adminProduct(by: {{ {one} }}) {{ id }} }}" for one in by),
    ):
        answer = await caller.answer(document)
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    roots = 'product(by: { handle: "paper-cup" }) { id } products { nodes { id } }'
    seen = f'{{ node(id: "{made["id"]}") {{ id }} {roots} }}'
    assert await caller(seen) == {"node": None, "product": None, "products": {"nodes": []}}
    assert await toni(seen) == {"node": None, "product": None, "products": {"nodes": []}}, "by no accident for staff"
    await products.published(toni, made["id"])
    assert await products.shown(caller, made["id"], "handle admin { status }") == {"handle": "paper-cup", "admin": None}
    assert await products.shown(toni, made["id"], "admin { status }") == {"admin": {"status": "PUBLISHED"}}


async def test_staff_find_products_by_status_and_by_what_they_are(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    cup = await created(toni, "Cup", type="Cup", vendor="Acme", tags=["a", "b"], externalId="1")
    mug = await created(toni, "Mug", type="Mug", vendor="Acme", tags=["b"])
    box = await created(toni, "Box", type="Box")
    await products.published(toni, mug["id"])
    await toni.done("productArchive", {"id": box["id"]}, "product { id }")
    for filter_, expected in (
        ("", ["mug", "cup"]),
        ("filter: {}", ["mug", "cup"]),
        ("filter: null", ["mug", "cup"]),
        ("filter: { status: PUBLISHED }", ["mug"]),
        ("filter: { status: DRAFT }", ["cup"]),
        ('filter: { vendor: "Acme", tag: "b" }', ["mug", "cup"]),
        ('filter: { vendor: "Acme", tag: "a" }', ["cup"]),
        ('filter: { type: "Mug", tag: "a" }', []),
        ("filter: { archived: true }", ["box"]),
    ):
        listed = await toni(f"{{ adminProducts(first: 9, {filter_}) {{ nodes {{ handle }} totalCount }} }}")
        handles = [node["handle"] for node in listed["adminProducts"]["nodes"]]
        assert (handles, listed["adminProducts"]["totalCount"]) == (expected, len(expected)), filter_
    by = '{ a: adminProduct(by: { externalId: "1" }) { id } b: adminProduct(by: { externalId: "2" }) { id } }'
    assert await toni(by) == {"a": {"id": cup["id"]}, "b": None}


async def test_storefronts_list_the_words_of_what_is_for_sale(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    for title, told in (
        ("Cup", {"type": "Cup", "vendor": "Acme", "tags": ["b", "a"]}),
        ("Mug", {"type": "Cup", "vendor": "Best", "tags": ["b", "c"]}),
        ("Box", {}),
    ):
        await products.published(toni, (await created(toni, title, **told))["id"])
    await created(toni, "Hidden", type="Secret", vendor="Secret", tags=["secret"])
    words = "(first: 2) { nodes { name } totalCount pageInfo { endCursor hasNextPage } }"
    found = await api(f"{{ productTypes{words} productVendors{words} productTags{words} }}")
    names = {root: [node["name"] for node in page["nodes"]] for root, page in found.items()}
    assert names == {"productTypes": ["Cup"], "productVendors": ["Acme", "Best"], "productTags": ["a", "b"]}
    assert [page["totalCount"] for page in found.values()] == [1, 2, 3]
    after = found["productTags"]["pageInfo"]["endCursor"]
    rest = await api("query ($after: String) { productTags(after: $after) { nodes { name } } }", {"after": after})
    assert rest == {"productTags": {"nodes": [{"name": "c"}]}}
