"""The index of published faults (docs/faults.md) is whole, and names tests that exist."""

import ast
import re
from functools import cache

from tests.api import ROOT

LINE = re.compile(r"\| (\d+) \| (.+?) \| (.+?) \| (.+) \|")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
TO_COME = "to come: "
FAULTS = 68


def index() -> dict[int, str]:
    """By number what holds it, as it is written."""
    lines = (ROOT / "docs" / "faults.md").read_text().splitlines()
    matched = [found for line in lines if (found := LINE.fullmatch(line))]
    assert len(matched) == len([line for line in lines if line.startswith("| ")]) - 1, "a line cannot be read"
    return {int(found[1]): found[4] for found in matched}


@cache
def defined_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    defined = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in defined if node.name.startswith("test_"))


def test_no_fault_is_left_out() -> None:
    assert list(index()) == list(range(1, FAULTS + 1))


def test_each_fault_is_held_by_tests_or_waits_for_a_part_of_the_shop() -> None:
    for number, held_by in index().items():
        named = TEST.findall(held_by)
        if held_by.startswith(TO_COME):
            assert not named, f"{number} is tested and to come"
            assert len(held_by) > len(TO_COME), f"{number} does not say what it waits for"
        else:
            assert "<br>".join(f"`{file}::{name}`" for file, name in named) == held_by, f"{number}: {held_by}"


def test_each_test_that_is_named_exists() -> None:
    for number, held_by in index().items():
        for file, name in TEST.findall(held_by):
            assert name in defined_in(file), f"{number}: there is no {name} in {file}"
