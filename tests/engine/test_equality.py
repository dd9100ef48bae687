"""Both executors answer every operation alike: data, order of keys, errors, paths."""

import os
from collections.abc import Sequence
from typing import Any

import orjson
from graphql import parse, validate
from hypothesis import HealthCheck, given, settings
from sqlalchemy import update

from db import Product
from domain.actor import GUEST
from domain.processes.shop import Shop
from domain.ticket import reconcile
from resolvers import ids
from resolvers.context import ContextChoice, Ctx
from schema import Schema, build_schema
from server.errors import public_error
from server.relay import Relay
from server.tokens import Argon2Passwords, SignedTokens
from tests import given as given_
from tests.api import SECRET, Api
from tests.engine.operations import Operation, operations

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
OURS, REFERENCE = build_schema(), build_schema(breadth_first=False)
TOKENS, PASSWORDS = SignedTokens(SECRET), Argon2Passwords()


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
    order = await given_.order(api, *lines)
    async with shop.tx() as tx:
        await reconcile(tx, ids.decode("Order", order["id"]))
    query = "query O($i: ID!, $t: String) { order(by: { id: $i }, accessToken: $t) { tickets { id } } }"
    tickets = (await api(query, {"i": order["id"], "t": order["accessToken"]}))["order"]["tickets"]
    nowhere = ["prod_01h2xcejqtf2nbrexx3vqjhp41", "nonsense", ""]
    everything = [cup.product, cup.variants[2], hidden.product, cart.id, order["id"], tickets[0]["id"], *nowhere]
    return {
        "(first)": [0, 1, 2, 100, 101, -1],
        "(last)": [1, 2, 101],
        "(after)": ["", "nonsense"],
        "(before)": ["nonsense"],
        "(quantity)": [1, 5, 0],
        "(locale)": ["de-DE", "ja-JP", "??"],
        "(state)": ["brief_received", "nowhere"],
        "Ticket.history(after)": [0, 1, 99],
        "Query.product(by)": [{"handle": "cup"}, {"handle": "hidden"}, {"id": cup.product}, {"id": "nonsense"}],
        "Query.cart(id)": [cart.id, order["id"]],
        "(token)": [cart.token, "wrong"],
        "Query.order(by)": [{"id": order["id"]}, {"id": cart.id}, {"number": order["number"]}, {"number": "7"}],
        "Query.ticket(id)": [tickets[0]["id"], cart.id],
        "(accessToken)": [order["accessToken"], "wrong"],
        "Query.node(id)": everything,
        "(ids)": [everything, everything[:4], []],
    }


async def answer(schema: Schema, shop: Shop, operation: Operation) -> bytes:
    """As the server would send it, but for the request's id."""
    ctx = Ctx(shop, TOKENS, PASSWORDS, Relay(shop.database), GUEST, "request", ContextChoice(country="NL"))
    result = await schema.execute(operation.document, dict(operation.variables), ctx, operation_name="Q")
    errors = [public_error(error, "request") for error in result.errors or ()]
    in_order = sorted(errors, key=lambda error: orjson.dumps([error.get("path"), error["message"]]))
    return orjson.dumps({"data": result.data, "errors": in_order}, option=orjson.OPT_INDENT_2)


async def test_both_executors_answer_alike(shop: Shop, api: Api) -> None:
    values = await filled_shop(shop, api)
    made: list[Operation] = []

    @settings(max_examples=EXAMPLES, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operations(REFERENCE._schema, values))
    def collect(operation: Operation) -> None:
        made.append(operation)

    collect()
    assert len(made) >= EXAMPLES
    answered = 0
    for operation in made:
        if validate(REFERENCE._schema, parse(operation.document)):
            continue  # fields of one name in two fragments that cannot be merged
        ours, reference = await answer(OURS, shop, operation), await answer(REFERENCE, shop, operation)
        assert ours.decode() == reference.decode(), operation
        answered += 1
    assert answered > EXAMPLES / 2
