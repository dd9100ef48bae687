"""What graphql-core's tests of variables and of inputs of which one is given are about (see test_reference.py)."""

from typing import Any

import pytest

from tests.engine.archive import Wrong, tells

NOTHING: dict[str, Any] = {}
BOX = "{'wide': %s, 'tags': %s, 'note': %s}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("box(it: {wide: 1})", BOX % (1, None, None)),
        ('box(it: {note: "n", tags: ["a", "b"], wide: 1})', BOX % (1, ["a", "b"], "'n'")),
        ('box(it: {wide: 1, tags: "one"})', BOX % (1, ["one"], None)),
        ("box(it: {wide: 1, tags: null, note: null})", BOX % (1, None, None)),
        ('box(it: {wide: 1, tags: ["a", null]})', BOX % (1, ["a", None], None)),
        ('crate(it: {label: "l", box: {wide: 2}})', "{'box': " + BOX % (2, None, None) + ", 'label': 'l'}"),
        ("word(it: null)", "None"),
        ("word", "None"),
        ('wordPreset(it: "given")', "'given'"),
        ("wordPreset", "'preset'"),
        ("words(it: [])", "[]"),
        ('words(it: "one")', "['one']"),
        ("words(it: null)", "None"),
        ("words(it: [null])", "[None]"),
    ],
)
async def test_what_stands_in_the_document_arrives(arguments: str, told: str) -> None:
    await tells(f"{{ it: {arguments} }}", {"it": f"it={told}"}, planned=True)


@pytest.mark.parametrize(
    ("declared", "field", "given", "told"),
    [
        ("$v: Box", "box", {"v": {"wide": 1, "tags": ["a"], "note": "n"}}, BOX % (1, ["a"], "'n'")),
        ("$v: Box", "box", {"v": {"wide": 1, "tags": "one"}}, BOX % (1, ["one"], None)),
        ("$v: Box", "box", {"v": None}, "None"),
        ("$v: Box", "box", NOTHING, "None"),
        ('$v: Box = {wide: 7, note: "preset"}', "box", NOTHING, BOX % (7, None, "'preset'")),
        ("$v: Box = {wide: 7}", "box", {"v": {"wide": 8}}, BOX % (8, None, None)),
        ('$v: String = "preset"', "word", NOTHING, "'preset'"),
        ('$v: String = "preset"', "word", {"v": "given"}, "'given'"),
        ('$v: String = "preset"', "word", {"v": None}, "None"),
        ("$v: String = null", "word", NOTHING, "None"),
        ("$v: String!", "wordSure", {"v": "given"}, "'given'"),
        ('$v: String = "preset"', "wordSure", NOTHING, "'preset'"),
        ("$v: String", "wordPreset", NOTHING, "'preset'"),
        ("$v: String", "wordPreset", {"v": "given"}, "'given'"),
        ("$v: [String]", "words", {"v": ["a", None]}, "['a', None]"),
        ("$v: [String]", "words", {"v": "one"}, "['one']"),
        ("$v: [String]", "words", {"v": None}, "None"),
        ("$v: [String!]", "sureWords", {"v": ["a"]}, "['a']"),
        ("$v: [String!]!", "sureWordsSure", {"v": ["a"]}, "['a']"),
        ("$v: Key!", "key", {"v": {"number": 1}}, "{'number': 1, 'name': None}"),
        ("$v: Key!", "key", {"v": {"name": "n"}}, "{'number': None, 'name': 'n'}"),
    ],
)
async def test_variables_arrive_with_their_presets(declared: str, field: str, given: Any, told: str) -> None:
    document = f"query ({declared}) {{ it: {field}(it: $v) }}"
    await tells(document, {"it": f"it={told}"}, planned=True, variables=given)


@pytest.mark.parametrize(
    ("declared", "value", "given", "told"),
    [
        ("$v: Int!", "box(it: {wide: $v})", {"v": 3}, BOX % (3, None, None)),
        ("$v: String", "box(it: {wide: 1, note: $v})", {"v": "n"}, BOX % (1, None, "'n'")),
        ("$v: String", "box(it: {wide: 1, note: $v})", NOTHING, BOX % (1, None, None)),
        ("$v: String", 'words(it: ["a", $v, null])', {"v": "b"}, "['a', 'b', None]"),
        ("$v: String", 'words(it: ["a", $v])', NOTHING, "['a', None]"),
        ("$v: String!", "sureWordsSure(it: [$v, $v])", {"v": "b"}, "['b', 'b']"),
        ("$v: Int!", "key(it: {number: $v})", {"v": 3}, "{'number': 3, 'name': None}"),
    ],
)
async def test_variables_inside_of_values_arrive(declared: str, value: str, given: Any, told: str) -> None:
    await tells(f"query ({declared}) {{ it: {value} }}", {"it": f"it={told}"}, planned=True, variables=given)


INVALID = "Variable '$v' has invalid value"


@pytest.mark.parametrize(
    ("declared", "field", "given", "messages"),
    [
        ("$v: String!", "wordSure", NOTHING, [": Expected a value of non-null type 'String!' to be provided."]),
        ("$v: String!", "wordSure", {"v": None}, [": Expected value of non-null type 'String!' not to be None."]),
        ("$v: String", "word", {"v": [1]}, [": String cannot represent a non string value: [1]"]),
        ("$v: Box", "box", {"v": "no"}, [": Expected value of type 'Box' to be an object, found: 'no'."]),
        (
            "$v: Box",
            "box",
            {"v": {"wide": None}},
            [" at .wide: Expected value of non-null type 'Int!' not to be None."],
        ),
        (
            "$v: Box",
            "box",
            {"v": {"wide": 1, "more": 3}},
            [
                ": Expected value of type 'Box' not to include unknown field 'more'. Did you mean 'note'? "
                "Found: {'wide': 1, 'more': 3}."
            ],
        ),
        (
            "$v: Crate",
            "crate",
            {"v": {"box": {"wide": "x"}}},
            [
                " at .box.wide: Int cannot represent non-integer value: 'x'",
                ": Expected value of type 'Crate' to include required field 'label', found: {'box': {'wide': 'x'}}.",
            ],
        ),
        (
            "$v: [String!]",
            "sureWords",
            {"v": ["a", None]},
            [" at [1]: Expected value of non-null type 'String!' not to be None."],
        ),
        (
            "$v: [String!]!",
            "sureWordsSure",
            {"v": None},
            [": Expected value of non-null type '[String!]!' not to be None."],
        ),
    ],
)
async def test_a_variable_that_does_not_fit_ends_the_operation(
    declared: str, field: str, given: Any, messages: list[str]
) -> None:
    """Before there is anything to plan: every mistake is told, nothing ran."""
    errors = [Wrong(None, INVALID + message) for message in messages]
    document = f'query ({declared}) {{ {field}(it: $v) another: word(it: "w") }}'
    await tells(document, None, *errors, planned=True, variables=given)


@pytest.mark.parametrize(
    ("declared", "value", "at"),
    [
        ('$v: String = "preset"', "wordSure(it: $v)", ""),
        ("$v: String", "wordPreset(it: $v)", ""),
        ("$v: Int = 4", "box(it: {wide: $v})", " at .wide"),
        ("$v: String = null", "wordPreset(it: $v)", ""),
    ],
)
async def test_a_null_that_comes_by_a_variable_where_none_may_be_fails_its_field_alone(
    declared: str, value: str, at: str
) -> None:
    type_ = "Int!" if at else "String!"
    message = f"Argument 'it' has invalid value{at}: Expected variable '$v' provided to non-null type '{type_}'"
    document = f'query ({declared}) {{ it: {value} word(it: "w") }}'
    error = Wrong("it", f"{message} not to be None.")
    await tells(document, {"it": None, "word": "it='w'"}, error, planned=False, variables={"v": None})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"number": 1, "name": "n"}, "OneOf Input Object 'Key' must specify exactly one key."),
        ({}, "OneOf Input Object 'Key' must specify exactly one key."),
    ],
)
async def test_of_an_input_that_takes_one_not_more_and_not_less_is_given(given: Any, message: str) -> None:
    await tells("query ($v: Key!) { key(it: $v) }", None, Wrong(None, message), planned=True, variables={"v": given})
