"""What graphql-core's own tests of execution are about, on our archive: each answer exact, and planned or handed over.

| their topic | here |
|---|---|
| executor, schema, collect_fields | this file: operations, merging, order, paths, errors in subtrees |
| parallel, mutations, directives, resolve | this file |
| nonnull, lists | test_reference_nulls.py |
| union_interface, abstract, abstract_async | test_reference_types.py |
| variables, oneof | test_reference_variables.py |
| subscribe, cancellation, abort_signal | test_mutations_and_subscriptions.py, test_handover.py |
| middleware | test_handover.py: with any, everything is handed over |
| sync | not: the server is asynchronous, and so is every plan |
| customize, hooks, custom field and type resolvers | not: Strawberry makes the executor, one way to read rows is ours |
| defer, stream, incremental, lazy execution | not: the schema has no such directive, so none is valid |
| error_propagation | not: its experimental directive is not in the schema |
| documents that are not valid (missing or unknown selections, recursion, type definitions) | not: refused before |
| execution_result, map and flatten of async iterables, queues | not: graphql-core's own parts, used as they are |
"""

import asyncio
from typing import Any

import pytest

from tests.engine.archive import Wrong, tells

PROBE: dict[str, Any] = {"word": "w", "key": "probe", "numbers": [1, 2], "failure": RuntimeError("in vain")}
PROBE["self"] = PROBE
ROWS: dict[str, Any] = {
    "probe": PROBE,
    "ada": {"kind": "Person", "title": "Ada", "pupil": "bob", "favourite": None, "likes": None},
    "bob": {"kind": "Person", "title": "Bob", "pupil": "ada", "likes": [{"kind": "Book", "title": "B"}, None]},
    "odd": {"kind": "Person", "title": RuntimeError("no title"), "pupil": "nobody"},
}


async def test_values_at_once_later_and_by_batch_are_one_answer_in_the_order_of_the_document() -> None:
    document = """query ($id: String!) { later: person(id: $id) { ...Who }
        probe { later now b: batched { n: now } laterNest { numbers later } ... on Probe { nest { now } } }
        again: word }
        fragment Who on Person { title pupil { likes { title } t: title } }"""
    data = {
        "later": {"title": "Ada", "pupil": {"likes": [{"title": "B"}, None], "t": "Bob"}},
        "probe": {
            "later": "w",
            "now": "w",
            "b": {"n": "w"},
            "laterNest": {"numbers": [1, 2], "later": "w"},
            "nest": {"now": "w"},
        },
        "again": "it=None",
    }
    await tells(document, data, planned=True, rows=ROWS, variables={"id": "ada"})


async def test_fragments_side_by_side_are_merged_at_every_depth() -> None:
    document = """{ person(id: "ada") { ...A ...B } }
        fragment A on Person { title pupil { title pupil { title } } }
        fragment B on Person { pupil { likes { __typename } pupil { likes { title } } } }"""
    deep = {"title": "Ada", "likes": None}
    pupil = {"title": "Bob", "pupil": deep, "likes": [{"__typename": "Book"}, None]}
    context = await tells(document, {"person": {"title": "Ada", "pupil": pupil}}, planned=True, rows=ROWS)
    assert context.asked_for == [["ada"], ["bob"]], "the same field of both fragments is loaded once"


async def test_places_that_begin_with_the_same_fragment_and_go_on_differently_are_kept_apart() -> None:
    document = """{ person(id: "ada") { a: pupil { ...A } b: pupil { ...A ...B } } }
        fragment A on Person { pupil { title } } fragment B on Person { title pupil { likes { title } } }"""
    ada = {"title": "Ada"}
    data = {"person": {"a": {"pupil": ada}, "b": {"pupil": {**ada, "likes": None}, "title": "Bob"}}}
    await tells(document, data, planned=True, rows=ROWS)


async def test_a_field_that_looks_at_the_execution_sees_its_alias_and_its_operation() -> None:
    document = "query Look { here: place place(shout: true) }"
    await tells(document, {"here": "here of Look", "place": "PLACE OF LOOK"}, planned=False)


async def test_arguments_arrive_under_their_names_and_falsy_ones_are_not_lost() -> None:
    data = {"pair": "a=0 b=False", "x": "a=None b=True", "y": "a=None b=None"}
    await tells("{ pair(b: false, a: 0) x: pair(b: true) y: pair }", data, planned=True)


async def test_what_fails_in_a_subtree_is_null_and_the_rest_is_answered() -> None:
    document = """{ probe { now fails { now } } odd: person(id: "odd") { title pupil { title } }
        ada: person(id: "ada") { title } bad: person(id: "bad") { title } }"""
    data = {"probe": None, "odd": {"title": None, "pupil": None}, "ada": {"title": "Ada"}, "bad": None}
    errors = (
        Wrong("probe.fails", "in vain"),
        Wrong("odd.title", "no title"),
        Wrong("bad", "not there"),
    )
    await tells(document, data, *errors, planned=False, rows={**ROWS, "bad": LookupError("not there")})


async def test_an_error_has_its_whole_path_by_the_names_of_the_answer() -> None:
    document = "{ p: probe { q: nest { nestSure { r: laterNestSure { fails { now } } } } now } }"
    error = Wrong("p.q.nestSure.r.fails", "in vain")
    await tells(document, {"p": {"q": None, "now": "w"}}, error, planned=False, rows=ROWS)


SEVERAL = 'query One { word(it: "1") } query Two { word(it: "2") } mutation Three { setNow(to: 3) { number } }'


@pytest.mark.parametrize(
    ("document", "name", "data"),
    [
        ('{ word(it: "1") }', None, {"word": "it='1'"}),
        ('query Only { word(it: "1") }', None, {"word": "it='1'"}),
        (SEVERAL, "One", {"word": "it='1'"}),
        (SEVERAL, "Two", {"word": "it='2'"}),
        (SEVERAL, "Three", {"setNow": {"number": 1}}),
    ],
)
async def test_the_operation_that_is_named_runs_or_the_only_one(document: str, name: str | None, data: Any) -> None:
    context = await tells(document, data, planned=True, name=name)
    assert context.effects == [3] * (name == "Three"), "no other operation ran"


async def test_fields_of_one_level_wait_for_each_other() -> None:
    """Run one after another, the first would wait for ever."""
    document = '{ a: meeting(who: "a") b: meeting(who: "b") c: meeting(who: "c") }'
    async with asyncio.timeout(60):
        barrier = asyncio.Barrier(3)
        await tells(document, {"a": "a", "b": "b", "c": "c"}, planned=True, rows={"barrier": barrier})


async def test_mutations_run_one_after_another_in_their_order_whether_they_wait_or_not() -> None:
    document = """mutation { a: setNow(to: 1) { number } b: setLater(to: 2) { number probe { later now } }
        c: setNow(to: 3) { number } d: setLater(to: 4) { number } }"""
    data = {"a": {"number": 1}, "b": {"number": 2, "probe": {"later": "w", "now": "w"}}}
    data |= {"c": {"number": 3}, "d": {"number": 4}}
    context = await tells(document, data, planned=True, rows=ROWS)
    assert context.effects == [1, 2, 3, 4]


async def test_mutations_after_one_that_fails_still_run() -> None:
    document = """mutation { a: setNow(to: 1) { number } b: setNow(to: -2) { number } c: setLater(to: -3) { number }
        d: setLater(to: 4) { probe { fails { now } } } e: setNow(to: 5) { number } }"""
    data = {"a": {"number": 1}, "b": None, "c": None, "d": {"probe": None}, "e": {"number": 5}}
    errors = (
        Wrong("b", "-2 is too little"),
        Wrong("c", "-3 is too little"),
        Wrong("d.probe.fails", "in vain"),
    )
    context = await tells(document, data, *errors, planned=False, rows=ROWS)
    assert context.effects == [1, -2, -3, 4, 5]
    assert context.handovers == ["in vain"], "one payload of three was left to graphql-core; what failed has none"


FORMS = {
    "field": "later {}",
    "fragment": "...F {}",
    "inline": "... on Probe {} {{ later }}",
    "anonymous": "... {} {{ later }}",
}
SWITCHES = [
    ("", True),
    ("@include(if: true)", True),
    ("@include(if: false)", False),
    ("@skip(if: true)", False),
    ("@skip(if: false)", True),
    ("@include(if: true) @skip(if: true)", False),
    ("@include(if: true) @skip(if: false)", True),
    ("@include(if: false) @skip(if: false)", False),
    ("@include(if: false) @skip(if: true)", False),
]


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_included_and_not_skipped_is_selected(form: str) -> None:
    for written, selected in SWITCHES:
        for word, value in (("true", True), ("false", False)):  # as it stands, and by a variable
            by_variable = written.replace(word, f"${word}")
            for switch in {written, by_variable}:
                declared = f"(${word}: Boolean!)" if "$" in switch else ""
                fragment = "fragment F on Probe { later }" if form == "fragment" else ""
                document = f"query Q{declared} {{ probe {{ now {FORMS[form].format(switch)} }} }} {fragment}"
                data = {"probe": {"now": "w", **({"later": "w"} if selected else {})}}
                variables = {word: value} if declared else {}
                await tells(document, data, planned=True, rows=ROWS, variables=variables)


async def test_rows_are_read_by_attribute_or_by_entry_and_what_is_not_there_is_null_in_a_mapping() -> None:
    class Person:
        title, pupil, likes = "C", "bob", ()

    document = '{ person(id: "c") { title likes { title } favourite { __typename } pupil { title } } }'
    data = {"person": {"title": "C", "likes": [], "favourite": None, "pupil": {"title": "Bob"}}}
    rows = {**ROWS, "c": {"title": "C", "pupil": "bob", "likes": []}}
    await tells(document, data, planned=True, rows=rows)
    document = '{ person(id: "c") { title likes { title } pupil { title } } }'
    del data["person"]["favourite"]
    await tells(document, data, planned=True, rows={**ROWS, "c": Person()})
    missing = "'Person' object has no attribute 'favourite'"
    document = '{ person(id: "c") { title favourite { __typename } } }'
    data = {"person": {"title": "C", "favourite": None}}
    await tells(document, data, Wrong("person.favourite", missing), planned=False, rows={"c": Person()})
