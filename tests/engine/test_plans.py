"""An operation is planned once for each way of reading it, and kept no longer than there is room."""

from typing import Any

import pytest

from engine.documents import MOST_PLANS, Document, Documents
from engine.plan import Planner, Selection
from tests.engine.odd import Context, OddSchema, Rows, both, odd_schema, told

ROWS: Rows = {
    "a": {"__typename": "Thing", "name": "A", "sure": "sa", "count": 1, "child": "b"},
    "b": {"__typename": "Thing", "name": "B", "sure": "sb", "count": 2, "child": None, "computed": "raise"},
}


@pytest.fixture
def schema() -> OddSchema:
    return odd_schema()


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The types whose selections were planned, one after another."""
    types: list[str] = []
    plan = Planner.selection

    def noting(self: Planner, type_: Any, grouped: Any) -> Selection:
        types.append(type_.name)
        return plan(self, type_, grouped)

    monkeypatch.setattr(Planner, "selection", noting)
    return types


def kept(schema: OddSchema, document: str) -> Document:
    found = schema.documents.find(document)
    assert found is not None
    return found


async def test_the_same_document_is_planned_once(schema: OddSchema, planned: list[str]) -> None:
    document = "query ($id: String!) { thing(id: $id) { name child { name } } }"
    for id_ in ("a", "b", "a", "nowhere"):
        assert (await both(document, ROWS, ours=schema, variable_values={"id": id_})).planned
    assert planned == ["Query", "Thing", "Thing"]
    assert len(kept(schema, document).plans) == 1


async def test_other_text_is_another_document(schema: OddSchema, planned: list[str]) -> None:
    await both('{ thing(id: "a") { name } }', ROWS, ours=schema)
    await both('{ thing(id: "a") { name  } }', ROWS, ours=schema)
    assert planned == ["Query", "Thing"] * 2


async def test_each_setting_of_the_switches_has_a_plan_of_its_own(schema: OddSchema) -> None:
    document = """query ($more: Boolean!, $less: Boolean = false, $id: String = "a") {
        thing(id: $id) { name ...More @include(if: $more) sure @skip(if: $less) } }
        fragment More on Thing { count child @skip(if: $less) { name @include(if: $more) } }"""
    for _ in range(2):
        for more in (True, False):
            for less in ({}, {"less": True}, {"less": False}):
                answer = await both(document, ROWS, ours=schema, variable_values={"more": more, **less})
                assert answer.planned
                expected = ["name", *["count"] * more]
                if not less.get("less"):
                    expected += [*["child"] * more, "sure"]
                assert list(answer.data["thing"]) == expected
    document_kept = kept(schema, document)
    assert document_kept.switches == ("less", "more")
    assert len(document_kept.plans) == 4


async def test_other_variables_share_the_plan(schema: OddSchema) -> None:
    document = "query ($id: String!, $text: String) { thing(id: $id) { echo(text: $text) } }"
    for text in ("one", "two", None):
        answer = await both(document, ROWS, ours=schema, variable_values={"id": "a", "text": text})
        assert f"('text', {text!r})" in answer.data["thing"]["echo"]
    assert len(kept(schema, document).plans) == 1


async def test_two_operations_of_a_document_have_their_own_plans(schema: OddSchema) -> None:
    document = """query One { thing(id: "a") { name } } query Two { thing(id: "a") { count ...F } }
        mutation Three { add(amount: 1) { done } } fragment F on Thing { sure }"""
    for name, expected in (("One", {"name": "A"}), ("Two", {"count": 1, "sure": "sa"})) * 2:
        answer = await both(document, ROWS, ours=schema, operation_name=name)
        assert (answer.data, answer.planned) == ({"thing": expected}, True)
    answer = await both(document, ROWS, ours=schema, operation_name="Three")
    assert answer.data == {"add": {"done": 1}}
    assert len(kept(schema, document).plans) == 3


async def test_what_cannot_be_planned_is_found_out_once(schema: OddSchema, planned: list[str]) -> None:
    for _ in range(3):
        answer = await both('{ thing(id: "a") { noSource } }', ROWS, ours=schema)
        assert answer.context.handovers == ["Thing.noSource has a resolver of its own"]
    assert planned == ["Query", "Thing"]


async def test_a_failure_does_not_spoil_the_plan(schema: OddSchema, planned: list[str]) -> None:
    document = "query ($id: String!) { thing(id: $id) { name computed } }"
    for id_, expected in (("b", False), ("nowhere", True), ("b", False)):
        assert (await both(document, ROWS, ours=schema, variable_values={"id": id_})).planned is expected
    assert planned == ["Query", "Thing"]


async def test_two_mutations_that_merge_differently_are_not_taken_for_each_other(schema: OddSchema) -> None:
    """Their payloads begin at the same field of the same fragment, but go on differently."""
    document = """mutation { a: add(amount: 1) { ...F } b: add(amount: 2) { ...F ...G } }
        fragment F on Payload { thing { name } } fragment G on Payload { thing { count } }"""
    answer = await both(document, ROWS, ours=schema)
    assert answer.data == {"a": {"thing": {"name": "A"}}, "b": {"thing": {"name": "A", "count": 1}}}
    assert answer.planned


async def test_a_plan_is_not_used_by_another_schema(planned: list[str]) -> None:
    first, second = odd_schema(), odd_schema()
    document = '{ thing(id: "a") { name } }'
    context = Context(ROWS)
    for schema in (first, second, first):  # even within one context
        assert told(await schema.execute(document, context_value=context), context).data == {"thing": {"name": "A"}}
    assert planned == ["Query", "Thing"] * 2
    assert kept(first, document) is not kept(second, document)


@pytest.mark.parametrize(
    "document", ["{ nobody }", "{ thing(id: 5) { name } }", "{ thing(id: ", "query ($a: X) { raising }"]
)
async def test_invalid_documents_are_refused_each_time_and_not_kept(schema: OddSchema, document: str) -> None:
    for _ in range(2):
        assert (await both(document, ROWS, ours=schema)).errors
    assert schema.documents.find(document) is None


async def test_a_document_is_kept_whose_variables_were_wrong(schema: OddSchema) -> None:
    document = "query ($id: String!) { thing(id: $id) { name } }"
    assert (await both(document, ROWS, ours=schema, variable_values={})).errors
    assert (await both(document, ROWS, ours=schema, variable_values={"id": "a"})).data == {"thing": {"name": "A"}}


async def test_what_was_not_run_for_longest_makes_room() -> None:
    schema = odd_schema(most=2)
    first, second, third = (f'{{ thing(id: "{id_}") {{ name }} }}' for id_ in "abc")
    for document in (first, second, first, third):
        await both(document, ROWS, ours=schema)
    assert [schema.documents.find(document) is not None for document in (first, second, third)] == [True, False, True]
    assert (await both(second, ROWS, ours=schema)).data == {"thing": {"name": "B"}}


async def test_the_combinations_of_many_switches_do_not_fill_the_memory(schema: OddSchema) -> None:
    switches = range(6)
    declared = ", ".join(f"$s{at}: Boolean!" for at in switches)
    fields = " ".join(f"f{at}: name @include(if: $s{at})" for at in switches)
    document = f'query ({declared}) {{ thing(id: "a") {{ sure {fields} }} }}'
    for number in range(2 ** len(switches)):
        variables = {f"s{at}": bool(number >> at & 1) for at in switches}
        answer = await both(document, ROWS, ours=schema, variable_values=variables)
        assert list(answer.data["thing"]) == ["sure", *(f"f{at}" for at in switches if variables[f"s{at}"])]
    assert len(kept(schema, document).plans) == MOST_PLANS


def test_an_empty_store_knows_nothing() -> None:
    assert Documents().find("{ __typename }") is None
