"""Carts: what someone means to buy. Every write locks the cart row first, so parallel writes queue up."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from sqlalchemy import Numeric, any_, delete, func, select, update
from sqlalchemy import cast as cast_
from sqlalchemy.dialects.postgresql import insert

from db import Cart, CartLine, Price, Product, Region, Variant
from db.cart import CartStatus
from db.catalog import ProductStatus
from db.connection import Read, Tx, new_id
from domain.actor import Actor
from domain.address import Address
from domain.brief import check_brief
from domain.money import LARGEST
from domain.refusal import ErrorCode, Gathering, NotFound, Refusal, ValidationFailed, under

MOST_LINES = 500
MOST_UNITS = 1_000_000
MOST_WITH_TAX = 4
"""No destination's taxes come to more than three times the price."""


@dataclass(eq=False)
class CartPaying(Refusal):
    """A payment attempt is undecided; until it is, the cart stays as it is."""

    attempt_id: UUID | None = None
    since: datetime | None = None
    code = ErrorCode.CART_PAYING


@dataclass(eq=False)
class AlreadyCompleted(Refusal):
    """The cart became an order and does not change any more."""

    code = ErrorCode.ALREADY_COMPLETED


@dataclass(eq=False)
class NotForSale(Refusal):
    """The variant does not exist, is not published or has no price in the cart's region."""

    variant_id: UUID | None = None
    code = ErrorCode.NOT_FOR_SALE


@dataclass(frozen=True)
class AddLine:
    variant_id: UUID
    quantity: int
    brief: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        check_quantity(self.quantity, least=1)

    @property
    def brief_hash(self) -> str:
        """Empty without a brief; equal briefs are equal whatever the order of their fields."""
        if self.brief is None:
            return ""
        return hashlib.sha256(orjson.dumps(self.brief, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True)
class ChangeLine:
    """Quantity 0 removes the line."""

    line_id: UUID
    quantity: int

    def __post_init__(self) -> None:
        check_quantity(self.quantity, least=0)


@dataclass(frozen=True)
class CartKey:
    """How a caller names a cart and proves that it is theirs: the secret token, or being its customer."""

    cart_id: UUID
    token: str | None
    actor: Actor

    @property
    def token_hash(self) -> str:
        return hash_token(self.token or "")


def check_quantity(quantity: int, *, least: int) -> None:
    if not least <= quantity <= MOST_UNITS:
        raise ValidationFailed(f"A quantity is {least} to {MOST_UNITS:,}.", path=("quantity",))


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _is_theirs(cart: Cart, key: CartKey) -> bool:
    if key.token is not None:
        return hmac.compare_digest(cart.token_hash, key.token_hash)
    return cart.customer_id is not None and cart.customer_id == key.actor.customer_id


async def find(read: Read, key: CartKey) -> Cart | None:
    """The cart, if it is the caller's."""
    cart = await read.first(select(Cart).where(Cart.id == key.cart_id))
    return cart if cart is not None and _is_theirs(cart, key) else None


async def lock(tx: Tx, key: CartKey) -> Cart:
    """The caller's cart, locked until the transaction ends, in whatever status it is."""
    cart = await tx.first(select(Cart).where(Cart.id == key.cart_id).with_for_update())
    if cart is None or not _is_theirs(cart, key):
        raise NotFound("There is no such cart, or it is not yours.", path=("cart_id",))
    return cart


async def lock_open(tx: Tx, key: CartKey) -> Cart:
    """The caller's cart, locked and free to be changed."""
    cart = await lock(tx, key)
    if cart.status == CartStatus.COMPLETED:
        raise AlreadyCompleted("This cart was completed; begin a new one.", path=("cart_id",))
    if cart.status == CartStatus.PAYING:
        raise CartPaying("A payment for this cart is under way.", path=("cart_id",), since=cart.updated_at)
    return cart


async def create(tx: Tx, region: Region, actor: Actor, email: str | None) -> tuple[UUID, str]:
    """A new, empty cart: its id, and the token that only the caller will ever see."""
    cart_id, token = new_id(), secrets.token_urlsafe(24)
    await tx.run(
        insert(Cart).values(
            id=cart_id,
            token_hash=hash_token(token),
            region_id=region.id,
            currency=region.currency,
            customer_id=actor.customer_id,
            email=email,
        )
    )
    return cart_id, token


async def add_lines(tx: Tx, cart: Cart, commands: Sequence[AddLine]) -> None:
    """Adds units; the same variant with the same brief accumulates on its line. Nothing to add changes nothing."""
    if not commands:
        return
    await _check_for_sale(tx, cart, commands)
    summed: dict[tuple[UUID, str], AddLine] = {}
    for index, command in enumerate(commands):
        key = (command.variant_id, command.brief_hash)
        before = summed[key].quantity if key in summed else 0
        with under("lines", str(index)):
            summed[key] = AddLine(command.variant_id, before + command.quantity, command.brief)
    rows = [
        {
            "id": new_id(),
            "cart_id": cart.id,
            "variant_id": command.variant_id,
            "quantity": command.quantity,
            "brief": command.brief,
            "brief_hash": brief_hash,
        }
        for (_, brief_hash), command in summed.items()
    ]
    if len(await tx.scalars(_upsert_lines(rows))) < len(rows):
        raise ValidationFailed(f"A line has at most {MOST_UNITS:,} units.", path=("lines",))
    await _check_size(tx, cart)
    await touch(tx, cart)


async def _check_size(tx: Tx, cart: Cart) -> None:
    """Refuses more lines than a cart may have, and more money than could be counted with every tax on it."""
    dearest = (
        select(func.max(Price.amount))
        .where(Price.variant_id == CartLine.variant_id, Price.currency == cart.currency)
        .scalar_subquery()
    )
    worth = func.sum(CartLine.quantity * cast_(dearest, Numeric))
    (size,) = await tx.records(
        select(func.count().label("lines"), worth.label("worth")).where(CartLine.cart_id == cart.id)
    )
    if size.lines > MOST_LINES:
        raise ValidationFailed(f"A cart has at most {MOST_LINES} lines.", path=("lines",))
    if (size.worth or 0) * MOST_WITH_TAX > LARGEST:
        raise ValidationFailed("The cart would come to more than can be counted.", path=("lines",))


def _upsert_lines(rows: list[dict[str, Any]]) -> Any:
    """Returns fewer ids than rows when a line would get more units than a line may have."""
    statement = insert(CartLine).values(rows)
    total = CartLine.quantity + statement.excluded.quantity
    return statement.on_conflict_do_update(
        index_elements=["cart_id", "variant_id", "brief_hash"],
        set_={"quantity": total},
        where=total <= MOST_UNITS,
    ).returning(CartLine.id)


async def _check_for_sale(tx: Tx, cart: Cart, commands: Sequence[AddLine]) -> None:
    priced = (
        select(Price.variant_id)
        .where(Price.variant_id == Variant.id, Price.currency == cart.currency)
        .where((Price.region_id == cart.region_id) | Price.region_id.is_(None))
    )
    found = await tx.records(
        select(Variant.id, Product.brief_schema)
        .join(Product, Product.id == Variant.product_id)
        .where(Variant.id == any_(cast(Any, [c.variant_id for c in commands])))
        .where(Variant.archived_at.is_(None), Product.status == ProductStatus.PUBLISHED, priced.exists())
    )
    schemas = {row.id: row.brief_schema for row in found}
    gathering = Gathering()
    for index, command in enumerate(commands):
        with gathering.at("lines", str(index)):
            if command.variant_id not in schemas:
                raise NotForSale(
                    "This variant is not for sale here.", path=("variant_id",), variant_id=command.variant_id
                )
            check_brief(command.brief, schemas[command.variant_id])
    gathering.raise_if_any()


async def change_lines(tx: Tx, cart: Cart, commands: Sequence[ChangeLine]) -> None:
    """Sets quantities; of two changes of one line the later counts."""
    await _check_lines(tx, cart, {("lines", str(i), "line_id"): c.line_id for i, c in enumerate(commands)})
    for command in {c.line_id: c for c in commands}.values():
        if command.quantity == 0:
            await tx.run(delete(CartLine).where(CartLine.id == command.line_id))
        else:
            await tx.run(update(CartLine).where(CartLine.id == command.line_id).values(quantity=command.quantity))
    await _check_size(tx, cart)
    await touch(tx, cart)


async def remove_lines(tx: Tx, cart: Cart, line_ids: Sequence[UUID]) -> None:
    await _check_lines(tx, cart, {("line_ids", str(i)): line_id for i, line_id in enumerate(line_ids)})
    await tx.run(delete(CartLine).where(CartLine.id == any_(cast(Any, list(line_ids)))))
    await touch(tx, cart)


async def _check_lines(tx: Tx, cart: Cart, named: Mapping[tuple[str, ...], UUID]) -> None:
    """Refuses, by their paths, lines that are not of this cart."""
    lines = set(await tx.scalars(select(CartLine.id).where(CartLine.cart_id == cart.id)))
    gathering = Gathering()
    for path, line_id in named.items():
        with gathering.at(*path):
            if line_id not in lines:
                raise NotFound("There is no such line in this cart.")
    gathering.raise_if_any()


async def set_customer(tx: Tx, cart: Cart, actor: Actor, email: str) -> None:
    """The contact of the order. A signed-in customer also becomes the cart's owner."""
    await touch(tx, cart, email=email, customer_id=actor.customer_id or cart.customer_id)


async def set_addresses(tx: Tx, cart: Cart, shipping: Address, billing: Address | None = None) -> None:
    """Billing follows shipping where none is given."""
    await touch(tx, cart, shipping_address=shipping.data, billing_address=(billing or shipping).data)


async def touch(tx: Tx, cart: Cart, **values: Any) -> None:
    """Every write ends here: the version rises by one."""
    await tx.run(
        update(Cart)
        .where(Cart.id == cart.id)
        .values(version=Cart.version + 1, updated_at=func.clock_timestamp(), **values)
    )
