"""Which answers are kept, and who gets them."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any, cast

import pytest
import pytest_asyncio
from graphql import GraphQLObjectType, get_named_type

from domain.processes.shop import Shop
from engine.plan import source_of
from engine.source import Asked, Related, is_shared
from resolvers.context import QUERY
from schema import build_schema
from tests import carts, given
from tests.answers import QUERIES, Keeping, catalogue, keeping_app
from tests.api import Api
from tests.documents import persisted, trust


@pytest_asyncio.fixture
async def keeping(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeping]:
    async with keeping_app(database_url, monkeypatch) as running:
        yield running


ROOTS = {
    "categories",
    "category",
    "collections",
    "collection",
    "products",
    "product",
    "region",
    "regions",
    "shop",
    "productTypes",
    "productVendors",
    "productTags",
    "search",
    "variant",
}
CONNECTIONS = "ApiKey AuditEntry Customer CustomerGroup Order Product Staff Ticket Variant"
SHARED = {
    *(f"Query.{name}" for name in ROOTS),
    *(
        f"{kind}Connection.{name}"
        for kind in (
            "ApiKey",
            "AuditEntry",
            "BalanceEntry",
            "Category",
            "Channel",
            "Collection",
            "Customer",
            "CustomerGroup",
            "GiftCard",
            "Notification",
            "Order",
            "PaymentAttempt",
            "PriceList",
            "PriceRow",
            "Product",
            "ProductWord",
            "Staff",
            "StockItem",
            "StockLevel",
            "StockLocation",
            "StockMovement",
            "StockPromise",
            "TaxRate",
            "Ticket",
            "Variant",
        )
        for name in ("totalCount", "totalCountCapped")
    ),
    "Money.formatted",
    *(f"Price.{name}" for name in ("tiers", "priorLowestPrice")),
    "Region.countries",
    *(f"Shop.{name}" for name in ("name", "region", "channelId", "locales", "paymentOptions", "limits")),
    *(f"SearchResult.{name}" for name in ("products", "facets", "facetsCapped")),
    *(f"Category.{name}" for name in ("parent", "children", "ancestors", "products", "productCount")),
    *(f"Collection.{name}" for name in ("products", "productCount")),
    *(f"Product.{name}" for name in ("material", "originCountry", "weightGrams", "dimensions", "metadata")),
    *(f"Product.{name}" for name in ("options", "media", "variants", "categories", "collections")),
    *(f"Product.{name}" for name in ("optionAvailability", "variantBySelectedOptions", "priceRange")),
    "Swatch.image",
    *(f"Variant.{name}" for name in ("selectedOptions", "image", "price", "availability", "product")),
    *(f"Variant.{name}" for name in ("ean", "upc", "lengthMm", "widthMm", "heightMm", "taxable", "metadata")),
}


def test_what_is_the_same_for_everybody_is_listed_here() -> None:
    """Whatever is not declared so is not; before adding to this list think of whose eyes may see it, and how long."""
    shared: set[str] = set()
    payloads: set[str] = set()
    for type_ in build_schema()._schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for name, field in type_.fields.items():
                source = source_of(field)
                if isinstance(source, Related | Asked) and is_shared(source):
                    shared.add(f"{type_.name}.{name}")
                payloads |= {type_.name} if get_named_type(field.type).name == QUERY else set()
    assert shared == SHARED
    assert payloads == set()  # else a payload of a mutation could be taken for a query


async def test_nothing_of_customers_orders_and_carts_is_kept(shop: Shop, api: Api, keeping: Keeping) -> None:
    await given.regions(shop)
    sold = await given.product(shop, workflow_code="default")
    order = await given.order(api, {"variantId": sold.variant, "quantity": 1})
    ticket = (await given.tickets(shop, order))[0]
    cart = await given.cart(api, {"variantId": sold.variant, "quantity": 1})
    await keeping.followed()
    headers = {"x_cart_token": cart.token, "x_access_token": order["accessToken"]}
    price = "price { amount { amount } }"
    asked = {
        "cart": f'{{ cart(id: "{cart.id}") {{ id lines {{ id variant {{ title {price} }} }} }} }}',
        "node": f'{{ node(id: "{sold.product}") {{ id }} }}',
        "nodes": f'{{ nodes(ids: ["{sold.product}"]) {{ id ... on Product {{ title }} }} }}',
        "order": f'{{ order(by: {{id: "{order["id"]}"}}) {{ id lines {{ title }} }} }}',
        "ticket": f'{{ ticket(id: "{ticket.id}") {{ id }} }}',
        "tickets": "{ tickets { nodes { id } totalCount } }",
    }
    roots = cast(Any, build_schema()._schema.query_type).fields
    assert asked.keys() < roots.keys() - ROOTS  # the others are of people who have signed in
    kept = len(keeping.kept)
    for name, query in asked.items():
        beside = query.replace("{", "{ regions { name } ", 1)
        for document in (query, beside):
            for _ in range(3):
                assert not await keeping.was_kept(document, **headers), name
    assert len(keeping.kept) == kept


async def test_a_write_is_made_as_often_as_it_is_sent(shop: Shop, keeping: Keeping) -> None:
    """Of its payload nothing may be read but what is the same for everybody."""
    await given.regions(shop)
    await keeping.followed()
    for document in (
        "mutation { cartCreate(input: {}) { userErrors { code } } }",
        "mutation { cartCreate(input: {}) { __typename } }",
    ):
        for _ in range(2):
            assert not await keeping.was_kept(document)
    assert len(await carts.stored(shop)) == 4


async def test_errors_are_not_kept(shop: Shop, keeping: Keeping) -> None:
    await catalogue(shop)
    await keeping.followed()
    for query in (
        "{ regions { name } products(first: 101) { nodes { id } } }",
        "{ products { nodes { title variants { nodes { price(quantity: 0) { taxIncluded } } } } } }",
        '{ products { nodes { variants { nodes { price { amount { formatted(locale: "?") } } } } } } }',
        "query @inContext(country: FR) { products { nodes { variants { nodes { price { taxIncluded } } } } } }",
        "{ regions { name colour } }",
        "{ regions { name }",
        "{ __typename }",
        "{ regions { name } __schema { description } }",
    ):
        for _ in range(3):
            before = keeping.executed
            await keeping.post(query)
            assert keeping.executed == before + 1, query


async def test_the_same_is_asked_when_document_variables_and_context_are_the_same(shop: Shop, keeping: Keeping) -> None:
    await catalogue(shop)
    await keeping.followed()
    priced = "variants { nodes { price { amount { currency } } } }"
    query = f"query A($n: Int = 1) {{ products(first: $n) {{ nodes {{ {priced} }} }} }}"

    async def asked(text: str = query, *, context: str = "country=NL", **more: Any) -> tuple[bool, Any]:
        before = keeping.executed
        body = {"query": text, **more}
        answer = await keeping.api.http.post("/graphql", json=body, headers={"x-shop-context": context})
        (node, *_) = answer.json()["data"]["products"]["nodes"]
        (variant,) = node["variants"]["nodes"]
        return keeping.executed == before, variant["price"]["amount"]["currency"]

    assert await asked() == (False, "EUR")
    assert await asked() == (True, "EUR")
    assert await asked(variables={}) == await asked(operationName=None) == await asked(extensions={}) == (True, "EUR")
    assert await asked(variables={"n": 1}) == (False, "EUR")
    assert await asked(variables={"n": 2}) == (False, "EUR")
    assert await asked(operationName="A") == (False, "EUR")
    assert await asked(query + " ") == (False, "EUR")
    assert await asked(context="country=US") == (False, "USD")
    assert await asked(context="country=US") == (True, "USD")
    assert await asked(query.replace(")", ") @inContext(country: JP)", 1)) == (False, "JPY")
    hashed = {"persistedQuery": {"version": 1, "sha256Hash": sha256(query.encode()).hexdigest()}}
    assert await asked(extensions=hashed) == (True, "EUR")
    by_hash = {"extensions": hashed}
    answer = await keeping.api.http.post("/graphql", json=by_hash, headers={"x-shop-context": "country=NL"})
    assert "errors" not in answer.json()
    empty: tuple[Any, ...] = ([], 0, "", False)
    for more in (*({name: of} for name in ("variables", "extensions") for of in empty), {"query": False, **by_hash}):
        body = {"query": query, **more}
        answer = await keeping.api.http.post("/graphql", json=body, headers={"x-shop-context": "country=NL"})
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST"), more


async def test_documents_that_are_named_by_their_ids_are_not_taken_for_each_other(shop: Shop, keeping: Keeping) -> None:
    """An automatic persisted query may be named by the id of a trusted document, which is no hash."""
    await given.regions(shop)
    await trust(shop, names="{ regions { name } }", codes="{ regions { code } }")
    await keeping.followed()

    async def asked(body: dict[str, Any]) -> tuple[bool, int, list[str]]:
        before = keeping.executed
        answer = await keeping.api.http.post("/graphql", json=body)
        (first, *_) = (answer.json().get("data") or {"regions": [{}]})["regions"]
        return keeping.executed == before, answer.status_code, list(first)

    for body, shown in ((persisted("names"), "name"), (persisted("codes"), "code"), ({"doc_id": "names"}, "name")):
        assert await asked(body) == (False, 200, [shown])
        assert await asked(body) == (True, 200, [shown])
    for nothing in ({}, {"query": ""}, {"extensions": {}}):
        assert (await asked(nothing))[1:] == (400, [])
    assert (await asked(persisted("others")))[1:] == (400, [])


async def test_two_context_headers_are_not_taken_for_one_of_them(shop: Shop, keeping: Keeping) -> None:
    await catalogue(shop)
    await keeping.followed()
    query = "{ products { nodes { variants { nodes { price { amount { currency } } } } } } }"
    for order in (("country=JP", "country=NL"), ("country=NL", "country=JP")):
        for _ in range(2):
            both = [("x-shop-context", context) for context in order]
            answer = await keeping.api.http.post("/graphql", json={"query": query}, headers=both)
            assert answer.json()["extensions"]["context"]["country"] == order[0].removeprefix("country=")
    for country, currency in (("JP", "JPY"), ("NL", "EUR")):
        answer = await keeping.post(query, x_shop_context=f"country={country}")
        assert answer.json()["extensions"]["context"]["currency"] == currency


async def test_who_is_signed_in_is_answered_by_executing(shop: Shop, keeping: Keeping) -> None:
    await catalogue(shop)
    await keeping.followed()
    assert not await keeping.was_kept(QUERIES["cup"])
    assert await keeping.was_kept(QUERIES["cup"], x_cart_token="anything", x_access_token="anything")
    staff = await given.caller(shop, keeping.api, "staff")
    kept = len(keeping.kept)
    for _ in range(2):
        answer = await staff.raw(QUERIES["box"])
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-store"
    assert len(keeping.kept) == kept
    assert not await keeping.was_kept(QUERIES["box"])
    refused = await keeping.post(QUERIES["cup"], authorization="Bearer nonsense")
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_what_many_ask_at_once_is_executed_once(shop: Shop, keeping: Keeping) -> None:
    await catalogue(shop)
    await keeping.followed()
    await keeping.post(QUERIES["list"])
    async with shop.tx() as tx:
        await tx._connection.execute("UPDATE product SET title = title || '!'")
    await keeping.told()
    before = keeping.executed
    answers = await asyncio.gather(*(keeping.post(QUERIES["list"]) for _ in range(20)))
    assert len({answer.content for answer in answers}) == 1
    assert keeping.executed == before + 1
