"""Store credit: given by staff, spent by its customer alone in a cart of their own, forgotten with them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from db.workflow import ActorKind
from domain.actor import SYSTEM, Actor
from domain.processes.erase_customer import erase_customer
from domain.processes.export_customer import export_customer
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, customers, given
from tests.api import Api
from tests.balances import amounts, applied, card, credit, entries, holds, shown, use, use_credit
from tests.carts import refused
from tests.completion import complete, refusal
from tests.given import Cart
from tests.invariants import violations
from tests.people import AUDIT, member

CREDIT = """storeCredit { id currency balance { amount currency } available { amount }
  entries { nodes { number amount { amount } reason orderId staffId note } totalCount } }"""
MINE = """{ me { storeCredit { currency balance { amount } available { amount } entries(first: 5) {
  nodes { amount { amount currency } reason note staffId apiKeyId } totalCount } } } }"""


@dataclass(frozen=True)
class Buyer:
    key: UUID
    api: Api
    cart: Cart

    @property
    def id(self) -> str:
        return ids.encode("Customer", self.key)


@pytest_asyncio.fixture
async def sam(shop: Shop, api: Api) -> AsyncIterator[Buyer]:
    """Signed in, with a cart of 50.00 of his own."""
    await given.regions(shop)
    cup = await given.product(shop, "cup", prices={"EUR": 5000, "USD": 5000})
    key, as_sam = await customers.signed_in(shop, api)
    yield Buyer(key, as_sam, await given.cart(as_sam, {"variantId": cup.variant}))


def give(buyer: Buyer, amount: str, key: str, **more: Any) -> dict[str, Any]:
    money = {"amount": amount, "currency": "EUR"}
    return {"customerId": buyer.id, "amount": money, "reason": "Late parcel", "idempotencyKey": key, **more}


async def test_staff_give_and_take_store_credit_by_currency(shop: Shop, api: Api, sam: Buyer) -> None:
    toni = await member(shop, api, "store_credit:read", "store_credit:write")
    first = await toni.api.done("storeCreditAdjust", give(sam, "30.00", "a"), CREDIT)
    assert first["storeCredit"]["balance"] == {"amount": "30.00", "currency": "EUR"}
    assert await toni.api.done("storeCreditAdjust", give(sam, "30.00", "a"), CREDIT) == first
    less = await toni.api.done("storeCreditAdjust", give(sam, "-10.00", "b"), CREDIT)
    assert less["storeCredit"]["id"] == first["storeCredit"]["id"]
    told = [
        (node["amount"]["amount"], node["reason"], node["note"]) for node in less["storeCredit"]["entries"]["nodes"]
    ]
    assert told == [("-10.00", "ADJUSTED", "Late parcel"), ("30.00", "ADJUSTED", "Late parcel")]
    yen = {**give(sam, "0", "c"), "amount": {"amount": "500", "currency": "JPY"}}
    other = await toni.api.done("storeCreditAdjust", yen, CREDIT)
    assert other["storeCredit"]["balance"] == {"amount": "500", "currency": "JPY"}
    assert await amounts(shop) == [(2000, 0), (500, 0)]
    written = [(entry.action, entry.difference) for entry in (await shop.read.records(AUDIT))[1:]]
    assert written == [
        ("storeCreditAdjust", {"amount": [0, 3000], "currency": [None, "EUR"]}),
        ("storeCreditAdjust", {"amount": [3000, 2000], "currency": [None, "EUR"]}),
        ("storeCreditAdjust", {"amount": [0, 500], "currency": [None, "JPY"]}),
    ]
    assert await violations(shop.read) == []


async def test_what_is_no_adjustment_is_refused_and_opens_nothing(shop: Shop, api: Api, sam: Buyer) -> None:
    toni = await member(shop, api, "store_credit:write")
    nobody = ids.encode("Customer", ids.decode("Cart", sam.cart.id))
    for change, told in (
        ({"amount": {"amount": "0.00", "currency": "EUR"}}, ("ValidationFailed", ["amount", "amount"])),
        ({"amount": {"amount": "-0.01", "currency": "EUR"}}, ("InsufficientBalance", ["amount"])),
        ({"amount": {"amount": "0.001", "currency": "EUR"}}, ("ValidationFailed", ["amount", "amount"])),
        ({"reason": "  "}, ("ValidationFailed", ["reason"])),
        ({"reason": "two\nlines"}, ("ValidationFailed", ["reason"])),
        ({"customerId": nobody}, ("NotFound", ["customerId"])),
        ({"idempotencyKey": ""}, ("ValidationFailed", ["idempotencyKey"])),
    ):
        payload = await toni.api.do("storeCreditAdjust", {**give(sam, "1.00", "a"), **change}, "__typename")
        assert [(error["__typename"], error["path"]) for error in payload["userErrors"]] == [told], change
        assert await amounts(shop) == []
    await toni.api.done("storeCreditAdjust", give(sam, "1.00", "a"), "__typename")
    payload = await toni.api.do("storeCreditAdjust", give(sam, "2.00", "a"), "__typename")
    assert [error["__typename"] for error in payload["userErrors"]] == ["IdempotencyKeyReused"]
    await erase_customer(shop, sam.key, SYSTEM)
    payload = await toni.api.do("storeCreditAdjust", give(sam, "1.00", "b"), "__typename")
    assert [(error["__typename"], error["path"]) for error in payload["userErrors"]] == [("NotFound", ["customerId"])]


@pytest.mark.parametrize(
    ("who", "code"), [("nobody", "UNAUTHENTICATED"), ("customer", "FORBIDDEN"), ("staff", "FORBIDDEN")]
)
async def test_nobody_gives_themselves_store_credit(shop: Shop, api: Api, sam: Buyer, who: str, code: str) -> None:
    caller = (
        sam.api if who == "customer" else await given.caller(shop, api, who, "store_credit:read", "customers:write")
    )
    document = "mutation ($input: StoreCreditAdjustInput!) { storeCreditAdjust(input: $input) { __typename } }"
    answer = await caller.answer(document, {"input": give(sam, "1.00", "a")})
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await amounts(shop) == []


async def test_a_customer_sees_their_own_credit_without_what_is_for_staff(shop: Shop, api: Api, sam: Buyer) -> None:
    assert await sam.api(MINE) == {"me": {"storeCredit": []}}
    toni = await member(shop, api, "store_credit:write")
    given_ = await toni.api.done("storeCreditAdjust", give(sam, "30.00", "a"), f"{CREDIT}")
    assert given_["storeCredit"]["entries"] == {"nodes": [], "totalCount": 0}  # to write is not to read
    entry = {"amount": {"amount": "30.00", "currency": "EUR"}, "reason": "ADJUSTED"}
    assert await sam.api(MINE) == {
        "me": {
            "storeCredit": [
                {
                    "currency": "EUR",
                    "balance": {"amount": "30.00"},
                    "available": {"amount": "30.00"},
                    "entries": {
                        "nodes": [{**entry, "note": None, "staffId": None, "apiKeyId": None}],
                        "totalCount": 1,
                    },
                }
            ]
        }
    }
    node = f'{{ node(id: "{given_["storeCredit"]["id"]}") {{ id ... on StoreCredit {{ balance {{ amount }} }} }} }}'
    assert (await sam.api(node))["node"]["balance"] == {"amount": "30.00"}
    of_sam = f'{{ customer(id: "{sam.id}") {{ storeCredit {{ entries {{ nodes {{ note }} }} }} }} }}'
    for caller in (
        await given.caller(shop, api, "nobody"),
        await given.caller(shop, api, "customer"),
        await given.caller(shop, api, "staff", "customers:read", "gift_cards:read"),
    ):
        assert await caller(node) == {"node": None}
    without = await given.caller(shop, api, "staff", "customers:read")
    assert await without(of_sam) == {"customer": {"storeCredit": []}}
    reader = await given.caller(shop, api, "staff", "customers:read", "store_credit:read")
    told = [{"entries": {"nodes": [{"note": "Late parcel"}]}}]
    assert await reader(of_sam) == {"customer": {"storeCredit": told}}


async def test_credit_pays_what_gift_cards_leave_and_only_when_it_is_asked_for(
    shop: Shop, api: Api, sam: Buyer
) -> None:
    await credit(shop, sam.key, 3000)
    await credit(shop, sam.key, 9999, "USD")
    assert (await shown(sam.api, sam.cart))["storeCredit"] is None
    assert applied(await use_credit(sam.api, sam.cart)) == ["30.00", "20.00"]
    twenty = await card(shop, 2500)
    assert applied(await use(sam.api, sam.cart, twenty)) == ["25.00", "25.00", "0.00"]
    for off in (False, True, False):
        changed = await sam.api.done("cartUseStoreCredit", {**sam.cart.key, "use": off}, "cart { id }")
        assert changed["cart"]["id"] == sam.cart.id
    assert applied(await shown(sam.api, sam.cart)) == ["25.00", "25.00"]
    await use_credit(sam.api, sam.cart)
    placed = await sam.api.done(
        "cartComplete", sam.cart.completion(), "order { paymentStatus balancePayments { kind amount { amount } } }"
    )
    assert placed["order"] == {
        "paymentStatus": "PAID",
        "balancePayments": [
            {"kind": "GIFT_CARD", "amount": {"amount": "25.00"}},
            {"kind": "STORE_CREDIT", "amount": {"amount": "25.00"}},
        ],
    }
    assert await amounts(shop) == [(500, 0), (9999, 0), (0, 0)]
    mine = (await sam.api(MINE))["me"]["storeCredit"][0]
    assert [node["reason"] for node in mine["entries"]["nodes"]] == ["SPENT", "ADJUSTED"]
    assert await violations(shop.read) == []


async def test_nobody_uses_the_credit_of_another_whatever_they_know_of_the_cart(
    shop: Shop, api: Api, sam: Buyer
) -> None:
    await credit(shop, sam.key, 5000)
    kim_key, kim = await customers.signed_in(shop, api, customers.KIM)
    unusable = ("StoreCreditNotUsable", "STORE_CREDIT_NOT_USABLE", ["cartId"])
    for other in (api, kim, await given.caller(shop, api, "staff", "store_credit:write")):
        assert await refused(shop, other, "cartUseStoreCredit", {**sam.cart.key, "use": True}) == [unusable]
        without_token = {"cartId": sam.cart.id, "use": True}
        told = await refused(shop, other, "cartUseStoreCredit", without_token)
        assert told == [("NotFound", "NOT_FOUND", ["cartId"])]
    mine = await use_credit(sam.api, sam.cart)
    assert mine["storeCredit"] == (await shown(sam.api, sam.cart))["storeCredit"]
    assert mine["storeCredit"] == {"applied": {"amount": "50.00", "currency": "EUR"}, "remaining": {"amount": "0.00"}}
    for other in (api, kim, await given.caller(shop, api, "staff", "store_credit:read")):
        assert (await shown(other, sam.cart))["storeCredit"] is None
    for other in (api, kim):
        told = refusal(await complete(other, sam.cart))
        assert (told["__typename"], told["path"]) == ("StoreCreditNotUsable", ["cartId"])
    await credit(shop, kim_key, 4000)
    await kim.done("cartSetCustomer", {**sam.cart.key, "email": customers.KIM}, "cart { id }")
    assert applied(await shown(kim, sam.cart)) == ["50.00"]  # it is Kim's cart now, and Kim asked for nothing
    assert await amounts(shop) == [(5000, 0), (4000, 0)]
    assert await holds(shop) == []


async def test_a_guest_s_cart_uses_no_credit(shop: Shop, api: Api, sam: Buyer) -> None:
    await credit(shop, sam.key, 5000)
    cup = (await shop.read.records(text("SELECT variant_id FROM cart_line")))[0][0]
    guests = await given.cart(api, {"variantId": ids.encode("Variant", cup)})
    for caller in (api, sam.api):
        told = await refused(shop, caller, "cartUseStoreCredit", {**guests.key, "use": True})
        assert told == [("StoreCreditNotUsable", "STORE_CREDIT_NOT_USABLE", ["cartId"])]
    for use_ in (None, "yes", 1):
        given_ = {**sam.cart.key, "use": use_}
        assert await carts.nonsense(shop, sam.api, "cartUseStoreCredit", given_) == ["BAD_USER_INPUT"]


async def test_credit_that_is_gone_pays_nothing_and_the_rest_is_due(shop: Shop, api: Api, sam: Buyer) -> None:
    await credit(shop, sam.key, 5000)
    await use_credit(sam.api, sam.cart)
    await credit(shop, sam.key, -5000)
    assert applied(await shown(sam.api, sam.cart)) == ["0.00", "50.00"]


async def test_the_export_of_a_customer_s_data_tells_of_their_credit(shop: Shop, api: Api, sam: Buyer) -> None:
    await credit(shop, sam.key, 1000)
    ten = await card(shop, 2000)
    await carts.execute(shop, "UPDATE balance SET recipient_email = 'sam@shop.example' WHERE kind = 'gift_card'")
    assert (await export_customer(shop, sam.key))["gift_cards"] == []  # anybody can say that it is their address
    await carts.execute(shop, "UPDATE customer SET confirmed_at = now()")
    await use(sam.api, sam.cart, ten)
    await use_credit(sam.api, sam.cart)
    await sam.api.done("cartComplete", sam.cart.completion(), "order { id }")
    exported = await export_customer(shop, sam.key)
    (mine,) = exported["store_credit"]
    assert (mine["currency"], mine["amount"]) == ("EUR", 0)
    assert [(e["amount"], e["reason"]) for e in mine["entries"]] == [(1000, "adjusted"), (-1000, "spent")]
    assert [(c["last_characters"], c["amount"]) for c in exported["gift_cards"]] == [(ten.end, 0)]
    (order,) = exported["orders"]
    paid = [(p["kind"], p["last_characters"], p["amount"]) for p in order["balance_payments"]]
    assert paid == [("gift_card", ten.end, 2000), ("store_credit", None, 1000)]
    assert "Sorry" not in str(exported)
    assert ten.code not in str(exported)


async def test_an_erased_customer_leaves_a_ledger_that_tells_nothing_of_them(shop: Shop, api: Api, sam: Buyer) -> None:
    await credit(shop, sam.key, 1000)
    await card(shop, 2000)
    await carts.execute(shop, "UPDATE balance SET recipient_email = 'sam@shop.example' WHERE kind = 'gift_card'")
    await carts.execute(shop, "UPDATE customer SET confirmed_at = now()")
    await use_credit(sam.api, sam.cart)
    staff = Actor(ActorKind.STAFF, await given.staff(shop))
    await erase_customer(shop, sam.key, staff)
    assert await amounts(shop) == [(0, 0), (2000, 0)]
    assert await entries(shop) == [(1000, "adjusted"), (2000, "issued"), (-1000, "expired")]
    told = await shop.read.records(text("SELECT count(note), count(recipient_email) FROM balance_entry, balance"))
    assert [tuple(row) for row in told] == [(0, 0)]
    assert await violations(shop.read) == []
