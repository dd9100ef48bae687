"""What reading and ordering cost in SQL statements: as many for a long list as for a short one, and few for either."""

from typing import Any

from sqlalchemy import select

from db import Ticket
from db.catalog import ProductStatus
from domain import ticket_opening as tickets
from domain.price import PriceDraft
from domain.processes.shop import Shop
from domain.product import MediaDraft, ProductDraft, VariantDraft
from domain.region import LocationDraft, upsert_location
from domain.stock import StockCount, set_counts
from resolvers import ids
from tests import deliveries, given
from tests.api import Api

PRODUCT = """id title options { id name values { id name } } media { url }
    variants(first: 20) { nodes {
        id title selectedOptions { name value } price { amount { amount currency formatted } compareAt { amount } }
        availability { status quantity } } pageInfo { hasNextPage } }"""
PAGE = f"query ($first: Int!) @inContext(country: NL) {{ products(first: $first) {{ nodes {{ {PRODUCT} }} }} }}"
DETAIL = f'{{ product(by: {{handle: "shirt-7"}}) {{ {PRODUCT} }} }}'
CART = """query ($id: ID!, $token: String!) { cart(id: $id, token: $token) {
    status region { code } requirements { code }
    totals { subtotal { amount } taxes { name amount { amount } } total { gross { amount } } }
    lines { quantity title unitPrice { amount } total { gross { amount } }
        variant { title selectedOptions { name value } image { url } price { amount { amount } }
                  availability { status } product { handle media { url } } } } } }"""


async def shirts(shop: Shop, count: int) -> list[given.Sold]:
    """Each with two options, six variants, a picture, a price and stock."""
    values = [(size, colour) for size in ("S", "M", "L") for colour in ("Red", "Blue")]
    drafts = [
        ProductDraft(
            handle=f"shirt-{n}",
            title=f"Shirt {n}",
            status=ProductStatus.PUBLISHED,
            options=("Size", "Colour"),
            variants=tuple(VariantDraft(values=pair) for pair in values),
            media=(MediaDraft(f"https://img.example/{n}.jpg"),),
        )
        for n in range(count)
    ]
    made = await given.products(shop, *drafts)
    await given.prices(shop, *(PriceDraft(variant, "EUR", 1000) for one in made for variant in one.keys))
    async with shop.tx() as tx:
        place = await upsert_location(tx, LocationDraft("main", "Main"))
        await set_counts(tx, [StockCount(variant, place, 5) for one in made for variant in one.keys])
    return made


async def cost(api: Api, query: str, variables: dict[str, Any] | None = None) -> tuple[dict[str, Any], int]:
    """The answer, and by how many statements."""
    assert api.database is not None
    before = api.database.statements
    data = await api(query, variables)
    return data, api.database.statements - before


async def test_a_page_of_products_costs_eight_statements_at_most_however_long_it_is(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await shirts(shop, 24)
    costs: dict[int, int] = {}
    for length in (1, 12, 24):
        data, costs[length] = await cost(api, PAGE, {"first": length})
        nodes = data["products"]["nodes"]
        assert [len(node["variants"]["nodes"]) for node in nodes] == [6] * length
        assert {len(node["options"]) for node in nodes} == {2}
        last = nodes[-1]["variants"]["nodes"][-1]
        assert last["price"]["amount"] == {"amount": "10.00", "currency": "EUR", "formatted": "€10.00"}
        assert last["selectedOptions"] == [{"name": "Size", "value": "L"}, {"name": "Colour", "value": "Blue"}]
        assert last["availability"] == {"status": "IN_STOCK", "quantity": 5}
    assert costs[1] == costs[12] == costs[24] <= 8


async def test_the_page_of_one_product_costs_no_more(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await shirts(shop, 8)
    data, statements = await cost(api, DETAIL)
    assert data["product"]["title"] == "Shirt 7"
    assert statements <= 8


async def test_what_nobody_asked_for_costs_nothing(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await shirts(shop, 2)
    for selection, statements in (
        ("id handle title description tags seo { title }", 1),
        ("options { name }", 2),
        ("options { values { name } }", 2),
        ("media { url }", 2),
        ("variants { nodes { id title } }", 2),
        ("variants { nodes { selectedOptions { value } } }", 3),
        ("variants { nodes { availability { status } } }", 3),
        ("variants { nodes { price { taxIncluded } } }", 4),
        ("variants { nodes { one: price { taxIncluded } ten: price(quantity: 10) { taxIncluded } } }", 4),
        ("variants { nodes { image { url } } }", 2),
        ("variants { nodes { product { title } } }", 3),
    ):
        assert (await cost(api, f"{{ products {{ nodes {{ {selection} }} }} }}"))[1] == statements, selection


async def test_a_cart_of_ten_lines_costs_what_one_of_one_line_does(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    made = await shirts(shop, 10)
    costs: dict[int, int] = {}
    for count in (1, 10):
        cart = await given.cart(api, *({"variantId": one.variant, "quantity": 2} for one in made[:count]))
        data, costs[count] = await cost(api, CART, {"id": cart.id, "token": cart.token})
        assert [line["total"]["gross"]["amount"] for line in data["cart"]["lines"]] == ["20.00"] * count
        assert data["cart"]["totals"]["total"]["gross"]["amount"] == f"{20 * count}.00"
    assert costs[1] == costs[10] <= 11


CHANGED = """cart { id version requirements { code } totals { total { gross { amount currency } } }
    lines { id quantity title unitPrice { amount } total { gross { amount } } variant { title } } }"""
PLACED = f"accessToken order {{ id number status total {{ gross {{ amount }} }} }} {CHANGED}"


async def checkout(shop: Shop, api: Api, variants: list[str], delivery: str) -> dict[str, int]:
    """Statements of every request from an empty cart to a placed order, and of opening its tickets."""
    costs: dict[str, int] = {}

    async def do(mutation: str, values: dict[str, Any], selection: str = CHANGED) -> dict[str, Any]:
        assert api.database is not None
        before = api.database.statements
        payload = await api.done(mutation, values, selection)
        costs[mutation] = api.database.statements - before
        return payload

    lines = [{"variantId": variant} for variant in variants]
    made = await do("cartCreate", {"lines": lines}, f"token {CHANGED}")
    key = {"cartId": made["cart"]["id"], "token": made["token"]}
    await do("cartAddLines", {**key, "lines": lines})
    await do("cartSetCustomer", {**key, "email": "sam@shop.example"})
    await do("cartSetAddresses", {**key, "shippingAddress": given.ADDRESS})
    ready = (await do("cartSetDelivery", {**key, "optionId": delivery}))["cart"]
    assert ready["requirements"] == []
    assert [line["quantity"] for line in ready["lines"]] == [2] * len(variants)
    completion = {"expectedTotal": ready["totals"]["total"]["gross"], "idempotencyKey": "key-1"}
    placed = await do("cartComplete", {**key, **completion}, PLACED)
    assert placed["order"]["total"]["gross"]["amount"] == f"{20 * len(variants) + 5}.00"
    before, order = shop.database.statements, ids.decode("Order", placed["order"]["id"])
    async with shop.tx() as tx:
        await tickets.reconcile(tx, order)
    costs["tickets"] = shop.database.statements - before
    opened = await shop.read.scalars(select(Ticket.id).where(Ticket.order_id == order))
    assert len(opened) == len(variants)
    return costs


async def test_a_checkout_of_five_lines_costs_what_one_of_one_line_does(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    variants = [one.variant for one in await shirts(shop, 5)]
    standard = await deliveries.option(shop)
    one, five = [await checkout(shop, api, bought, standard) for bought in (variants[:1], variants)]
    assert one == five
    at_most = {
        "cartCreate": 9,
        "cartAddLines": 8,
        "cartSetCustomer": 5,
        "cartSetAddresses": 5,
        "cartSetDelivery": 5,
        "cartComplete": 24,
        "tickets": 8,
    }
    assert {name: cost for name, cost in five.items() if cost > at_most[name]} == {}
    assert sum(five.values()) - five["tickets"] <= 60
