"""Lines of carts: a variant with its brief, how many units of it, and how much a cart may come to."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Numeric, Uuid, any_, bindparam, delete, func, select, text
from sqlalchemy import cast as cast_
from sqlalchemy.dialects.postgresql import ARRAY

from db import Cart, CartLine, Price, Product, Variant
from db.catalog import ProductStatus
from db.connection import Tx, new_id
from domain.brief import check_brief
from domain.cart import touch, touching
from domain.money import LARGEST
from domain.refusal import ErrorCode, Gathering, NotFound, Refusal, ValidationFailed, under

MOST_LINES = 500
MOST_UNITS = 1_000_000
MOST_WITH_TAX = 4
"""No destination's taxes come to more than three times the price."""


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
    """
)


async def add_lines(tx: Tx, cart: Cart, commands: Sequence[AddLine]) -> Cart:
    """Adds units; the same variant with the same brief accumulates on its line. Nothing to add changes nothing."""
    if not commands:
        return cart
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
            "variant_id": command.variant_id,
            "quantity": command.quantity,
            "brief": command.brief,
            "brief_hash": brief_hash,
        }
        for (_, brief_hash), command in summed.items()
    ]
    if await tx.run(_ADD_LINES, cart_id=cart.id, rows=rows, most=MOST_UNITS) < len(rows):
        raise ValidationFailed(f"A line has at most {MOST_UNITS:,} units.", path=("lines",))
    return await _touch_resized(tx, cart)


_PRICED: Final = (
    select(Price.variant_id)
    .where(Price.variant_id == Variant.id, Price.currency == bindparam("currency"))
    .where((Price.region_id == bindparam("region")) | Price.region_id.is_(None))
)
_FOR_SALE: Final = (
    select(Variant.id, Product.brief_schema)
    .join(Product, Product.id == Variant.product_id)
    .where(Variant.id == any_(bindparam("variants", type_=ARRAY(Uuid))))
    .where(Variant.archived_at.is_(None), Product.status == ProductStatus.PUBLISHED, _PRICED.exists())
)


async def _check_for_sale(tx: Tx, cart: Cart, commands: Sequence[AddLine]) -> None:
    variants = [command.variant_id for command in commands]
    found = await tx.records(_FOR_SALE, variants=variants, currency=cart.currency, region=cart.region_id)
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


_REMOVE_LINES: Final = delete(CartLine).where(CartLine.id == any_(bindparam("lines", type_=ARRAY(Uuid))))


async def change_lines(tx: Tx, cart: Cart, commands: Sequence[ChangeLine]) -> Cart:
    """Sets quantities; of two changes of one line the later counts."""
    await _check_lines(tx, cart, {("lines", str(i), "line_id"): c.line_id for i, c in enumerate(commands)})
    quantities = {command.line_id: command.quantity for command in commands}
    if removed := [line_id for line_id, quantity in quantities.items() if quantity == 0]:
        await tx.run(_REMOVE_LINES, lines=removed)
    await tx.update(CartLine, ({"id": line_id, "quantity": q} for line_id, q in quantities.items() if q > 0))
    return await _touch_resized(tx, cart)


async def remove_lines(tx: Tx, cart: Cart, line_ids: Sequence[UUID]) -> Cart:
    await _check_lines(tx, cart, {("line_ids", str(i)): line_id for i, line_id in enumerate(line_ids)})
    await tx.run(_REMOVE_LINES, lines=list(line_ids))
    return await touch(tx, cart)


_LINES: Final = select(CartLine.id).where(CartLine.cart_id == bindparam("cart_id"))


async def _check_lines(tx: Tx, cart: Cart, named: Mapping[tuple[str, ...], UUID]) -> None:
    """Refuses, by their paths, lines that are not of this cart."""
    lines = {row["id"] for row in await tx.records(_LINES, cart_id=cart.id)}
    gathering = Gathering()
    for path, line_id in named.items():
        with gathering.at(*path):
            if line_id not in lines:
                raise NotFound("There is no such line in this cart.")
    gathering.raise_if_any()


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


async def _touch_resized(tx: Tx, cart: Cart) -> Cart:
    """Refuses more lines than a cart may have, and more money than could be counted with every tax on it."""
    touched = await tx.one(_TOUCH_RESIZED, cart_id=cart.id)
    if touched.lines > MOST_LINES:
        raise ValidationFailed(f"A cart has at most {MOST_LINES} lines.", path=("lines",))
    if (touched.worth or 0) * MOST_WITH_TAX > LARGEST:
        raise ValidationFailed("The cart would come to more than can be counted.", path=("lines",))
    return touched
