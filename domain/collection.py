"""Collections: what one is, and by which rule it has its products if not by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from db import Category, Collection, Region
from db.collection import CollectionOrder, CollectionStatus
from db.connection import Read, Tx
from domain import audit, collection_rule, showcase
from domain.actor import Actor
from domain.collection_rule import InRegion, RuleField, Rules
from domain.refusal import Gathering, NotFound, ValidationFailed

TRANSLATED: Final = ("title", "description", "seo_title", "seo_description")


@dataclass(frozen=True)
class CreateCollection:
    """`given` as of `showcase.columns`, status and order among it; without rules its products are chosen by hand."""

    given: Mapping[str, Any]
    rules: Rules | None = None
    row: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        usual = CollectionOrder.MANUAL if self.rules is None else CollectionOrder.NEWEST
        told = _columns(showcase.new_columns(self.given, "title"))
        row = {"status": CollectionStatus.DRAFT, "product_order": usual, **told}
        if self.rules is not None and row["product_order"] == CollectionOrder.MANUAL:
            raise ValidationFailed("By hand are ordered those products that were chosen by hand.", path=("order",))
        object.__setattr__(self, "row", row)


@dataclass(frozen=True)
class UpdateCollection:
    """`given` has what changes; rules null: they stay. What has rules keeps having some, and the other way round."""

    id: UUID
    given: Mapping[str, Any]
    rules: Rules | None = None
    if_version: int | None = None
    row: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "row", _columns(showcase.columns(self.given, "title")))


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """`order` is a word of SQL, so the column has another name."""
    return {("product_order" if name == "order" else name): value for name, value in row.items()}


async def create(tx: Tx, command: CreateCollection, actor: Actor) -> Collection:
    row = {**command.row, "rules": await _kept(tx, command.rules)}
    made = await showcase.make(tx, Collection, row, "title")
    await audit.record(tx, actor, "collectionCreate", f"collection:{made.id}", audit.changed({}, _told(made)))
    return made


async def change(tx: Tx, command: UpdateCollection, actor: Actor) -> Collection:
    before = await showcase.locked(tx, Collection, command.id, command.if_version)
    row = dict(command.row)
    if command.rules is not None:
        if not before.by_rule:
            raise ValidationFailed("The products of this collection are chosen by hand.", path=("rules",))
        row["rules"] = await _kept(tx, command.rules)
    if before.by_rule and row.get("product_order") == CollectionOrder.MANUAL:
        raise ValidationFailed("By hand are ordered those products that were chosen by hand.", path=("order",))
    after = await showcase.write(tx, Collection, before, row)
    difference = audit.changed(_told(before), _told(after))
    if difference:
        await audit.record(tx, actor, "collectionUpdate", f"collection:{before.id}", difference)
    return after


async def _kept(tx: Tx, rules: Rules | None) -> dict[str, Any] | None:
    """As they are stored; refuses categories that are not there."""
    if rules is None:
        return None
    await check_named(tx, rules)
    return collection_rule.stored(rules)


async def check_named(read: Read, rules: Rules) -> None:
    """Refuses, by its path, a condition that names a category or region that is not there."""
    categories = {c.value for c in rules.conditions if c.field == RuleField.CATEGORY}
    regions = {c.value.region_id for c in rules.conditions if isinstance(c.value, InRegion)}
    of_tree: list[UUID] = await read.scalars(_CATEGORIES, ids=list(categories)) if categories else []
    of_shop: list[UUID] = await read.scalars(_REGIONS, ids=list(regions)) if regions else []
    there = {*of_tree, *of_shop}
    gathering = Gathering()
    for i, condition in enumerate(rules.conditions):
        with gathering.at("rules", "conditions", str(i)):
            if condition.field == RuleField.CATEGORY and condition.value not in there:
                raise NotFound(path=("value",))
            if isinstance(condition.value, InRegion) and condition.value.region_id not in there:
                raise NotFound(path=("region_id",))
    gathering.raise_if_any()


def _told(row: Any) -> dict[str, Any]:
    unsaid = {"id", "version", "created_at", "updated_at", "by_rule"}
    return {name: value for name, value in row.items() if name not in unsaid and value not in (None, "", {})}


_IDS: Final = bindparam("ids", type_=ARRAY(Collection.__table__.c["id"].type))
_CATEGORIES: Final = select(Category.id).where(Category.id == any_(_IDS))
_REGIONS: Final = select(Region.id).where(Region.id == any_(_IDS))
