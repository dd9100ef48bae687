"""Categories: what one is, and where it stands in the tree.

Whoever changes the tree waits for the others (`_TREE`, as the triggers of db/category.py do too), so what is checked
here stays true until the commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select, text

from db import Category
from db.category import DEEPEST
from db.connection import Tx
from domain import audit, showcase
from domain.actor import Actor
from domain.refusal import ErrorCode, NotFound, Refusal, ValidationFailed

TRANSLATED: Final = ("name", "description", "seo_title", "seo_description")
MOST_SIBLINGS: Final = 1_000


@dataclass(eq=False)
class CategoryNotEmpty(Refusal):
    """Categories or products stand in it."""

    message: str = "Move what stands in the category first."
    children: int = 0
    products: int = 0
    code = ErrorCode.CATEGORY_NOT_EMPTY


@dataclass(frozen=True)
class CreateCategory:
    """`given` as of `showcase.columns`; it comes behind its siblings."""

    given: Mapping[str, Any]
    parent_id: UUID | None = None
    row: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "row", showcase.new_columns(self.given, "name"))


@dataclass(frozen=True)
class UpdateCategory:
    id: UUID
    given: Mapping[str, Any]
    if_version: int | None = None
    row: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "row", showcase.columns(self.given, "name"))


@dataclass(frozen=True)
class MoveCategory:
    """Under another parent, null: to the roots; in front of one of its new siblings, null: behind them all."""

    id: UUID
    parent_id: UUID | None
    before_id: UUID | None = None
    if_version: int | None = None


async def create(tx: Tx, command: CreateCategory, actor: Actor) -> Category:
    await tx.run(_TREE)
    if command.parent_id is not None:
        await _check_place(tx, command.parent_id, None)
    siblings = await _siblings(tx, command.parent_id)
    if len(siblings) >= MOST_SIBLINGS:
        raise ValidationFailed(f"At most {MOST_SIBLINGS:,} categories stand side by side.", path=("parent_id",))
    rank = max((row.rank for row in siblings), default=0) + 1
    row = {**command.row, "parent_id": command.parent_id, "rank": rank}
    made = await showcase.make(tx, Category, row, "name")
    await audit.record(tx, actor, "categoryCreate", f"category:{made.id}", audit.changed({}, _told(made)))
    return made


async def change(tx: Tx, command: UpdateCategory, actor: Actor) -> Category:
    before = await showcase.locked(tx, Category, command.id, command.if_version)
    after = await showcase.write(tx, Category, before, command.row)
    difference = audit.changed(_told(before), _told(after))
    if difference:
        await audit.record(tx, actor, "categoryUpdate", f"category:{before.id}", difference)
    return after


async def move(tx: Tx, command: MoveCategory, actor: Actor) -> Category:
    """Takes along all that stands below it. Refuses a place below itself."""
    await tx.run(_TREE)
    before = await showcase.locked(tx, Category, command.id, command.if_version)
    if command.parent_id is not None:
        await _check_place(tx, command.parent_id, command.id)
    siblings = [row.id for row in await _siblings(tx, command.parent_id) if row.id != command.id]
    if len(siblings) >= MOST_SIBLINGS:
        raise ValidationFailed(f"At most {MOST_SIBLINGS:,} categories stand side by side.", path=("parent_id",))
    if command.before_id is not None and command.before_id not in siblings:
        raise NotFound("There is no such category below that parent.", path=("before_id",))
    place = len(siblings) if command.before_id is None else siblings.index(command.before_id)
    order = [*siblings[:place], command.id, *siblings[place:]]
    after = before
    if before.parent_id != command.parent_id:
        after = await showcase.write(tx, Category, before, {"parent_id": command.parent_id})
    ranked = await _rank(tx, order)
    if after is before and ranked:
        after = await showcase.touch(tx, Category, command.id)
    elif ranked:
        after = await tx.one(_BY_ID, id=command.id)
    difference = audit.changed(_place(before), _place(after))
    if difference:
        await audit.record(tx, actor, "categoryMove", f"category:{before.id}", difference)
    return after


async def reorder(tx: Tx, parent_id: UUID | None, order: Sequence[UUID], actor: Actor) -> None:
    """These come first and in this order, the others behind them as they stood. Of roots the first one is told of."""
    if len(set(order)) < len(order):
        raise ValidationFailed("Name each category once.", path=("category_ids",))
    await tx.run(_TREE)
    if parent_id is not None and await tx.first(_BY_ID, id=parent_id) is None:
        raise NotFound(path=("parent_id",))
    siblings = [row.id for row in await _siblings(tx, parent_id)]
    there = set(siblings)
    for i, key in enumerate(order):
        if key not in there:
            raise NotFound("There is no such category below that parent.", path=("category_ids", str(i)))
    named = set(order)
    after = [*order, *(key for key in siblings if key not in named)]
    if await _rank(tx, after):
        subject = f"category:{after[0] if parent_id is None else parent_id}"
        difference = {"order": [[str(key) for key in siblings], [str(key) for key in after]]}
        await audit.record(tx, actor, "categoryReorder", subject, difference)


async def remove(tx: Tx, category_id: UUID, if_version: int | None, actor: Actor) -> None:
    """One in which nothing stands. Its former handles are forgotten with it."""
    await tx.run(_TREE)
    before = await showcase.locked(tx, Category, category_id, if_version)
    await tx.records(_FOR_GOOD, id=category_id)
    (held,) = await tx.records(_HELD, id=category_id)
    if held.children or held.products:
        raise CategoryNotEmpty(path=("id",), children=held.children, products=held.products)
    await tx.run(_DELETE, id=category_id)
    await audit.record(tx, actor, "categoryDelete", f"category:{category_id}", audit.changed(_told(before), {}))


async def _check_place(tx: Tx, parent_id: UUID, moved: UUID | None) -> None:
    """Whether the parent is there, is not below what is moved, and what comes below it is not too deep then."""
    (found,) = await tx.records(_PLACE, parent=parent_id, moved=moved)
    if found.parent_depth is None:
        raise NotFound(path=("parent_id",))
    if found.inside:
        raise ValidationFailed("A category cannot stand below itself.", path=("parent_id",))
    if found.parent_depth + 1 + found.height > DEEPEST:
        raise ValidationFailed(f"The tree has at most {DEEPEST + 1} levels.", path=("parent_id",))


async def _siblings(tx: Tx, parent_id: UUID | None) -> list[Any]:
    return await tx.records(_SIBLINGS, parent=parent_id)


async def _rank(tx: Tx, order: Sequence[UUID]) -> int:
    """Numbers them through; how many had another number."""
    return await tx.run(_RANK, ids=list(order))


def _told(row: Any) -> dict[str, Any]:
    unsaid = {"id", "version", "created_at", "updated_at"}
    return {name: value for name, value in row.items() if name not in unsaid and value not in (None, "", {})}


def _place(row: Any) -> dict[str, Any]:
    return {"parent_id": row.parent_id, "rank": row.rank}


_TREE: Final = text(
    "INSERT INTO category_tree (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET version = category_tree.version + 1"
)
_BY_ID: Final = select(Category).where(Category.id == bindparam("id"))
# Those who put products into it hold its key.
_FOR_GOOD: Final = select(Category.id).where(Category.id == bindparam("id")).with_for_update()
_DELETE: Final = delete(Category).where(Category.id == bindparam("id"))
_HELD: Final = text(
    """
    SELECT (SELECT count(*) FROM category WHERE parent_id = :id) AS children,
           (SELECT count(*) FROM product_category WHERE category_id = :id) AS products
    """
)
_PLACE: Final = text(
    """
    SELECT (SELECT max(depth) FROM category_ancestor WHERE category_id = CAST(:parent AS uuid)) AS parent_depth,
           EXISTS (SELECT FROM category_ancestor
                   WHERE category_id = CAST(:parent AS uuid) AND ancestor_id = CAST(:moved AS uuid)) AS inside,
           coalesce((SELECT max(depth) FROM category_ancestor WHERE ancestor_id = CAST(:moved AS uuid)), 0) AS height
    """
)
_SIBLINGS: Final = text(
    "SELECT id, rank FROM category WHERE parent_id IS NOT DISTINCT FROM CAST(:parent AS uuid) ORDER BY rank, id"
)
_RANK: Final = text(
    """
    UPDATE category SET rank = given.place
    FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS given (id, place)
    WHERE category.id = given.id AND category.rank <> given.place
    """
)
