"""The root fields that are about gift cards and store credit. Those of `Query` and `Mutation` begin with them."""

from typing import Any

import strawberry

from resolvers import balance
from resolvers.context import PUBLIC, Ctx
from resolvers.page import Page
from schema import balance as types
from schema.build import arg, mutation, optional, query, view
from schema.cart import CartPayload
from schema.node import PAGE_ARGS, Connection, page_args


async def _gift_cards(ctx: Ctx, last_characters: str | None, **args: Any) -> Page:
    return await balance.gift_cards(ctx, page_args(**args), last_characters)


async def _gift_card(ctx: Ctx, id: str) -> Any:  # noqa: A002
    return await balance.gift_card_by_id(ctx, id)


@view()
class BalanceQuery:
    """Reads."""

    gift_card: types.GiftCard | None = query(
        _gift_card, "gift_cards:read", "A gift card. Needs `gift_cards:read`.", id=arg(strawberry.ID, "Which one.")
    )
    gift_cards: Connection[types.GiftCard] = query(
        _gift_cards,
        "gift_cards:read",
        "All gift cards, oldest first. Needs `gift_cards:read`.",
        last_characters=optional(str, "Only those whose code ends like this: its last four characters."),
        **PAGE_ARGS,
    )
    gift_card_balance: types.GiftCardBalance | None = query(
        balance.balance_of_code,
        PUBLIC,
        "What is on the gift card with this code; null for all codes that cannot be used, whatever the reason. "
        "Attempts are counted.",
        code=arg(str, "The code, as it stands on the card."),
    )


@view()
class CartSetGiftCardsPayload(CartPayload):
    """The cart with its gift cards."""


@view()
class CartUseStoreCreditPayload(CartPayload):
    """The cart with or without store credit."""


@view()
class BalanceMutation:
    """Writes."""

    gift_card_create: types.GiftCardCreatePayload = mutation(
        types.GiftCardCreateInput,
        balance.create_gift_card,
        "gift_cards:write",
        "Makes a gift card; its code is shown once. Needs `gift_cards:write`.",
    )
    gift_card_disable: types.GiftCardDisablePayload = mutation(
        types.GiftCardDisableInput,
        balance.disable_gift_card,
        "gift_cards:write",
        "Makes a gift card unusable, for good. Needs `gift_cards:write`.",
    )
    gift_card_adjust: types.GiftCardAdjustPayload = mutation(
        types.GiftCardAdjustInput,
        balance.adjust_gift_card,
        "gift_cards:write",
        "Changes what is on a gift card. Needs `gift_cards:write`.",
    )
    store_credit_adjust: types.StoreCreditAdjustPayload = mutation(
        types.StoreCreditAdjustInput,
        balance.adjust_store_credit,
        "store_credit:write",
        "Gives a customer store credit, or takes it away. Needs `store_credit:write`.",
    )
    cart_set_gift_cards: CartSetGiftCardsPayload = mutation(
        types.CartSetGiftCardsInput,
        balance.set_gift_cards,
        PUBLIC,
        "Says which gift cards are to pay for a cart. Codes that are wrong, expired, disabled, empty or of another "
        "currency are refused alike.",
    )
    cart_use_store_credit: CartUseStoreCreditPayload = mutation(
        types.CartUseStoreCreditInput,
        balance.use_store_credit,
        PUBLIC,
        "Says whether one's store credit is to pay for one's own cart. Signed-in customers only.",
    )
