"""Lists in pages: whichever way a client walks, it sees every published product once and in order."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as every
from typing import Any

import pytest

from db.catalog import ProductStatus
from domain.processes.shop import Shop
from domain.product import ProductDraft, VariantDraft
from tests import given
from tests.api import Api

PAGE = "edges { cursor node { id } } nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
SIZES: list[tuple[str, int] | None] = [None, *every(("first", "last"), (0, 1, 2, 5, 7, 100))]
LISTS = {
    "products": "{ page: products(%s) { nodes { id } } }",
    "variants": '{ product(by: {handle: "cup-1"}) { page: variants(%s) { nodes { id } } } }',
}


@dataclass(frozen=True)
class Asked:
    """Arguments of a list; the cursors are those of the items at these places."""

    size: tuple[str, int] | None
    after: int | None
    before: int | None

    def written(self, cursors: Sequence[str]) -> str:
        given_size = [] if self.size is None else [f"{self.size[0]}: {self.size[1]}"]
        places = (("after", self.after), ("before", self.before))
        given_places = [f'{name}: "{cursors[place]}"' for name, place in places if place is not None]
        return ", ".join((*given_size, *given_places)) or "after: null"

    def page_of(self, items: Sequence[str], cursors: Sequence[str]) -> dict[str, Any]:
        """What Relay's specification makes of the whole list."""
        start, end = 0 if self.after is None else self.after + 1, len(items) if self.before is None else self.before
        window = list(range(start, end))
        way, size = self.size or ("first", 20)
        page = window[:size] if way == "first" else window[len(window) - min(size, len(window)) :]
        more = len(window) > size
        return {
            "edges": [{"cursor": cursors[i], "node": {"id": items[i]}} for i in page],
            "nodes": [{"id": items[i]} for i in page],
            "pageInfo": {
                "hasNextPage": more if way == "first" else self.before is not None,
                "hasPreviousPage": more if way == "last" else self.after is not None,
                "startCursor": cursors[page[0]] if page else None,
                "endCursor": cursors[page[-1]] if page else None,
            },
        }


async def seven_cups(shop: Shop) -> list[str]:
    """Seven published products, two drafts among them; the published ones in the order of the list."""
    statuses = [ProductStatus.PUBLISHED] * 2 + [ProductStatus.DRAFT] + [ProductStatus.PUBLISHED] * 5
    statuses += [ProductStatus.PROPOSED]
    sizes = tuple(VariantDraft(values=(size,)) for size in ("XS", "S", "M", "L", "XL"))
    drafts = [
        ProductDraft(handle=f"cup-{i}", title=f"Cup {i}", status=status, options=("Size",), variants=sizes[: i or 2])
        for i, status in enumerate(statuses)
    ]
    made = await given.products(shop, *drafts)
    return sorted(one.product for one, status in zip(made, statuses, strict=True) if status is ProductStatus.PUBLISHED)


async def pages(api: Api, around: str, name: str, asked: Sequence[str]) -> list[dict[str, Any]]:
    """The same list under as many aliases as there are sets of arguments."""
    selection = " ".join(f"p{i}: {name}({arguments}) {{ {PAGE} }}" for i, arguments in enumerate(asked))
    data = await api(around % selection)
    found = data.get("product", data)
    return [found[f"p{i}"] for i in range(len(asked))]


async def check_every_page(api: Api, around: str, name: str, items: Sequence[str]) -> None:
    (whole,) = await pages(api, around, name, ["first: 100"])
    cursors = [edge["cursor"] for edge in whole["edges"]]
    assert [node["id"] for node in whole["nodes"]] == list(items)
    assert len(set(cursors)) == len(items)
    places = (None, *range(len(items)))
    for after, before in every(places, places):
        asked = [Asked(size, after, before) for size in SIZES]
        if after is not None and before is not None:
            asked = asked[:1] + asked[3:4] + asked[9:10]
        found = await pages(api, around, name, [one.written(cursors) for one in asked])
        for one, page in zip(asked, found, strict=True):
            assert page == one.page_of(items, cursors), one


async def test_every_page_of_products_is_the_slice_of_the_whole_list_that_was_asked_for(shop: Shop, api: Api) -> None:
    await check_every_page(api, "{ %s }", "products", await seven_cups(shop))


async def test_every_page_of_a_products_variants_is_the_slice_that_was_asked_for(shop: Shop, api: Api) -> None:
    await seven_cups(shop)
    whole = await api('{ product(by: {handle: "cup-7"}) { variants { nodes { id title } } } }')
    variants = whole["product"]["variants"]["nodes"]
    assert [variant["title"] for variant in variants] == ["XS", "S", "M", "L", "XL"]
    around = '{ product(by: {handle: "cup-7"}) { %s } }'
    await check_every_page(api, around, "variants", [variant["id"] for variant in variants])


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_walking_in_either_direction_meets_every_product_once(shop: Shop, api: Api, size: int) -> None:
    items = await seven_cups(shop)
    for way, place, more, last_seen in (
        ("first", "after", "hasNextPage", "endCursor"),
        ("last", "before", "hasPreviousPage", "startCursor"),
    ):
        met: list[str] = []
        arguments, going = f"{way}: {size}", True
        while going:
            (page,) = await pages(api, "{ %s }", "products", [arguments])
            nodes = [node["id"] for node in page["nodes"]]
            met = [*met, *nodes] if way == "first" else [*nodes, *met]
            going = page["pageInfo"][more]
            arguments = f'{way}: {size}, {place}: "{page["pageInfo"][last_seen]}"'
        assert met == items


async def test_each_product_has_its_own_pages_of_variants_by_one_statement_for_each_way_of_asking(
    shop: Shop, api: Api
) -> None:
    items = await seven_cups(shop)
    both = "{ nodes { id small: variants(first: 2) { nodes { title } } large: variants(last: 1) { nodes { title } } } }"
    data, statements = await counting(api, f"{{ products {both} }}")
    expected = [
        (["XS", "S"][:count], ["XS", "S", "M", "L", "XL"][count - 1 : count]) for count in (2, 1, 3, 4, 5, 5, 5)
    ]
    assert data["products"]["nodes"] == [
        {
            "id": item,
            "small": {"nodes": [{"title": title} for title in small]},
            "large": {"nodes": [{"title": title} for title in large]},
        }
        for item, (small, large) in zip(items, expected, strict=True)
    ]
    assert statements == 3


async def counting(api: Api, query: str) -> tuple[dict[str, Any], int]:
    """What a query answers, and by how many statements."""
    assert api.database is not None
    before = api.database.statements
    data = await api(query)
    return data, api.database.statements - before


async def test_a_list_is_counted_only_for_those_who_ask(shop: Shop, api: Api) -> None:
    await seven_cups(shop)
    for selection, statements in (
        ("nodes { id } pageInfo { hasNextPage }", 1),
        ("totalCount", 2),
        ("totalCountCapped", 2),
        ("nodes { id } totalCount totalCountCapped", 2),
        ("nodes { variants { nodes { id } } }", 2),
        ("nodes { variants { totalCount totalCountCapped } }", 3),
    ):
        assert (await counting(api, f"{{ products(first: 5) {{ {selection} }} }}"))[1] == statements, selection
    data = await api(
        "{ products(first: 1) { totalCount totalCountCapped nodes { variants(last: 1) { totalCount } } } }"
    )
    assert data["products"] == {
        "totalCount": 7,
        "totalCountCapped": False,
        "nodes": [{"variants": {"totalCount": 2}}],
    }


async def test_counting_ends_at_ten_thousand(shop: Shop, api: Api) -> None:
    insert = """WITH made AS (
            INSERT INTO product (id, handle, title, status)
            SELECT gen_random_uuid(), 'cup-' || n, 'Cup', 'published' FROM generate_series($1::int, $2) AS n
            RETURNING id
        )
        INSERT INTO product_channel (channel_id, product_id) SELECT channel.id, made.id FROM channel, made"""
    query = "{ products(first: 1) { totalCount totalCountCapped } }"
    await shop.database.pool.execute(insert, 1, 10_000)
    assert (await api(query))["products"] == {"totalCount": 10_000, "totalCountCapped": False}
    await shop.database.pool.execute(insert, 10_001, 10_001)
    assert (await api(query))["products"] == {"totalCount": 10_000, "totalCountCapped": True}


async def test_a_page_that_cannot_be_is_refused_by_the_argument_that_is_wrong(shop: Shop, api: Api) -> None:
    await seven_cups(shop)
    for (arguments, wrong), query in every(
        (
            ("first: -1", "first"),
            ("first: 101", "first"),
            ("first: 2147483647", "first"),
            ("last: -1", "last"),
            ("last: 101", "last"),
            ("first: 1, last: 1", "last"),
            ("first: 0, last: 0", "last"),
        ),
        LISTS.values(),
    ):
        assert await refused(api, query % arguments) == wrong, arguments


async def refused(api: Api, query: str, variables: dict[str, Any] | None = None) -> str:
    """The argument that a query was refused for; nothing else may be wrong with it."""
    answer = await api.answer(query, variables)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT", error
    return error["extensions"]["argument"]


def forged(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


ID = "01890a5d-ac96-774b-bcce-b302099a8057"
NO_CURSORS = ["", " ", "garbage", "%%%%", "é", "\N{NULL}", "x" * 20_000, "null", "W10"]
NO_CURSORS += [
    base64.urlsafe_b64encode(text).decode() for text in (b"5", b"{}", b'"product.id"', b"[" * 5_000, b"\xff")
]
FORGED: dict[str, list[Any]] = {
    "products": [[], [ID, ID], [5], [None], [True], [{}], [[ID]], [10**30], ["x"], ["\N{NULL}"], [ID + "0"]],
    "variants": [
        [],
        [1],
        [ID],
        [1, ID, ID],
        ["1", ID],
        [True, ID],
        [1.5, ID],
        [None, ID],
        [2**31, ID],
        [-(2**63), ID],
        [1, 1],
    ],
}


@pytest.mark.parametrize(("name", "sort"), [("products", "product.id"), ("variants", "variant.rank")])
async def test_a_cursor_that_this_list_never_gave_is_refused(shop: Shop, api: Api, name: str, sort: str) -> None:
    await seven_cups(shop)
    query = f"query ($cursor: String) {LISTS[name] % 'PLACE: $cursor'}"
    good = [ID] if sort == "product.id" else [1, ID]
    assert await api(query.replace("PLACE", "after"), {"cursor": forged(sort, *good)})
    others = [forged(wrong, *good) for wrong in ("", "id", "PRODUCT.ID", None, 5, [sort])]
    for cursor in (*NO_CURSORS, *others, *(forged(sort, *values) for values in FORGED[name])):
        for argument in ("after", "before"):
            variables = {"cursor": cursor}
            assert await refused(api, query.replace("PLACE", argument), variables) == argument, cursor
    assert await api(query.replace("PLACE", "after"), {"cursor": None})
    assert await api(query.replace("PLACE", "after"), {})


async def test_a_cursor_of_another_list_is_refused(shop: Shop, api: Api) -> None:
    await given.ticket(shop, api)
    staff = await given.caller(shop, api, "staff", "tickets:read")
    answer = await staff(
        "{ products { edges { cursor node { variants { edges { cursor } } } } } tickets { edges { cursor } } }"
    )
    (of_product,), (of_ticket,) = answer["products"]["edges"], answer["tickets"]["edges"]
    (of_variant,) = of_product["node"]["variants"]["edges"]
    for name, edge in (("products", of_ticket), ("products", of_variant), ("tickets", of_product)):
        assert await refused(staff, f'{{ {name}(after: "{edge["cursor"]}") {{ nodes {{ id }} }} }}') == "after"
