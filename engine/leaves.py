"""Leaves and lists of a level: values read off all parents at once, and made what the answer shows.

Everything here is put together when a plan is made, so that running it asks no question about types again.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial
from itertools import chain
from operator import itemgetter
from typing import Any, Final, cast

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLString,
    Undefined,
    is_leaf_type,
)
from graphql.pyutils import UndefinedType

Values = list[Any]
Read = Callable[[Sequence[Any]], Values]
Write = Callable[[Values], Values]

ODD: Final = (Exception, Awaitable, UndefinedType)
"""What graphql-core does not take for a value: it raises it, waits for it, or makes it null."""
NATURAL: Final[dict[Any, type]] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}
"""Values of these types are written as they are."""
MOST_TYPES: Final = 4_096
"""With their wrappers: a schema has some hundreds of leaves."""
INT_RANGE: Final = range(-(2**31), 2**31)
NOTHING: Final = type(None)
_known_kinds: Final[dict[type, bool]] = {}


class HandOver(Exception):
    """The plan does not know how to go on; graphql-core does. The message says why."""


def column_reader(name: str, default: Callable[[Any, str], Any]) -> Read:
    """Reads one column of many rows; `default` reads what is neither a row nor a complete mapping."""
    get = itemgetter(name)

    def read(parents: Sequence[Any]) -> Values:
        try:
            return list(map(get, parents))
        except (TypeError, LookupError):
            return [default(parent, name) for parent in parents]

    return read


@lru_cache(MOST_TYPES)
def writer(type_: Any, *, nullable: bool = True) -> Write:
    """Makes values of a leaf type, or of lists of it, what the answer shows."""
    if isinstance(type_, GraphQLNonNull):
        return writer(cast(Any, type_).of_type, nullable=False)
    if isinstance(type_, GraphQLList):
        inner = writer(cast(Any, type_).of_type)

        def lists(values: Values) -> Values:
            flat, join = flattened(values if nullable else no_nulls(values))
            return join(inner(flat))

        return lists
    if not is_leaf_type(type_):
        raise HandOver(f"{type_} is no leaf")
    return _leaf_writer(type_, nullable=nullable)


def _leaf_writer(type_: GraphQLLeafType, *, nullable: bool) -> Write:
    natural = {NATURAL.get(type_), NOTHING}
    one = _enumerated(type_) if isinstance(type_, GraphQLEnumType) else _checked(type_)

    def written(values: Values) -> Values:
        kinds = refuse_odd(values)
        if NOTHING in kinds and not nullable:
            raise HandOver("null where nothing may be")
        if kinds <= natural or (kinds == {int} and type_ is GraphQLInt and _in_range(values)):
            return values
        return [None if value is None else one(value) for value in values]

    return written


def _checked(type_: GraphQLLeafType) -> Callable[[Any], Any]:
    write = type_.coerce_output_value

    def checked(value: Any) -> Any:
        written = write(value)
        if written is None or written is Undefined:
            raise HandOver(f"a {type(value).__name__} that is no {type_.name}")
        return written

    return checked


def _enumerated(type_: GraphQLEnumType) -> Callable[[Any], Any]:
    """The values of an enum are few, so each is written once."""
    checked = _checked(type_)
    known: dict[Any, Any] = {}

    def enumerated(value: Any) -> Any:
        written = known.get(value)
        if written is None:
            written = known[value] = checked(value)
        return written

    return enumerated


def _in_range(numbers: Values) -> bool:
    return min(numbers) in INT_RANGE and max(numbers) in INT_RANGE


def refuse_odd(values: Values) -> set[type]:
    """The types of values that are values."""
    kinds = set(map(type, values))
    for kind in kinds:
        odd = _known_kinds.get(kind)
        if odd is None:
            odd = _known_kinds[kind] = issubclass(kind, ODD)
        if odd:
            raise HandOver(f"a {kind.__name__} instead of a value")
    return kinds


def no_nulls(values: Values) -> Values:
    if NOTHING in set(map(type, values)):
        raise HandOver("null where nothing may be")
    return values


def flattened(values: Values) -> tuple[Values, Callable[[Values], Values]]:
    """The items of all lists in one, and how to take them apart again."""
    for kind in set(map(type, values)):
        if not issubclass(kind, list | tuple | NOTHING):
            raise HandOver("a list that is none")
    if len(values) == 1 and values[0] is not None:
        return list(values[0]), _alone
    flat = list(chain.from_iterable(cast("list[list[Any]]", [v for v in values if v is not None])))
    return flat, partial(_joined, values)


def _alone(flat: Values) -> Values:
    return [flat]


def _joined(lists: Values, flat: Values) -> Values:
    joined: Values = []
    start = 0
    for original in lists:
        if original is None:
            joined.append(None)
        else:
            end = start + len(original)
            joined.append(flat[start:end])
            start = end
    return joined
