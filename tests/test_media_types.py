"""The media type of an answer is the one that was asked for; with the newer one goes a status for what was not run."""

from typing import Any

import pytest

from domain.processes.shop import Shop
from tests import given
from tests.api import Api

JSON = "application/json"
NEWER = "application/graphql-response+json"
NAMED = f"{NEWER}; charset=utf-8"
SHOP = "query Named($skip: Boolean = false) { shop { name @skip(if: $skip) } }"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (NEWER, NAMED),
        (NEWER.upper(), NAMED),
        (f"{NEWER}, {JSON}", NAMED),
        (f"{JSON}, {NEWER}", NAMED),
        (f"{NEWER},{JSON};q=0.9", NAMED),
        (f"{NEWER}; charset=utf-8 ; q=0.5, */*;q=0.1", NAMED),
        (f"{NEWER};q=0.8, {JSON}", JSON),
        (f"{NEWER};q=0, */*", JSON),
        (f"{NEWER};q=much, {JSON}", JSON),
        (f"{NEWER};q=nan", JSON),
        ("multipart/mixed;deferSpec=20220824, application/graphql-response+json, application/json;q=0.9", NAMED),
        ("text/html", JSON),
        (";;,=,q", JSON),
    ],
)
async def test_an_answer_has_the_media_type_that_is_liked_best(api: Api, accept: str, expected: str) -> None:
    for _ in range(2):  # the second time it may be a kept one
        told = await asked(api, accept, query=SHOP)
        assert (told[0], told[1]) == (200, expected)
        assert told[2] == {"data": {"shop": {"name": "Counterfoil"}}}


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{ shop { name }", None, "BAD_USER_INPUT"),
        ("{ shop { nothing } }", None, "BAD_USER_INPUT"),
        (SHOP, {"skip": 5}, "BAD_USER_INPUT"),
        ("{ " + " ".join(f"a{n}: shop {{ name }}" for n in range(300)) + " }", None, "LIMIT_EXCEEDED"),
    ],
    ids=["syntax", "validation", "variables", "limits"],
)
async def test_what_is_not_run_has_a_status_and_no_data_in_the_newer_type(
    api: Api, query: str, variables: Any, code: str
) -> None:
    status, kind, newer = await asked(api, NEWER, query=query, variables=variables)
    assert (status, kind, set(newer)) == (400, NAMED, {"errors"})
    older = await asked(api, JSON, query=query, variables=variables)
    assert (*older[:2], older[2]["data"]) == (200, JSON, None)
    assert [error["message"] for error in newer["errors"]] == [error["message"] for error in older[2]["errors"]]
    assert newer["errors"][0]["extensions"]["code"] == code


async def test_what_was_run_has_status_200_also_where_it_failed(api: Api, shop: Shop) -> None:
    forbidden = "{ staff { nodes { id } } }"
    status, kind, answer = await asked(api, NEWER, query=forbidden)
    assert (status, kind, answer["data"]) == (200, NAMED, None)
    assert answer["errors"][0]["path"] == ["staff"]
    await given.regions(shop)
    status, _, answer = await asked(api, NEWER, query="mutation { cartCreate(input: {}) { cart { id } } }")
    assert (status, answer["data"]["cartCreate"]["cart"]["id"][:5]) == (200, "cart_")


async def test_a_refused_request_has_its_status_in_the_type_that_was_asked_for(api: Api) -> None:
    for accept, expected in ((NEWER, NAMED), (JSON, JSON)):
        status, kind, answer = await asked(api, accept, query="")
        assert (status, kind, set(answer)) == (400, expected, {"errors"})
        wrong = {"accept": accept, "authorization": "Bearer nonsense"}
        refused = await api.http.post("/graphql", json={"query": SHOP}, headers=wrong)
        assert (refused.status_code, refused.headers["content-type"]) == (401, expected)


async def asked(api: Api, accept: str, **body: Any) -> tuple[int, str, Any]:
    answer = await api.http.post("/graphql", json=body, headers={"accept": accept})
    return answer.status_code, answer.headers["content-type"], answer.json()
