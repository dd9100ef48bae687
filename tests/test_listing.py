"""Lists of products: what a filter lets through, in which order, page by page; and of what is hidden nothing."""

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from db.catalog import ProductStatus
from domain.processes.refresh_listing import refresh_listing
from domain.processes.shop import Shop
from domain.product import ProductDraft, VariantDraft
from domain.search_text import folded
from resolvers import listing_within
from tests import carts, given, listed
from tests.api import Api
from tests.listed import SIZES, TAGS, TREE, TYPES, VENDORS, Catalogue, Item

PAGE = """query ($filter: ProductFilter, $sort: ListingSort, $first: Int, $after: String, $last: Int, $before: String) {
    page: products(filter: $filter, sort: $sort, first: $first, after: $after, last: $last, before: $before) {
        nodes { id handle } totalCount edges { cursor }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
WITHIN = """query ($category: ID!, $collection: ID!, $secret: ID!,
    $filter: ProductFilter, $sort: ListingSort, $first: Int, $after: String) {
    category(by: { id: $category }) { productCount ...listed }
    collection(by: { id: $collection }) { ...chosen } secret: collection(by: { id: $secret }) { ...chosen } }
    fragment listed on Category { products(filter: $filter, sort: $sort, first: $first, after: $after) { ...page } }
    fragment chosen on Collection { products(filter: $filter, sort: $sort, first: $first, after: $after) { ...page } }
    fragment page on ProductConnection { nodes { handle } totalCount pageInfo { hasNextPage endCursor } }"""
NEVER = 2**63
Holds = Callable[[Item], bool]
ORDERS: dict[str, Callable[[Item], Any]] = {
    "OLDEST": lambda item: item.id,
    "NEWEST": lambda item: (-item.created.timestamp(),),
    "TITLE": lambda item: (folded(item.title), item.id),
    "PRICE_ASC": lambda item: (NEVER if item.minimum is None else item.minimum, item.id),
    "PRICE_DESC": lambda item: (-1 if item.minimum is None else item.minimum, item.id),
}


async def walked(api: Api, size: int = 7, **given_: Any) -> list[dict[str, Any]]:
    """Page by page to the end; each page counts as many as there are."""
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = (await api(PAGE, {**given_, "first": size, "after": after}))["page"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(found)
            return found


def some_filter(random: Random, catalogue: Catalogue) -> tuple[dict[str, Any], Holds]:
    """A filter as a client writes it, and what it means in plain words."""
    chosen: list[tuple[dict[str, Any], Holds]] = []
    types, vendors = random.sample(TYPES, random.randint(0, 2)), random.sample(VENDORS, 1)
    tags, sizes = random.sample(TAGS, random.randint(1, 2)), random.sample(SIZES, random.randint(1, 2))
    names = random.sample([*TREE], random.randint(1, 2))
    collections = random.sample(["summer", "secret"], random.randint(1, 2))
    low, high = sorted(random.choices(range(0, 6000, 250), k=2))
    some = random.sample(catalogue.items, 15)
    chosen.append(({"types": types}, lambda item: not types or item.type in types))
    chosen.append(({"vendors": vendors}, lambda item: item.vendor in vendors))
    chosen.append(({"tags": tags}, lambda item: bool(set(tags) & set(item.tags))))
    size = {"name": "Size", "values": sizes}
    chosen.append(({"options": [size]}, lambda item: any(("Size", s) in item.options for s in sizes)))
    red = {"name": "Colour", "values": ["Red"]}
    of_both = lambda item: ("Colour", "Red") in item.options and any(("Size", s) in item.options for s in sizes)  # noqa: E731
    chosen.append(({"options": [size, red]}, of_both))
    ids = [catalogue.categories[name] for name in names]
    chosen.append(({"categories": ids}, lambda item: bool(item.categories & set(names))))
    own = [catalogue.collections[name] for name in collections]
    chosen.append(({"collections": own}, lambda item: "summer" in collections and "summer" in item.collections))
    price = {"minimum": euros(low), "maximum": euros(high)}
    chosen.append(({"price": price}, lambda item: any(low <= amount <= high for amount in item.amounts)))
    chosen.append(({"price": {"maximum": euros(high)}}, lambda item: any(a <= high for a in item.amounts)))
    chosen.append(({"availability": "IN_STOCK"}, lambda item: item.in_stock))
    chosen.append(({"availability": "BUYABLE"}, lambda item: item.buyable))
    spring = {"metadata": [{"key": "season", "value": "spring"}]}
    chosen.append((spring, lambda item: item.metadata["season"] == "spring"))
    chosen.append(({"ids": [item.id for item in some]}, lambda item: item in some))
    since = random.choice(catalogue.items).created
    chosen.append(({"created": {"since": since.isoformat()}}, lambda item: item.created >= since))
    chosen.append(({"created": {"until": since.isoformat()}}, lambda item: item.created < since))
    parts = random.sample(chosen, random.choice((1, 1, 2, 2, 3)))
    return {name: value for part, _ in parts for name, value in part.items()}, meaning(parts)


def meaning(parts: list[tuple[dict[str, Any], Holds]]) -> Holds:
    """Of parts for the same field the last one counts, as in the filter."""
    last = {name: holds for part, holds in parts for name in part}
    return lambda item: all(holds(item) for holds in last.values())


def euros(minor: int) -> dict[str, str]:
    return {"amount": f"{minor / 100:.2f}", "currency": "EUR"}


async def test_no_filter_in_any_order_lets_through_more_or_less_than_it_says(shop: Shop, api: Api) -> None:
    """Also within a category, a collection, and one that nobody sees."""
    catalogue = await listed.catalogue(shop)
    random = Random(7)
    found_any = 0
    for _ in range(30):
        filter_, holds = some_filter(random, catalogue)
        sort = random.choice([*ORDERS])
        expected = sorted(catalogue.matching(holds), key=ORDERS[sort], reverse=sort == "PRICE_DESC")
        found = await walked(api, random.choice((7, 100)), filter=filter_, sort=sort)
        assert [one["handle"] for one in found] == [item.handle for item in expected], (filter_, sort)
        found_any += bool(expected)
        name = random.choice([*TREE])
        both: dict[str, Any] = {"filter": filter_, "sort": sort, "first": 100}
        both |= {"category": catalogue.categories[name], "collection": catalogue.collections["summer"]}
        within = await api(WITHIN, {**both, "secret": catalogue.collections["secret"]})
        in_category = [item.handle for item in expected if name in item.categories]
        in_collection = [item.handle for item in expected if "summer" in item.collections]
        assert handles(within["category"]) == (in_category, len(in_category)), (name, filter_, sort)
        assert handles(within["collection"]) == (in_collection, len(in_collection)), (filter_, sort)
        assert within["secret"] is None
        seen = [item for item in catalogue.seen if name in item.categories]
        assert within["category"]["productCount"] == len(seen), name
    assert found_any > 15, "the filters are too narrow to tell anything"
    two = next(item for item in catalogue.seen if len(set(item.amounts)) > 1)
    low, high = sorted(set(two.amounts))[:2]
    for bounds, expected in (
        ((low + 1, high - 1), []),
        ((low, high - 1), [two.handle]),
        ((low + 1, high), [two.handle]),
    ):
        price = {"minimum": euros(bounds[0]), "maximum": euros(bounds[1])}
        between = await walked(api, filter={"ids": [two.id], "price": price})
        assert [one["handle"] for one in between] == expected, bounds


def handles(parent: dict[str, Any]) -> tuple[list[str], int]:
    return [one["handle"] for one in parent["products"]["nodes"]], parent["products"]["totalCount"]


async def test_lists_within_several_parents_are_paged_and_cost_what_one_costs(shop: Shop, api: Api) -> None:
    catalogue = await listed.catalogue(shop, seen=14)
    assert api.database is not None
    tree = """query ($roots: Boolean!, $filter: ProductFilter, $sort: ListingSort, $first: Int, $after: String) {
        categories(roots: $roots) { nodes { name products(filter: $filter, sort: $sort, first: $first, after: $after) {
            nodes { handle } totalCount pageInfo { hasNextPage endCursor } } } } }"""
    cheap = {"price": {"maximum": euros(3000)}, "vendors": ["Ann", "Bob"]}
    key = ORDERS["PRICE_ASC"]
    expected = {
        name: [
            i.handle
            for i in sorted(catalogue.seen, key=key)
            if name in i.categories and min(i.amounts, default=NEVER) <= 3000
        ]
        for name in TREE
    }
    statements = set[int]()
    for roots in (True, False):
        before = api.database.statements
        found = await api(tree, {"roots": roots, "filter": cheap, "sort": "PRICE_ASC", "first": 2})
        statements.add(api.database.statements - before)
        for node in found["categories"]["nodes"]:
            shown = [one["handle"] for one in node["products"]["nodes"]]
            assert (shown, node["products"]["totalCount"]) == (expected[node["name"]][:2], len(expected[node["name"]]))
    assert statements == {4}, "the categories, the region, the products, their counts"
    one: dict[str, Any] = {"filter": cheap, "sort": "PRICE_ASC", "category": catalogue.categories["drinks"]}
    one |= dict.fromkeys(("collection", "secret"), catalogue.collections["secret"])
    page, walk, after = {"hasNextPage": True}, list[str](), None
    while page["hasNextPage"]:
        list_ = (await api(WITHIN, {**one, "first": 2, "after": after}))["category"]["products"]
        walk += [node["handle"] for node in list_["nodes"]]
        page, after = list_["pageInfo"], list_["pageInfo"]["endCursor"]
    assert walk == expected["drinks"]
    for argument, wrong in (
        ("after", {"after": after, "sort": "TITLE"}),
        ("filter.price.maximum.currency", {"filter": {"price": {"maximum": {"amount": "1", "currency": "USD"}}}}),
        ("filter.types", {"filter": {"types": ["x"] * 5 + [str(n) for n in range(51)]}}),
        ("first", {"first": 101}),
    ):
        (error,) = (await api.answer(WITHIN, {**one, **wrong}))["errors"]
        assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", argument), error


@pytest.mark.parametrize("apart", [0, 8])
async def test_categories_that_are_asked_together_each_have_the_page_that_they_have_alone(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch, apart: int
) -> None:
    """Whether the statement names them one by one or has their list."""
    catalogue = await listed.catalogue(shop, seen=12)
    monkeypatch.setattr(listing_within, "MOST_APART", apart)
    page = "nodes { handle title } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
    together = f"""query ($sort: ListingSort, $first: Int, $last: Int, $before: String, $after: String) {{
        categories(roots: false) {{ nodes {{ id
            products(sort: $sort, first: $first, last: $last, before: $before, after: $after) {{ {page} }} }} }} }}"""
    alone = f"""query One($id: ID!, $sort: ListingSort, $first: Int, $last: Int, $before: String, $after: String) {{
        category(by: {{ id: $id }}) {{
            products(sort: $sort, first: $first, last: $last, before: $before, after: $after) {{ {page} }} }} }}"""
    shown = 0
    for sort in ("NEWEST", "TITLE", "PRICE_DESC", "RANK"):
        three = {"id": catalogue.categories["drinks"], "sort": sort, "first": 3}
        middle = (await api(alone, three))["category"]["products"]["pageInfo"]["endCursor"]
        for part in ({"first": 2}, {"last": 2}, {"first": 2, "after": middle}, {"last": 2, "before": middle}):
            listed_ = (await api(together, {"sort": sort, **part}))["categories"]["nodes"]
            assert {one["id"] for one in listed_} == set(catalogue.categories.values())
            for one in listed_:
                found = (await api(alone, {"id": one["id"], "sort": sort, **part}))["category"]["products"]
                assert one["products"] == found, (sort, part)
                shown += len(found["nodes"])
    assert shown > 60


async def test_every_order_is_walked_both_ways_and_has_all_of_it_once(shop: Shop, api: Api) -> None:
    catalogue = await listed.catalogue(shop, seen=9)
    for sort, key in ORDERS.items():
        expected = [i.id for i in sorted(catalogue.seen, key=key, reverse=sort == "PRICE_DESC")]
        assert [one["id"] for one in await walked(api, 4, sort=sort)] == expected
        backward: list[str] = []
        before: str | None = None
        while True:
            page = (await api(PAGE, {"sort": sort, "last": 4, "before": before}))["page"]
            backward = [one["id"] for one in page["nodes"]] + backward
            before = page["pageInfo"]["startCursor"]
            if not page["pageInfo"]["hasPreviousPage"]:
                break
        assert backward == expected


async def test_without_an_order_the_list_is_as_it_always_was_filtered_or_not(shop: Shop, api: Api) -> None:
    catalogue = await listed.catalogue(shop, seen=5)
    expected = sorted(item.id for item in catalogue.seen)
    assert [one["id"] for one in await walked(api)] == expected
    nothing: dict[str, Any] = {name: [] for name in ("ids", "types", "categories", "tags", "options", "metadata")}
    nothing |= dict.fromkeys(("price", "availability", "created", "collections", "vendors"))
    assert [one["id"] for one in await walked(api, filter=nothing)] == expected
    assert [one["id"] for one in await walked(api, filter={})] == expected


async def refused(api: Api, argument: str, **given_: Any) -> None:
    (error,) = (await api.answer(PAGE, given_))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", argument), error


async def test_a_cursor_of_another_order_of_another_regions_prices_or_of_nobodys_is_refused(
    shop: Shop, api: Api
) -> None:
    await listed.catalogue(shop, seen=3)
    cursors = {s: (await api(PAGE, {"sort": s, "first": 1}))["page"]["pageInfo"]["endCursor"] for s in ORDERS}
    for sort in ORDERS:
        for other, cursor in cursors.items():
            if other != sort:
                await refused(api, "after", sort=sort, after=cursor)
                await refused(api, "before", sort=sort, last=1, before=cursor)
    await refused(api.in_country("US"), "after", sort="PRICE_ASC", after=cursors["PRICE_ASC"])
    name, _, key = json.loads(base64.urlsafe_b64decode(cursors["PRICE_ASC"] + "=="))
    for forged in ([name, "1", key], [name, 2**63, key], [name, 1], [name, 1, "x"], [name, None, key], {}, 7):
        await refused(
            api, "after", sort="PRICE_ASC", after=base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
        )


async def test_a_forged_cursor_at_no_time_or_at_no_text_is_refused(shop: Shop, api: Api) -> None:
    key = "01890a5d-ac96-774b-bcce-b302099a8057"
    times = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2030-01-01T00:00:00")
    for sort, place in (*(("NEWEST", time) for time in times), ("TITLE", "cup\0")):
        cursor = base64.urlsafe_b64encode(json.dumps([f"product.{sort.lower()}", place, key]).encode()).decode()
        await refused(api, "after", sort=sort, after=cursor)
        await refused(api, "before", sort=sort, last=1, before=cursor)


async def test_a_collection_by_hand_has_the_merchants_order_and_a_hidden_one_has_nothing(shop: Shop, api: Api) -> None:
    catalogue = await listed.catalogue(shop)
    summer, secret = catalogue.collections["summer"], catalogue.collections["secret"]
    expected = [item.handle for item in reversed(catalogue.items) if "summer" in item.collections and not item.hidden]
    assert len(expected) > 3
    found = await walked(api, 2, sort="RANK", filter={"collections": [summer]})
    assert [one["handle"] for one in found] == expected
    assert await walked(api, sort="RANK", filter={"collections": [secret]}) == []
    drinks = {"categories": [catalogue.categories["drinks"]]}
    by_age = await walked(api, sort="NEWEST", filter=drinks)
    assert by_age
    assert await walked(api, sort="RANK", filter=drinks) == by_age
    await refused(api, "sort", sort="RANK")
    cursor = (await api(PAGE, {"sort": "RANK", "filter": {"collections": [summer]}, "first": 1}))["page"]["edges"]
    await refused(api, "after", sort="RANK", filter={"collections": [secret]}, after=cursor[0]["cursor"])


async def test_titles_stand_together_whatever_their_letters_marks_and_language(shop: Shop, api: Api) -> None:
    titles = ["zebra", "Ärmel", "arm", "Óscar", "oscar 2", "Łódź", "lodz 2", "straße", "strasse 2", "ØRE", "ore 2"]
    drafts = [
        ProductDraft(handle=f"p-{n}", title=title, status=ProductStatus.PUBLISHED, variants=(VariantDraft(),))
        for n, title in enumerate(titles)
    ]
    await given.products(shop, *drafts)
    await carts.execute(shop, """UPDATE product SET translations = '{"de": {"title": "Aal"}}' WHERE title = 'zebra'""")
    query = 'query @inContext(locale: "de") { products(sort: TITLE) { nodes { title } } }'
    found = [one["title"] for one in (await api(query))["products"]["nodes"]]
    ordered = ["arm", "Ärmel", "Łódź", "lodz 2", "ØRE", "ore 2", "Óscar", "oscar 2", "straße", "strasse 2"]
    assert found == [*ordered, "Aal"]


async def test_a_filter_that_cannot_be_right_is_refused_by_its_field_and_one_field_cannot_ask_for_everything(
    shop: Shop, api: Api
) -> None:
    """Fault 58: every list at its maximum, and a page of 10^9."""
    catalogue = await listed.catalogue(shop, seen=3)
    product, category = catalogue.items[0].id, catalogue.categories["hot"]
    too_many: dict[str, tuple[Any, str]] = {
        "ids": ([product] * 101, "filter.ids"),
        "categories": ([f"{category}"] * 101, "filter.categories"),
        "types": ([str(n) for n in range(51)], "filter.types"),
        "tags": ([str(n) for n in range(51)], "filter.tags"),
        "vendors": (["x" * 256], "filter.vendors"),
        "options": ([{"name": str(n), "values": ["x"]} for n in range(6)], "filter.options"),
        "metadata": ([{"key": str(n), "value": "x"} for n in range(6)], "filter.metadata"),
        "price": ({"minimum": euros(200), "maximum": euros(100)}, "filter.price"),
        "created": ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "filter.created"),
    }
    for name, (value, path) in too_many.items():
        await refused(api, path, filter={name: value})
    await refused(api, "filter.options.0.values", filter={"options": [{"name": "Size", "values": []}]})
    await refused(api, "filter.ids.1", filter={"ids": [product, category]})
    await refused(api, "filter.price.minimum.currency", filter={"price": {"minimum": {"amount": 1, "currency": "USD"}}})
    await refused(
        api, "filter.price.maximum.amount", filter={"price": {"maximum": {"amount": "1.001", "currency": "EUR"}}}
    )
    most = {name: [str(n) for n in range(50)] for name in ("types", "tags", "vendors")}
    most["options"] = [{"name": str(o), "values": [str(n) for n in range(50)]} for o in range(5)]  # type: ignore[assignment]
    await refused(api, "filter", filter=most)
    for size in (101, 10**9):
        await refused(api, "first", first=size, sort="NEWEST")
        await refused(api, "last", last=size, filter={})


HOSTILE = ["'", '"', "';--", "/* */", "\\", "%", "_", "$1", "{x}", ":a", "&|!<->", "\x1f", "\u202e", "Ω" * 255, ""]


async def test_whatever_text_a_filter_has_it_is_only_compared(shop: Shop, api: Api) -> None:
    """Fault 61."""
    await given.regions(shop)
    await given.product(shop, type="'", vendor='"', tags=["';--"])
    await refresh_listing(shop)
    for text in HOSTILE:
        for filter_ in (
            {"types": [text]},
            {"vendors": [text]},
            {"tags": [text]},
            {"options": [{"name": text, "values": [text]}]},
            {"metadata": [{"key": text, "value": text}]},
        ):
            page = (await api(PAGE, {"filter": filter_, "sort": "TITLE"}))["page"]
            meant = text in {"types": ["'"], "vendors": ['"'], "tags": ["';--"]}.get(next(iter(filter_)), [])
            assert page["totalCount"] == meant, filter_
        await refused(api, "filter.ids.0", filter={"ids": [text]})
        await refused(api, "after", sort="TITLE", after=text or "x")
    await refused(api, "filter.types.0", filter={"types": ["a\0b"]})


async def test_a_plain_page_costs_as_many_statements_as_before(shop: Shop, api: Api) -> None:
    await listed.catalogue(shop, seen=3)
    assert api.database is not None
    for arguments, statements in (("first: 2", 1), ("sort: NEWEST", 1), ("sort: PRICE_ASC", 2), ("filter: {}", 1)):
        before = api.database.statements
        await api(f"{{ products({arguments}) {{ nodes {{ title }} }} }}")
        assert api.database.statements - before == statements, arguments
