"""Patterns in the schemas of briefs: they find what they say, and no text keeps them busy."""

import re
from typing import Any, Final

import pytest

from domain.brief import check_brief, check_schema
from domain.brief_pattern import MOST_STEPS, pattern
from domain.refusal import Refusal, ValidationFailed, refusals_of

PATTERNS: Final = (
    "",
    "ab|c",
    "^ab$",
    "^(?:a|bc)*$",
    "a+?b{2}",
    "^a{2,3}$",
    "^(a|b){0,2}$",
    "^[^ab]+$",
    r"^[\w.+-]+@[\w-]+\.[a-z]{2,}$",
    r"^\d{3}-[A-F0-9]{2}\s\S?$",
    r"^#(?:[0-9a-f]{3}){1,2}$",
    r"\u0061\x62\.\/",
    "^(a*)*$",
    "(^a|b$)",
    r"[\]\-\d-]",
    "(a|)b",
)
TEXTS: Final = (
    *("", "a", "b", "ab", "aab", "aabb", "abc", "aaaa", "b b", "a.b@c-d.org", "123-AF x", "123-AF ", "#09f", "#09f09f"),
    *("ab./", "]", "-", "7", "é1", "c", "a\nb", "xay"),
)


@pytest.mark.parametrize("written", PATTERNS)
def test_a_pattern_finds_what_it_says(written: str) -> None:
    found = {text: bool(re.search(written, text)) for text in TEXTS}
    assert {text: pattern(written).search(text) is not None for text in TEXTS} == found


@pytest.mark.parametrize("written", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*a){12}$", "a+a+a+$", "^((a*)*)*$"])
def test_no_text_keeps_a_pattern_busy(written: str) -> None:
    """Python's own would need longer than the world has existed, for some of them."""
    assert pattern(written).search("a" * 5_000 + "c") is None


WRONG: Final = (
    *("(", ")", "a)", "[", "[]", "[z-a]", "a**", "*a", "a{3,2}", r"\1", r"(a)\k", r"\u12", "\\"),
    *("(?=a)", "(?!a)", "(?<=a)", "(?P<n>a)", "(?i)a", "a{1001}", "((a{30}){30}){30}", "(((){999}){999}){999}"),
)


@pytest.mark.parametrize("written", [*WRONG, "(?:[^a]{300}b){40}", "a" * (MOST_STEPS + 1)])
def test_a_schema_with_a_pattern_that_cannot_be_followed_is_refused(written: str) -> None:
    with pytest.raises(ValidationFailed, match="pattern"):
        check_schema({"type": "object", "properties": {"a": {"type": "string", "pattern": written}}})


def refused(brief: dict[str, Any], schema: dict[str, Any]) -> list[tuple[str, ...]]:
    try:
        check_brief(brief, {"type": "object", "properties": {"a": schema}})
    except (Refusal, ExceptionGroup) as error:
        return [refusal.path for refusal in refusals_of(error)]
    return []


def test_what_is_there_twice_is_found_without_comparing_each_with_each() -> None:
    once = {"type": "array", "uniqueItems": True}
    assert refused({"a": [{"x": 1, "y": 2}, {"y": 2, "x": 1.0}]}, once) == [("brief", "a")]
    assert refused({"a": [1, True, "1", [1], {"x": None}, {}, 0, False, None]}, once) == []
    assert refused({"a": [1, 1.0]}, once) == [("brief", "a")]


def test_of_many_faults_some_are_told() -> None:
    assert len(refused({"a": list(range(3_000))}, {"items": {"type": "string"}})) == 50


def test_a_brief_is_held_to_patterns() -> None:
    slow = {"type": "string", "pattern": "^(a+)+$"}
    assert refused({"a": "a" * 5_000}, slow) == []
    assert refused({"a": "a" * 5_000 + "c"}, slow) == [("brief", "a")]


def test_a_brief_of_thousands_of_values_is_not_held_to_thousands_of_parts() -> None:
    many: dict[str, Any] = {"additionalProperties": {"allOf": [{"type": "string"}] * 800}}
    assert refused({"a": {str(n): "" for n in range(120)}}, many) == []
    assert refused({"a": {str(n): "" for n in range(2_000)}}, many) == [("brief",)]
