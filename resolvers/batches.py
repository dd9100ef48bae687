"""How relations are loaded: one statement for all parents of a level, declared in one line each."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, any_, bindparam, column, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from engine.batch import Batch
from resolvers.context import Ctx
from resolvers.page import Page, PageArgs, Sort, page_of, paged, parameters, shape

Rows = Select[*tuple[Any, ...]]
"""A statement over any columns."""


def _one_of(key: Any) -> Any:
    """The condition of a statement that is built once: `keys` is its parameter."""
    return key == any_(bindparam("keys", type_=ARRAY(key.type)))


def one(statement: Rows, key: Any) -> Batch:
    """The one row whose `key` column has the value, or null. Texts are `translated` for the operation."""

    wanted = statement.where(_one_of(key))

    async def load(ctx: Ctx, keys: list[Any]) -> list[Any]:
        found = await ctx.read.records(wanted, keys=keys, locales=ctx.locales)
        by_key = {row[key.key]: row for row in found}
        return [by_key.get(k) for k in keys]

    return Batch(f"one by {key}", load)


def many(statement: Rows, key: Any) -> Batch:
    """All rows whose `key` column has the value, in the statement's order."""

    wanted = statement.where(_one_of(key))

    async def load(ctx: Ctx, keys: list[Any]) -> list[Any]:
        return grouped(await ctx.read.records(wanted, keys=keys, locales=ctx.locales), key.key, keys)

    return Batch(f"many by {key}", load)


def shared(batch: Batch, *kinds: str, product: Callable[[Any], UUID] | None = None) -> Batch:
    """The same, of values that are the same for everybody in the same context: answers made of them may be kept.

    So it says what is read: `kinds` of db/changes.py, and the `product` of a key. What is loaded by a variant names
    none, as whatever gave the variant has named its product.
    """

    async def load(ctx: Ctx, keys: list[Any]) -> Sequence[Any]:
        ctx.reads.update(kinds)
        if product is not None:
            ctx.reads.update(map(product, keys))
        return await batch.load(ctx, keys)

    return replace(batch, load=load, shared=True)


def itself(key: Any) -> Any:
    return key


def grouped(rows: Sequence[Any], column: str, keys: Sequence[Any]) -> list[list[Any]]:
    by_key: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        by_key[row[column]].append(row)
    return [by_key[k] for k in keys]


def counted(statement: Select[Any], key: Any) -> Batch:
    """How many rows each parent has; capped by whoever shows it."""

    counts = statement.with_only_columns(key, func.count().label("count")).where(_one_of(key)).group_by(key)

    async def load(ctx: Ctx, keys: list[Any]) -> list[int]:
        by_key = {row[0]: row.count for row in await ctx.read.records(counts, keys=keys)}
        return [by_key.get(k, 0) for k in keys]

    return Batch(f"count by {key}", load)


def connected(statement: Select[Any], key: Any, sort: Sort) -> Batch:
    """A page of children of each parent. Keys are (parent, PageArgs); one LATERAL statement per PageArgs."""
    counts = counted(statement, key)
    statements: dict[Any, Any] = {}

    def of_parents(args: PageArgs) -> Any:
        listed = func.unnest(bindparam("keys", type_=ARRAY(Uuid))).table_valued(column("id", Uuid), name="parent")
        parent = listed.render_derived()
        inner = paged(statement.where(key == parent.c.id), sort, args).lateral("child")
        return select(inner).select_from(parent).join(inner, true()).order_by(*sort.ordered(inner.c, args))

    async def load(ctx: Ctx, keys: list[tuple[UUID, PageArgs]]) -> list[Page]:
        pages: dict[tuple[UUID, PageArgs], Page] = {}
        for args in {args for _, args in keys}:
            parents = [parent for parent, asked in keys if asked == args]
            if shape(args) not in statements:
                statements[shape(args)] = of_parents(args)
            given = {"keys": parents, "locales": ctx.locales, **parameters(sort, args)}
            rows = await ctx.read.records(statements[shape(args)], **given)
            for owner, found in zip(parents, grouped(rows, key.key, parents), strict=True):
                pages[owner, args] = page_of(found, sort, args, lambda owner=owner: ctx.load(counts, owner))
        return [pages[k] for k in keys]

    return Batch(f"connection by {key}", load)
