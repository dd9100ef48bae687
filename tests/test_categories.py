"""Categories as shoppers see them and staff change them."""

from typing import Any

from domain.processes.shop import Shop
from resolvers import ids
from tests import channels, customers, given, taxonomy
from tests.api import Api
from tests.customers import errors

SHOWN = (
    "category { id handle name description seo { title description } image { url alt } externalId metadata version }"
)
TREE = (
    """{ categories { nodes { name productCount children { name productCount children { name productCount } } } } }"""
)


def public(key: Any) -> str:
    return ids.encode("Category", key)


async def grown(shop: Shop) -> dict[str, str]:
    """Print (mug) > Cups (cup, lid) > Paper cups (cup); Sale (cup). The lid is a draft."""
    cup, lid, mug = [await given.product(shop, handle) for handle in ("cup", "lid", "mug")]
    await customers.execute(shop, "UPDATE product SET status = 'draft' WHERE handle = 'lid'")
    print_ = await taxonomy.made_category(shop, "Print", None, mug)
    cups = await taxonomy.made_category(shop, "Cups", print_, cup, lid)
    paper = await taxonomy.made_category(shop, "Paper cups", cups, cup)
    sale = await taxonomy.made_category(shop, "Sale", None, cup)
    return {"Print": public(print_), "Cups": public(cups), "Paper cups": public(paper), "Sale": public(sale)}


async def test_a_storefront_walks_the_tree_and_counts_what_can_be_bought(shop: Shop, api: Api) -> None:
    made = await grown(shop)
    paper = {"name": "Paper cups", "productCount": 1}
    cups = {"name": "Cups", "productCount": 1, "children": [paper]}
    assert (await api(TREE))["categories"]["nodes"] == [
        {"name": "Print", "productCount": 2, "children": [cups]},
        {"name": "Sale", "productCount": 1, "children": []},
    ]
    every = await api("{ categories(roots: false) { nodes { name parent { name } ancestors { name } } totalCount } }")
    assert every["categories"]["totalCount"] == 4
    assert {node["name"]: [above["name"] for above in node["ancestors"]] for node in every["categories"]["nodes"]} == {
        "Print": [], "Cups": ["Print"], "Paper cups": ["Print", "Cups"], "Sale": []
    }  # fmt: skip
    products = (
        "products(first: 1) { nodes { handle categories { name } } totalCount pageInfo { hasNextPage endCursor } }"
    )
    first = (await api(f'{{ category(by: {{handle: "print"}}) {{ {products} }} }}'))["category"]["products"]
    in_both = {"handle": "cup", "categories": [{"name": name} for name in ("Cups", "Paper cups", "Sale")]}
    assert (first["nodes"], first["totalCount"], first["pageInfo"]["hasNextPage"]) == ([in_both], 2, True)
    query = (
        "query ($id: ID!, $after: String) { category(by: {id: $id}) { products(after: $after) { nodes { handle } } } }"
    )
    after = {"id": made["Print"], "after": first["pageInfo"]["endCursor"]}
    assert (await api(query, after))["category"]["products"]["nodes"] == [{"handle": "mug"}]


async def test_a_level_of_the_tree_costs_one_statement_for_all_its_categories(shop: Shop, api: Api) -> None:
    await grown(shop)
    before = api.database.statements
    few = await api(TREE)
    for_few = api.database.statements - before
    for i in range(20):
        parent = await taxonomy.made_category(shop, f"More {i}")
        await taxonomy.made_category(shop, "Below", parent)
    api_again = api.signed_in(None)
    before = api.database.statements
    many = await api_again(TREE.replace("{ categories", "query More { categories"))
    assert len(many["categories"]["nodes"]) == 20 > len(few["categories"]["nodes"])
    assert api.database.statements - before == for_few == 6


async def test_no_count_and_no_list_tells_of_what_is_not_for_sale_in_the_channel(shop: Shop, api: Api) -> None:
    made = await grown(shop)
    till = await channels.made(shop)
    mug = (await customers.rows(shop, "SELECT id FROM product WHERE handle = 'mug'"))[0]["id"]
    await channels.published(shop, ids.encode("Product", mug), till)
    query = "query ($id: ID!) { category(by: {id: $id}) { productCount products { nodes { handle } totalCount } } }"
    only_mug = {"productCount": 1, "products": {"nodes": [{"handle": "mug"}], "totalCount": 1}}
    none = {"productCount": 0, "products": {"nodes": [], "totalCount": 0}}
    seller = channels.within(api, till)
    assert (await seller(query, {"id": made["Print"]}))["category"] == only_mug
    assert (await seller(query, {"id": made["Cups"]}))["category"] == none
    staff = await customers.staff(shop, api, "categories:write", "products:write")
    assert (await staff(query, {"id": made["Cups"]}))["category"]["productCount"] == 1


async def test_a_category_is_made_changed_and_found_by_every_handle_it_had(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, "categories:write")
    told = {
        "name": " Cups & mugs ",
        "description": "<p onclick=x>All <b>cups</b></p>",
        "seoTitle": "Cups",
        "image": {"url": "https://example.com/a.jpg", "alt": "A cup"},
        "externalId": "erp-1",
        "metadata": {"n": 1},
        "translations": {"de": {"name": "Becher", "description": "<p>Alle<script>x</script></p>"}},
    }
    made = (await staff.done("categoryCreate", told, SHOWN))["category"]
    assert made == {
        "id": made["id"], "handle": "cups-mugs", "name": "Cups & mugs", "description": "<p>All <b>cups</b></p>",
        "seo": {"title": "Cups", "description": None}, "image": {"url": "https://example.com/a.jpg", "alt": "A cup"},
        "externalId": "erp-1", "metadata": {"n": 1}, "version": 1,
    }  # fmt: skip
    again = (await staff.done("categoryCreate", {"name": "Cups & mugs"}, SHOWN))["category"]
    assert again["handle"] == "cups-mugs-2"
    change = {"id": made["id"], "handle": "cups", "image": None, "externalId": None, "seoTitle": None, "ifVersion": 1}
    changed = (await staff.done("categoryUpdate", change, SHOWN))["category"]
    assert changed == {
        **made, "handle": "cups", "image": None, "externalId": None, "seo": {"title": None, "description": None},
        "version": 2,
    }  # fmt: skip
    for handle in ("cups", "cups-mugs"):
        found = await api(f'query @inContext(locale: "de-AT") {{ category(by: {{handle: "{handle}"}}) '
                          "{ handle name description translations } }")  # fmt: skip
        german = {"name": "Becher", "description": "<p>Alle</p>"}
        assert found["category"] == {"handle": "cups", **german, "translations": None}
    entries = await customers.rows(shop, "SELECT action, difference FROM audit_entry WHERE action ~ '^category'")
    assert [entry["action"] for entry in entries] == ["categoryCreate", "categoryCreate", "categoryUpdate"]
    assert entries[2]["difference"]["handle"] == ["cups-mugs", "cups"]
    unchanged = (await staff.done("categoryUpdate", {"id": made["id"], "name": "Cups & mugs"}, SHOWN))["category"]
    assert unchanged["version"] == 2


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"name": None}, ["name"]),
    ({"name": " "}, ["name"]),
    ({"name": "x" * 256}, ["name"]),
    ({"handle": "a b"}, ["handle"]),
    ({"handle": "javascript:alert(1)"}, ["handle"]),
    ({"handle": "a\u202eb"}, ["handle"]),
    ({"handle": None}, ["handle"]),
    ({"handle": "taken"}, ["handle"]),
    ({"externalId": "taken"}, ["externalId"]),
    ({"externalId": ""}, ["externalId"]),
    ({"description": None}, ["description"]),
    ({"metadata": None}, ["metadata"]),
    ({"metadata": {"a": "x" * 16_400}}, ["metadata"]),
    ({"translations": {"xx-wrong": {"name": "x"}}}, ["translations", "xx-wrong"]),
    ({"translations": {"de": {"price": "x"}}}, ["translations", "de", "price"]),
    ({"translations": {"de": 3}}, ["translations"]),
    ({"image": {"alt": "x"}}, ["image", "url"]),
    ({"image": {"url": "javascript:x"}}, ["image", "url"]),
    ({"seoDescription": "x" * 1001}, ["seoDescription"]),
    ({"name": "x", "ifVersion": 7}, ["ifVersion"]),
]


async def test_what_a_category_cannot_be_is_refused_where_it_is_wrong(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, "categories:write")
    await staff.done("categoryCreate", {"name": "Other", "handle": "taken", "externalId": "taken"}, SHOWN)
    made = (await staff.done("categoryCreate", {"name": "Cups"}, SHOWN))["category"]
    was = await customers.rows(shop, "SELECT * FROM category ORDER BY id")
    for wrong, path in WRONG:
        refused = await staff.do("categoryUpdate", {"id": made["id"], **wrong}, SHOWN)
        assert [at for _, at in errors(refused)] == [path], wrong
        assert await customers.rows(shop, "SELECT * FROM category ORDER BY id") == was, wrong


async def test_products_are_put_into_categories_from_either_side(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, "categories:write", "products:write")
    cup, mug = await given.product(shop, "cup"), await given.product(shop, "mug")
    one, two = [public(await taxonomy.made_category(shop, name)) for name in ("One", "Two")]
    listed = "categories { name }"
    both = {"productId": cup.product, "categoryIds": [two, one], "ifVersion": 1}
    stood = await staff.done("productSetCategories", both, f"{listed} product {{ version }}")
    assert (stood["categories"], stood["product"]) == ([{"name": "One"}, {"name": "Two"}], {"version": 2})
    stale = await staff.do("productSetCategories", {**both, "categoryIds": []}, listed)
    assert errors(stale) == [("VersionConflict", ["ifVersion"])]
    only = {"productId": cup.product, "categoryIds": [two]}
    assert (await staff.done("productSetCategories", only, listed))["categories"] == [{"name": "Two"}]
    count = "category { productCount }"
    many = {"categoryId": one, "productIds": [cup.product, mug.product]}
    for _ in range(2):
        assert (await staff.done("categoryAddProducts", many, count))["category"]["productCount"] == 2
    stale = await staff.do("categoryAddProducts", {**many, "ifVersion": 99}, count)
    assert errors(stale) == [("VersionConflict", ["ifVersion"])]
    gone = {"categoryId": one, "productIds": [cup.product]}
    for _ in range(2):
        assert (await staff.done("categoryRemoveProducts", gone, count))["category"]["productCount"] == 1
    versions = await customers.rows(shop, "SELECT handle, version FROM product ORDER BY handle")
    assert versions == [{"handle": "cup", "version": 5}, {"handle": "mug", "version": 2}]
    unknown = ids.encode("Product", ids.decode("Category", one))
    refused = await staff.do("categoryAddProducts", {"categoryId": two, "productIds": [mug.product, unknown]}, count)
    assert errors(refused) == [("NotFound", ["productIds", "1"])]
    nowhere = public(ids.decode("Product", cup.product))
    refused = await staff.do("productSetCategories", {**only, "categoryIds": [one, nowhere]}, listed)
    assert errors(refused) == [("NotFound", ["categoryIds", "1"])]
    wrong = await staff.do("productSetCategories", {**only, "categoryIds": [one, cup.product]}, listed)
    assert errors(wrong) == [("ValidationFailed", ["categoryIds", "1"])]
    stands = await customers.rows(
        shop, "SELECT c.name, p.handle FROM product_category pc JOIN category c ON c.id = pc.category_id "
        "JOIN product p ON p.id = pc.product_id ORDER BY 1, 2"
    )  # fmt: skip
    assert stands == [{"name": "One", "handle": "mug"}, {"name": "Two", "handle": "cup"}]


async def test_staff_move_order_and_delete(shop: Shop, api: Api) -> None:
    made = await grown(shop)
    staff = await customers.staff(shop, api, "categories:write")
    place = "category { name parent { name } version }"
    moved = await staff.done("categoryMove", {"id": made["Cups"], "parentId": made["Sale"], "ifVersion": 1}, place)
    assert moved["category"] == {"name": "Cups", "parent": {"name": "Sale"}, "version": 2}
    refused = await staff.do("categoryMove", {"id": made["Sale"], "parentId": made["Paper cups"]}, place)
    assert errors(refused) == [("ValidationFailed", ["parentId"])]
    order = {"categoryIds": [made["Sale"]]}
    assert (await staff.done("categoryReorder", order, "categories { name }"))["categories"] == [{"name": "Sale"}]
    assert [node["name"] for node in (await api(TREE))["categories"]["nodes"]] == ["Sale", "Print"]
    full = await staff.do("categoryDelete", {"id": made["Cups"]}, "categoryId")
    assert errors(full) == [("CategoryNotEmpty", ["id"])]
    empty = (await staff.done("categoryCreate", {"name": "Empty", "parentId": made["Print"]}, SHOWN))["category"]["id"]
    assert (await staff.done("categoryDelete", {"id": empty}, "categoryId"))["categoryId"] == empty
    assert errors(await staff.do("categoryDelete", {"id": empty}, "categoryId")) == [("NotFound", ["id"])]


async def test_who_may_not_change_categories_changes_nothing(shop: Shop, api: Api) -> None:
    made = await grown(shop)
    _, customer = await customers.signed_in(shop, api)
    callers = {"UNAUTHENTICATED": [api], "FORBIDDEN": [customer, await customers.staff(shop, api, "products:write")]}
    was = await customers.rows(shop, "SELECT * FROM category ORDER BY id")
    for code, those in callers.items():
        for caller in those:
            for mutation, given_ in (
                ("categoryCreate", {"name": "x"}),
                ("categoryUpdate", {"id": made["Sale"], "name": "x"}),
                ("categoryMove", {"id": made["Sale"], "parentId": made["Print"]}),
                ("categoryDelete", {"id": made["Sale"]}),
            ):
                input_ = f"{mutation[0].upper()}{mutation[1:]}Input!"
                document = f"mutation ($input: {input_}) {{ {mutation}(input: $input) {{ __typename }} }}"
                answer = await caller.answer(document, {"input": given_})
                assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await customers.rows(shop, "SELECT * FROM category ORDER BY id") == was
