"""Gift cards: money that belongs to whoever has the code. The code is random, shown once and kept as a hash."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Text, Uuid, and_, any_, bindparam, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from db import Balance, Cart
from db.balance import BalanceKind, EntryReason
from db.connection import Read, Tx, new_id
from domain import audit, balance, idempotency
from domain import cart as carts
from domain.actor import Actor
from domain.address import check_line, normalised_email
from domain.balance import LARGEST, Change
from domain.idempotency import IdempotencyKey
from domain.money import Money
from domain.refusal import ErrorCode, Gathering, NotFound, Refusal, ValidationFailed
from domain.secret import hash_of

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: without the letters that are read as others."""
GROUPS, GROUP_OF = 4, 5
"""Twenty digits are 100 bits: nobody finds a code by trying, and a plain hash of one does not give it away."""
READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
MOST_OF_A_CART: Final = 10


@dataclass(eq=False)
class GiftCardNotUsable(Refusal):
    """Told alike of codes that are wrong, expired, disabled, empty or of another currency."""

    message: str = "This code cannot be used here."
    code = ErrorCode.GIFT_CARD_NOT_USABLE


@dataclass(frozen=True)
class CreateGiftCard:
    amount: Money
    idempotency_key: str
    expires_at: datetime | None = None
    recipient_email: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("amount", "amount"):
            if not 1 <= self.amount.minor <= LARGEST:
                raise ValidationFailed("A gift card is worth more than nothing, and less than all.")
        with gathering.at():
            if self.recipient_email is not None:
                normalised_email(self.recipient_email, "recipient_email")
        with gathering.at("note"):
            check_line(self.note or "")
        gathering.raise_if_any()

    def claim(self, actor: Actor) -> IdempotencyKey:
        email, expires = self.recipient_email, self.expires_at
        asked = [self.amount.minor, self.amount.currency, expires, email, self.note]
        return IdempotencyKey.of(actor.scope, "giftCardCreate", self.idempotency_key, asked)


@dataclass(frozen=True)
class AdjustGiftCard:
    """`amount` may be negative."""

    id: UUID
    amount: Money
    idempotency_key: str
    note: str | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("amount", "amount"):
            if self.amount.minor == 0:
                raise ValidationFailed("An adjustment of nothing is none.")
        with gathering.at("note"):
            check_line(self.note or "")
        gathering.raise_if_any()

    def claim(self, actor: Actor) -> IdempotencyKey:
        asked = [self.id, self.amount.minor, self.amount.currency, self.note]
        return IdempotencyKey.of(actor.scope, "giftCardAdjust", self.idempotency_key, asked)


@dataclass(frozen=True)
class Made:
    """A new gift card; `code` is told this once, and null when the call is repeated."""

    row: Balance
    code: str | None


def new_code() -> str:
    digits = (secrets.choice(ALPHABET) for _ in range(GROUPS * GROUP_OF))
    return "-".join("".join(group) for group in zip(*[digits] * GROUP_OF, strict=True))


def hash_of_code(code: str) -> str:
    """However it was typed: small letters, without the dashes, with O for 0."""
    return hash_of(code.upper().translate(READ_AS))


async def create(tx: Tx, command: CreateGiftCard, actor: Actor) -> Made:
    key = command.claim(actor)
    known = await idempotency.claim(tx, key)
    if known is not None:
        return Made(await tx.one(_CARD, card_id=UUID(known["gift_card_id"])), None)
    code, amount = new_code(), command.amount
    columns: dict[str, Any] = {
        "amount": amount.minor,
        "currency": amount.currency,
        "expires_at": command.expires_at,
        "last_characters": code[-4:],
    }
    email = None if command.recipient_email is None else normalised_email(command.recipient_email)
    issued = Change(amount.minor, EntryReason.ISSUED, actor, command.note)
    (row,) = await tx.records(
        _CREATE, id=new_id(), code_hash=hash_of_code(code), recipient_email=email, **columns, **issued.by
    )
    if row.past:
        raise ValidationFailed("This is over already.", path=("expires_at",))
    await audit.record(tx, actor, "giftCardCreate", _subject(row.id), audit.changed({}, columns))
    await idempotency.settle(tx, key, {"gift_card_id": row.id})
    return Made(row, code)


async def adjust(tx: Tx, command: AdjustGiftCard, actor: Actor) -> Balance:
    """Raises or lowers what a card is worth, not below what pending orders hold of it."""
    key = command.claim(actor)
    known = await idempotency.claim(tx, key)
    found = await _find(tx, command.id)
    if known is not None:
        return found
    if found.currency != command.amount.currency:
        raise ValidationFailed(f"This gift card is in {found.currency}.", path=("amount", "currency"))
    wanted = Change(command.amount.minor, EntryReason.ADJUSTED, actor, command.note)
    changed = await balance.change(tx, command.id, wanted)
    before = {"amount": changed.amount - command.amount.minor}
    await audit.record(
        tx, actor, "giftCardAdjust", _subject(command.id), audit.changed(before, {"amount": changed.amount})
    )
    await idempotency.settle(tx, key, {"gift_card_id": command.id})
    return changed


async def disable(tx: Tx, card_id: UUID, actor: Actor) -> Balance:
    """It cannot be used any more; orders that hold something of it already still spend that. Twice is as once."""
    disabled = await tx.first(_DISABLE, card_id=card_id)
    if disabled is None:
        return await _find(tx, card_id)
    difference = audit.changed({}, {"disabled_at": disabled.disabled_at})
    await audit.record(tx, actor, "giftCardDisable", _subject(card_id), difference)
    return disabled


async def of_codes(read: Read, codes: Sequence[str], currency: str | None = None) -> list[Balance | None]:
    """The gift card of each code if it can be used (in this currency): there is something on it, and it is not over."""
    hashes = [hash_of_code(code) for code in codes]
    rows = {row.code_hash: row for row in await read.all(_USABLE, hashes=hashes)}
    found = [rows.get(hash_) for hash_ in hashes]
    return [card if card is not None and currency in {None, card.currency} else None for card in found]


async def untried(read: Read, cart: Cart, codes: Sequence[str]) -> list[str]:
    """Those codes that are not of gift cards that the cart has already: to send these again guesses nothing."""
    had = set(await read.scalars(_HASHES, ids=list(cart.gift_card_ids))) if cart.gift_card_ids else set[str]()
    return [code for code in codes if hash_of_code(code) not in had]


async def choose(tx: Tx, cart: Cart, codes: Sequence[str]) -> Cart:
    """These gift cards, in this order and no others, are to pay for the cart; one that is named twice counts once."""
    gathering = Gathering()
    chosen: list[UUID] = []
    for i, card in enumerate(await of_codes(tx, codes, cart.currency)):
        with gathering.at("codes", str(i)):
            if card is None:
                raise GiftCardNotUsable
            chosen.append(card.id)
    gathering.raise_if_any()
    return await carts.touch(tx, cart, gift_card_ids=list(dict.fromkeys(chosen)))


async def _find(tx: Tx, card_id: UUID) -> Balance:
    found = await tx.first(_CARD, card_id=card_id)
    if found is None:
        raise NotFound(path=("gift_card_id",))
    return found


def _subject(card_id: UUID) -> str:
    return f"gift_card:{card_id}"


_IS_CARD: Final = Balance.kind == BalanceKind.GIFT_CARD
_CARD: Final = select(Balance).where(Balance.id == bindparam("card_id"), _IS_CARD)
_NOW: Final = func.clock_timestamp()
_GOOD: Final = and_(
    Balance.amount > Balance.held,
    Balance.disabled_at.is_(None),
    or_(Balance.expires_at.is_(None), Balance.expires_at > _NOW),
)
_USABLE: Final = select(Balance).where(
    Balance.code_hash == any_(bindparam("hashes", type_=ARRAY(Text))), _IS_CARD, _GOOD
)
_HASHES: Final = select(Balance.code_hash).where(Balance.id == any_(bindparam("ids", type_=ARRAY(Uuid))), _IS_CARD)
_DISABLE: Final = (
    update(Balance)
    .where(Balance.id == bindparam("card_id"), _IS_CARD, Balance.disabled_at.is_(None))
    .values(disabled_at=_NOW)
    .returning(Balance)
)
_CREATE: Final = text(
    """
    WITH made AS (
        INSERT INTO balance (id, kind, currency, amount, initial_amount, code_hash, last_characters, recipient_email,
            expires_at)
        VALUES (:id, 'gift_card', :currency, :amount, :amount, :code_hash, :last_characters, :recipient_email,
            CAST(:expires_at AS timestamptz))
        RETURNING *
    ), entered AS (
        INSERT INTO balance_entry (balance_id, delta, reason, actor_kind, staff_id, api_key_id, note)
        SELECT id, amount, :reason, :actor_kind, CAST(:staff_id AS uuid), CAST(:api_key_id AS uuid), :note FROM made
    )
    SELECT *, expires_at <= clock_timestamp() AS past FROM made
    """
)
