"""What the tests of gift cards and store credit share: cards, credit, and how the ledger stands."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from domain import gift_card, store_credit
from domain.actor import SYSTEM
from domain.gift_card import CreateGiftCard
from domain.money import Money
from domain.processes.shop import Shop
from domain.store_credit import AdjustStoreCredit
from resolvers import ids
from tests import carts
from tests.api import Api
from tests.given import ADDRESS, Cart

OVER = datetime.now(UTC) - timedelta(days=1)
PAID_BY = """cart { status giftCards { lastCharacters applied { amount currency } remaining { amount } usable }
  storeCredit { applied { amount currency } remaining { amount } }
  totals { total { gross { amount } } amountDue { amount currency } } }"""


@dataclass(frozen=True)
class Card:
    key: UUID
    code: str

    @property
    def id(self) -> str:
        return ids.encode("GiftCard", self.key)

    @property
    def end(self) -> str:
        return self.code[-4:]


async def card(shop: Shop, minor: int = 5000, currency: str = "EUR", *, over: bool = False) -> Card:
    """A gift card; `over`: one that has expired."""
    command = CreateGiftCard(Money(minor, currency), f"card {new_number()}")
    async with shop.tx() as tx:
        made = await gift_card.create(tx, command, SYSTEM)
    if over:
        await carts.execute(shop, "UPDATE balance SET expires_at = :over WHERE id = :id", over=OVER, id=made.row.id)
    assert made.code is not None
    return Card(made.row.id, made.code)


async def credit(shop: Shop, customer: UUID, minor: int, currency: str = "EUR") -> UUID:
    command = AdjustStoreCredit(customer, Money(minor, currency), "Sorry", f"credit {new_number()}")
    async with shop.tx() as tx:
        return (await store_credit.adjust(tx, command, SYSTEM)).id


_numbers = iter(range(10**9))


def new_number() -> int:
    return next(_numbers)


async def amounts(shop: Shop) -> list[tuple[int, int]]:
    """Of every balance, oldest first, what is on it and what of it is held."""
    return [tuple(row) for row in await shop.read.records(text("SELECT amount, held FROM balance ORDER BY id"))]


async def entries(shop: Shop) -> list[tuple[int, str]]:
    return [tuple(row) for row in await shop.read.records(text("SELECT delta, reason FROM balance_entry ORDER BY id"))]


async def holds(shop: Shop) -> list[tuple[int, str]]:
    statement = "SELECT amount, state FROM balance_hold ORDER BY created_at, position"
    return [tuple(row) for row in await shop.read.records(text(statement))]


async def use(api: Api, cart: Cart, *cards: Card) -> dict[str, Any]:
    """The cart with these gift cards."""
    given = {**cart.key, "codes": [one.code for one in cards]}
    return (await api.done("cartSetGiftCards", given, PAID_BY))["cart"]


async def use_credit(api: Api, cart: Cart) -> dict[str, Any]:
    return (await api.done("cartUseStoreCredit", {**cart.key, "use": True}, PAID_BY))["cart"]


async def shown(api: Api, cart: Cart) -> dict[str, Any]:
    query = f"query C($id: ID!, $token: String) {{ cart(id: $id, token: $token) {PAID_BY.removeprefix('cart ')} }}"
    return (await api(query, {"id": cart.id, "token": cart.token}))["cart"]


def applied(cart: dict[str, Any]) -> list[str]:
    """What each gift card, then the store credit, then a provider pays."""
    parts = [*cart["giftCards"], *([cart["storeCredit"]] if cart["storeCredit"] else [])]
    return [part["applied"]["amount"] for part in parts] + [cart["totals"]["amountDue"]["amount"]]


async def pay_with_both(shop: Shop, visitor: Any, customer: UUID, variant: str) -> None:
    """With the documents of docs/storefront/balances.graphql: a cup of 10.00 by a card of 3.00, then by credit.

    `visitor` is who browses (tests/test_storefront.py), signed in as the customer.
    """
    three = await card(shop, 300)
    await credit(shop, customer, 5000)
    told = await visitor.ask("GiftCardBalance", code=three.code)
    assert (told["lastCharacters"], told["available"]["amount"]) == (three.end, "3.00")
    made = await visitor.ask("CartCreate", input={"lines": [{"variantId": variant}]}, country="NL")
    sam, key = visitor.having(x_cart_token=made["token"]), {"cartId": made["cart"]["id"]}
    await sam.do("CartSetAddresses", **key, shippingAddress=ADDRESS)
    await sam.do("CartSetCustomer", **key, email="sam@shop.example")
    wrong = await sam.refused("CartSetGiftCards", **key, codes=["NOT-A-CODE"])
    assert (wrong["code"], wrong["path"]) == ("GIFT_CARD_NOT_USABLE", ["codes", "0"])
    with_card = (await sam.do("CartSetGiftCards", **key, codes=[three.code]))["cart"]
    assert applied(with_card) == ["3.00", "7.00"]
    with_both = (await sam.do("CartUseStoreCredit", **key, use=True))["cart"]
    assert applied(with_both) == ["3.00", "7.00", "0.00"]
    total = {name: with_both["totals"]["total"]["gross"][name] for name in ("amount", "currency")}
    bought = await sam.do("CartComplete", **key, expectedTotal=total, idempotencyKey="with both")
    order = await sam.ask("OrderPaidBy", orderId=bought["order"]["id"])
    assert (order["paymentStatus"], order["amountDue"]["amount"]) == ("PAID", "0.00")
    paid = [(part["kind"], part["amount"]["amount"]) for part in order["balancePayments"]]
    assert paid == [("GIFT_CARD", "3.00"), ("STORE_CREDIT", "7.00")]
    (mine,) = (await sam.ask("StoreCredit", first=1))["storeCredit"]
    assert (mine["available"]["amount"], mine["entries"]["nodes"][0]["reason"]) == ("43.00", "SPENT")
