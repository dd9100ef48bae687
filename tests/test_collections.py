"""Collections as shoppers see them and staff change them."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from db.connection import connect
from domain import collection_products
from domain.collection_products import OfCollection
from domain.collection_rule import Condition, RuleField, RuleMatch, RuleOperator, Rules
from domain.processes.refresh_collections import refresh_collections
from domain.processes.refresh_listing import refresh_listing
from domain.processes.shop import Shop
from resolvers import ids
from tests import channels, customers, given, taxonomy
from tests.api import Api
from tests.customers import errors

SHOWN = """collection { id handle title status byRule order version
    rules { match conditions { field operator value key regionId } } }"""
U = Rules(RuleMatch.ALL, (Condition(RuleField.TITLE, RuleOperator.CONTAINS, "u"),))


def public(key: Any) -> str:
    return ids.encode("Collection", key)


async def three(shop: Shop) -> list[given.Sold]:
    await given.regions(shop)
    prices = {"cup": {"EUR": 500, "USD": 900}, "mug": {"EUR": 900, "USD": 500}, "jug": {"EUR": 700, "USD": 700}}
    return [await given.product(shop, handle, prices=of) for handle, of in prices.items()]


async def test_products_are_shown_in_the_order_that_the_collection_names(shop: Shop, api: Api) -> None:
    cup, mug, jug = await three(shop)
    by_hand = await taxonomy.made_collection(shop, "By hand", mug, cup, jug)
    assert await taxonomy.shown(api, by_hand) == ["mug", "cup", "jug"]
    orders = {
        "newest": ["jug", "mug", "cup"],
        "oldest": ["cup", "mug", "jug"],
        "title": ["cup", "jug", "mug"],
        "price": ["cup", "jug", "mug"],
        "price_desc": ["mug", "jug", "cup"],
    }
    made = {order: await taxonomy.made_collection(shop, order, rules=U, order=order) for order in orders}
    await refresh_collections(shop)
    await refresh_listing(shop)
    assert {order: await taxonomy.shown(api, key) for order, key in made.items()} == orders
    assert await taxonomy.shown(api.in_country("US"), made["price"]) == ["mug", "jug", "cup"]
    ranked = "query ($id: ID!) { products(filter: {collections: [$id]}, sort: RANK) { nodes { handle } } }"
    by_title = "query ($id: ID!) { collection(by: {id: $id}) { products(sort: TITLE) { nodes { handle } } } }"
    for order, key in {**made, "manual": by_hand}.items():
        listed = (await api(ranked, {"id": public(key)}))["products"]["nodes"]
        assert [node["handle"] for node in listed] == orders.get(order, ["mug", "cup", "jug"]), order
        listed = (await api(by_title, {"id": public(key)}))["collection"]["products"]["nodes"]
        assert [node["handle"] for node in listed] == orders["title"]
    query = """query ($id: ID!, $after: String, $before: String) { collection(by: {id: $id}) {
        products(first: 2, after: $after) { nodes { handle } pageInfo { endCursor } }
        back: products(last: 1, before: $before) { nodes { handle } } } }"""
    for order, key in {**made, "manual": by_hand}.items():
        expected = orders.get(order, ["mug", "cup", "jug"])
        first = (await api(query, {"id": public(key)}))["collection"]["products"]
        cursor = first["pageInfo"]["endCursor"]
        then = (await api(query, {"id": public(key), "after": cursor, "before": cursor}))["collection"]
        found = [node["handle"] for node in (*first["nodes"], *then["products"]["nodes"])]
        assert (found, then["back"]["nodes"]) == (expected, [{"handle": expected[0]}]), order


async def test_several_collections_with_their_products_cost_the_same_statements_as_one(shop: Shop, api: Api) -> None:
    cup, mug, _ = await three(shop)
    query = "{ collections { nodes { title productCount products(first: 2) { nodes { handle } } } } }"
    await taxonomy.made_collection(shop, "A", cup)
    before = api.database.statements
    await api(query)
    for_one = api.database.statements - before
    for title in "BCD":
        await taxonomy.made_collection(shop, title, mug, cup)
    before = api.database.statements
    listed = (await api(query.replace("{ collections", "query More { collections")))["collections"]["nodes"]
    assert api.database.statements - before == for_one == 3
    handles = {node["title"]: [product["handle"] for product in node["products"]["nodes"]] for node in listed}
    assert handles == {"A": ["cup"], **{title: ["mug", "cup"] for title in "BCD"}}


async def test_a_collection_is_seen_where_and_while_it_is_published_and_shows_only_what_is_for_sale(
    shop: Shop, api: Api
) -> None:
    cup, mug, _ = await three(shop)
    key = await taxonomy.made_collection(shop, "Gifts", cup, mug)
    await channels.unpublished(shop, mug.product)
    staff = await customers.staff(shop, api, "collections:write", "collections:publish")
    till = await channels.made(shop)
    query = f"""{{ collections {{ nodes {{ handle productCount }} totalCount }}
        byId: collection(by: {{id: "{public(key)}"}}) {{ handle }}
        byHandle: collection(by: {{handle: "gifts"}}) {{ handle }} node(id: "{public(key)}") {{ id }}
        product(by: {{handle: "cup"}}) {{ collections {{ handle }} }} }}"""
    seen = await api(query)
    gifts = {"handle": "gifts"}
    assert seen == {
        "collections": {"nodes": [{**gifts, "productCount": 1}], "totalCount": 1}, "byId": gifts, "byHandle": gifts,
        "node": {"id": public(key)}, "product": {"collections": [gifts]},
    }  # fmt: skip
    nothing = {
        "collections": {"nodes": [], "totalCount": 0}, "byId": None, "byHandle": None, "node": None,
        "product": {"collections": []},
    }  # fmt: skip
    assert {**await channels.within(api, till)(query), "product": nothing["product"]} == nothing
    named, window = {"collectionId": public(key)}, "publication { channel { code } publishedFrom publishedUntil }"
    later, earlier = [(datetime.now(UTC) + timedelta(days=days)).isoformat() for days in (1, -1)]
    signed = api.signed_in((await customers.signed_in(shop, api))[1].headers["authorization"].removeprefix("Bearer "))
    for bounds in ({"publishedFrom": later}, {"publishedUntil": earlier}):
        await staff.done("collectionPublish", {**named, **bounds}, window)
        assert await signed(query) == nothing
    await staff.done("collectionPublish", {**named, "publishedFrom": earlier, "publishedUntil": later}, window)
    assert await signed(query) == seen
    for status in ("DRAFT", "ARCHIVED"):
        await staff.done("collectionUpdate", {"id": public(key), "status": status}, SHOWN)
        assert await signed(query) == nothing
    await staff.done("collectionUpdate", {"id": public(key), "status": "PUBLISHED"}, SHOWN)
    await staff.done("collectionUnpublish", named, "collectionId")
    assert await signed(query) == nothing
    listed = await staff("{ allCollections { nodes { handle } } }")
    assert listed["allCollections"]["nodes"] == [gifts]
    there = await staff(f'{{ collectionPublications(collectionId: "{public(key)}") {{ channel {{ code }} }} }}')
    assert there["collectionPublications"] == []
    wrong = {**named, "publishedFrom": later, "publishedUntil": earlier}
    assert errors(await staff.do("collectionPublish", wrong, window)) == [("ValidationFailed", ["publishedUntil"])]
    actions = await customers.rows(
        shop, "SELECT action FROM audit_entry WHERE action ~ '^collection.*ublish' ORDER BY id"
    )
    assert [row["action"] for row in actions] == ["collectionPublish"] * 3 + ["collectionUnpublish"]


async def test_a_rule_is_tried_before_it_is_kept_and_is_told_as_it_was_given(shop: Shop, api: Api) -> None:
    await three(shop)
    staff = await customers.staff(shop, api, "collections:write")
    europe = (await api("{ regions { id } }"))["regions"][0]["id"]
    rules = {
        "match": "ANY",
        "conditions": [
            {"field": "PRICE", "operator": "LESS_THAN", "value": "7.00"},
            {"field": "PRICE", "operator": "EQUALS", "value": "7", "regionId": europe},
            {"field": "OPTION", "operator": "EQUALS", "value": "XL", "key": "Size"},
            {"field": "METADATA", "operator": "IS_SET", "key": "k"},
        ],
    }
    query = "query ($r: CollectionRulesInput!) { collectionPreview(rules: $r, first: 1) { count products { handle } } }"
    found = (await staff(query, {"r": rules}))["collectionPreview"]
    assert found == {"count": 2, "products": [{"handle": "jug"}]}
    given_ = {"title": "Cheap", "rules": rules, "status": "PUBLISHED", "order": "PRICE"}
    made = (await staff.done("collectionCreate", given_, SHOWN))["collection"]
    whole: Any = {"value": None, "key": None, "regionId": None}
    first, second, *others = rules["conditions"]
    told = [{**whole, **first, "regionId": europe}, {**whole, **second, "value": "7.00"}]
    assert made["rules"] == {"match": "ANY", "conditions": [*told, *({**whole, **other} for other in others)]}
    assert (made["byRule"], made["order"], made["version"]) == (True, "PRICE", 1)
    hidden = await api(f'{{ collection(by: {{id: "{made["id"]}"}}) {{ byRule rules {{ match }} translations }} }}')
    assert hidden["collection"] == {"byRule": True, "rules": None, "translations": None}
    await refresh_collections(shop)
    await refresh_listing(shop)
    assert await taxonomy.shown(api, ids.decode("Collection", made["id"])) == ["cup", "jug"]


ONE = {"field": "TAG", "operator": "EQUALS", "value": "x"}


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"rules": None}, ["rules"]),
    ({"rules": {"conditions": []}}, ["rules", "conditions"]),
    ({"rules": {"conditions": [ONE, {**ONE, "operator": "CONTAINS"}]}}, ["rules", "conditions", "1", "operator"]),
    ({"rules": {"conditions": [{**ONE, "value": ""}]}}, ["rules", "conditions", "0", "value"]),
    ({"rules": {"conditions": [{**ONE, "field": "CATEGORY"}]}}, ["rules", "conditions", "0", "value"]),
    (
        {"rules": {"conditions": [{**ONE, "field": "CATEGORY", "value": "category_00000000000000000000000000"}]}},
        ["rules", "conditions", "0", "value"],
    ),
    (
        {"rules": {"conditions": [{"field": "PRICE", "operator": "EQUALS", "value": "1.234"}]}},
        ["rules", "conditions", "0", "value"],
    ),
    (
        {"rules": {"conditions": [{"field": "PRICE", "operator": "EQUALS", "value": "1", "regionId": "region_x"}]}},
        ["rules", "conditions", "0", "regionId"],
    ),
    ({"rules": {"conditions": [{**ONE, "regionId": "region_x"}]}}, ["rules", "conditions", "0", "regionId"]),
    (
        {"rules": {"conditions": [{"field": "CREATED_AT", "operator": "LESS_THAN", "value": "2030-01-01"}]}},
        ["rules", "conditions", "0", "value"],
    ),
    ({"order": "MANUAL"}, ["order"]),
    ({"order": None}, ["order"]),
    ({"status": None}, ["status"]),
    ({"title": ""}, ["title"]),
    ({"ifVersion": 3}, ["ifVersion"]),
]


async def test_what_a_collection_cannot_be_is_refused_where_it_is_wrong(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff = await customers.staff(shop, api, "collections:write")
    key = await taxonomy.made_collection(shop, "By rule", rules=U)
    was = await customers.rows(shop, "SELECT * FROM collection")
    for wrong, path in WRONG:
        refused = await staff.do("collectionUpdate", {"id": public(key), **wrong}, SHOWN)
        assert [at for _, at in errors(refused)] == [path], wrong
        if wrong.get("rules"):
            refused = await staff.do("collectionCreate", {"title": "x", **wrong}, SHOWN)
            assert [at for _, at in errors(refused)] == [path], wrong
        assert await customers.rows(shop, "SELECT * FROM collection") == was, wrong


async def test_staff_choose_products_by_hand_and_put_them_where_they_belong(shop: Shop, api: Api) -> None:
    cup, mug, jug = await three(shop)
    pot = await given.product(shop, "pot")
    staff = await customers.staff(shop, api, "collections:write")
    made = (await staff.done("collectionCreate", {"title": "By hand", "status": "PUBLISHED"}, SHOWN))["collection"]
    assert (made["byRule"], made["order"], made["rules"]) == (False, "MANUAL", None)
    key, named = ids.decode("Collection", made["id"]), {"collectionId": made["id"]}
    listed = "collection { version products { nodes { handle } } }"

    async def done(mutation: str, *sold: given.Sold, before: given.Sold | None = None) -> tuple[int, list[str]]:
        told: dict[str, Any] = {**named, "productIds": [one.product for one in sold]}
        shown = (await staff.done(mutation, told | ({"beforeId": before.product} if before else {}), listed))[
            "collection"
        ]
        return shown["version"], [node["handle"] for node in shown["products"]["nodes"]]

    assert await done("collectionAddProducts", cup, mug) == (2, ["cup", "mug"])
    assert await done("collectionAddProducts", pot, jug, cup, before=mug) == (3, ["cup", "pot", "jug", "mug"])
    assert await done("collectionAddProducts", pot) == (3, ["cup", "pot", "jug", "mug"])
    assert await done("collectionReorder", mug, cup, before=jug) == (4, ["pot", "mug", "cup", "jug"])
    assert await done("collectionReorder", jug, pot) == (5, ["mug", "cup", "jug", "pot"])
    assert await done("collectionReorder", pot, before=mug) == (6, ["pot", "mug", "cup", "jug"])
    assert await done("collectionRemoveProducts", mug, pot) == (7, ["cup", "jug"])
    assert await done("collectionRemoveProducts", mug) == (7, ["cup", "jug"])
    by_rule = await taxonomy.made_collection(shop, "By rule", rules=U)
    was = await customers.rows(shop, "SELECT * FROM product_collection")
    unknown = ids.encode("Product", key)
    for mutation, told, expected in (
        ("collectionReorder", {"productIds": [cup.product, mug.product]}, ("NotFound", ["productIds", "1"])),
        ("collectionReorder", {"productIds": [cup.product], "beforeId": mug.product}, ("NotFound", ["beforeId"])),
        (
            "collectionReorder",
            {"productIds": [cup.product], "beforeId": cup.product},
            ("ValidationFailed", ["beforeId"]),
        ),
        ("collectionAddProducts", {"productIds": [unknown]}, ("NotFound", ["productIds", "0"])),
        ("collectionAddProducts", {"productIds": []}, ("ValidationFailed", ["productIds"])),
        ("collectionAddProducts", {"productIds": [mug.product] * 2}, ("ValidationFailed", ["productIds"])),
        ("collectionAddProducts", {"productIds": [mug.product], "ifVersion": 6}, ("VersionConflict", ["ifVersion"])),
        (
            "collectionAddProducts",
            {"productIds": [mug.product], "collectionId": public(by_rule)},
            ("ValidationFailed", ["collectionId"]),
        ),
    ):
        assert errors(await staff.do(mutation, {**named, **told}, listed)) == [expected], (mutation, told)
    refused = await staff.do("collectionUpdate", {"id": made["id"], "rules": {"conditions": [ONE]}}, SHOWN)
    assert errors(refused) == [("ValidationFailed", ["rules"])]
    assert await customers.rows(shop, "SELECT * FROM product_collection") == was


async def test_the_order_survives_moves_at_the_same_moment(shop: Shop, database_url: str) -> None:
    """Every product is still there once, with a rank of its own, and each move was done after another."""
    sold = [await given.product(shop, f"p{i}") for i in range(8)]
    key = await taxonomy.made_collection(shop, "By hand", *sold)
    database = await connect(database_url, max_size=20)
    crowd, draw = Shop(database, {}), Random(3)

    async def moved() -> None:
        some = draw.sample(sold, 3)
        command = OfCollection(key, [taxonomy.key(one) for one in some[:2]], taxonomy.key(some[2]))
        async with crowd.tx() as tx:
            await collection_products.reorder(tx, command, given.ADMINISTRATOR)

    await asyncio.gather(*(moved() for _ in range(60)))
    await database.close()
    ranks = await customers.rows(shop, "SELECT product_id, rank FROM product_collection ORDER BY rank")
    assert len({row["rank"] for row in ranks}) == len({row["product_id"] for row in ranks}) == 8
    assert (await customers.rows(shop, "SELECT version FROM collection"))[0]["version"] == 62
    assert max(len(row["rank"]) for row in ranks) < 20


async def test_the_database_keeps_products_by_hand_and_by_rule_apart(shop: Shop) -> None:
    cup = await given.product(shop, "cup")
    by_hand = await taxonomy.made_collection(shop, "By hand", cup)
    by_rule = await taxonomy.made_collection(shop, "By rule", rules=U)
    put = "INSERT INTO product_collection (product_id, collection_id, rank) VALUES (:product, :collection, {})"
    for statement, collection in ((put.format("NULL"), by_hand), (put.format("'a5'"), by_rule)):
        with pytest.raises(Exception, match="violates"):
            await customers.execute(shop, statement, product=taxonomy.key(cup), collection=collection)
    turned = "UPDATE collection SET rules = '{}', product_order = 'title' WHERE id = :id"
    with pytest.raises(Exception, match="violates foreign key"):
        await customers.execute(shop, turned, id=by_hand)
