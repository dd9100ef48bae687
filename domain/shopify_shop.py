"""What a product file says of the shop: the things that products name, each in a row of its own, as an export has them.

Things are found by code, handle or name, never by an id, so that another shop understands them. What a file does not
define stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import bindparam, case, column, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from db import (
    Category,
    Channel,
    Collection,
    CustomerGroup,
    PriceList,
    Region,
    StockLocation,
    TaxClass,
)
from db.base import Base
from db.connection import Read, Tx, new_id
from domain import collection_rule, showcase
from domain.money import digits
from domain.refusal import ValidationFailed
from domain.shopify_members import MEMBERS, SET_MEMBERS, TAKEN

FILE: Final = "file"
"""The definition of the file itself: the currency and the location of the columns that have no room to name theirs."""


@dataclass(frozen=True)
class Kind:
    model: type[Base]
    key: str
    """Unique, and what others name it by."""
    columns: tuple[str, ...]


_SHOWN: Final = (
    "handle", "description", "translations", "external_id", "metadata", "seo_title", "seo_description", "image_url",
    "image_alt",
)  # fmt: skip
KINDS: Final[Mapping[str, Kind]] = {
    "tax_class": Kind(TaxClass, "code", ("code", "name", "is_default", "archived_at")),
    "channel": Kind(Channel, "code", ("code", "name", "is_default", "archived_at")),
    "location": Kind(StockLocation, "code", ("code", "name", "priority", "archived_at")),
    "customer_group": Kind(CustomerGroup, "name", ("name",)),
    "region": Kind(
        Region,
        "code",
        (
            "code", "name", "currency", "tax_inclusive", "is_default", "rounding", "payment_providers", "translations",
            "metadata", "external_id", "archived_at", "tax_provider",
        ),
    ),
    "price_list": Kind(
        PriceList,
        "id",
        ("name", "kind", "status", "priority", "starts_at", "ends_at", "for_groups", "external_id", "created_at"),
    ),
    "category": Kind(Category, "handle", (*_SHOWN, "name", "parent_id", "rank")),
    "collection": Kind(Collection, "handle", (*_SHOWN, "title", "status", "rules", "product_order", "created_at")),
}  # fmt: skip
"""In the order in which they are written, as some name others."""


@dataclass
class Places:
    """What there is in the shop, by the names that files use."""

    ids: dict[str, dict[str, UUID]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    currencies: dict[str, str] = field(default_factory=dict[str, str])
    """Of regions by code."""
    default_channel: UUID | None = None
    by_rule: set[UUID] = field(default_factory=set[UUID])
    """Collections whose products nobody chooses."""
    workflows: frozenset[str] = frozenset()

    def id(self, kind: str, name: str) -> UUID:
        if name not in self.ids[kind]:
            raise ValidationFailed(f"There is no {kind.replace('_', ' ')} {name!r}: define it, or name another one.")
        return self.ids[kind][name]

    def remember(self, kind: str, name: str, row: Any) -> None:
        self.ids[kind][name] = row.id
        if kind == "region":
            self.currencies[name] = row.currency
        if kind == "channel" and row.is_default:
            self.default_channel = row.id
        if kind == "collection" and row.by_rule:
            self.by_rule.add(row.id)

    def workflow(self, code: str) -> None:
        if code not in self.workflows:
            raise ValidationFailed(f"There is no workflow {code!r}: make it first, or name another one.")


async def read_places(read: Read) -> Places:
    places = Places()
    for kind, of in KINDS.items():
        rows: list[Any] = await read.all(select(of.model).order_by(of.key))
        keys = list_keys(rows) if kind == "price_list" else {row.id: row[of.key] for row in rows}
        for row in rows:
            places.remember(kind, keys[row.id], row)
    places.workflows = frozenset(row.code for row in await read.records(_WORKFLOWS))
    return places


def list_keys(lists: Iterable[Any]) -> dict[UUID, str]:
    """What each price list is called in files: its external id, else its name, with a number if others have it."""
    keys: dict[str, UUID] = {}
    for row in lists:
        wanted, number = row.external_id or row.name, 2
        key = wanted
        while key in keys:
            key, number = f"{wanted} ({number})", number + 1
        keys[key] = row.id
    return {list_id: key for key, list_id in keys.items()}


# --- writing them down -------------------------------------------------------------------------------------


async def definitions(read: Read) -> list[dict[str, Any]]:
    """Everything that products may name, in the order in which it can be made."""
    places = await read_places(read)
    names = {key: name for of_kind in places.ids.values() for name, key in of_kind.items()}
    listed: list[dict[str, Any]] = []
    for kind, of in KINDS.items():
        members = {
            name: {row.id: row.members for row in await read.records(statement)}
            for name, statement in MEMBERS.get(kind, {}).items()
        }
        order = _TREE if kind == "category" else select(of.model).order_by(of.key)
        for row in await read.records(order):
            told: dict[str, Any] = {name: _plain(row[name]) for name in of.columns}
            told |= {"key": names[row.id]} if kind == "price_list" else {}
            told |= {"parent_id": names.get(row.parent_id)} if kind == "category" else {}
            if kind == "collection" and row.rules:
                told["rules"] = _renamed(row.rules, {str(key): name for key, name in names.items()})
            told |= {name: of_all[row.id] for name, of_all in members.items() if row.id in of_all}
            listed.append({"define": kind, **{name: value for name, value in told.items() if value not in (None, {})}})
    return listed


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _renamed(rules: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Rules with what they name called otherwise."""
    conditions = [dict(condition) for condition in rules["conditions"]]
    for condition in conditions:
        if condition["field"] == "category":
            condition["value"] = names[condition["value"]]
        if "region" in condition:
            condition["region"] = names[condition["region"]]
    return {**rules, "conditions": conditions}


# --- making them -------------------------------------------------------------------------------------------


def in_order(found: Sequence[tuple[int, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Definitions with their lines, those that others name first, whatever order they have come into."""
    rank = {kind: i for i, kind in enumerate(KINDS)}
    given = [(line, cast("dict[str, Any]", told)) for line, told in found if isinstance(told, dict)]
    rows = [(line, told) for line, told in given if told.get("define") in rank]
    rows.sort(key=lambda pair: rank[pair[1]["define"]])
    made: set[Any] = {None}
    waiting = [pair for pair in rows if pair[1]["define"] == "category"]
    yield from (pair for pair in rows if rank[pair[1]["define"]] < rank["category"])
    while waiting:
        ready = [pair for pair in waiting if pair[1].get("parent_id") in made]
        ready = ready or waiting
        yield from ready
        made |= {definition.get("handle") for _, definition in ready}
        left = {id(pair) for pair in ready}
        waiting = [pair for pair in waiting if id(pair) not in left]
    yield from (pair for pair in rows if rank[pair[1]["define"]] > rank["category"])


async def define(tx: Tx, definition: Mapping[str, Any], places: Places) -> None:
    """Makes the thing, or makes it what the definition says. As it was already changes nothing."""
    kind = str(definition["define"])
    of = KINDS[kind]
    row = _row(kind, definition, places)
    if row.get("is_default"):
        await tx.run(_no_other_default(of.model), code=row["code"])
    there: Any = await tx.first(_found(of.model, of.key), key=row[of.key])
    if there is None or any(_plain(there[column]) != value for column, value in row.items() if column != "id"):
        await tx.run(_writing(kind), rows=[{"id": new_id(), **row}])
        there = await tx.one(_found(of.model, of.key), key=row[of.key])
    places.remember(kind, str(definition["key"] if kind == "price_list" else row[of.key]), there)
    for member, statements in SET_MEMBERS.get(kind, {}).items():
        members: dict[str, Any] = definition.get(member) or {}
        if member == "countries" and (taken := await tx.records(TAKEN, id=there.id, members=members)):
            raise ValidationFailed(f"{taken[0].country} belongs to {taken[0].name} already.")
        for statement in statements:
            await tx.run(statement, id=there.id, members=members)


def _row(kind: str, definition: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """The columns, with ids in place of names; refuses what mutations would refuse."""
    row: dict[str, Any] = {name: definition.get(name) for name in KINDS[kind].columns}
    row |= {name: row[name] or {} for name in ("translations", "metadata") if name in row}
    if kind in {"category", "collection"}:
        row |= _shown(kind, row)
    if kind == "region":
        digits(str(row["currency"]))
    if kind == "category" and row["parent_id"] is not None:
        row["parent_id"] = str(places.id("category", row["parent_id"]))
    if kind == "collection" and row["rules"]:
        kinds = places.ids["category"] | places.ids["region"]
        named = _renamed(row["rules"], {name: str(key) for name, key in kinds.items()})
        row["rules"] = collection_rule.stored(collection_rule.read(named))
    if kind == "price_list":
        row["id"] = places.ids[kind].get(str(definition["key"])) or new_id()
    return row


def _shown(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Of categories and collections what shoppers see, checked as when staff write it."""
    name = "name" if kind == "category" else "title"
    checked = (*_SHOWN[:-2], name)
    empty: dict[str, Any] = {"description": "", "translations": {}, "metadata": {}}
    made = showcase.columns({n: row[n] if row[n] is not None else empty.get(n) for n in checked}, name)
    return {**made, "image_alt": row["image_alt"] or ""}


# --- statements --------------------------------------------------------------------------------------------


def _table(of: Kind) -> Any:
    return cast("Any", of.model).__table__


@cache
def _writing(kind: str) -> Any:
    """Inserts the rows, or updates those of their key that differ."""
    of = KINDS[kind]
    table, names = _table(of), tuple(dict.fromkeys(("id", *of.columns)))
    columns = (column(name, table.c[name].type) for name in names)
    given = func.jsonb_to_recordset(bindparam("rows", type_=JSONB)).table_valued(*columns, name="given")
    given = given.render_derived(with_types=True)
    made = insert(of.model).from_select(list(names), select(given), include_defaults=False)
    new = made.excluded
    changed = [table.c[name].is_distinct_from(new[name]) for name in names if name != "id"]
    values: dict[str, Any] = {name: new[name] for name in names if name != "id"}
    if "version" in table.c:
        values |= {"version": table.c.version + 1, "updated_at": func.now()}
    if "image_url" in table.c:
        same = table.c.image_url == new.image_url
        values |= {"image_file_id": case((same, table.c.image_file_id), else_=None)}
    return made.on_conflict_do_update(index_elements=[of.key], set_=values, where=or_(*changed))


@cache
def _found(model: type[Base], key: str) -> Any:
    table = cast("Any", model).__table__
    return select(model).where(table.c[key] == bindparam("key", type_=table.c[key].type))


@cache
def _no_other_default(model: type[Base]) -> Any:
    table = cast("Any", model).__table__
    return update(model).values(is_default=False).where(table.c.is_default, table.c.code != bindparam("code"))


_WORKFLOWS: Final = text("SELECT DISTINCT code FROM workflow")
# By the ranks on the way down, which are the same in the next shop; ids alone are not, but rise there as in the file.
_TREE: Final = text(
    """
    SELECT c.* FROM category AS c JOIN (
        SELECT a.category_id, max(a.depth) AS depth, array_agg(above.rank ORDER BY a.depth DESC) AS ranks,
               array_agg(above.id ORDER BY a.depth DESC) AS ids
        FROM category_ancestor AS a JOIN category AS above ON above.id = a.ancestor_id GROUP BY a.category_id
    ) AS place ON place.category_id = c.id
    ORDER BY place.depth, place.ranks, place.ids
    """
)
