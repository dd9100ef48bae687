"""Gift cards and store credit, for staff and for those whose they are."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import strawberry

from db import Balance as BalanceRow
from db import BalanceEntry as EntryRow
from db.balance import BalanceKind, EntryReason
from domain.gift_card import MOST_OF_A_CART
from domain.money import Money as Amount
from resolvers import balance as ledger
from resolvers import ids
from schema.build import column, derived, enum, given, input_type, loads, required, view
from schema.errors import Payload
from schema.money import Money, MoneyInput
from schema.node import PAGE_ARGS, Connection, Node, page_args, public_id
from schema.scalars import BigInt, CurrencyCode

enum(
    BalanceKind,
    "What money of customers the shop keeps.",
    GIFT_CARD="Whoever has the code of the card has it.",
    STORE_CREDIT="It is the credit of a customer.",
)
enum(
    EntryReason,
    "Why a balance changed.",
    ISSUED="A gift card was made.",
    SPENT="An order was paid with it.",
    REFUNDED="An order gave it back.",
    ADJUSTED="Staff changed it.",
    EXPIRED="It lapsed: nobody can spend it any more.",
)
VERSION = given("The `version` that this is meant for; refused if the cart has another.")
KEY = required("Of your making, one per change: however often it is sent, it is one change.")


def _entries_of(rows: Sequence[Any], **args: Any) -> list[Any]:
    page = page_args(**args)
    return [(row["customer_id"], (row["id"], page)) for row in rows]


def _id_or_null(kind: str, name: str) -> Callable[[Any], str | None]:
    return lambda row: ids.encode(kind, row[name]) if row[name] else None


@view(EntryRow)
class BalanceEntry:
    """A change of a balance, which is the sum of all of them. Entries are neither changed nor removed."""

    number: BigInt = derived(lambda row: row["id"], "Rises with time; there may be gaps.")
    at: datetime = column("When.")
    amount: Money = derived(lambda row: Amount(row["delta"], row["currency"]), "What came; negative: what went.")
    reason: EntryReason = column("Why.")
    order_id: strawberry.ID | None = derived(
        _id_or_null("Order", "order_id"), "The order that spent it or gave it back."
    )
    staff_id: strawberry.ID | None = derived(_id_or_null("Staff", "staff_id"), "Who did it; not told to customers.")
    api_key_id: strawberry.ID | None = derived(
        _id_or_null("ApiKey", "api_key_id"), "The key of the program that did it; not told to customers."
    )
    note: str | None = column("What staff wrote about it; not told to customers.")


def _money(name: str, description: str) -> Any:
    return derived(lambda row: Amount(row[name], row["currency"]), description)


def _available() -> Any:
    return derived(
        lambda row: Amount(row["amount"] - row["held"], row["currency"]),
        "What is not held by orders that are being paid.",
    )


@view(BalanceRow)
class GiftCard(Node):
    """Money of whoever has the code. The code was shown when the card was made, and is known to nobody here."""

    id: strawberry.ID = public_id("GiftCard")
    last_characters: str = derived(lambda row: row["last_characters"], "The last four of its code.")
    currency: CurrencyCode = column("Its currency; it pays for carts in no other.")
    initial_amount: Money = _money("initial_amount", "What was on it when it was made.")
    balance: Money = _money("amount", "What is on it.")
    available: Money = _available()
    recipient_email: str | None = column("For whom it was made.")
    created_at: datetime = column("When it was made.")
    expires_at: datetime | None = column("From when on it cannot be used; null: it does not expire.")
    disabled_at: datetime | None = column("Since when it is disabled.")
    entries: Connection[BalanceEntry] = loads(
        ledger.entries_of_gift_card,
        _entries_of,
        "Every change, the newest first. Nothing without `gift_cards:read`.",
        **PAGE_ARGS,
    )


@view(BalanceRow)
class StoreCredit(Node):
    """Money of a customer that the shop keeps, in one currency."""

    id: strawberry.ID = public_id("StoreCredit")
    currency: CurrencyCode = column("It pays for carts in no other.")
    balance: Money = _money("amount", "What there is.")
    available: Money = _available()
    entries: Connection[BalanceEntry] = loads(
        ledger.entries_of_store_credit,
        _entries_of,
        "Every change, the newest first. Nothing of others' without `store_credit:read`.",
        **PAGE_ARGS,
    )


@view(BalanceRow)
class GiftCardBalance:
    """What is on a gift card, for who has its code."""

    last_characters: str = derived(lambda row: row["last_characters"], "The last four of its code.")
    available: Money = _available()
    expires_at: datetime | None = column("From when on it cannot be used; null: it does not expire.")


@view()
class BalancePayment:
    """What a gift card or store credit paid of an order."""

    kind: BalanceKind = strawberry.field(description="Which of the two.")
    last_characters: str | None = strawberry.field(description="The last four of a gift card's code.")
    amount: Money = derived(lambda row: Amount(row["amount"], row["currency"]), "What it paid.")
    given_back: Money = derived(lambda row: Amount(row["given_back"], row["currency"]), "What of it went back since.")


@view()
class CartGiftCard:
    """A gift card that is to pay for a cart."""

    last_characters: str | None = strawberry.field(description="The last four of its code.")
    applied: Money = derived(lambda part: Amount(part.amount, part.currency), "What it pays of this cart.")
    remaining: Money = derived(lambda part: Amount(part.remaining, part.currency), "What is left on it then.")
    usable: bool = strawberry.field(
        description="False: it has expired, is disabled, empty or in another currency by now. The cart cannot be "
        "completed with it; set the gift cards again without it."
    )


@view()
class CartStoreCredit:
    """The store credit that is to pay for a cart."""

    applied: Money = derived(lambda part: Amount(part.amount, part.currency), "What it pays of this cart.")
    remaining: Money = derived(lambda part: Amount(part.remaining, part.currency), "What is left of it then.")


@input_type
class GiftCardCreateInput:
    """A gift card to be made."""

    amount: MoneyInput = required("What is to be on it, more than 0.")
    expires_at: datetime | None = given("From when on it cannot be used; without it, it does not expire.")
    recipient_email: str | None = given("For whom it is. Nothing is mailed to them.")
    note: str | None = given("For staff: why.")
    idempotency_key: str = KEY


@view()
class GiftCardCreatePayload(Payload):
    """The new gift card."""

    gift_card: GiftCard | None = strawberry.field(description="The card.")
    code: str | None = strawberry.field(
        description="Its code: hand it on now, it is not shown again. Null when the call is repeated; if the first "
        "answer was lost, disable the card and make another."
    )


@input_type
class GiftCardDisableInput:
    """A gift card that cannot be used any more."""

    gift_card_id: strawberry.ID = required("Which one.")


@view()
class GiftCardDisablePayload(Payload):
    """The gift card as it is now."""

    gift_card: GiftCard | None = strawberry.field(description="The card.")


@input_type
class GiftCardAdjustInput:
    """A change of what is on a gift card."""

    gift_card_id: strawberry.ID = required("Which one.")
    amount: MoneyInput = required("What comes; negative: what goes. In the card's currency.")
    note: str | None = given("For staff: why.")
    idempotency_key: str = KEY


@view()
class GiftCardAdjustPayload(Payload):
    """The gift card as it is now."""

    gift_card: GiftCard | None = strawberry.field(description="The card.")


@input_type
class StoreCreditAdjustInput:
    """A change of a customer's store credit."""

    customer_id: strawberry.ID = required("Whose.")
    amount: MoneyInput = required("What comes; negative: what goes. Each currency has a credit of its own.")
    reason: str = required("For staff: why.")
    idempotency_key: str = KEY


@view()
class StoreCreditAdjustPayload(Payload):
    """The store credit as it is now."""

    store_credit: StoreCredit | None = strawberry.field(description="The credit.")


@input_type
class CartSetGiftCardsInput:
    """The gift cards that are to pay for a cart: these and no others."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    codes: list[str] = required(
        f"Their codes, at most {MOST_OF_A_CART}; they are spent in this order. Empty: none. Codes are counted: whoever "
        "tries many is told to wait."
    )
    if_version: int | None = VERSION


@input_type
class CartUseStoreCreditInput:
    """Whether one's store credit is to pay for one's cart."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    use: bool = required("True: it pays what gift cards do not.")
    if_version: int | None = VERSION
