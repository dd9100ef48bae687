"""Running a plan: level by level, each field once for all objects of its level, sibling relations side by side.

Only the happy path is here. Whatever goes wrong, or is null where nothing may be, raises, and graphql-core runs
the whole selection again: it is the reference for errors and for what becomes null because of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, cast

from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLUnionType,
    is_leaf_type,
)

from engine.plan import HandOver, PlannedField, Selection, Values, column_reader, leaf_writer, refuse_odd
from engine.source import Column, Computed, Related

Objects = list[dict[str, Any]]


@dataclass(frozen=True)
class Runner:
    """One run of a plan. `arguments` coerces those of a field; `read` reads a plain field of an odd parent."""

    context: Any
    arguments: Callable[[PlannedField], dict[str, Any]]
    read: Callable[[Any, str], Any]

    async def objects(self, selection: Selection, parents: Sequence[Any]) -> Objects:
        """What is selected of each parent, in their order."""
        if not parents:
            return []
        columns = {
            field.name: self._leaves(field.type, self._own(field, parents))
            for field in selection.fields
            if field.is_own_leaf
        }
        others = [field for field in selection.fields if not field.is_own_leaf]
        completed = await _side_by_side([self._values(field, parents) for field in others])
        columns.update(zip((field.name for field in others), completed, strict=True))
        names = selection.names
        if not names:
            return [{} for _ in parents]
        rows = zip(*(columns[name] for name in names), strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _own(self, field: PlannedField, parents: Sequence[Any]) -> Values:
        source = field.source
        if isinstance(source, Column):
            return column_reader(source.name, self.read)(parents)
        return list(map(cast(Computed, source).compute, parents))

    async def _values(self, field: PlannedField, parents: Sequence[Any]) -> Values:
        source = field.source
        if isinstance(source, Column | Computed):
            values = self._own(field, parents)
        elif isinstance(source, Related):
            values = await self._related(field, source, parents)
        else:
            arguments = self.arguments(field)
            values = await _side_by_side([source.ask(self.context, parent, arguments) for parent in parents])
        if not field.selections:
            return self._leaves(field.type, values)
        return await self._completed(field.type, values, field)

    async def _related(self, field: PlannedField, source: Related, parents: Sequence[Any]) -> Values:
        arguments = self.arguments(field)
        if source.prepare is not None:
            arguments = source.prepare(arguments)
        keys = [source.key(parent, arguments) for parent in parents]
        found = [key for key in keys if key is not None]
        loaded = iter(await self.context.loaded.load_many(source.batch, found)) if found else iter(())
        values = [None if key is None else next(loaded) for key in keys]
        if source.then is not None:
            refuse_odd(values)
            return [None if value is None else source.then(value) for value in values]
        return values

    def _leaves(self, type_: Any, values: Values) -> Values:
        if isinstance(type_, GraphQLNonNull):
            return _no_nulls(self._leaves(cast(Any, type_).of_type, values))
        if isinstance(type_, GraphQLList):
            inner = cast(Any, type_).of_type
            flat, join = _flattened(values)
            return join(self._leaves(inner, flat))
        if not is_leaf_type(type_):
            raise HandOver(f"{type_} is no leaf")
        return leaf_writer(type_)(values)

    async def _completed(self, type_: Any, values: Values, field: PlannedField) -> Values:
        """Objects of any depth of lists."""
        if isinstance(type_, GraphQLNonNull):
            return _no_nulls(await self._completed(cast(Any, type_).of_type, values, field))
        if isinstance(type_, GraphQLList):
            flat, join = _flattened(values)
            return join(await self._completed(cast(Any, type_).of_type, flat, field))
        present = [value for value in values if value is not None]
        refuse_odd(present)
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            made = iter(await self._of_many_types(type_, present, field))
        else:
            made = iter(await self.objects(field.selections[type_.name], present))
        return [None if value is None else next(made) for value in values]

    async def _of_many_types(self, type_: Any, values: Values, field: PlannedField) -> Values:
        """Each type's objects together, and then back into the order in which they came."""
        resolve = type_.resolve_type
        names = [resolve(value, None, type_) for value in values]
        kinds = list(dict.fromkeys(names))
        if unknown := [name for name in kinds if name not in field.selections]:
            raise HandOver(f"{unknown[0]} is no {type_.name}")
        of_kind = await _side_by_side(
            [
                self.objects(field.selections[kind], [v for v, name in zip(values, names, strict=True) if name == kind])
                for kind in kinds
            ]
        )
        made = {kind: iter(objects) for kind, objects in zip(kinds, of_kind, strict=True)}
        return [next(made[name]) for name in names]


async def _side_by_side(waiting: Sequence[Awaitable[Any]]) -> list[Any]:
    """All results; when one fails the others are ended before it is raised."""
    if len(waiting) < 2:
        return [await one for one in waiting]
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _no_nulls(values: Values) -> Values:
    if type(None) in set(map(type, values)):
        raise HandOver("null where nothing may be")
    return values


def _flattened(values: Values) -> tuple[Values, Callable[[Values], Values]]:
    """The items of all lists in one, and how to take them apart again."""
    for value in values:
        if value is not None and not isinstance(value, list | tuple):
            raise HandOver("a list that is none")
    flat = list(chain.from_iterable(cast("list[list[Any]]", [v for v in values if v is not None])))
    return flat, partial(_joined, values)


def _joined(lists: Values, flat: Values) -> Values:
    joined: Values = []
    start = 0
    for original in lists:
        if original is None:
            joined.append(None)
        else:
            joined.append(flat[start : start + len(original)])
            start += len(original)
    return joined
