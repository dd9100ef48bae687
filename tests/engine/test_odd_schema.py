"""Whatever stands in a row, the engine answers as graphql-core does: values, lists, nulls, types."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from graphql import Undefined

from schema.build import value_of
from tests.engine.odd import Colour, Rows, both

NAN, INFINITE = float("nan"), float("inf")


class Word(str):
    """A text, but not of type str."""


class Weekday(IntEnum):
    MONDAY = 1


class Written(Exception):
    """Has a text that could be taken for a value."""


class Spoken:
    def __str__(self) -> str:
        return "spoken"


@dataclass
class Later:
    """Something to wait for that does not mind when nobody does."""

    value: Any

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from asyncio.sleep(0).__await__()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


IN_VAIN = Later(RuntimeError("later, in vain"))


def these(*values: Any) -> tuple[Callable[[], Any], ...]:
    return tuple(lambda value=value: value for value in values)


VALUES: tuple[Callable[[], Any], ...] = (
    *these(None, Undefined, "", "x", "12", "1.5", "red", "RED", Word("w"), b"b"),
    *these(0, 1, -1, True, False, 2, 1.5, 2.0, -0.0, NAN, INFINITE, -INFINITE),
    *these(2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63, 1e100, 3e9),
    *(lambda value=value: value for value in (Decimal("1.5"), Decimal(3), Fraction(1, 2), Weekday.MONDAY, Colour.RED)),
    *these({}, {"a": 1}, [], [1], (), set[int](), Spoken(), object, Colour),
    *these(RuntimeError("bad"), Written("a text"), KeyError("k")),
    lambda: Later("x"),
    lambda: Later(1),
    lambda: Later(None),
    lambda: IN_VAIN,
)


@pytest.mark.parametrize(
    "field", ["name", "sure", "count", "size", "flag", "key", "colour", "even", "computed", "asked"]
)
async def test_a_leaf_shows_or_refuses_each_value_alike(field: str) -> None:
    for make in VALUES:
        for others in ([], [make], [lambda: None]):

            def rows(makes: list[Any] = [make, *others]) -> Rows:  # noqa: B006
                return {str(at): {field: one()} for at, one in enumerate(makes)}

            ids = " ".join(f'"{at}"' for at in range(1 + len(others)))
            await both(f"{{ things(ids: [{ids}]) {{ x: {field} }} }}", rows)


@pytest.mark.parametrize("field", ["computed", "computedSure", "asked", "askedSure"])
async def test_computed_and_asked_leaves_show_each_value_alike(field: str) -> None:
    for make in VALUES:
        row = {field.removesuffix("Sure"): make()}
        await both(f'{{ things(ids: ["a", "b", "a"]) {{ x: {field} }} }}', {"a": row})


@pytest.mark.parametrize("field", ["name", "count", "size", "flag", "key", "colour", "even"])
async def test_plain_values_need_no_hand_over(field: str) -> None:
    plain = {"name": "n", "count": 7, "size": 1.5, "flag": True, "key": "k", "colour": Colour.BLUE, "even": 4}
    rows = {"a": plain, "b": dict.fromkeys(plain)}
    answer = await both(f'{{ things(ids: ["a", "b", "a"]) {{ {field} }} }}', rows)
    assert answer.planned
    shown = "BLUE" if field == "colour" else plain[field]
    assert answer.data == {"things": [{field: shown}, {field: None}, {field: shown}]}


async def _counting() -> AsyncIterator[Any]:
    yield "one"
    yield None


class Twice:
    def __iter__(self) -> Iterator[Any]:
        return iter(["hello", "hello"])


LISTS: tuple[Callable[[], Any], ...] = (
    *these(None, Undefined, [], ["a"], ["a", None], [None], [1, True, 2.5], [{}]),
    *(
        lambda value=value: value
        for value in ((), ("a", "b"), ("a", None), {"a"}, frozenset({"b"}), deque(["c", None]))
    ),
    *these("text", b"text", {"k": 1}, {}, 5, range(3), Twice(), {"a": 1}.keys()),
    *(
        lambda value=value: value
        for value in (RuntimeError("no list"), ["a", RuntimeError("no item")], ["a", Undefined])
    ),
    lambda: (letter for letter in "ab"),
    lambda: iter(["a", None]),
    lambda: map(str, (1, 2)),
    lambda: Later(["a"]),
    lambda: [Later("a"), "b", Later(None)],
    lambda: [IN_VAIN, "b"],
    _counting,
)


@pytest.mark.parametrize("field", ["items", "itemsSure", "sureItems", "sureItemsSure"])
async def test_whatever_is_given_as_a_list_of_leaves_is_told_alike(field: str) -> None:
    python = {"items": "items", "itemsSure": "items_sure", "sureItems": "sure_items"}.get(field, "sure_items_sure")
    for make in LISTS:
        await both(f'{{ thing(id: "a") {{ {field} }} }}', lambda make=make: {"a": {python: make()}})


@pytest.mark.parametrize("field", ["grid", "looseGrid"])
async def test_lists_of_lists_are_told_alike(field: str) -> None:
    python = {"grid": "grid", "looseGrid": "loose_grid"}[field]
    whole: list[Any] = [[], [[]], [[1, 2], [], (3,)]]
    grids = [*whole, [[1], None], [[None]], None, [1], [[1], {2}], [[1, "x"]], [[2**31]]]
    for grid in grids:
        answer = await both(f'{{ things(ids: ["a", "a"]) {{ {field} }} }}', {"a": {python: grid}})
        if grid in whole:
            assert answer.planned
            assert answer.data["things"][1] == {field: [list(one) for one in grid]}


THING: Rows = {"name": "t"}
THINGS: tuple[Callable[[], Any], ...] = (
    *these(None, [], [THING], (THING, THING), [THING, None], [None], {}, "x", 3),
    *(
        lambda value=value: value
        for value in ([RuntimeError("bad")], [THING, 5], [[THING], []], [[THING, None]], [None, []])
    ),
    lambda: (row for row in (THING, None)),
    lambda: [Later(THING)],
    lambda: RuntimeError("no list"),
)


@pytest.mark.parametrize("field", ["owned", "owned_sure", "owned_grid", "pets"])
async def test_whatever_is_given_as_a_list_of_objects_is_told_alike(field: str) -> None:
    written = {"owned_sure": "ownedSure", "owned_grid": "ownedGrid"}.get(field, field)
    for make in THINGS:
        for fields in ("name", "name sure", "__typename", "child { name }"):
            inside = f"... on Thing {{ {fields} }}"
            await both(f'{{ thing(id: "a") {{ {written} {{ {inside} }} }} }}', lambda make=make: {"a": {field: make()}})


@pytest.mark.parametrize("steps", list(product(["child", "childSure", "own", "ownSure", "assumed"], repeat=3)))
async def test_a_null_climbs_alike_from_each_depth(steps: tuple[str, ...]) -> None:
    """Each step is nullable or not, a batch or in the row or asked for; the null stands at each depth in turn."""
    steps = tuple("askedThing" if step == "assumed" else step for step in steps)
    document = f'{{ a: thing(id: "0") {{ name {steps[0]} {{ {steps[1]} {{ name {steps[2]} {{ sure }} }} }} }} }}'
    for nothing_at in range(5):
        rows: Rows = {}
        for depth in (3, 2, 1, 0):
            below = str(depth + 1) if depth + 1 < nothing_at else "nowhere"
            inside = rows.get(below)
            sure = None if nothing_at == 4 else "yes"
            rows[str(depth)] = {
                "name": depth,
                "sure": sure,
                "child": below,
                "own": inside,
                "own_sure": inside,
                "asked": inside,
            }
        await both(document, rows)


async def test_the_first_nullable_place_after_a_long_chain_becomes_null() -> None:
    rows: Rows = {"a": {"child": "a", "sure": None, "name": "n"}}
    document = '{ thing(id: "a") { name child { childSure { childSure { childSure { sure } } } } } }'
    answer = await both(document, rows)
    assert answer.data == {"thing": {"name": "n", "child": None}}
    assert answer.errors[0]["path"] == ["thing", "child", "childSure", "childSure", "childSure", "sure"]
    assert (await both(document.replace("thing(", "thingSure(").replace("child {", "childSure {"), rows)).data is None


@pytest.mark.parametrize("kind", ["Thing", "Other", "Named", "Query", "Colour", "Nobody", "", None, 5, {}, ["Thing"]])
async def test_behind_interfaces_and_unions_each_kind_is_told_alike(kind: Any) -> None:
    row = {"__typename": kind, "name": "n", "weight": 3, "sure": "s", "friend": "a", "child": "a"}
    rows = {"a": {**row, "pet": row, "pets": [row, {**row, "__typename": "Other"}, row]}}
    inside = "{ __typename ... on Named { name } ... on Thing { sure } ... on Other { weight child { name } } }"
    await both(f'{{ named(id: "a") {inside} }}', rows)
    await both(
        f'{{ severalNamed(ids: ["a", "nowhere", "a"]) {inside} thing(id: "a") {{ pet {inside} pets {inside} }} }}', rows
    )
    await both(f'{{ named(id: "a") {{ friend {{ friend {inside} }} }} }}', rows)


async def test_objects_of_several_types_come_back_in_their_order() -> None:
    rows = {
        name: {"__typename": kind, "name": name, "weight": 1}
        for name, kind in zip("abcd", ("Thing", "Other") * 2, strict=True)
    }
    inside = "{ __typename name ... on Other { weight } }"
    answer = await both(f'{{ severalNamed(ids: ["d", "a", "x", "b", "c", "a"]) {inside} }}', rows)
    assert [one and one["name"] for one in answer.data["severalNamed"]] == ["d", "a", None, "b", "c", "a"]
    assert answer.planned


class Record:
    """Entries by name in brackets, as asyncpg's records, and as attributes, as our rows."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None


class Plain:
    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


@pytest.mark.parametrize("kinds", list(product([dict, Record, Plain], repeat=2)))
async def test_parents_may_be_mappings_records_and_objects_side_by_side(kinds: tuple[Any, Any]) -> None:
    first, second = kinds
    rows = {"a": first(name="A", count=1, child="b"), "b": second(name="B", child=None), "c": Plain(name="C")}
    answer = await both('{ things(ids: ["a", "b"]) { name child { name } } }', rows)
    assert answer.planned
    assert answer.data == {"things": [{"name": "A", "child": {"name": "B"}}, {"name": "B", "child": None}]}
    await both('{ things(ids: ["a", "b", "c"]) { name count child { name } } }', rows)


async def test_a_row_without_its_own_column_is_told_alike() -> None:
    rows: Rows = {"dict": {}, "object": Plain(), "record": Record(), "text": "text", "list": [1], "number": 5}
    for id_ in rows:
        for field in ("name", "sure", "computed", "child { name }", "__typename", "own { name }"):
            await both(f'{{ thing(id: "{id_}") {{ {field} }} }}', rows)


async def test_ten_thousand_rows_are_one_call_for_each_level() -> None:
    rows: Rows = {
        str(at): {"name": f"n{at}", "child": str((at + 1) % 10_000), "items": ["a", at]} for at in range(10_000)
    }
    rows["all"] = {"children": tuple(rows)}
    answer = await both('{ thing(id: "all") { children { name items child { name child { name } } } } }', rows)
    children = answer.data["thing"]["children"]
    assert children[9_999] == {
        "name": "n9999",
        "items": ["a", "9999"],
        "child": {"name": "n0", "child": {"name": "n1"}},
    }
    assert answer.planned
    assert [len(keys) for keys in answer.context.asked_for] == [1, 1, 10_000]
    rows["5000"]["name"] = RuntimeError("one of many")
    answer = await both('{ thing(id: "all") { children { name } } }', rows)
    assert [error["path"] for error in answer.errors] == [["thing", "children", 5000, "name"]]


@pytest.mark.parametrize("field", ["child", "childSure", "friend"])
async def test_fifty_levels_are_planned(field: str) -> None:
    rows: Rows = {"a": {"__typename": "Thing", "name": "n", "child": "a", "friend": "a"}}
    answer = await both(f'{{ thing(id: "a") {{ {f"{field} {{ name " * 50} name {"}" * 50} }} }}', rows)
    assert answer.planned
    assert answer.context.asked_for == [["a"]]


def test_rows_are_read_by_the_words_of_the_schema() -> None:
    assert [value_of(row, "name") for row in ({"name": 1}, Record(name=1), Plain(name=1))] == [1, 1, 1]
