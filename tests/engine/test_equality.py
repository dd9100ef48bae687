"""Both executors answer every operation alike: data, order of keys, errors, paths.

Queries, the payloads of mutations that change nothing more (an order that is already placed, refusals), and the items
of subscriptions. Nulls where none may be are the business of the odd schema: PostgreSQL does not hold any here.
"""

import gc
import os
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import orjson
import pytest
from graphql import parse, validate
from hypothesis import HealthCheck, given, settings
from sqlalchemy import text, update

from db import Product
from db.workflow import ActorKind
from domain.actor import EVERYTHING, GUEST, Actor
from domain.processes.shop import Shop
from resolvers.context import ContextChoice, Ctx
from resolvers.live import Live
from schema import Schema, build_schema
from server.errors import public_error
from server.relay import Relay
from server.tokens import Argon2Passwords, SignedTokens
from tests import given as given_
from tests.api import SECRET, Api
from tests.engine.odd import UNLIMITED
from tests.engine.operations import MUTATION, QUERY, SUBSCRIPTION, Operation, is_null_above, operations, told_apart

EXAMPLES, AT_ONCE = int(os.environ.get("FUZZ_EXAMPLES", "300")), 500
PARTS = [min(AT_ONCE, EXAMPLES - begin) for begin in range(0, EXAMPLES, AT_ONCE)]
"""Many are made and compared in parts, which processes share."""
KINDS = [*[QUERY] * 6, MUTATION, SUBSCRIPTION]
OURS, REFERENCE = (build_schema(breadth_first=engine, limits=UNLIMITED) for engine in (True, False))


class Sealing(SignedTokens):
    """What is sealed is never the same twice; here it has to be."""

    def seal(self, plain: str) -> str:
        return f"sealed {plain.partition(':')[0]}"


TOKENS, PASSWORDS = Sealing(SECRET), Argon2Passwords()


PLACES = (
    "INSERT INTO category (id, handle, name, rank) VALUES (gen_random_uuid(), 'cups', 'Cups', 1)",
    "INSERT INTO category (id, handle, name, rank, parent_id) "
    "SELECT gen_random_uuid(), 'small-cups', 'Small', 1, id FROM category",
    "INSERT INTO product_category (product_id, category_id) "
    "SELECT p.id, c.id FROM product AS p, category AS c WHERE p.handle = 'cup'",
    "INSERT INTO collection (id, handle, title, status) VALUES "
    "(gen_random_uuid(), 'best', 'Best', 'published'), (gen_random_uuid(), 'hidden', 'Hidden', 'draft')",
    "INSERT INTO product_collection (product_id, collection_id, rank) "
    "SELECT p.id, c.id, 'a' || row_number() OVER () FROM product AS p, collection AS c",
    "INSERT INTO collection_channel (channel_id, collection_id) "
    "SELECT n.id, c.id FROM channel AS n, collection AS c WHERE c.handle = 'best'",
)
FILTERS = [{"availability": "IN_STOCK"}, {"tags": ["nobody"]}, {"options": [{"name": "Size", "values": ["S", "M"]}]}]


async def filled_shop(shop: Shop, api: Api) -> dict[str, Sequence[Any]]:
    """A shop with something of everything, and the arguments that lead to it (or nowhere)."""
    await given_.regions(shop)
    cup = await given_.product(shop, "cup", options={"Size": ("S", "M", "L")}, brief_schema=given_.BRIEF)
    lid = await given_.product(shop, "lid", stock=None, prices={"EUR": 30})
    hidden = await given_.product(shop, "hidden")
    async with shop.tx() as tx:
        await tx.run(update(Product).where(Product.handle == "hidden").values(status="draft"))
    lines = [{"variantId": cup.variant, "quantity": 2}, {"variantId": lid.variant, "quantity": 1}]
    cart = await given_.cart(api, *lines)
    bought = await given_.cart(api, *lines)
    placed = await api.done("cartComplete", bought.completion(), given_.ORDER)
    order = {**placed["order"], "accessToken": placed["accessToken"]}
    tickets = await given_.tickets(shop, order)
    for body in ("one", "two"):
        posted = {"ticketId": tickets[0].id, "accessToken": order["accessToken"], "body": body}
        await api.done("ticketPostMessage", posted, "ticket { id }")
    async with shop.tx() as tx:
        for statement in PLACES:
            await tx.run(text(statement))
    nowhere = ["prod_01h2xcejqtf2nbrexx3vqjhp41", "nonsense", ""]
    everything = [cup.product, cup.variants[2], hidden.product, cart.id, order["id"], tickets[0].id, *nowhere]
    return {
        "(first)": [0, 1, 2, 100, 101, -1],
        "(last)": [1, 2, 101],
        "(after)": ["", "nonsense"],
        "(before)": ["nonsense"],
        "(quantity)": [1, 5, 0],
        "(locale)": ["de-DE", "ja-JP", "??"],
        "(state)": ["brief_received", "nowhere"],
        "Ticket.history(after)": [0, 1, 99],
        "(query)": ["cup", "lid cu", "nothing like it", ""],
        "(filter)": [{}],
        "Query.products(filter)": FILTERS,
        "Query.search(filter)": FILTERS,
        "Category.products(filter)": FILTERS,
        "Product.optionAvailability(selected)": [[], [{"name": "Size", "value": "M"}]],
        "Product.variantBySelectedOptions(selected)": [
            [{"name": "Size", "value": "M"}],
            [{"name": "Size", "value": "XXL"}],
        ],
        "Query.category(by)": [{"handle": "cups"}, {"handle": "nowhere"}],
        "Query.collection(by)": [{"handle": "best"}, {"handle": "hidden"}],
        "Query.adminProduct(by)": [{"handle": "hidden"}, {"handle": "nowhere"}],
        "Query.variant(by)": [{"id": cup.variant}, {"id": hidden.variant}, {"sku": "no such"}],
        "Query.priceExplain(variantId)": [cup.variant, cup.product],
        "(productId)": [cup.product, hidden.product],
        "Query.product(by)": [{"handle": "cup"}, {"handle": "hidden"}, {"id": cup.product}, {"id": "nonsense"}],
        "Query.cart(id)": [cart.id, order["id"]],
        "(token)": [cart.token, "wrong"],
        "Query.order(by)": [{"id": order["id"]}, {"id": cart.id}, {"number": order["number"]}, {"number": "7"}],
        "Query.ticket(id)": [tickets[0].id, cart.id],
        "(accessToken)": [order["accessToken"], "wrong"],
        "Query.node(id)": everything,
        "(ids)": [everything, everything[:4], []],
        "Mutation.cartComplete(input)": [
            bought.completion(),
            {**bought.completion(), "token": "wrong"},
            bought.completion("another key"),
            {**cart.completion(), "expectedTotal": {"amount": "1", "currency": "EUR"}},
        ],
        "Mutation.cartSetAddresses(input)": [{**cart.key, "shippingAddress": {"country": "XX"}}, {**bought.key}],
        "Subscription.ticketEvents(ticketId)": [tickets[0].id, tickets[0].id, cart.id],
        "Subscription.ticketEvents(afterSeq)": [0, 1, 99],
        "Subscription.orderUpdated(orderId)": [order["id"], cart.id],
        "Subscription.cartUpdated(cartId)": [cart.id, bought.id],
        "Subscription.variantAvailability(ids)": [[cup.variant, lid.variant], [hidden.variant], []],
    }


async def answer(schema: Schema, shop: Shop, actor: Actor, operation: Operation) -> tuple[Any, list[Any]]:
    """Data and errors as the server would send them, but for the request's id."""
    relay = Relay(shop.database)
    live = Live(relay, shop.database, shop.database)
    ctx = Ctx(shop, TOKENS, PASSWORDS, live, actor, "request", ContextChoice(country="NL"))
    given_all = operation.document, dict(operation.variables), ctx
    if operation.kind is SUBSCRIPTION:
        items: Any = await schema.subscribe(*given_all, operation_name="Q")
        result = await anext(items)  # those after it are made in the same way
        await items.aclose()
        await live.close()
        await relay.close()
    else:
        result = await schema.execute(*given_all, operation_name="Q")
    errors = [public_error(error, "request") for error in result.errors or ()]
    in_order = sorted(errors, key=lambda error: orjson.dumps([error.get("path"), error["message"]]))
    return result.data, in_order


def alike(ours: tuple[Any, list[Any]], reference: tuple[Any, list[Any]]) -> bool:
    """Byte for byte. Of errors below what became null it depends on who is quicker which of them are told."""
    (data, errors), (expected, expected_errors) = ours, reference
    apart = told_apart(errors, expected_errors)
    return (
        orjson.dumps(data) == orjson.dumps(expected)
        and bool(errors) == bool(expected_errors)
        and all(is_null_above(data, error["path"]) for error in apart)
    )


@pytest.mark.usefixtures("own_garbage")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # graphql-core leaves some behind
@pytest.mark.parametrize("count", PARTS, ids=[f"part {number}" for number, _ in enumerate(PARTS, 1)])
async def test_both_executors_answer_alike(shop: Shop, api: Api, count: int) -> None:
    values = await filled_shop(shop, api)
    staff = Actor(ActorKind.STAFF, await given_.staff(shop, EVERYTHING), frozenset({EVERYTHING}))
    made: list[Operation] = []

    @settings(max_examples=count, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operations(REFERENCE._schema, values, KINDS))
    def collect(operation: Operation) -> None:
        made.append(operation)

    collect()
    assert len(made) >= count
    answered: Counter[Any] = Counter()
    for operation, actor in zip(made, cycle((GUEST, GUEST, staff)), strict=False):
        if validate(REFERENCE._schema, parse(operation.document)):
            continue  # fields of one name in two fragments that cannot be merged
        ours, reference = await answer(OURS, shop, actor, operation), await answer(REFERENCE, shop, actor, operation)
        assert alike(ours, reference), (operation, ours, reference)
        if operation.kind is QUERY:  # the second time it is run by its plan, without graphql-core
            again = await answer(OURS, shop, actor, operation)
            assert alike(again, reference), (operation, again, reference)
        answered[operation.kind] += 1
        if answered.total() % 50 == 0:
            gc.collect()
    gc.collect()
    assert answered.total() > count / 2
    assert set(answered) == set(KINDS)
