"""Operations and rows made at random over the odd schema: both executors tell the same.

graphql-core forgets coroutines of its own when an error ends their siblings before they began; the warnings are its.
"""

import gc
import os
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from graphql import Undefined, parse, validate
from hypothesis import HealthCheck, given, settings

from tests.engine.odd import OURS, REFERENCE, Colour, Context, Rows, told
from tests.engine.operations import MUTATION, QUERY, Operation, is_null_above, operations, told_apart

EXAMPLES, AT_ONCE = max(80, int(os.environ.get("FUZZ_EXAMPLES", "0")) // 10), 200
PARTS = [(begin, min(AT_ONCE, EXAMPLES - begin)) for begin in range(0, EXAMPLES, AT_ONCE)]
"""Many are made in parts, which processes share: the first number of its rows, and how many."""
IDS = ("a", "b", "c", "d", "nowhere", "broken")
ARGUMENTS: dict[str, Sequence[Any]] = {
    "(id)": IDS[:5],
    "(ids)": [["a", "b"], ["c", "d", "a", "nowhere"], [], ["b"]],
    "(loud)": [0, 1, 1, 2, -1],
    "(amount)": [1, 2, -1],
    "(text)": ["t", "t", None, "raise"],
    "(numbers)": [[], [1, 2], 3, None],
    "(size)": [{"width": 1}, {"width": 1, "height": 3}, None],
    "(colour)": ["RED", "BLUE", None],
}
FITTING: dict[str, Sequence[Any]] = {
    "name": ["n", "m"],
    "sure": ["s"],
    "count": [1, 2],
    "size": [1.5, 2],
    "flag": [True],
    "key": ["k", 5],
    "colour": [Colour.RED, Colour.BLUE],
    "even": [2],
    "items": [["a", None], []],
    "items_sure": [["a"], ("b", None)],
    "sure_items": [["a"], None],
    "sure_items_sure": [[], ["a"]],
    "grid": [[[1], []]],
    "loose_grid": [[[1, None], None], None],
    "computed": ["c"],
    "asked": [{"name": "asked"}],
    "child": IDS[:3],
    "friend": IDS[:5],
    "children": [("a", "b"), (), ("c",)],
    "weight": [1, None],
    "__typename": ["Thing", "Thing", "Other"],
}
ODD = (
    None,
    None,
    Undefined,
    "x",
    "raise",
    5,
    2**31,
    0.5,
    [],
    [None],
    {},
    {1},
    ("a",),
    RuntimeError("odd"),
    float("nan"),
)


def random_rows(random: Random) -> Rows:
    """Mostly what fits; now and then what does not."""
    oddness = random.choice([0, 0, 0.02, 0.2])
    rows: Rows = {}
    for id_ in IDS[:4]:
        odd = {name for name in FITTING if random.random() < oddness}
        row = {name: random.choice(ODD if name in odd else values) for name, values in FITTING.items()}
        rows[id_] = row
        below = [None, *rows.values()]
        row |= {"own": random.choice(below), "own_sure": random.choice(below), "pet": random.choice(below)}
        row |= {name: random.choices(below, k=2) for name in ("owned", "owned_sure", "pets")}
        row["owned_grid"] = [random.choices(below, k=2), []]
    return rows


@pytest.mark.usefixtures("own_garbage")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize(("first", "count"), PARTS)
async def test_random_operations_over_odd_rows_are_told_alike(first: int, count: int) -> None:
    made: list[Operation] = []

    @settings(max_examples=count, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operations(REFERENCE._schema, ARGUMENTS, [QUERY, QUERY, QUERY, MUTATION]))
    def collect(operation: Operation) -> None:
        made.append(operation)

    collect()
    planned = handed_over = 0
    for number, operation in enumerate(made, first):
        if validate(REFERENCE._schema, parse(operation.document)):
            continue
        answers: list[Any] = []
        for schema in (OURS, REFERENCE, *[OURS] * (operation.kind is QUERY)):
            context = Context(random_rows(Random(number)))
            result = await schema.execute(operation.document, dict(operation.variables), context, operation_name="Q")
            answers.append(told(result, context))
        gc.collect()
        ours, reference, *again = answers
        assert [(repr(known.data), known.errors) for known in again] == [(repr(ours.data), ours.errors)] * len(again)
        assert repr(ours.data) == repr(reference.data), (number, operation)
        apart = told_apart(ours.errors, reference.errors)
        assert all(is_null_above(ours.data, error["path"]) for error in apart), (number, operation, apart)
        assert bool(ours.errors) == bool(reference.errors)
        assert ours.context.effects == reference.context.effects, (number, operation)
        planned, handed_over = planned + ours.planned, handed_over + (not ours.planned)
    assert min(planned, handed_over) > count / 20
