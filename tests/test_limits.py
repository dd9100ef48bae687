"""What a document may ask for: too much is refused in one sentence before anything is read."""

import resource
from collections.abc import Callable
from time import process_time
from typing import Any, cast

import pytest
from graphql import get_introspection_query, parse

from engine.documents import MOST_ERRORS
from engine.limits import Limits, check_form, costs_of
from schema import build_schema
from server.settings import WrongSetting, read_settings
from tests.api import Api, running_app

SCHEMA = cast(Any, build_schema())._schema
LARGEST = 100 * 1024
"""Bytes of a body; longer ones are answered with 413."""


def bomb(levels: int) -> str:
    """Each fragment is the next one twice: two to the power of the levels."""
    parts = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels)]
    return f"{{ ...F0 }} {' '.join(parts)} fragment F{levels} on Query {{ __typename }}"


ALIASES = " ".join(f"a{n}: __typename" for n in range(16))
CHAIN = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(300))
TOO_MUCH: dict[str, tuple[str, str]] = {
    "aliases": ("aliases", f"{{ {ALIASES} }}"),
    "aliases of a fragment": ("aliases", f"{{ ...F }} fragment F on Query {{ {ALIASES} }}"),
    "writes": ("mutations", f"mutation {{ {'customerSignOut { userErrors { code } } ' * 6} }}"),
    "one field again and again": ("repetitions of one field", f"{{ shop {{ {'name ' * 21} }} }}"),
    "root fields": ("root fields", f"{{ {' '.join(f'f{n}' for n in range(21))} }}"),
    "directives": ("directives", f"{{ __typename {'@aa ' * 51} }}"),
    "two thousand directives": ("directives", f"{{ __typename {'@aa ' * 2000} }}"),
    "levels": ("levels", f"{{ {'a { ' * 20} b {'}' * 20} }}"),
    "fragments that double 13 times": ("fields", bomb(13)),
    "fragments that double 20 times": ("fields", bomb(20)),
    "fragments that double 60 times": ("fields", bomb(60)),
    "fragments in fragments": ("levels", f"{{ ...F0 }} {CHAIN}"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
async def test_a_document_that_asks_for_too_much_is_refused_in_one_sentence(api: Api, what: str) -> None:
    """Faults 51, 52 and 56: before it is validated, and so before anything runs."""
    limit, document = TOO_MUCH[what]
    answer = (await api.raw(document)).json()
    (error,) = answer["errors"]
    most = error["extensions"]["most"]
    assert error["message"] == f"The document has more {limit} than the {most} that are allowed."
    assert error["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "limit": limit,
        "most": most,
        "requestId": error["extensions"]["requestId"],
    }
    assert answer["data"] is None


@pytest.mark.parametrize("what", TOO_MUCH)
def test_to_refuse_it_takes_no_longer_than_to_read_it(what: str) -> None:
    _, document = TOO_MUCH[what]
    parsed = parse(document)

    def refused() -> None:
        with pytest.raises(Exception, match="more"):
            check_form(parsed, Limits())

    assert shortest(refused) < 3 * shortest(lambda: parse(document)) + 0.001


def shortest(do: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(5):
        begun = process_time()
        do()
        times.append(process_time() - begun)
    return min(times)


def test_what_tools_and_storefronts_ask_is_allowed() -> None:
    check_form(parse(get_introspection_query(input_value_deprecation=True)), Limits())
    check_form(parse(f"{{ {'a { ' * 19} b {'}' * 19} }}"), Limits())
    check_form(parse(bomb(11)), Limits())


async def test_fields_that_may_overlap_are_not_compared_without_end(api: Api) -> None:
    """Fault 53: 200 times 100 inline fragments are too large; as many as a body can hold are too many tokens."""
    one = "... on Query { " + " ".join(f"f{n}: __typename" for n in range(100)) + " } "
    assert (await api.raw(f"{{ {one * 200} }}")).status_code == 413
    short = f"{{ {'... on Query { __typename } ' * 3_000} }}"
    assert len(short) < LARGEST
    (error,) = (await api.raw(short)).json()["errors"]
    assert error["message"] == "Syntax Error: Document contains more than 5000 tokens. Parsing aborted."


async def test_comments_are_not_free_and_not_dear(api: Api) -> None:
    """Fault 54."""
    assert (await api.raw("#" * 5_000_000 + "\n{ __typename }")).status_code == 413
    commented = "# as long as may be\n" * 4_500 + "{ __typename }"
    assert (await api(commented)) == {"__typename": "Query"}
    plain = " " * len(commented) + "{ __typename }"
    assert shortest(lambda: parse(commented)) < 50 * shortest(lambda: parse(plain)) + 0.01


async def test_documents_with_many_errors_leave_no_memory_behind(api: Api) -> None:
    """Fault 55: 124 KiB stayed of each; of these 300 that would be 36 MiB."""

    async def wrong(number: int) -> None:
        fields = " ".join(f"wrong{number}x{n}" for n in range(19))
        parts = " ".join(f"... on Query {{ {fields}y{part} }}" for part in range(8))
        assert len((await api.answer(f"{{ {parts} }}"))["errors"]) == MOST_ERRORS + 1  # which says that there are more

    for number in range(50):
        await wrong(number)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(300):
        await wrong(number)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10 * 1024


VARIANTS = "variants(first: $inner) { nodes { id title sku } }"
PAGES = f"query ($outer: Int = 100, $inner: Int) {{ products(first: $outer) {{ nodes {{ id {VARIANTS} }} }} }}"


@pytest.mark.parametrize(
    ("variables", "cost"),
    [
        ({}, 100 * (1 + 20 * 3)),
        ({"inner": None}, 100 * (1 + 20 * 3)),
        ({"outer": 10, "inner": 5}, 10 * (1 + 5 * 3)),
        ({"outer": 100, "inner": 10**9}, 100 * (1 + 100 * 3)),
        ({"outer": -5}, 0),
        ({"outer": None, "inner": 0}, 20),
        ({"outer": 50.0, "inner": 100.0}, 50 * (1 + 100 * 3)),
        ({"outer": 1e300, "inner": float("nan")}, 100 * (1 + 20 * 3)),
    ],
)
def test_a_cost_is_the_leaves_times_the_pages(variables: dict[str, Any], cost: int) -> None:
    assert costs_of(SCHEMA, parse(PAGES))[None].of(variables) == cost


@pytest.mark.parametrize(
    ("document", "variables", "cost"),
    [
        ("query ($n: Int, $m: Int) { products(last: $m, first: $n) { nodes { id } } }", {"m": None, "n": 70}, 70),
        ("query ($n: Int = 5) { products(last: $n, first: 70) { nodes { id } } }", {}, 70),
        ("query ($n: Int) { products(last: null, first: $n) { nodes { id } } }", {"n": None}, 20),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a"] * 60}, 60),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": "a"}, 1),
        ('query ($a: ID!) { nodes(ids: [$a, "b", "c"]) { id __typename } }', {"a": "a"}, 6),
        ('{ nodes(ids: "a") { id } }', {}, 1),
    ],
)
def test_whichever_argument_says_most_counts(document: str, variables: dict[str, Any], cost: int) -> None:
    """However a length is said that is taken: else a few words would ask for everything again."""
    assert costs_of(SCHEMA, parse(document))[None].of(variables) == cost


def test_fragments_cost_in_each_operation_what_its_variables_make_of_them() -> None:
    document = f"""query A($inner: Int = 2) {{ products(first: 3) {{ ...F }} }}
        query B($inner: Int = 7) {{ products {{ ...F }} again: products(last: 1) {{ ...F totalCount }} }}
        fragment F on ProductConnection {{ nodes {{ ... on Product {{ {VARIANTS} }} }} }}"""
    costs = costs_of(SCHEMA, parse(document))
    assert {name: cost.of({}) for name, cost in costs.items()} == {"A": 3 * 2 * 3, "B": 20 * 7 * 3 + 7 * 3 + 1}


async def test_one_field_cannot_ask_for_everything(api: Api) -> None:
    """Fault 58: pages of pages are refused by what they may show, the first time and when they are known."""
    asked = {"outer": 100, "inner": 100}
    assert (await api(PAGES, {"outer": 2, "inner": 2}))["products"]["nodes"] == []
    for document in (PAGES, PAGES, PAGES.replace("sku", "sku barcode")):
        (error,) = (await api.raw(document, asked)).json()["errors"]
        cost = error["extensions"]["cost"]
        assert error["message"] == (
            f"The operation may show {cost:,} values; 25,000 are allowed: ask for shorter pages."
        )
        assert (error["extensions"]["code"], error["extensions"]["limit"]) == ("LIMIT_EXCEEDED", "cost")
    assert (await api(PAGES, {"outer": 2, "inner": 2}))["products"]["nodes"] == []
    for outer in (101, 10**9, 2**31 - 1):
        (error,) = (await api.raw(PAGES, {"outer": outer, "inner": 1})).json()["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_limits_can_be_set(database_url: str) -> None:
    async with running_app(database_url, QUERY_LIMITS=" aliases = 16,depth=3") as api:
        assert len(await api(f"{{ {ALIASES} }}")) == 16
        (error,) = (await api.raw("{ products { nodes { media { id } } } }")).json()["errors"]
        assert error["message"] == "The document has more levels than the 3 that are allowed."
    for wrong in ("depth", "depth=0", "depth=-1", "depth=1.5", "depts=3", "depth=3;cost=4", "depth=²"):
        with pytest.raises(WrongSetting, match="QUERY_LIMITS is written like this"):
            read_settings({"QUERY_LIMITS": wrong})
