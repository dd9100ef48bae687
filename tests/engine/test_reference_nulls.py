"""What graphql-core's tests of nulls and lists are about (see test_reference.py)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.archive import Wrong, tells

NO_NULL = "Cannot return null for non-nullable field Probe.{}."
LEAVES = {"now": "nowSure", "later": "laterSure"}
NESTS = {"nest": "nestSure", "laterNest": "laterNestSure"}


def probe(word: Any) -> dict[str, Any]:
    """One that leads to itself; `word` is null, or the error that every leaf raises."""
    row: dict[str, Any] = {"word": word, "key": "probe"}
    row["self"] = row
    return {"probe": row}


NULL, RAISING = probe(None), probe(RuntimeError("in vain"))


async def test_nulls_where_they_may_be_are_values() -> None:
    leaves = {"now": None, "later": None}
    document = "{ probe { now later nest { now later batched { now later } } laterNest { now later nest { now } } } }"
    data = {**leaves, "nest": {**leaves, "batched": leaves}, "laterNest": {**leaves, "nest": {"now": None}}}
    await tells(document, {"probe": data}, planned=True, rows=NULL)


async def test_each_error_makes_its_own_field_null_and_no_other() -> None:
    document = "{ probe { now later nest { now later batched { now later } } laterNest { now later nest { now } } } }"
    leaves = {"now": None, "later": None}
    data = {**leaves, "nest": {**leaves, "batched": leaves}, "laterNest": {**leaves, "nest": {"now": None}}}
    places = "now later nest.now nest.later nest.batched.now nest.batched.later laterNest.now laterNest.later"
    errors = [Wrong(f"probe.{place}", "in vain") for place in (*places.split(), "laterNest.nest.now")]
    await tells(document, {"probe": data}, *errors, planned=False, rows=RAISING)


@pytest.mark.parametrize("leaf", LEAVES.values())
@pytest.mark.parametrize("nest", [*NESTS, "batched"])
async def test_a_null_where_none_may_be_makes_the_object_around_it_null(nest: str, leaf: str) -> None:
    document = f"{{ probe {{ {nest} {{ now {leaf} }} again: {nest} {{ now }} }} }}"
    data = {"probe": {nest: None, "again": {"now": None}}}
    await tells(document, data, Wrong(f"probe.{nest}.{leaf}", NO_NULL.format(leaf)), planned=False, rows=NULL)
    errors = Wrong(f"probe.{nest}.{leaf}", "in vain"), Wrong("probe.again.now", "in vain")
    if leaf == "laterSure":  # the sibling beside it has failed by then, too
        document = document.replace("now laterSure", "laterSure")
    else:
        document = document.replace("now nowSure", "nowSure")
    await tells(document, data, *errors, planned=False, rows=RAISING)


@pytest.mark.parametrize("first", NESTS)
@pytest.mark.parametrize("leaf", LEAVES.values())
async def test_a_null_climbs_a_long_way_to_where_it_may_be(first: str, leaf: str) -> None:
    chain = ["nestSure", "laterNestSure", "nestSure", "laterNestSure"]
    inside = f"{' { '.join(chain)} {{ {leaf} {'} ' * len(chain)}"
    path = ".".join(["probe", first, *chain, leaf])
    for rows, message in ((NULL, NO_NULL.format(leaf)), (RAISING, "in vain")):
        document = f"{{ probe {{ __typename {first} {{ {inside} }} }} }}"
        data = {"probe": {"__typename": "Probe", first: None}}
        await tells(document, data, Wrong(path, message), planned=False, rows=rows)


@pytest.mark.parametrize("leaf", LEAVES.values())
async def test_a_null_that_may_be_nowhere_leaves_no_data_at_all(leaf: str) -> None:
    document = f"{{ probeSure {{ laterNestSure {{ {leaf} }} }} }}"
    for rows, message in ((NULL, NO_NULL.format(leaf)), (RAISING, "in vain")):
        await tells(document, None, Wrong(f"probeSure.laterNestSure.{leaf}", message), planned=False, rows=rows)
    missing = Wrong("probeSure", "Cannot return null for non-nullable field Query.probeSure.")
    await tells(document, None, missing, planned=False)


LISTS = {
    "numbers": "[Int]",
    "numbersSure": "[Int]!",
    "sureNumbers": "[Int!]",
    "sureNumbersSure": "[Int!]!",
    "laterNumbers": "[Int]",
    "laterSureNumbersSure": "[Int!]!",
}


@pytest.mark.parametrize("field", LISTS)
async def test_a_list_is_as_whole_as_its_type_says(field: str) -> None:
    async def given(value: Any, told: Any, *errors: Wrong, planned: bool) -> None:
        rows = {"probe": {"word": "w", "numbers": value}}
        # An error in the probe makes the whole of it null, where the list may not be.
        probe_told = None if told is None and type_.endswith("!") else {"now": "w", field: told}
        await tells(f"{{ probe {{ now {field} }} }}", {"probe": probe_told}, *errors, planned=planned, rows=rows)

    type_ = LISTS[field]
    whole = "Int!" in type_
    no_null = NO_NULL.format(field)
    for kind in (list, tuple):
        await given(kind((1, 2)), [1, 2], planned=True)
        await given(kind(()), [], planned=True)
    holed = (Wrong(f"probe.{field}.1", no_null),) if whole else ()
    await given([1, None, 2], None if whole else [1, None, 2], *holed, planned=not whole)
    missing = (Wrong(f"probe.{field}", no_null),) if type_.endswith("!") else ()
    await given(None, None, *missing, planned=not missing)
    bad = Wrong(f"probe.{field}.1", "bad item")
    await given([1, RuntimeError("bad item"), 2], None if whole else [1, None, 2], bad, planned=False)
    await given(RuntimeError("bad list"), None, Wrong(f"probe.{field}", "bad list"), planned=False)
    text = Wrong(f"probe.{field}.1", "Int cannot represent non-integer value: 'x'")
    await given([1, "x", 2], None if whole else [1, None, 2], text, planned=False)


async def test_other_iterables_are_lists_to_graphql_core_and_texts_and_mappings_are_none() -> None:
    def numbers() -> Iterator[int]:
        yield from (1, 2)

    class Counted:
        """Made anew for each executor."""

        def __iter__(self) -> Iterator[int]:
            return numbers()

    for value in (Counted(), {1: None, 2: None}.keys(), range(1, 3)):
        rows = {"probe": {"numbers": value}}
        await tells("{ probe { numbers } }", {"probe": {"numbers": [1, 2]}}, planned=False, rows=rows)
    message = "Expected Iterable, but did not find one for field 'Probe.numbers'."
    for value in ("12", {"1": 2}, 12):
        rows = {"probe": {"numbers": value}}
        error = Wrong("probe.numbers", message)
        await tells("{ probe { numbers } }", {"probe": {"numbers": None}}, error, planned=False, rows=rows)
