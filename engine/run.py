"""Running a plan: level by level, each field once for all objects of its level, sibling relations side by side.

Only the happy path is here. Whatever goes wrong, or is null where nothing may be, raises, and graphql-core runs
the whole selection again: it is the reference for errors and for what becomes null because of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from graphql import GraphQLInterfaceType, GraphQLList, GraphQLNonNull, GraphQLUnionType

from engine.leaves import HandOver, Values, flattened, no_nulls, refuse_odd
from engine.plan import Objects, PlannedField, Selection
from engine.source import Asked, Related


@dataclass(frozen=True)
class Runner:
    """One run of a plan. `arguments` coerces those of a field, as its source wants them."""

    context: Any
    arguments: Callable[[PlannedField], dict[str, Any]]

    async def objects(self, selection: Selection, parents: Sequence[Any]) -> Objects:
        """What is selected of each parent, in their order."""
        if not parents or not selection.fields:
            return [{} for _ in parents]
        columns: list[Values] = [[]] * len(selection.fields)
        for place, read, write in selection.own:
            columns[place] = write(read(parents))
        others = selection.others
        if others:
            completed = await _side_by_side([self._values(field, parents) for _, field in others])
            for (place, _), values in zip(others, completed, strict=True):
                columns[place] = values
        return selection.assemble(columns)

    async def _values(self, field: PlannedField, parents: Sequence[Any]) -> Values:
        source = field.source
        if field.read is not None:
            values = field.read(parents)
        elif isinstance(source, Related):
            values = await self._related(field, source, parents)
        else:
            ask, arguments = cast(Asked, source).ask, self.arguments(field)
            values = await _side_by_side([ask(self.context, parent, arguments) for parent in parents])
        if field.write is not None:
            return field.write(values)
        return await self._completed(field.type, values, field)

    async def _related(self, field: PlannedField, source: Related, parents: Sequence[Any]) -> Values:
        keys = source.keys(parents, self.arguments(field))
        load = self.context.loaded.load_many
        if None in set(keys):
            found = [key for key in keys if key is not None]
            loaded = iter(await load(source.batch, found)) if found else iter(())
            values = [None if key is None else next(loaded) for key in keys]
        else:
            values = await load(source.batch, keys)
        if source.then is not None:
            refuse_odd(values)
            then = source.then
            return [None if value is None else then(value) for value in values]
        return values

    async def _completed(self, type_: Any, values: Values, field: PlannedField) -> Values:
        """Objects of any depth of lists."""
        if isinstance(type_, GraphQLNonNull):
            return no_nulls(await self._completed(cast(Any, type_).of_type, values, field))
        if isinstance(type_, GraphQLList):
            flat, join = flattened(values)
            return join(await self._completed(cast(Any, type_).of_type, flat, field))
        kinds = refuse_odd(values)
        present = [value for value in values if value is not None] if type(None) in kinds else values
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            objects = await self._of_many_types(type_, present, field)
        else:
            objects = await self.objects(field.selections[type_.name], present)
        if present is values:
            return cast(Values, objects)
        made = iter(objects)
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
    """All results; when one fails the others are ended before it is raised.

    As asyncio.gather, but the last one to end wakes the waiter itself: one turn of the loop less on each level.
    """
    if len(waiting) < 2:
        return [await one for one in waiting]
    ended = asyncio.get_running_loop().create_future()
    results: list[Any] = [None] * len(waiting)
    left = len(waiting)

    async def run(place: int, one: Awaitable[Any]) -> None:
        nonlocal left
        try:
            results[place] = await one
        except Exception as error:
            if not ended.done():
                ended.set_exception(error)
            return
        left -= 1
        if not left and not ended.done():
            ended.set_result(None)

    tasks = [asyncio.ensure_future(run(place, one)) for place, one in enumerate(waiting)]
    try:
        await ended
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    return results
