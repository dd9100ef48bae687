"""The search: what people type, as they type it, finds what they mean, and never what they may not see."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from db.catalog import ProductStatus
from db.connection import Read
from domain.processes.refresh_listing import refresh_listing
from domain.processes.shop import Shop
from domain.product import ProductDraft, VariantDraft
from domain.search import Asked, Hits
from domain.search_text import folded, one_error_apart, rests, words
from resolvers import ids
from server import app
from tests import carts, given
from tests.api import Api, running_app

MAKE_SHOP = app.make_shop
SEARCH = """query ($query: String!, $filter: ProductFilter, $sort: ListingSort, $first: Int, $after: String) {
    search(query: $query, filter: $filter, sort: $sort, first: $first, after: $after) {
        products { nodes { handle } totalCount pageInfo { hasNextPage endCursor } } } }"""


def draft(handle: str, title: str, **more: Any) -> ProductDraft:
    variants = (VariantDraft(sku=more.pop("sku", None), barcode=more.pop("barcode", None)),)
    status = more.pop("status", ProductStatus.PUBLISHED)
    return ProductDraft(handle=handle, title=title, status=status, variants=variants, **more)


async def shelf(shop: Shop, *drafts: ProductDraft) -> list[given.Sold]:
    made = await given.products(shop, *drafts)
    await refresh_listing(shop)
    return made


async def found(api: Api, query: str, locale: str | None = None, **more: Any) -> list[str]:
    """Handles in their order, all counted."""
    asking = Api(api.http, {**api.headers, **({"x-shop-context": f"locale={locale}"} if locale else {})})
    listed = (await asking(SEARCH, {"query": query, **more}))["search"]["products"]
    assert listed["totalCount"] == len(listed["nodes"])
    return [node["handle"] for node in listed["nodes"]]


CUPS = (
    draft("told", "Tray", description="<p>Holds four <b>cups</b> and a saucer.</p>"),
    draft("typed", "Beaker", type="Cup"),
    draft("long", "Double-wall paper cup for hot drinks"),
    draft("short", "Cup", vendor="Ann & Bob", tags=("crème brûlée",)),
    draft("numbered", "Lid", sku="CUP", barcode="4006381333931"),
    draft("other", "Box"),
)


async def test_numbers_come_first_then_titles_the_shortest_first_then_kinds_then_descriptions(
    shop: Shop, api: Api
) -> None:
    await shelf(shop, *CUPS)
    assert await found(api, "cup") == ["numbered", "short", "long", "typed", "told"]
    assert await found(api, "CUPS") == ["short", "long", "typed", "numbered", "told"]
    assert await found(api, "paper cup") == ["long"]
    assert await found(api, "cup", filter={"types": ["Cup"]}) == ["typed"]
    assert await found(api, "cup", sort="TITLE") == ["typed", "short", "long", "numbered", "told"]


TYPED: dict[str, list[str]] = {
    "4006381333931": ["numbered"],
    " cup ": ["numbered", "short", "long", "typed", "told"],
    "doub": ["long"],
    "wall dou": ["long"],
    "dou wall": [],
    "creme brulee": ["short"],
    "CRÈME": ["short"],
    "ann bob": ["short"],
    "papr": ["long"],
    "drniks": ["long"],
    "drinkss": ["long"],
    "dxixks": [],
    "a cup for the hot drinks": ["long"],
    "saucer": ["told"],
    "b": [],
    "four box": [],
}


async def test_words_are_found_unfinished_mistyped_and_without_what_says_nothing(shop: Shop, api: Api) -> None:
    await shelf(shop, *CUPS)
    for typed, handles in TYPED.items():
        assert await found(api, typed) == handles, typed


async def test_numbers_of_variants_that_are_sold_no_more_find_nothing(shop: Shop, api: Api) -> None:
    await shelf(shop, *CUPS)
    assert await found(api, "4006381333931") == ["numbered"]
    await carts.execute(shop, "UPDATE variant SET archived_at = now() WHERE barcode = '4006381333931'")
    await refresh_listing(shop)
    assert await found(api, "4006381333931") == []


async def test_texts_are_found_in_the_language_that_they_are_shown_in(shop: Shop, api: Api) -> None:
    await shelf(shop, draft("cup", "Cup"), draft("house", "House"))
    translations = json.dumps({"de": {"title": "Häuser aus Papier"}, "fr": {"title": "Maisons de papier"}})
    await carts.execute(
        shop, f"UPDATE product SET translations = '{translations}' WHERE handle = 'house'".replace(":", "\\:")
    )
    await refresh_listing(shop)
    assert await found(api, "Haus", "de-AT") == await found(api, "häuser", "de") == ["house"]
    assert await found(api, "maison", "fr-CA") == ["house"]
    assert await found(api, "house", "de") == [], "it is shown by its German title there"
    assert await found(api, "house") == await found(api, "houses", "nl") == ["house"]
    assert await found(api, "cups", "de") == ["cup"], "without a translation it is shown as it was written"
    await carts.execute(shop, "UPDATE product SET translations = '{}' WHERE handle = 'house'")
    await refresh_listing(shop)
    assert await found(api, "maison", "fr") == []
    assert await found(api, "house", "de") == ["house"]


async def test_results_are_paged_in_one_order_over_all_ways_of_matching(shop: Shop, api: Api) -> None:
    numbered = [draft(f"n-{n}", f"Cup {'x ' * (n % 3)}{n}") for n in range(7)]
    kinds = [draft(f"k-{n}", "Lid", tags=("cup",)) for n in range(5)]
    told = [draft(f"t-{n}", "Box", description="cup") for n in range(4)]
    await shelf(shop, *told, *kinds, *numbered, draft("sku", "Z", sku="Cup"))
    everything = await found(api, "cup", first=100)
    assert [handle[0] for handle in everything] == [*"s", *"n" * 7, *"k" * 5, *"t" * 4]
    assert everything[1:8] == ["n-0", "n-3", "n-6", "n-1", "n-4", "n-2", "n-5"]
    for size in (1, 3, 8):
        walked: list[str] = []
        after: str | None = None
        more = True
        while more:
            listed = (await api(SEARCH, {"query": "cup", "first": size, "after": after}))["search"]["products"]
            walked += [node["handle"] for node in listed["nodes"]]
            after, more = listed["pageInfo"]["endCursor"], listed["pageInfo"]["hasNextPage"]
        assert walked == everything
    other = (await api("{ products(first: 1) { pageInfo { endCursor } } }"))["products"]["pageInfo"]["endCursor"]
    for cursor in (other, "x", "WyJzZWFyY2giLDksMSwiMDFhMWZhOTEtY2Y1NS03MzMyLTkyZTYtMzk0MGIxMmFiMDllIl0"):
        (error,) = (await api.answer(SEARCH, {"query": "cup", "after": cursor}))["errors"]
        assert error["extensions"]["argument"] == "after"
    (error,) = (await api.answer(SEARCH, {"query": "cup", "first": 10**9}))["errors"]
    assert error["extensions"]["argument"] == "first"


HOSTILE = (
    *("'", '"', "\\", "''", "' OR 1=1 --", "a'b", "$1", "%", "_", ":*", "cup:*", "!cup", "cup & !cup", "(", "a <-> b"),
    *(
        "the",
        "the and of",
        " ",
        "",
        "\t\n",
        "😀",
        "\u200fكوب\u200f",
        "杯子",
        "\u202ecup",
        "a" * 10_000,
        "a b " * 2_500,
        "ﬀ",
        "\ud7ff",
    ),
    *("SELECT pg_sleep(9)", "{}", "[]", "null", "\x01\x1f", "x" * 3000 + " cup", "é" * 2000, "\\x00", "'a':A & 'b'"),
)


async def test_any_text_is_only_looked_for(shop: Shop, api: Api) -> None:
    """Fault 61."""
    await given.regions(shop)
    await shelf(shop, draft("cup", "Cup of the day"), draft("arab", "كوب ورق"), draft("han", "杯子"))
    for text in HOSTILE:
        for locale in (None, "de", "ar", "nl-BE"):
            assert set(await found(api, text, locale)) <= {"cup", "arab", "han"}, text
    for locale in ("'; --", "xx-'"):
        (error,) = (await Api(api.http, {"x-shop-context": f"locale={locale}"}).answer(SEARCH, {"query": "cup"}))[
            "errors"
        ]
        assert error["extensions"]["argument"] == "locale"
    assert await found(api, "the") == ["cup"], "alone a word that says nothing is looked for"
    assert await found(api, "كوب") == ["arab"]
    assert await found(api, "杯子") == ["han"]
    (error,) = (await api.answer(SEARCH, {"query": "a\0b"}))["errors"]
    assert error["extensions"]["argument"] == "query"


async def test_what_is_hidden_changes_nothing_of_what_is_found(shop: Shop, api: Api) -> None:
    await shelf(shop, draft("seen", "Paper cup", sku="P-1"))
    asked = ("paper", "papers", "secrets", "papyr", "pap", "P-1", "H-1", "papr", "hidden")
    before = [await found(api, text) for text in asked]
    hidden = (
        draft("draft", "Papyr secrets", status=ProductStatus.DRAFT, sku="H-1", tags=("papr",)),
        draft("gone", "Hidden secrets", description="paper"),
    )
    await shelf(shop, *hidden)
    await carts.execute(shop, "UPDATE product SET archived_at = now() WHERE handle = 'gone'")
    assert [await found(api, text) for text in asked] == before
    assert before[0] == before[3] == ["seen"]


class Elsewhere:
    """A search that knows products by a list of its own, hidden ones too."""

    def __init__(self, products: Sequence[UUID]) -> None:
        self.products = products

    async def find(self, read: Read, asked: Asked) -> Hits:
        return Hits(self.products if asked.text == "cup" else ())


async def test_a_plug_in_may_find_instead_and_reveals_nothing_either(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given.regions(shop)
    made = await shelf(shop, *CUPS, draft("hidden", "Cup", status=ProductStatus.DRAFT))
    search = Elsewhere([ids.decode("Product", one.product) for one in reversed(made)])
    monkeypatch.setattr(app, "make_shop", lambda *given: replace(MAKE_SHOP(*given), search=search))
    async with running_app(database_url) as api:
        assert await found(api, "cup") == ["other", "numbered", "short", "long", "typed", "told"]
        assert await found(api, "cup", filter={"types": ["Cup"]}) == ["typed"]
        assert await found(api, "cup", sort="TITLE") == ["typed", "other", "short", "long", "numbered", "told"]
        assert await found(api, "box") == []
        first = (await api(SEARCH, {"query": "cup", "first": 4}))["search"]["products"]
        rest = (await api(SEARCH, {"query": "cup", "after": first["pageInfo"]["endCursor"]}))["search"]["products"]
        assert [node["handle"] for node in rest["nodes"]] == ["typed", "told"]
        facets = (await api('{ search(query: "cup") { facets { kind values { value count } } } }'))["search"]["facets"]
        assert {"kind": "TYPE", "values": [{"value": "Cup", "count": 1}]} in facets


def test_words_one_typing_error_apart_share_a_rest_and_others_are_told_apart() -> None:
    pairs = {("paper", "papr"): True, ("paper", "papeer"): True, ("paper", "pqper"): True, ("paper", "appre"): False}
    pairs |= {("paper", "paepr"): True, ("paper", "paper"): True, ("paper", "papierx"): False, ("abcd", "badc"): False}
    for (one, other), near in pairs.items():
        assert one_error_apart(one, other) is one_error_apart(other, one) is near, (one, other)
        if near:
            assert set(rests(one)) & set(rests(other)), (one, other)
    assert rests("cup") == []
    assert words("Crème-Brûlée, 3.5 l!") == ["creme", "brulee", "3", "5", "l"]


async def test_sql_folds_texts_as_python_does(shop: Shop) -> None:
    texts = ["Ærø", "ŁÓDŹ", "Straße", "İstanbul", "ΣΑΣ", "ÅNGSTRÖM", "ﬁne", "Œuvre", "Þór", "ĐURO", "naïve", "Ǆ", "½"]
    for text in texts:
        (row,) = await shop.read.records(carts.text("SELECT fold(:t) AS f").bindparams(t=text))
        assert row.f == folded(text), text
