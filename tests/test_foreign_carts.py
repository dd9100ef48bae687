"""No write reaches a cart that is not the caller's, by whatever is guessed, reused or left out.

Published faults: Sylius CVE-2026-31820 (ids of carts and their parts taken from the client), Spree CVE-2026-22589
(an owner that is null matched everybody without one), Shopware CVE-2026-48016 (payment for a foreign id).
"""

from dataclasses import dataclass
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLNonNull, GraphQLObjectType
from sqlalchemy import select

from db import CartLine, Order, PaymentAttempt, StockLevel
from db.connection import new_id
from db.session import ApiKeyKind
from db.workflow import ActorKind
from domain import api_key as api_keys
from domain.api_key import CreateApiKey
from domain.delivery_option import Tier
from domain.payment import Charge
from domain.permission import PERMISSIONS
from domain.processes.shop import Shop
from plugins.manual_payment import ManualPayment
from resolvers import ids
from schema import build_schema
from tests import carts, deliveries, given
from tests.access import counted, random
from tests.api import Api

MUTATIONS = build_schema()._schema.type_map["Mutation"]
OF_CUSTOMERS = {"cartMerge"}
"""Needs a customer who has signed in; tests/test_cart_merge.py tries it with carts that are not theirs."""
MADE = {"paymentSessionCreate": "session"}
"""What a payload has in place of a cart."""
LATER = {
    "cartAddLines": ["ALREADY_COMPLETED"],
    "cartRemoveLines": ["ALREADY_COMPLETED"],
}
"""What an owner is told, where it is not done."""
NOT_FOUND = [("NotFound", "NOT_FOUND", ["cartId"])]


@dataclass(frozen=True)
class Shops:
    """A guest's cart and Sam's, both ready to be completed, and a third one that the callers own."""

    shop: Shop
    api: Api
    variant: str
    delivery: str
    guests: given.Cart
    sams: given.Cart
    mine: given.Cart
    sam: Api
    strangers: dict[str, Api]

    async def line(self, cart: given.Cart) -> str:
        key = ids.decode("Cart", cart.id)
        return ids.encode(
            "CartLine", await self.shop.read.one_scalar(select(CartLine.id).where(CartLine.cart_id == key))
        )

    async def inputs(self, cart: given.Cart) -> dict[str, dict[str, Any]]:
        """For every mutation of carts what would be done to this one, in an order in which all can be."""
        line = await self.line(cart)
        complete = cart.completion()
        return {
            "cartSetCustomer": {"email": "kim@shop.example"},
            "cartSetAddresses": {"shippingAddress": {**given.ADDRESS, "lastName": "Thief"}},
            "cartUpdateLines": {"lines": [{"lineId": line, "quantity": 1}]},
            "cartSetBrief": {"lineId": line, "brief": None},
            "cartSetContext": {"to": {"country": "NL"}},
            "cartSetDelivery": {"optionId": self.delivery},
            "cartSetMetadata": {"lineId": line, "metadata": {"gift": True}},
            "cartSetGiftCards": {"codes": []},
            "cartUseStoreCredit": {"use": False},
            "cartCancelPayment": {},
            "paymentSessionCreate": {"provider": "test"},
            "cartComplete": {name: complete[name] for name in ("expectedTotal", "idempotencyKey")},
            "cartAddLines": {"lines": [{"variantId": self.variant, "quantity": 3}]},
            "cartRemoveLines": {"lineIds": [line]},
        }

    async def everything(self) -> list[dict[str, Any]]:
        """All that a write to a cart could change."""
        rows = [dict(row) for row in await carts.stored(self.shop)]
        for model in (Order, PaymentAttempt, StockLevel):
            rows += [dict(row) for row in await self.shop.read.records(select(model.__table__))]
        return rows


def cart_mutations() -> set[str]:
    """Every mutation whose input names a cart."""
    assert isinstance(MUTATIONS, GraphQLObjectType)
    found: set[str] = set()
    for name, field in MUTATIONS.fields.items():
        kind = field.args["input"].type
        assert isinstance(kind, GraphQLNonNull)
        assert isinstance(kind.of_type, GraphQLInputObjectType)
        if {"cartId", "fromCartId", "intoCartId"} & kind.of_type.fields.keys():
            found.add(name)
    return found


async def prepared(shop: Shop, api: Api) -> Shops:
    await given.regions(shop)
    cup = await given.product(shop)
    line = {"variantId": cup.variant, "quantity": 1}
    sam = await given.caller(shop, api, "customer")
    everything = CreateApiKey(ApiKeyKind.SECRET, "Till", tuple(PERMISSIONS))
    async with shop.tx() as tx:
        program = await api_keys.create(tx, everything, given.ADMINISTRATOR)
        await api_keys.note_use(tx, program.row.id)  # else that is written beside a request, and counted with it
    strangers = {
        "a guest": api,
        "another customer": await given.caller(shop, api, "customer"),
        "staff who may everything": await given.caller(shop, api, "staff", "*"),
        "a program with all scopes": api.signed_in(program.key),
    }
    guests, sams, mine = [await given.cart(caller, line) for caller in (api, sam, api)]
    free = await deliveries.option(shop, tiers=(Tier(0, 0),))
    for cart in (guests, sams, mine):
        await deliveries.choose(sam if cart is sams else api, cart, free)
    return Shops(shop, api, cup.variant, free, guests, sams, mine, sam, strangers)


async def refused(there: Shops, caller: Api, mutation: str, given_: dict[str, Any]) -> list[Any]:
    payload = await caller.do(mutation, given_, f"made: {MADE.get(mutation, 'cart')} {{ id }}")
    assert (payload["made"], payload["warnings"]) == (None, [])
    return [(e["__typename"], e["code"], e["path"]) for e in payload["userErrors"]]


async def test_every_mutation_that_names_a_cart_is_tried_here(shop: Shop, api: Api) -> None:
    there = await prepared(shop, api)
    assert (await there.inputs(there.mine)).keys() == cart_mutations() - OF_CUSTOMERS


async def test_a_foreign_cart_is_found_by_no_mutation(shop: Shop, api: Api) -> None:
    there = await prepared(shop, api)
    before = await there.everything()
    for victim in (there.guests, there.sams):
        tokens = (None, "", "nonsense", there.mine.token, victim.id, victim.token[:-1], victim.token + "x")
        for mutation, input_ in (await there.inputs(victim)).items():
            for name, caller in there.strangers.items():
                for token in tokens:
                    tried = {**input_, "cartId": victim.id, "token": token}
                    assert await refused(there, caller, mutation, tried) == NOT_FOUND, (mutation, name, token)
                headed = Api(caller.http, {**caller.headers, "x-cart-token": there.mine.token})
                tried = {**input_, "cartId": victim.id}
                assert await refused(there, headed, mutation, tried) == NOT_FOUND, (mutation, name)
    assert await there.everything() == before


async def test_with_the_token_or_as_its_customer_the_same_is_done(shop: Shop, api: Api) -> None:
    """Without this the other tests here would pass for inputs that nobody may send."""
    there = await prepared(shop, api)
    for cart, caller, token in ((there.guests, api, there.guests.token), (there.sams, there.sam, None)):
        for mutation, input_ in (await there.inputs(cart)).items():
            made = f"{MADE.get(mutation, 'cart')} {{ id }}"
            payload = await caller.do(mutation, {**input_, "cartId": cart.id, "token": token}, made)
            codes = [error["code"] for error in payload["userErrors"]]
            asked = mutation == "paymentSessionCreate" and codes == ["IN_PROGRESS"]  # whose provider may not be there
            assert asked or codes == LATER.get(mutation, []), mutation


async def test_nothing_tells_a_foreign_cart_from_one_that_is_not_there(shop: Shop, api: Api) -> None:
    there = await prepared(shop, api)
    assert isinstance(MUTATIONS, GraphQLObjectType)
    for mutation, input_ in (await there.inputs(there.guests)).items():
        document = f"""mutation ($input: {MUTATIONS.fields[mutation].args["input"].type}) {{
            {mutation}(input: $input) {{ userErrors {{ __typename code message path }} }} }}"""
        for caller in there.strangers.values():
            told = [
                await counted(caller, document, {"input": {**input_, "cartId": cart, "token": there.mine.token}})
                for cart in (there.guests.id, random("Cart"))
            ]
            assert told[0] == told[1], mutation


async def test_lines_of_a_foreign_cart_are_not_reached_through_ones_own(shop: Shop, api: Api) -> None:
    there = await prepared(shop, api)
    before = await there.everything()
    for victim in (there.guests, there.sams):
        foreign = await there.line(victim)
        for mutation, part, path in (
            ("cartUpdateLines", {"lines": [{"lineId": foreign, "quantity": 9}]}, ["lines", "0", "lineId"]),
            ("cartRemoveLines", {"lineIds": [foreign]}, ["lineIds", "0"]),
        ):
            told = await refused(there, api, mutation, {**there.mine.key, **part})
            assert told == [("NotFound", "NOT_FOUND", path)]
    assert await there.everything() == before


async def test_a_cart_without_an_owner_is_nobodys_without_its_token(shop: Shop, api: Api) -> None:
    """That nobody is signed in and that nobody owns it are not the same nobody."""
    there = await prepared(shop, api)
    query = "query ($id: ID!, $token: String) { shown: cart(id: $id, token: $token) { id } }"
    node = "query ($id: ID!) { shown: node(id: $id) { id } }"
    for caller in (*there.strangers.values(), there.sam):
        for shown in (await caller(query, {"id": there.guests.id}), await caller(node, {"id": there.guests.id})):
            assert shown == {"shown": None}
        assert await refused(there, caller, "cartSetCustomer", {"cartId": there.guests.id, "email": "k@shop.example"})


@pytest.mark.parametrize("paid_by", ["a stranger", "its customer"])
async def test_no_payment_begins_for_a_foreign_cart(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch, paid_by: str
) -> None:
    there = await prepared(shop, api)
    charged: list[Charge] = []
    charge = ManualPayment.authorise

    async def noted(provider: ManualPayment, wanted: Charge) -> Any:
        charged.append(wanted)
        return await charge(provider, wanted)

    monkeypatch.setattr(ManualPayment, "authorise", noted)
    caller = there.sam if paid_by == "its customer" else there.strangers["another customer"]
    wanted = {**there.sams.completion(), "token": None}
    payload = await caller.do("cartComplete", wanted, "order { id }")
    assert (payload["order"] is not None) == (len(charged) == 1) == (paid_by == "its customer")
    attempts = await shop.read.all(select(PaymentAttempt))
    assert len(attempts) == len(charged)


async def test_a_session_of_nobody_owns_nothing(shop: Shop, api: Api) -> None:
    """A customer who is gone, with a token that is still signed, is refused and does not become everybody."""
    there = await prepared(shop, api)
    email = f"{new_id()}@shop.example"
    key = await given.customer(shop, email)
    gone = api.signed_in(await given.access_token(shop, ActorKind.CUSTOMER, key))
    await carts.execute(shop, "DELETE FROM customer WHERE id = :key", key=key)
    answer = await gone.raw("query ($id: ID!) { cart(id: $id) { id } }", {"id": there.guests.id})
    assert answer.status_code == 401
