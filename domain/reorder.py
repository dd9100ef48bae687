"""The same again: a cart with what was ordered once."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select

from db import Cart, OrderLine
from db.connection import Tx
from domain.brief import check_brief
from domain.cart_line import MOST_UNITS, AddLine, for_sale, touch_resized, write_lines
from domain.refusal import Refusal
from domain.warning import LeftOut, Notice

_LINES: Final = (
    select(OrderLine.variant_id, OrderLine.title, OrderLine.quantity, OrderLine.brief)
    .where(OrderLine.order_id == bindparam("order_id"))
    .order_by(OrderLine.position)
)


async def fill_from_order(tx: Tx, cart: Cart, order_id: UUID) -> tuple[Cart, list[Notice]]:
    """Puts the lines of an order into a cart, at what they cost there now.

    What is not for sale there is left out, and so are briefs that do not fit their products any more.
    """
    ordered = await tx.records(_LINES, order_id=order_id)
    sold = await for_sale(tx, cart, [line.variant_id for line in ordered])
    warnings = [_left_out(line) for line in ordered if line.variant_id not in sold]
    lines: dict[tuple[UUID, str], AddLine] = {}
    for line in (line for line in ordered if line.variant_id in sold):
        brief = line.brief
        if not _fits(brief, sold[line.variant_id].brief_schema):
            warnings.append(_left_out(line, is_brief_only=True))
            brief = None
        command = AddLine(line.variant_id, line.quantity, brief)
        key = (command.variant_id, command.brief_hash)
        before = lines[key].quantity if key in lines else 0
        lines[key] = AddLine(line.variant_id, min(before + line.quantity, MOST_UNITS), brief)
    await write_lines(tx, cart, list(lines.values()))
    return await touch_resized(tx, cart, otherwise=("order_id",)), [*warnings]


def _fits(brief: dict[str, Any] | None, schema: dict[str, Any] | None) -> bool:
    try:
        check_brief(brief, schema)
    except (Refusal, ExceptionGroup):
        return False
    return True


def _left_out(line: Any, *, is_brief_only: bool = False) -> LeftOut:
    what = "has a brief that does not fit any more" if is_brief_only else "is not for sale here any more"
    return LeftOut(
        message=f"{line.title} {what}.",
        path=("order_id",),
        variant_id=line.variant_id,
        title=line.title,
        quantity=line.quantity,
        is_brief_only=is_brief_only,
    )
