"""Gift cards and store credit: those of a cart, what staff do with them, and the ledger as each may see it."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select, true

from db import Balance, BalanceEntry, BalanceHold
from db.balance import BalanceKind, HoldState
from db.cart import CartStatus
from domain import attempt, gift_card, store_credit
from domain import cart as carts
from domain.assessment import Assessment
from domain.attempt import Limit, TooManyAttempts
from domain.cover import Applied
from domain.gift_card import MOST_OF_A_CART, AdjustGiftCard, CreateGiftCard
from domain.money import Money
from domain.refusal import NotFound, ValidationFailed, under
from domain.store_credit import AdjustStoreCredit
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import connected, many
from resolvers.cart import assessment_of_cart, key_of, money_of, shown
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort, page_of
from resolvers.request_error import RateLimited
from resolvers.session import Limits, counted_attempt, network

CODES: Final = Limits(
    Limit("gift card codes of a cart", 20, timedelta(minutes=15)),
    Limit("gift card codes from an address", 100, timedelta(minutes=15)),
)
NEWEST_FIRST: Final = Sort("balance_entry.id", (BalanceEntry.id,), descending=True)
OF_STAFF: Final = ("note", "staff_id", "api_key_id")
"""What customers are not told of their own entries."""
GIFT_CARD: Final = Balance.kind == BalanceKind.GIFT_CARD

_CARDS: Final = select(Balance).where(GIFT_CARD)
_BY_ID: Final = Sort("gift_card.id", (Balance.id,))
all_cards: Final = Listed(_CARDS, _BY_ID)
cards_by_end: Final = Listed(_CARDS.where(Balance.last_characters == bindparam("last_characters")), _BY_ID)


async def gift_cards(ctx: Ctx, args: PageArgs, last_characters: str | None) -> Page:
    if last_characters is None:
        return await all_cards.page(ctx, args)
    return await cards_by_end.page(ctx, args, last_characters=last_characters.upper())


async def gift_card_by_id(ctx: Ctx, public_id: str) -> Balance | None:
    return await ctx.read.first(_CARD, id=ids.decode("GiftCard", public_id, "id"))


async def find_gift_card(ctx: Ctx, key: UUID) -> Balance | None:
    """For those who may see all."""
    return await ctx.read.first(_CARD, id=key) if ctx.actor.may("gift_cards:read") else None


async def find_store_credit(ctx: Ctx, key: UUID) -> Balance | None:
    """One's own, or with the permission anybody's."""
    theirs = true() if ctx.actor.may("store_credit:read") else Balance.customer_id == ctx.actor.customer_id
    return await ctx.read.first(_CREDIT.where(theirs), id=key)


_CARD: Final = _CARDS.where(Balance.id == bindparam("id"))
_CREDIT: Final = select(Balance).where(Balance.kind == BalanceKind.STORE_CREDIT, Balance.id == bindparam("id"))


async def balance_of_code(ctx: Ctx, code: str) -> Balance | None:
    """What is on the card with this code, if it can be used; counted like a code for a cart."""
    try:
        async with ctx.shop.tx() as tx:
            await attempt.count(tx, CODES.address, network(ctx.buyer_address))
    except TooManyAttempts as error:
        raise RateLimited(error.message, error.retry_after) from None
    (found,) = await gift_card.of_codes(ctx.read, [code])
    return found


async def create_gift_card(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = CreateGiftCard(
        _money(given.amount), given.idempotency_key, given.expires_at, given.recipient_email, given.note
    )
    async with ctx.shop.tx() as tx:
        made = await gift_card.create(tx, command, ctx.actor)
    return {"gift_card": made.row, "code": made.code}


async def disable_gift_card(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("GiftCard", given.gift_card_id, "gift_card_id")
    async with ctx.shop.tx() as tx:
        return {"gift_card": await gift_card.disable(tx, key, ctx.actor)}


async def adjust_gift_card(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("GiftCard", given.gift_card_id, "gift_card_id")
    command = AdjustGiftCard(key, _money(given.amount), given.idempotency_key, given.note)
    async with ctx.shop.tx() as tx:
        return {"gift_card": await gift_card.adjust(tx, command, ctx.actor)}


async def adjust_store_credit(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Customer", given.customer_id, "customer_id")
    command = AdjustStoreCredit(key, _money(given.amount), given.reason, given.idempotency_key)
    async with ctx.shop.tx() as tx:
        return {"store_credit": await store_credit.adjust(tx, command, ctx.actor)}


def _money(given: Any) -> Money:
    """Of an input called `amount`."""
    with under("amount"):
        return money_of(given)


async def set_gift_cards(ctx: Ctx, given: Any) -> dict[str, Any]:
    """Codes that the cart does not have yet are counted one by one, before any of them is looked at."""
    by = key_of(ctx, given)
    if len(given.codes) > MOST_OF_A_CART:
        raise ValidationFailed(f"At most {MOST_OF_A_CART} gift cards pay for a cart.", path=("codes",))
    cart = await carts.find(ctx.read, by)
    if cart is None:
        raise NotFound("There is no such cart, or it is not yours.", path=("cart_id",))
    for _ in await gift_card.untried(ctx.read, cart, given.codes):
        await counted_attempt(ctx, CODES, f"cart {cart.id}")
    async with ctx.shop.tx() as tx:
        changed = await gift_card.choose(tx, await carts.lock_open(tx, by), given.codes)
    return {"cart": shown(ctx, changed)}


async def use_store_credit(ctx: Ctx, given: Any) -> dict[str, Any]:
    by = key_of(ctx, given)
    async with ctx.shop.tx() as tx:
        changed = await store_credit.use(tx, await carts.lock_open(tx, by), ctx.actor, wanted=given.use)
    return {"cart": shown(ctx, changed)}


def totals(assessment: Assessment) -> SimpleNamespace:
    """Of a cart, with what gift cards and store credit leave of it."""
    return SimpleNamespace(**vars(assessment.totals), amount_due=assessment.cover.due)


def cart_gift_cards(assessment: Assessment) -> list[Applied]:
    """After completion the cart's token opens nothing that is personal."""
    return [] if assessment.cart.status == CartStatus.COMPLETED else list(assessment.cover.gift_cards)


def _own_credit(ctx: Ctx, assessment: Assessment) -> Applied | None:
    """For the cart's own customer, signed in: its token does not tell what credit they have."""
    cart = assessment.cart
    if cart.status == CartStatus.COMPLETED or cart.customer_id is None or cart.customer_id != ctx.actor.customer_id:
        return None
    return assessment.cover.store_credit


async def _load_own_credit(ctx: Ctx, keys: list[Any]) -> list[Any]:
    assessments = await ctx.loaded.load_many(assessment_of_cart, keys)
    return [_own_credit(ctx, assessment) for assessment in assessments]


store_credit_of_cart: Final = Batch("store credit of cart", _load_own_credit)


async def _nothing() -> int:
    return 0


def _entries(permission: str) -> Batch:
    """Keys are (the customer or null, (balance, PageArgs)). Customers see their own without what is for staff."""
    whole = connected(
        select(*BalanceEntry.__table__.c, Balance.currency).join(Balance, Balance.id == BalanceEntry.balance_id),
        BalanceEntry.balance_id,
        NEWEST_FIRST,
    )

    async def load(ctx: Ctx, keys: list[Any]) -> list[Any]:
        all_of_it, own = ctx.actor.may(permission), ctx.actor.customer_id
        seen = [page for owner, page in keys if all_of_it or (owner is not None and owner == own)]
        found = dict(zip(seen, await whole.load(ctx, seen), strict=True)) if seen else {}
        empty = page_of([], NEWEST_FIRST, PageArgs(), _nothing)
        pages = [found.get(page, empty) for _, page in keys]
        return pages if all_of_it else [_without(page, OF_STAFF) for page in pages]

    return Batch(f"entries for {permission}", load)


def _without(page: Page, names: tuple[str, ...]) -> Page:
    return replace(page, nodes=[{**row, **dict.fromkeys(names)} for row in page.nodes])


entries_of_gift_card: Final = _entries("gift_cards:read")
entries_of_store_credit: Final = _entries("store_credit:read")
_credits: Final = many(select(Balance).order_by(Balance.currency), Balance.customer_id)


async def _load_credits(ctx: Ctx, keys: list[Any]) -> list[Any]:
    seen = [key for key in keys if key == ctx.actor.customer_id or ctx.actor.may("store_credit:read")]
    found = dict(zip(seen, await _credits.load(ctx, seen), strict=True)) if seen else {}
    return [found.get(key, []) for key in keys]


credits_of_customer: Final = Batch("store credit of customers", _load_credits)
payments_of_order: Final = many(
    select(*BalanceHold.__table__.c, Balance.kind, Balance.last_characters, Balance.currency)
    .join(Balance, Balance.id == BalanceHold.balance_id)
    .where(BalanceHold.state == HoldState.SPENT)
    .order_by(BalanceHold.position),
    BalanceHold.order_id,
)
