"""Payloads and items are planned; what changes something is done once, in its order, whatever happens below it."""

import asyncio
from typing import Any

import pytest

from tests.engine.odd import OURS, REFERENCE, Context, Rows, Told, both, told

ROWS: Rows = {
    "a": {"__typename": "Thing", "name": "A", "sure": "sa", "count": 1, "child": "b", "children": ("a", "b")},
    "b": {"__typename": "Thing", "name": "B", "sure": None, "count": "two", "child": "broken", "computed": "raise"},
    "o": {"__typename": "Other", "name": "O", "weight": 3, "child": "a"},
    "x": {"__typename": "Nobody", "name": "X"},
}


async def test_payloads_are_planned_and_root_fields_keep_their_order() -> None:
    document = """mutation { c: add(amount: 3) { done thing { name child { name } } }
        a: addSure(amount: 1) { done sure { name } } ...M b: add(amount: 2) { sure { children { name } } done } }
        fragment M on Mutation { d: addNamed(id: "o") { __typename name } }"""
    answer = await both(document, ROWS)
    assert answer.planned
    assert answer.errors == []
    assert answer.context.effects == [3, 1, "o", 2]
    assert list(answer.data) == ["c", "a", "d", "b"]
    assert answer.data["c"] == {"done": 3, "thing": {"name": "A", "child": {"name": "B"}}}
    assert answer.data["d"] == {"__typename": "Other", "name": "O"}
    assert len(answer.context.asked_for) == 2, "one call for the child, one for the children"


@pytest.mark.parametrize(
    "inside",
    [
        "thing { computed }",
        "thing { computedSure }",
        "sure { computedSure }",
        "sure { sure }",
        "thing { count }",
        "thing { child { name } }",
        "sure { childSure { name } }",
        'sure { echo(text: "raise") shout(loud: -1) computed }',
        "thing { noSource secret }",
        "thing { sure } sure { computed child { name } }",
    ],
)
async def test_a_mutation_is_done_once_though_its_payload_is_handed_over(inside: str) -> None:
    document = f"""mutation {{ first: add(amount: 1) {{ done }} wrong: add(amount: 2, id: "b") {{ done {inside} }}
        sure: add(amount: 4) {{ done thing {{ name }} }} }}"""
    answer = await both(document, ROWS)
    assert answer.context.effects == [1, 2, 4]
    assert len(answer.context.handovers) == 1, "the other payloads stay planned"
    assert answer.data["first"] == {"done": 1}
    assert answer.data["sure"] == {"done": 7, "thing": {"name": "A"}}


async def test_a_null_that_climbs_out_of_a_mutation_ends_those_after_it_as_ever() -> None:
    document = """mutation { first: add(amount: 1) { done } wrong: addSure(amount: 2, id: "b") { sure { sure } }
        after: add(amount: 4) { done } }"""
    answer = await both(document, ROWS)
    assert answer.data is None
    assert answer.context.effects[:2] == [1, 2]
    assert answer.errors[0]["path"] == ["wrong", "sure", "sure"]


async def test_mutations_that_fail_or_answer_nothing_are_told_alike() -> None:
    document = """mutation ($id: String!) {
        a: add(amount: -1) { done } b: add(amount: 1, id: $id) { done thing { name } }
        c: addNamed(id: $id) { name ... on Other { weight } } d: add(amount: -2) { thing { name } } __typename }"""
    for id_ in ("a", "b", "o", "x", "nowhere"):
        answer = await both(document, ROWS, variable_values={"id": id_})
        assert answer.context.effects == [-1, 1, id_, -2]


@pytest.mark.parametrize("ids", ["[]", '["a", "b"]', '["a", "nowhere"]'])
async def test_lists_of_a_mutation_are_left_to_graphql_core(ids: str) -> None:
    answer = await both(f"mutation {{ addMany(ids: {ids}) {{ name child {{ name }} }} }}", ROWS)
    assert len(answer.context.effects) == 1
    assert answer.planned


async def test_a_query_beside_it_sees_what_was_loaded_only_after_the_mutation() -> None:
    document = (
        "mutation { a: add(amount: 1) { thing { child { name } } } b: add(amount: 2) { thing { child { name } } } }"
    )
    answer = await both(document, ROWS)
    assert answer.context.asked_for == [["b"], ["b"]]


@pytest.mark.parametrize("after", range(8))
async def test_a_cancelled_mutation_is_not_done_again(after: int) -> None:
    before, context = asyncio.all_tasks(), Context(ROWS)
    document = (
        "mutation { a: add(amount: 1) { thing { child { name } children { echo } } } b: add(amount: 2) { done } }"
    )
    running = asyncio.ensure_future(OURS.execute(document, context_value=context))
    for _ in range(after):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for _ in range(5):
        await asyncio.sleep(0)
    assert context.effects in ([], [1], [1, 2])
    assert context.handovers == []
    assert asyncio.all_tasks() <= before, "something of it still runs"


async def streamed(document: str, **more: Any) -> list[Told]:
    """The items as both executors tell them; those of ours."""
    streams: list[list[Told]] = []
    for schema in (OURS, REFERENCE):
        context = Context(ROWS)
        results = await schema.subscribe(document, context_value=context, **more)
        streams.append([told(result, context) async for result in results])
    ours, reference = streams
    assert [(item.data, item.errors) for item in ours] == [(item.data, item.errors) for item in reference]
    assert ours[-1].context.effects == reference[-1].context.effects
    return ours


async def test_every_item_of_a_subscription_is_planned_with_one_plan() -> None:
    document = (
        'subscription { t: ticks(ids: ["a", "a", "nowhere", "a"]) { name child { name } children { count: name } } }'
    )
    items = await streamed(document)
    told_of_a = {"t": {"name": "A", "child": {"name": "B"}, "children": [{"count": "A"}, {"count": "B"}]}}
    assert [item.data for item in items] == [told_of_a, told_of_a, {"t": None}, told_of_a]
    context = items[0].context
    assert context.handovers == []
    assert len(context.document.plans) == 1
    assert context.effects == ["a", "a", "nowhere", "a"]


@pytest.mark.parametrize(
    "inside", ["name computed", "name sure", "count", "child { name }", "noSource", "computedSure"]
)
async def test_an_error_in_one_item_leaves_the_others_as_they_are(inside: str) -> None:
    items = await streamed(f'subscription {{ ticks(ids: ["a", "b", "a"]) {{ name {inside} }} }}')
    assert len(items) == 3
    assert items[0].data == items[2].data
    assert items[0].data is not None
    assert items[0].context.effects == ["a", "b", "a"], "no item is drawn twice"


async def test_the_stream_ends_alike_when_it_breaks() -> None:
    items = await streamed(
        "subscription ($ids: [String!]!) { ticks(ids: $ids) { name } }", variable_values={"ids": ["a", "end", "a"]}
    )
    assert items[0].data == {"ticks": {"name": "A"}}
    assert items[-1].errors[0]["message"] == "the stream broke"


async def test_switches_hold_for_every_item() -> None:
    document = 'subscription ($s: Boolean!) { ticks(ids: ["a", "b"]) { name @skip(if: $s) t: __typename } }'
    for skipped, names in ((True, ["t"]), (False, ["name", "t"])):
        items = await streamed(document, variable_values={"s": skipped})
        assert [list(item.data["ticks"]) for item in items] == [names, names]
