"""Handles: the names of products, categories and collections in addresses, made of their titles.

A handle that was given up stays known, so that old addresses lead on. Triggers write that down (db/handle.py), so no
way of changing a handle can forget it.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

from slugify import slugify
from sqlalchemy import Select, Text, and_, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from db import Category, Collection, HandleHistory, Product
from db.base import Base
from db.connection import Read, Tx, new_id
from domain.refusal import ValidationFailed

Handled = TypeVar("Handled", Product, Category, Collection)
LONGEST_HANDLE: Final = 255
_LONGEST_MADE: Final = 200
"""Leaves room for a number behind it."""
_ENDS_A_PART: Final = re.compile(r"[\s/?#%\\:<>\"'`{|}^\[\]]")
"""Of an address, or has to be escaped in one or in the page that links there."""
_JOINERS: Final[dict[int, str]] = {0x200C: "", 0x200D: ""}
"""Persian and the scripts of India are not written without them; of what cannot be seen nothing else is let in."""
_MOST_TRIES: Final = 100
_WINDOWS: Final = ((1, 20), (20, 500), (500, 10_000))
"""Numbers that are looked at together: most titles are alone, and some shops have thousands of one."""
_NAMES: Final = any_(bindparam("names", type_=ARRAY(Text)))


def handle_of(title: str, otherwise: str = "product") -> str:
    """`Blaues T-Shirt` is `blaues-t-shirt`; `otherwise` where nothing of the title can be spelled so."""
    return slugify(title, max_length=_LONGEST_MADE, word_boundary=True) or otherwise


def is_handle(handle: str) -> bool:
    """Letters of any script and what stands between them: it is a part of an address as it is, and hides nothing."""
    seen = handle.translate(_JOINERS)
    short = bool(seen) and len(handle) <= LONGEST_HANDLE
    return short and seen.isprintable() and seen not in {".", ".."} and not _ENDS_A_PART.search(seen)


def check_handle(handle: str) -> None:
    if not is_handle(handle):
        raise ValidationFailed("Write a handle of letters, digits and hyphens, such as blue-shirt.", path=("handle",))


def taken() -> ValidationFailed:
    return ValidationFailed("Something else has this handle: choose another one.", path=("handle",))


async def free(read: Read, model: type[Handled], wanted: str) -> str:
    """`wanted`, else it with the first number that makes it nobody's, now or before. Others may be as quick: `made`."""
    for first, last in _WINDOWS:
        names = [wanted if i == 1 else f"{wanted}-{i}" for i in range(first, last)]
        used = set(await read.scalars(_used(model), names=names, kind=model.__tablename__))
        if found := next((name for name in names if name not in used), None):
            return found
    return f"{wanted}-{new_id().hex}"


async def made(tx: Tx, model: type[Handled], row: Mapping[str, Any], handle: str | None, title: str) -> Handled:
    """Inserts the row with this handle, refused if another has it; null: one made of the title, whatever happens
    at the same time.
    """
    if handle is not None:
        check_handle(handle)
        written = await tx.first(_insertion(model, tuple(row)), **row, id=new_id(), handle=handle)
        if written is None:
            raise taken()
        return written
    wanted = handle_of(title, model.__tablename__)
    for _ in range(_MOST_TRIES):
        chosen = await free(tx, model, wanted)
        written = await tx.first(_insertion(model, tuple(row)), **row, id=new_id(), handle=chosen)
        if written is not None:
            return written
    raise taken()


def formerly(model: type[Handled], statement: Select[Any]) -> Select[Any]:
    """Of a statement over the model's rows the one that had the handle of the parameter `handle` last."""
    named = and_(HandleHistory.kind == model.__tablename__, HandleHistory.handle == bindparam("handle"))
    return (
        statement.join(HandleHistory, and_(HandleHistory.entity_id == model.id, named))
        .order_by(HandleHistory.given_up_at.desc(), HandleHistory.entity_id)
        .limit(1)
    )


async def holder(read: Read, model: type[Handled], handle: str) -> UUID | None:
    """Who has the handle now, else who had it last."""
    now = await read.scalar(_holder(model), handle=handle)
    return now if now is not None else await read.scalar(_former_holder(model), handle=handle)


@cache
def _holder(model: type[Any]) -> Select[Any]:
    return select(model.id).where(model.handle == bindparam("handle"))


@cache
def _former_holder(model: type[Any]) -> Select[Any]:
    return formerly(model, select(model.id))


@cache
def _used(model: type[Any]) -> Any:
    now = select(model.handle).where(model.handle == _NAMES)
    before = select(HandleHistory.handle).where(
        HandleHistory.kind == bindparam("kind", type_=Text), HandleHistory.handle == _NAMES
    )
    return now.union(before)


@cache
def _insertion(model: type[Base], names: tuple[str, ...]) -> Any:
    table = model.__table__
    values = {table.c[name]: bindparam(name, type_=table.c[name].type) for name in (*names, "id", "handle")}
    return insert(model).values(values).on_conflict_do_nothing(index_elements=["handle"]).returning(*table.c)
