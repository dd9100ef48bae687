"""Examples for gift cards and store credit, and what of them is in the world of the matrix."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from domain import balance
from domain.balance import Taking
from domain.gift_card import hash_of_code
from domain.processes.shop import Shop
from resolvers import ids
from tests import balances, carts, given

CODE: Final = "M4TR1-XG1FT-CARD0-00001"
"""Of the shop's gift card. Who has the code has the card, whoever they are."""
EURO: Final = {"amount": "1.00", "currency": "EUR"}


async def gift_card(shop: Shop) -> str:
    """One that is worth less than the carts."""
    made = await balances.card(shop, 300)
    await carts.execute(
        shop, "UPDATE balance SET code_hash = :hash WHERE id = :id", hash=hash_of_code(CODE), id=made.key
    )
    return made.id


async def store_credit(shop: Shop, customer: UUID, order: str, cart: given.Cart, bare: given.Cart) -> str:
    """Credit that has paid for an order, with a gift card, in part; one cart has that card, one uses the credit."""
    credit_id, order_id = await balances.credit(shop, customer, 500), ids.decode("Order", order)
    card = await balances.card(shop, 300)
    async with shop.tx() as tx:
        await balance.hold(tx, order_id, [Taking(card.key, 50), Taking(credit_id, 100)])
        await balance.spend(tx, order_id)
    cards = "UPDATE cart SET gift_card_ids = ARRAY[CAST(:card AS uuid)] WHERE id = :id"
    await carts.execute(shop, cards, card=card.key, id=ids.decode("Cart", cart.id))
    use = "UPDATE cart SET store_credit_customer_id = customer_id WHERE id = :id"
    await carts.execute(shop, use, id=ids.decode("Cart", bare.id))
    return ids.encode("StoreCredit", credit_id)


def _new(_world: Any, _who: Any) -> Mapping[str, Any]:
    return {"amount": EURO, "recipientEmail": "kim@shop.example", "note": "Birthday", "idempotencyKey": "matrix"}


QUERIES: Final[dict[str, Any]] = {
    "giftCard": {"": lambda world, _: {"id": world.things["GiftCard"]}},
    "giftCardBalance": {"": lambda *_: {"code": CODE}},
}
MUTATIONS: Final[dict[str, Any]] = {
    "cartSetGiftCards": lambda _, who: {"cartId": who.cart.id, "codes": [CODE]},
    "cartUseStoreCredit": lambda _, who: {"cartId": who.cart.id, "use": True},
    "giftCardAdjust": lambda world, _: {
        "giftCardId": world.things["GiftCard"],
        "amount": EURO,
        "idempotencyKey": "matrix",
    },
    "giftCardCreate": _new,
    "giftCardDisable": lambda world, _: {"giftCardId": world.things["GiftCard"]},
    "storeCreditAdjust": lambda _, who: {
        "customerId": who.things["Customer"],
        "amount": EURO,
        "reason": "Late parcel",
        "idempotencyKey": "matrix",
    },
}
