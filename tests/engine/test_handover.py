"""What the plan leaves to graphql-core, and that its answers are the same: errors, introspection, own resolvers."""

import asyncio
from typing import Any

import pytest
from graphql import get_introspection_query
from strawberry.extensions import SchemaExtension

from tests.engine.odd import OURS, Context, Rows, both, odd_schema, told

ROWS: Rows = {
    "a": {"__typename": "Thing", "name": "A", "sure": "sa", "count": 1, "child": "b", "children": ("a", "b", "c")},
    "b": {"__typename": "Thing", "name": "B", "sure": "sb", "count": 2, "child": None, "computed": "fine"},
    "c": {"__typename": "Thing", "name": "C", "sure": "sc", "count": 3, "child": "c", "computed": "raise"},
    "d": {"__typename": "Other", "name": "D", "weight": 4, "child": "broken", "children": ("a", "nowhere")},
}
WRONG = (
    '{ thing(id: "c") { name computed } }',
    '{ thing(id: "c") { name computedSure } }',
    '{ thing(id: "d") { name child { name } childSure { name } } }',
    '{ thing(id: "d") { called children { name } } }',
    '{ thing(id: "d") { childrenSure { name } children { name } } }',
    '{ thing(id: "a") { children { computed } childrenSure { name computedSure } } }',
    '{ thing(id: "a") { childrenSure { computed echo(text: "raise") shout(loud: -1) } } }',
    '{ thing(id: "a") { one: echo(text: "raise") two: shout(loud: -1) three: computed name } }',
    '{ things(ids: ["a", "b", "c", "d", "x"]) { name child { computed sure child { computedSure } } } }',
    '{ thingsSure(ids: ["a", "x"]) { name } thing(id: "a") { name } }',
    '{ thingsSure(ids: ["a", "c"]) { name computedSure } }',
    '{ named(id: "d") { ... on Other { child { name } } } thing(id: "a") { name } }',
    '{ thing(id: "broken") { name } a: thing(id: "a") { name } raising }',
    '{ thing(id: "a") { name } raisingSure }',
    '{ raising a: raising thing(id: "c") { computed } }',
)


@pytest.mark.parametrize("document", WRONG)
async def test_errors_have_the_message_path_and_place_that_they_had(document: str) -> None:
    answer = await both(document, ROWS)
    assert answer.errors
    assert not answer.planned
    assert all(error["locations"] for error in answer.errors)


@pytest.mark.parametrize(
    "inside", ["child { name }", "childSure { name }", "called", "children { name }", "echo called"]
)
async def test_an_exception_in_the_place_of_a_row_is_raised(inside: str) -> None:
    rows: Rows = {"a": {"name": "A", "child": "b", "children": ("a", "b", "a")}, "b": LookupError("no such row")}
    answer = await both(f'{{ thing(id: "a") {{ name {inside} }} thing_b: thing(id: "b") {{ name }} }}', rows)
    assert {error["message"] for error in answer.errors} == {"no such row"}


async def test_an_error_in_a_list_names_the_item() -> None:
    answer = await both('{ thing(id: "a") { children { name computed } } }', ROWS)
    assert answer.data["thing"]["children"][2] == {"name": "C", "computed": None}
    (error,) = answer.errors
    assert error["path"] == ["thing", "children", 2, "computed"]
    assert error["message"] == "computed in vain"
    assert answer.context.handovers == ["computed in vain"]


@pytest.mark.parametrize(
    "inside",
    [
        "__typename",
        "t: __typename __typename",
        "name @skip(if: true)",
        "... @include(if: false) { name }",
        "... { name ... on Named { name sure: name } }",
        "...F ...F",
        "...F child { count ...G }",
        "child { name } ...F ... on Thing { child { sure count } }",
        "x: name ...X child { x: count } ...Y",
        "children { name } children { child { name } } ...F",
        "count name sure x: count",
        "friend { name ... on Thing { child { count } } ... on Other { weight } }",
    ],
)
@pytest.mark.parametrize("by", ['thing(id: "a")', 'named(id: "a")', 'named(id: "d")', 'things(ids: ["b", "a"])'])
async def test_fragments_aliases_and_merged_fields_mean_the_same(inside: str, by: str) -> None:
    inside = f"... on Thing {{ {inside} }} name"
    used = {
        "F": "fragment F on Thing { name child { name ...G } }",
        "G": "fragment G on Thing { sure t: __typename }",
        "X": "fragment X on Thing { x: name child { x: count } }",
        "Y": "fragment Y on Thing { child { y: name x: count } }",
    }
    needed = {name for name in used if f"...{name}" in inside} | ({"G"} if "...F" in inside else set())
    await both("\n".join([f"{{ {by} {{ {inside} }} }}", *(used[name] for name in sorted(needed))]), ROWS)


DECLARED = {
    "text": '$text: String = "preset"',
    "numbers": "$numbers: [Int!]",
    "size": "$size: Size",
    "colour": "$colour: Colour = BLUE",
    "one": "$one: Int!",
}


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "(text: null)",
        '(text: "t", numbers: [1, 2])',
        "(numbers: 3)",
        "(numbers: [])",
        "(numbers: null, size: null, colour: null)",
        "(size: {width: 1})",
        "(size: {width: 1, height: 5}, colour: RED)",
        "(text: $text)",
        "(text: $text, numbers: $numbers, size: $size, colour: $colour)",
        "(numbers: [1, $one])",
        "(size: {width: $one})",
    ],
)
async def test_arguments_arrive_alike(arguments: str) -> None:
    header = ", ".join(text for name, text in DECLARED.items() if f"${name}" in arguments)
    document = f'query {f"({header})" if header else ""} {{ things(ids: ["a", "b"]) {{ echo{arguments} }} }}'
    given: tuple[dict[str, Any], ...] = (
        {},
        {"one": 1},
        {"one": 1, "text": None, "numbers": None, "size": None, "colour": None},
        {"one": 2, "text": "t", "numbers": [4, 5], "size": {"width": 7}, "colour": "RED"},
        {"one": 2, "text": "raise", "numbers": 4, "size": {"width": 7, "height": 8}},
        {"one": "x", "text": 5, "numbers": ["x"], "size": {}, "colour": "GREEN"},
        {"one": 2**31, "numbers": [None], "size": {"width": 1, "depth": 2}},
    )
    for variables in given:
        await both(document, ROWS, variable_values=variables)


@pytest.mark.parametrize(
    "document",
    [
        "{ __typename }",
        "{ a: __typename __typename }",
        "{ __schema { queryType { name } types { name kind } } }",
        '{ __type(name: "Thing") { name fields { name type { name ofType { name } } } } __typename }',
        '{ __type(name: "Nobody") { name } thing(id: "a") { name __typename } }',
        get_introspection_query(),
        '{ thing(id: "a") @skip(if: true) { name } }',
        '{ thing(id: "a") { name @include(if: false) } }',
        '{ named(id: "d") { name @skip(if: true) ... on Thing { name } } }',
        '{ things(ids: []) { name } thing(id: "nowhere") { computedSure } }',
    ],
)
async def test_introspection_and_empty_selections_are_told_alike(document: str) -> None:
    assert (await both(document, ROWS)).errors == []


async def test_a_query_with_an_own_resolver_goes_to_graphql_core_as_a_whole() -> None:
    answer = await both('{ things(ids: ["a", "b"]) { name noSource } }', ROWS)
    assert answer.context.handovers == ["Thing.noSource has a resolver of its own"]
    assert answer.data["things"][1] == {"name": "B", "noSource": "of B"}


async def test_an_extension_of_a_field_is_never_passed_over() -> None:
    """It may be a permission: a source beside it does not count."""
    answer = await both('{ thing(id: "a") { secret } }', ROWS)
    assert answer.data == {"thing": {"secret": "A!"}}
    assert not answer.planned


class Watching(SchemaExtension):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def resolve(self, next_: Any, root: Any, info: Any, *args: Any, **given: Any) -> Any:
        self.seen.append(info.field_name)
        return next_(root, info, *args, **given)


async def test_middleware_sees_every_field() -> None:
    schema, watching = odd_schema(), Watching()
    schema.more_extensions = (watching,)
    await both('{ thing(id: "a") { name count } }', ROWS, ours=schema)
    assert watching.seen == ["thing", "name", "count"]


async def test_types_that_look_at_their_objects_are_left_to_do_so() -> None:
    schema = odd_schema(own_type_checks=True)
    context = Context(ROWS)
    answer = told(await schema.execute('{ thing(id: "a") { name } }', context_value=context), context)
    assert answer.data == {"thing": None}
    assert answer.errors[0]["message"].startswith("Expected value of type 'Thing' but got:")


async def test_a_short_document_makes_no_endless_plan() -> None:
    """Each level twice over, or through an interface of several types: two to the fiftieth, if planned one by one."""
    fragments = "\n".join(
        f"fragment F{n} on Thing {{ x: child {{ ...F{n + 1} }} y: child {{ ...F{n + 1} }} }}" for n in range(25)
    )
    document = f'{{ thing(id: "b") {{ ...F0 }} }} {fragments} fragment F25 on Thing {{ name }}'
    context = Context(ROWS)
    result = await asyncio.wait_for(OURS.execute(document, context_value=context), 20)
    assert result.errors is None
    assert context.handovers == []
    deep = f'{{ named(id: "a") {"{ name friend " * 50} {{ name }} {"}" * 50} }}'
    assert (await asyncio.wait_for(both(deep, ROWS), 20)).planned


async def cancelled(inside: str, after: int, held: str) -> None:
    """Cancels after so many steps, and sees that no task goes on. Rows of `held` never come."""
    before = asyncio.all_tasks()
    document = f'{{ things(ids: ["a"]) {{ {inside} }} }}'
    running = asyncio.ensure_future(OURS.execute(document, context_value=Context(ROWS, held=frozenset(held))))
    for _ in range(after):
        await asyncio.sleep(0)
    ended_before = running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for _ in range(5):  # what was cancelled needs some to end
        await asyncio.sleep(0)
    assert ended_before or running.cancelled()
    assert asyncio.all_tasks() <= before, "something of it still runs"


INSIDE = "child { name child { name } echo } children { echo child { name } } echo shout"


@pytest.mark.parametrize("after", range(14))
@pytest.mark.parametrize("held", ["", "a", "b", "c"])
async def test_cancelling_a_plan_leaves_nothing_behind_at_any_step(after: int, held: str) -> None:
    await cancelled(INSIDE, after, held)  # a coroutine that was never awaited is an error in all our tests


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("after", range(6, 16))
@pytest.mark.parametrize("held", ["b", "c"])
async def test_cancelling_what_was_handed_over_leaves_no_task_behind(after: int, held: str) -> None:
    """Of coroutines graphql-core itself forgets some, when it is cancelled before they began."""
    await cancelled(f"{INSIDE} noSource", after, held)
