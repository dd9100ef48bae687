"""Lines of carts: a variant with its brief, how many units of it, and how much a cart may come to."""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Numeric, Uuid, any_, bindparam, delete, func, literal, select, text, update
from sqlalchemy import cast as cast_
from sqlalchemy.dialects.postgresql import ARRAY

from db import Cart, CartLine, Price, Product, Variant
from db.cart import MOST_METADATA
from db.connection import Tx, new_id
from domain.brief import check_brief
from domain.cart import too_much_metadata, touch, touching
from domain.price_resolution import candidates
from domain.publication import for_sale_in_cart
from domain.quantity_rule import QuantityRule
from domain.refusal import ErrorCode, Gathering, NotFound, Refusal, ValidationFailed, under
from domain.totals import MOST_WORTH
from domain.warning import MergedLine, Notice

MOST_LINES = 500
MOST_UNITS = 1_000_000


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
        return hash_of_brief(self.brief)


def hash_of_brief(brief: dict[str, Any] | None) -> str:
    """Empty without a brief; equal briefs are equal whatever the order of their fields."""
    if brief is None:
        return ""
    return hashlib.sha256(orjson.dumps(brief, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True)
class ChangeLine:
    """Quantity 0 removes the line."""

    line_id: UUID
    quantity: int

    def __post_init__(self) -> None:
        check_quantity(self.quantity, least=0)


def check_quantity(quantity: int, *, least: int) -> None:
    if not least <= quantity <= MOST_UNITS:
        raise ValidationFailed(f"A quantity is {least} to {MOST_UNITS:,}.", path=("quantity",))


# Writes fewer rows than it is given when a line would get more units than a line may have.
_ADD_LINES: Final = text(
    """
    INSERT INTO cart_line AS line (id, cart_id, variant_id, quantity, brief, brief_hash)
    SELECT id, CAST(:cart_id AS uuid), variant_id, quantity, brief, brief_hash
    FROM jsonb_to_recordset(:rows)
        AS added (id uuid, variant_id uuid, quantity int, brief jsonb, brief_hash text)
    ON CONFLICT (cart_id, variant_id, brief_hash) DO UPDATE SET quantity = line.quantity + excluded.quantity
    WHERE line.quantity + excluded.quantity <= :most
    RETURNING variant_id, brief_hash, quantity
    """
)


async def add_lines(tx: Tx, cart: Cart, commands: Sequence[AddLine]) -> Cart:
    """Adds units; the same variant with the same brief accumulates on its line. Nothing to add changes nothing."""
    if not commands:
        return cart
    rules = await _check_for_sale(tx, cart, commands)
    summed: dict[tuple[UUID, str], AddLine] = {}
    last: dict[tuple[UUID, str], int] = {}
    for index, command in enumerate(commands):
        key = (command.variant_id, command.brief_hash)
        before = summed[key].quantity if key in summed else 0
        with under("lines", str(index)):
            summed[key] = AddLine(command.variant_id, before + command.quantity, command.brief)
        last[key] = index
    written = await write_lines(tx, cart, list(summed.values()))
    gathering = Gathering()
    for (variant_id, brief_hash), quantity in written.items():
        with gathering.at("lines", str(last[variant_id, brief_hash])):
            rules[variant_id].check(quantity, "quantity")
    gathering.raise_if_any()
    return await touch_resized(tx, cart, {key: ("lines", str(index), "quantity") for key, index in last.items()})


async def write_lines(tx: Tx, cart: Cart, commands: Sequence[AddLine]) -> dict[tuple[UUID, str], int]:
    """The new quantities, by variant and hash of the brief; each of `commands` is another line."""
    rows = [
        {
            "id": new_id(),
            "variant_id": command.variant_id,
            "quantity": command.quantity,
            "brief": command.brief,
            "brief_hash": command.brief_hash,
        }
        for command in commands
    ]
    written = await tx.records(_ADD_LINES, cart_id=cart.id, rows=rows, most=MOST_UNITS)
    if len(written) < len(rows):
        raise ValidationFailed(f"A line has at most {MOST_UNITS:,} units.", path=("lines",))
    return {(row["variant_id"], row["brief_hash"]): row["quantity"] for row in written}


_ASKED: Final = select(
    func.unnest(bindparam("variants", type_=ARRAY(Uuid))).label("variant_id"),
    literal(1).label("quantity"),
    bindparam("region", type_=Uuid).label("region_id"),
    bindparam("customer", type_=Uuid).label("customer_id"),
).subquery("asked")
_POSSIBLE: Final = candidates(_ASKED).subquery("possible")
_PRICED: Final = select(_POSSIBLE.c.variant_id).where(_POSSIBLE.c.on_sale.is_(False))
"""Those with a regular price for the customer, in whatever quantity."""
_RULE: Final = (Variant.quantity_min, Variant.quantity_max, Variant.quantity_step)
_FOR_SALE: Final = (
    select(Variant.id, Product.brief_schema, *_RULE)
    .join(Product, Product.id == Variant.product_id)
    .where(Variant.id == any_(bindparam("variants", type_=ARRAY(Uuid))))
    .where(Variant.archived_at.is_(None), for_sale_in_cart(bindparam("channel", type_=Uuid)))
    .where(Variant.id.in_(_PRICED))
)


async def for_sale(tx: Tx, cart: Cart, variants: Sequence[UUID]) -> dict[UUID, Any]:
    """Of these variants those that are sold where the cart is, each with its rule and its product's brief schema."""
    place = {"region": cart.region_id, "channel": cart.channel_id, "customer": cart.customer_id}
    found = await tx.records(_FOR_SALE, variants=list(variants), at=None, groups=[], **place)
    return {row.id: row for row in found}


async def _check_for_sale(tx: Tx, cart: Cart, commands: Sequence[AddLine]) -> dict[UUID, QuantityRule]:
    found = await for_sale(tx, cart, [command.variant_id for command in commands])
    gathering = Gathering()
    for index, command in enumerate(commands):
        with gathering.at("lines", str(index)):
            if command.variant_id not in found:
                raise NotForSale(
                    "This variant is not for sale here.", path=("variant_id",), variant_id=command.variant_id
                )
            check_brief(command.brief, found[command.variant_id].brief_schema)
    gathering.raise_if_any()
    return {variant_id: QuantityRule.of(row) for variant_id, row in found.items()}


_REMOVE_LINES: Final = delete(CartLine).where(CartLine.id == any_(bindparam("lines", type_=ARRAY(Uuid))))


async def change_lines(tx: Tx, cart: Cart, commands: Sequence[ChangeLine]) -> Cart:
    """Sets quantities; of two changes of one line the later counts."""
    rules = await _check_lines(tx, cart, {("lines", str(i), "line_id"): c.line_id for i, c in enumerate(commands)})
    gathering = Gathering()
    for index, command in enumerate(commands):
        with gathering.at("lines", str(index)):
            if command.quantity:
                rules[command.line_id].check(command.quantity, "quantity")
    gathering.raise_if_any()
    quantities = {command.line_id: command.quantity for command in commands}
    if removed := [line_id for line_id, quantity in quantities.items() if quantity == 0]:
        await tx.run(_REMOVE_LINES, lines=removed)
    await tx.update(CartLine, ({"id": line_id, "quantity": q} for line_id, q in quantities.items() if q > 0))
    paths: Paths = {command.line_id: ("lines", str(index), "quantity") for index, command in enumerate(commands)}
    return await touch_resized(tx, cart, paths)


async def remove_lines(tx: Tx, cart: Cart, line_ids: Sequence[UUID]) -> Cart:
    await _check_lines(tx, cart, {("line_ids", str(i)): line_id for i, line_id in enumerate(line_ids)})
    await tx.run(_REMOVE_LINES, lines=list(line_ids))
    return await touch(tx, cart)


_LINES: Final = (
    select(CartLine.id, *_RULE)
    .join(Variant, Variant.id == CartLine.variant_id)
    .where(CartLine.cart_id == bindparam("cart_id"))
)


async def _check_lines(tx: Tx, cart: Cart, named: Mapping[tuple[str, ...], UUID]) -> dict[UUID, QuantityRule]:
    """Refuses, by their paths, lines that are not of this cart."""
    lines = {row["id"]: QuantityRule.of(row) for row in await tx.records(_LINES, cart_id=cart.id)}
    gathering = Gathering()
    for path, line_id in named.items():
        with gathering.at(*path):
            if line_id not in lines:
                raise _no_line()
    gathering.raise_if_any()
    return lines


def _no_line(*path: str) -> NotFound:
    return NotFound("There is no such line in this cart.", path=path)


_BRIEFED: Final = (
    select(CartLine.variant_id, CartLine.quantity, Product.brief_schema)
    .join(Variant, Variant.id == CartLine.variant_id)
    .join(Product, Product.id == Variant.product_id)
    .where(CartLine.id == bindparam("line_id"), CartLine.cart_id == bindparam("cart_id"))
)
_EQUAL: Final = (
    delete(CartLine)
    .where(CartLine.cart_id == bindparam("cart_id"), CartLine.variant_id == bindparam("variant_id"))
    .where(CartLine.brief_hash == bindparam("brief_hash"), CartLine.id != bindparam("line_id"))
    .returning(CartLine.quantity)
)
_SET_BRIEF: Final = (
    update(CartLine)
    .where(CartLine.id == bindparam("line_id"))
    .values({name: bindparam(name) for name in ("brief", "brief_hash", "quantity")})
)


async def set_brief(tx: Tx, cart: Cart, line_id: UUID, brief: dict[str, Any] | None) -> tuple[Cart, list[Notice]]:
    """Another line of the variant that has this brief already becomes part of this one. Null: none any more."""
    line = next(iter(await tx.records(_BRIEFED, line_id=line_id, cart_id=cart.id)), None)
    if line is None:
        raise _no_line("line_id")
    check_brief(brief, line.brief_schema)
    same = {"cart_id": cart.id, "variant_id": line.variant_id, "brief_hash": hash_of_brief(brief)}
    added = sum(row.quantity for row in await tx.records(_EQUAL, **same, line_id=line_id))
    quantity = line.quantity + added
    if quantity > MOST_UNITS:
        raise ValidationFailed(f"With the line that has this brief it would be over {MOST_UNITS:,}.", path=("brief",))
    await tx.run(_SET_BRIEF, line_id=line_id, brief=brief, brief_hash=same["brief_hash"], quantity=quantity)
    message = "Another line had the same brief; the two are one now."
    merged = [MergedLine(message=message, path=("brief",), line_id=line_id, quantity=quantity, added=added)]
    return await touch(tx, cart), [*merged] if added else []


_LINE: Final = select(CartLine.id).where(CartLine.id == bindparam("line_id"), CartLine.cart_id == bindparam("cart_id"))
_SET_METADATA: Final = text(
    """
    UPDATE cart_line SET metadata = :metadata
    WHERE id = :line_id AND octet_length(CAST(:metadata AS jsonb)::text) <= :most
    """
)


async def set_metadata(tx: Tx, cart: Cart, line_id: UUID, metadata: dict[str, Any]) -> Cart:
    """Replaces all metadata of a line."""
    line = await tx.scalar(_LINE, line_id=line_id, cart_id=cart.id)
    if line is None:
        raise _no_line("line_id")
    if not await tx.run(_SET_METADATA, line_id=line_id, metadata=metadata, most=MOST_METADATA):
        raise too_much_metadata()
    return await touch(tx, cart)


_DEAREST: Final = (
    select(func.max(Price.amount))
    .where(Price.variant_id == CartLine.variant_id, Price.currency == Cart.currency)
    .correlate(Cart, CartLine)
    .scalar_subquery()
)
_WORTH: Final = func.sum(CartLine.quantity * cast_(_DEAREST, Numeric))
_OF_CART: Final = CartLine.cart_id == Cart.id
_TOUCH_RESIZED: Final = touching().returning(
    select(func.count()).where(_OF_CART).correlate(Cart).scalar_subquery().label("lines"),
    select(_WORTH).where(_OF_CART).correlate(Cart).scalar_subquery().label("worth"),
)


_DEAREST_FIRST: Final = (
    select(CartLine.id, CartLine.variant_id, CartLine.brief_hash)
    .join(Cart, _OF_CART)
    .where(Cart.id == bindparam("cart_id"))
    .order_by((CartLine.quantity * cast_(_DEAREST, Numeric)).desc().nulls_last(), CartLine.id)
)


Paths = Mapping[Hashable, tuple[str, ...]]
"""Those of the quantities that were given, by line, or by variant and hash of the brief."""


async def touch_resized(
    tx: Tx, cart: Cart, paths: Paths | None = None, otherwise: tuple[str, ...] = ("lines",)
) -> Cart:
    """Refuses more lines than a cart may have, and more money than could be counted with every tax on it: by the path
    of the quantity that comes to most, else by `otherwise`.
    """
    touched = await tx.one(_TOUCH_RESIZED, cart_id=cart.id)
    if touched.lines > MOST_LINES:
        raise ValidationFailed(f"A cart has at most {MOST_LINES} lines.", path=otherwise)
    if (touched.worth or 0) > MOST_WORTH:
        message = "The cart would come to more than can be counted."
        raise ValidationFailed(message, path=await _path_of_dearest(tx, cart, paths or {}) or otherwise)
    return touched


async def _path_of_dearest(tx: Tx, cart: Cart, paths: Paths) -> tuple[str, ...]:
    dearest = await tx.records(_DEAREST_FIRST, cart_id=cart.id)
    names = (name for row in dearest for name in (row.id, (row.variant_id, row.brief_hash)) if name in paths)
    return next((paths[name] for name in names), ())
