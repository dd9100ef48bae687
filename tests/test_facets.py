"""Facets: what each further choice would leave, counted over everything else that is chosen; nothing of the hidden."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from domain.processes.shop import Shop
from resolvers import facets as facets_
from resolvers import ids
from tests import carts, listed
from tests.answers import every_write_drops, keeping_app
from tests.api import Api
from tests.listed import Catalogue, Item

FACETS = """query ($filter: ProductFilter, $query: String! = "") { search(query: $query, filter: $filter) {
    facetsCapped products { totalCount }
    facets { kind name values { value label count selected } minimum { minorUnits } maximum { minorUnits } } } }"""


def values_of(item: Item) -> dict[str, set[str]]:
    """By facet what a product has of it."""
    flags = {"IN_STOCK": item.in_stock, "BUYABLE": item.buyable}
    return {
        "type": {item.type},
        "vendor": {item.vendor},
        "tag": set(item.tags),
        "category": set(item.categories),
        "Size": {value for name, value in item.options if name == "Size"},
        "Colour": {value for name, value in item.options if name == "Colour"},
        "availability": {name for name, holds in flags.items() if holds},
    }


def counted(catalogue: Catalogue, chosen: dict[str, set[str]], name: str) -> dict[str, int]:
    """A plain reading: everything else that is chosen must hold."""
    others = {other: values for other, values in chosen.items() if other != name}
    left = [item for item in catalogue.seen if all(values & values_of(item)[key] for key, values in others.items())]
    return dict(Counter(value for item in left for value in values_of(item)[name]))


def filter_of(catalogue: Catalogue, chosen: dict[str, set[str]]) -> dict[str, Any]:
    fields = {"type": "types", "vendor": "vendors", "tag": "tags"}
    written: dict[str, Any] = {fields[n]: sorted(values) for n, values in chosen.items() if n in fields}
    options = [{"name": n, "values": sorted(chosen[n])} for n in ("Size", "Colour") if n in chosen]
    categories = [catalogue.categories[name] for name in chosen.get("category", ())]
    available = next(iter(chosen.get("availability", ())), None)
    return {**written, "options": options, "categories": categories, "availability": available}


async def test_counts_are_of_everything_else_that_is_chosen_and_of_nothing_that_is_hidden(shop: Shop, api: Api) -> None:
    catalogue = await listed.catalogue(shop, seed=3, seen=30)
    names = {public: name for name, public in catalogue.categories.items()}
    random = Random(5)
    for round_ in range(14):
        some = values_of(random.choice(catalogue.seen))
        kinds = random.sample([kind for kind in some if some[kind]], min(round_ % 4, 3))
        chosen = {kind: {random.choice(sorted(some[kind]))} for kind in kinds}
        answer = (await api(FACETS, {"filter": filter_of(catalogue, chosen)}))["search"]
        assert answer["facetsCapped"] is False
        told = {one["name"]: one["values"] for one in answer["facets"]}
        for name in ("type", "vendor", "tag", "category", "Size", "Colour", "availability"):
            found = {names.get(v["value"], v["value"]): v["count"] for v in told.get(name, []) if v["count"]}
            assert found == counted(catalogue, chosen, name), (chosen, name)
            selected = {names.get(v["value"], v["value"]) for v in told.get(name, []) if v["selected"]}
            assert selected == chosen.get(name, set())
        left = [i for i in catalogue.seen if all(v & values_of(i)[k] for k, v in chosen.items())]
        amounts = [amount for item in left for amount in item.amounts]
        price = next(one for one in answer["facets"] if one["kind"] == "PRICE")
        bounds = [price[side] and int(price[side]["minorUnits"]) for side in ("minimum", "maximum")]
        assert bounds == ([min(amounts), max(amounts)] if amounts else [None, None])


async def test_what_is_chosen_is_told_where_nothing_has_it_and_facets_cost_few_statements(shop: Shop, api: Api) -> None:
    catalogue = await listed.catalogue(shop, seen=4)
    one = next(item for item in catalogue.seen if item.categories)
    other = next(name for name in ("hot", "cold") if name not in one.categories)
    await carts.execute(
        shop,
        "INSERT INTO product_category (product_id, category_id) SELECT :product, id FROM category WHERE handle = :name",
        product=ids.decode("Product", one.id),
        name=other,
    )
    only = (await api(FACETS, {"filter": {"ids": [one.id]}}))["search"]["facets"]
    in_each = [v["count"] for facet in only if facet["kind"] == "CATEGORY" for v in facet["values"]]
    assert in_each == [1] * len(one.categories | listed.above(other)), "once in what is above both"
    asked = {"types": ["Nothing"], "options": [{"name": "Material", "values": ["Gold"]}]}
    answer = (await api(FACETS, {"filter": asked}))["search"]
    told = {one["name"]: {v["value"]: (v["count"], v["selected"]) for v in one["values"]} for one in answer["facets"]}
    assert told["type"]["Nothing"] == (0, True)
    assert told["Material"] == {"Gold": (0, True)}
    assert api.database is not None
    for chosen, statements in (({}, 2), ({"types": ["Cup"]}, 3), ({"types": ["Cup"], "tags": ["eco"]}, 4)):
        before = api.database.statements
        await api("query ($f: ProductFilter) { search(filter: $f) { facetsCapped facets { name } } }", {"f": chosen})
        assert api.database.statements - before == statements, (chosen, len(catalogue.items))


async def test_more_products_than_are_counted_are_said_to_be_more(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listed.catalogue(shop, seen=9)
    monkeypatch.setattr(facets_, "MOST_COUNTED", 5)
    answer = (await api(FACETS, {}))["search"]
    assert answer["facetsCapped"] is True
    types = next(one for one in answer["facets"] if one["kind"] == "TYPE")
    assert sum(value["count"] for value in types["values"]) == 5


async def test_labels_are_in_the_language_of_the_context_and_values_stay_what_a_filter_wants(
    shop: Shop, api: Api
) -> None:
    await listed.catalogue(shop, seen=9)
    for statement in (
        """UPDATE category SET translations = '{"de": {"name": "Getränke"}}' WHERE handle = 'drinks'""",
        """UPDATE product_option SET translations = '{"de": {"name": "Größe"}}' WHERE name = 'Size'""",
        """UPDATE option_value SET translations = '{"de": {"name": "Klein"}, "de-AT": {"name": "Gspritzt"}}'
        WHERE id = (SELECT v.id FROM option_value AS v JOIN product_option AS o ON o.id = v.option_id
            JOIN product_facet AS f ON f.product_id = o.product_id AND f.options && ARRAY[o.name || chr(31) || 'S']
            JOIN product AS p ON p.id = o.product_id WHERE v.name = 'S' AND p.status = 'published'
            AND p.archived_at IS NULL AND p.id IN (SELECT product_id FROM product_channel JOIN channel AS c
            ON c.id = channel_id WHERE c.is_default AND published_from IS NULL AND published_until IS NULL)
            ORDER BY p.id LIMIT 1)""",
    ):
        await carts.execute(shop, statement)
    asked = """{ search { facets { kind name label values { value label count selected } } } }"""

    async def told(context: str) -> dict[str, Any]:
        found = (await api(f"query {context} {asked}"))["search"]["facets"]
        return {one["name"]: one for one in found}

    plain = await told("")
    german, austrian, french = [await told(f'@inContext(locale: "{at}")') for at in ("de", "de-AT", "fr")]
    assert french == plain
    labels = [one["Size"]["label"] for one in (plain, german, austrian)]
    assert labels == ["Size", "Größe", "Größe"]
    for facets, small, drinks in (
        (plain, "S", "drinks"),
        (german, "Klein", "Getränke"),
        (austrian, "Gspritzt", "Getränke"),
    ):
        assert facets["Size"]["name"] == "Size"
        sizes = {one["value"]: one["label"] for one in facets["Size"]["values"]}
        assert sizes == {"S": small, "M": "M", "L": "L"}
        assert drinks in {one["label"] for one in facets["category"]["values"]}
        assert facets["Colour"]["label"] == "Colour"
        counts = [{v["value"]: v["count"] for v in one["values"]} for one in (facets["Size"], plain["Size"])]
        assert counts[0] == counts[1]
    chosen = {"options": [{"name": "Size", "values": ["S", "XXL"]}]}
    query = FACETS.replace("query (", "query Chosen(").replace(") { search", ') @inContext(locale: "de") { search')
    answer = (await api(query, {"filter": chosen}))["search"]
    assert answer["products"]["totalCount"] == next(v["count"] for v in plain["Size"]["values"] if v["value"] == "S")
    size = next(one for one in answer["facets"] if one["name"] == "Size")
    selected = [(v["value"], v["label"]) for v in size["values"] if v["selected"]]
    assert sorted(selected) == [("S", "Klein"), ("XXL", "XXL")]


async def test_kept_labels_and_what_is_kept_of_the_shop_go_with_what_they_were_made_of(
    shop: Shop, api: Api, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listed.catalogue(shop, seen=5)
    queries = {
        "facets": 'query @inContext(locale: "de") { search { facets { label values { label } } } }',
        "shop": "{ shop { name region { name } locales channelId currencies paymentOptions { provider } } }",
    }
    writes: dict[str, tuple[str, set[str]]] = {
        "an option": ("""UPDATE product_option SET translations = '{"de": {"name": "Größe"}}'""", {"facets"}),
        "a value": ("""UPDATE option_value SET translations = '{"de": {"name": "Klein"}}'""", {"facets"}),
        "a region": ("""UPDATE region SET translations = '{"it": {"name": "Europa"}}'""", {"facets", "shop"}),
        "a product": ("""UPDATE product SET translations = '{"nl": {"title": "Beker"}}'""", {"facets", "shop"}),
        "nobody's": ("UPDATE media SET alt = alt WHERE false", set()),
    }
    async with keeping_app(database_url, monkeypatch) as keeping:
        await every_write_drops(api, keeping, database_url, queries, writes)
