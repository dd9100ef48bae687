"""What of a cart's total its gift cards and the store credit pay, and what is left for a payment provider.

Gift cards in the order in which they were given, then store credit. While the cart is open it is what they have now;
from PREPARE on it is what the order holds or has spent.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db import Cart
from db.balance import BalanceKind
from db.cart import CartStatus
from db.connection import Read
from domain.actor import Actor
from domain.balance import BalanceChanged, Taking, spread_over
from domain.money import Money
from domain.refusal import ErrorCode, Refusal


@dataclass(eq=False)
class StoreCreditNotUsable(Refusal):
    """It is spent by its customer alone, signed in, in a cart of their own."""

    message: str = "Store credit is spent by its customer, signed in, in their own cart."
    code = ErrorCode.STORE_CREDIT_NOT_USABLE


@dataclass(frozen=True)
class Applied:
    """What a balance pays of a cart; `remaining` is what is left of it then, as far as it can be used at all."""

    balance_id: UUID
    amount: int
    remaining: int
    currency: str
    last_characters: str | None = None
    usable: bool = True


@dataclass(frozen=True)
class Cover:
    total: int
    currency: str
    gift_cards: tuple[Applied, ...] = ()
    store_credit: Applied | None = None

    @property
    def applied(self) -> tuple[Applied, ...]:
        return self.gift_cards if self.store_credit is None else (*self.gift_cards, self.store_credit)

    @property
    def due(self) -> int:
        """What a payment provider is to pay. What is held already may be more than the cart comes to by now."""
        return max(0, self.total - sum(part.amount for part in self.applied))

    @property
    def takings(self) -> list[Taking]:
        """What the order is to hold."""
        return [Taking(part.balance_id, part.amount) for part in self.applied if part.amount]


async def covers(read: Read, carts: Sequence[Cart], totals: Sequence[int]) -> list[Cover]:
    """What balances pay of the carts' totals; one statement, and none where no cart names a balance."""
    naming = [cart.id for cart in carts if cart.gift_card_ids or cart.store_credit_customer_id is not None]
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in await read.records(_FUNDS, carts=naming) if naming else []:
        found[row.cart_id].append(row)
    return [_cover(cart, total, found[cart.id]) for cart, total in zip(carts, totals, strict=True)]


def check(cover: Cover, cart: Cart, actor: Actor, expected: Money | None = None) -> None:
    """At completion: every gift card of the cart must be good for something, and store credit must be the caller's.

    With what the customer expects to be left to pay, that must be it: a provider is never charged for more of what
    gift cards and credit were to pay without the customer having been asked.
    """
    if not all(card.usable for card in cover.gift_cards):
        raise BalanceChanged(path=("cart_id",))
    if expected is not None and expected != Money(cover.due, cover.currency):
        raise BalanceChanged(path=("expected_amount_due",))
    if cover.store_credit is not None and (cart.customer_id is None or cart.customer_id != actor.customer_id):
        raise StoreCreditNotUsable(path=("cart_id",))


def _cover(cart: Cart, total: int, rows: Sequence[Any]) -> Cover:
    if cart.status == CartStatus.OPEN:
        parts = spread_over(total, [row.free for row in rows])
    else:
        parts = [row.taken for row in rows]
    applied = [
        (
            row.kind,
            Applied(
                row.id,
                part,
                row.free - part * (cart.status == CartStatus.OPEN),
                cart.currency,
                row.last_characters,
                row.usable,
            ),
        )
        for row, part in zip(rows, parts, strict=True)
    ]
    cards = tuple(one for kind, one in applied if kind == BalanceKind.GIFT_CARD)
    credit = next((one for kind, one in applied if kind == BalanceKind.STORE_CREDIT), None)
    return Cover(total, cart.currency, cards, credit)


# Of an open cart the balances that it names; else those that its order holds or has spent.
_FUNDS: Final = text(
    """
    WITH named AS (
        SELECT cart.id AS cart_id, card.position, card.id AS balance_id, 0 AS taken, cart.currency
        FROM cart, unnest(cart.gift_card_ids) WITH ORDINALITY AS card (id, position)
        WHERE cart.id = ANY(:carts) AND cart.status = 'open'
        UNION ALL
        SELECT cart.id, 1000, credit.id, 0, cart.currency
        FROM cart JOIN balance AS credit ON credit.customer_id = cart.customer_id AND credit.currency = cart.currency
        WHERE cart.id = ANY(:carts) AND cart.status = 'open' AND cart.store_credit_customer_id = cart.customer_id
        UNION ALL
        SELECT "order".cart_id, hold.position, hold.balance_id, hold.amount, "order".currency
        FROM "order" JOIN cart ON cart.id = "order".cart_id AND cart.status <> 'open'
        JOIN balance_hold AS hold ON hold.order_id = "order".id AND hold.state <> 'released'
        WHERE cart.id = ANY(:carts)
    )
    SELECT named.cart_id, balance.id, balance.kind, balance.last_characters, named.taken, usable.usable,
        CASE WHEN usable.usable THEN balance.amount - balance.held ELSE 0 END AS free
    FROM named JOIN balance ON balance.id = named.balance_id
    CROSS JOIN LATERAL (
        SELECT balance.currency = named.currency AND balance.disabled_at IS NULL
           AND (balance.expires_at IS NULL OR balance.expires_at > clock_timestamp())
           AND (balance.amount > balance.held OR named.taken > 0) AS usable
    ) AS usable
    ORDER BY named.cart_id, named.position
    """
)
