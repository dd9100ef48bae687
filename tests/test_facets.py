"""Facets: what each further choice would leave, counted over everything else that is chosen; nothing of the hidden."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from domain.processes.shop import Shop
from resolvers import facets as facets_
from resolvers import ids
from tests import carts, listed
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
