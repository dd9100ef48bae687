"""What developers are told of an operation when they ask for it: by a setting and a header, and never otherwise."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio

from domain.processes.shop import Shop
from resolvers import trace
from server.settings import WrongSetting, read_settings
from tests import given
from tests.api import ENGINE, Api, running_app
from tests.live import PATIENCE
from tests.test_budgets import shirts

DEBUG = {"x-debug": "execution"}
PAGE = "{ products { nodes { title variants { nodes { title selectedOptions { value } } } } } }"
CART = "cart { lines { title } totals { total { gross { amount } } } }"
WATCH = """subscription ($id: ID!, $token: String!) { ticketEvents(ticketId: $id, accessToken: $token) {
  ... on TicketSnapshot { seq ticket { state { name } } } ... on TicketChange { seq ticket { state { name } } } } }"""
with_engine = pytest.mark.skipif(
    ENGINE.get("COUNTERFOIL_ENGINE") == "graphql-core", reason="says what the engine did, and it is switched off"
)


@pytest_asyncio.fixture(name="open_shop")
async def open_shop_fixture(database_url: str) -> AsyncIterator[Api]:
    """The application with the setting on, and a client that asks."""
    async with running_app(database_url, COUNTERFOIL_DEBUG="on") as api:
        yield Api(api.http, DEBUG, api.database)


async def asked(api: Api, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    return (await api.answer(query, variables))["extensions"]["execution"]


def timeless(execution: dict[str, Any]) -> dict[str, Any]:
    """Without what the clock says."""
    batches = [(batch["name"], batch["calls"], batch["keys"]) for batch in execution["batches"]]
    return {**{name: execution[name] for name in ("planned", "handedOver", "statements")}, "batches": batches}


@with_engine
async def test_a_query_tells_its_plan_its_statements_and_its_batches(shop: Shop, open_shop: Api) -> None:
    await given.regions(shop)
    await shirts(shop, 3)
    told = await asked(open_shop, PAGE)
    assert timeless(told) == {
        "planned": ["Query"],
        "handedOver": [],
        "statements": 3,
        "batches": [
            ("variants in place", 1, 3),
            ("connection by Variant.product_id", 1, 3),
            ("many by VariantOptionValue.variant_id", 1, 18),
        ],
    }
    milliseconds = told["milliseconds"]
    assert sorted(milliseconds) == ["execute", "prepare", "sql", "total", "waitingForConnection"]
    assert 0 < milliseconds["sql"] < milliseconds["execute"] < milliseconds["total"]
    assert 0 < milliseconds["prepare"] < milliseconds["total"]
    assert all(0 < batch["milliseconds"] <= milliseconds["execute"] for batch in told["batches"])


async def test_the_statements_told_are_all_that_the_process_sent_for_it(shop: Shop, open_shop: Api) -> None:
    """Those of establishing who asks are among them, and they count for the process as ever."""
    await given.regions(shop)
    await shirts(shop, 3)
    await given.staff(shop, "tickets:read")
    staff = await given.signed_in(open_shop, "toni@shop.example", as_staff=True)
    database = staff.database
    assert database is not None
    for query, statements in ((PAGE, 4), ("{ __typename }", 1), ("{ tickets { totalCount } }", 3)):
        before = database.statements
        assert (await asked(staff, query))["statements"] == database.statements - before == statements, query


async def test_operations_at_the_same_time_are_told_apart(shop: Shop, open_shop: Api) -> None:
    await given.regions(shop)
    await shirts(shop, 3)
    documents = ("{ __typename }", "{ regions { code } }", PAGE) * 20
    told = await asyncio.gather(*(asked(open_shop, document) for document in documents))
    assert [one["statements"] for one in told] == [0, 1, 3] * 20
    assert [len(one["batches"]) for one in told] == [0, 0, 3] * 20


@with_engine
async def test_a_mutation_tells_what_it_wrote_and_how_its_payloads_were_made(shop: Shop, open_shop: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    lines = f'lines: [{{ variantId: "{cup.variant}" }}]'
    two = f"mutation {{ a: cartCreate(input: {{ {lines} }}) {{ {CART} }} b: cartCreate(input: {{}}) {{ token }} }}"
    assert open_shop.database is not None
    before = open_shop.database.statements
    told = timeless(await asked(open_shop, two))
    assert told["statements"] == open_shop.database.statements - before > 4
    assert told["planned"] == ["CartCreatePayload", "CartCreatePayload"]
    assert told["handedOver"] == []
    assert told["batches"] == []  # what a cart comes to is known from its write


@with_engine
async def test_a_refused_mutation_is_told_too(shop: Shop, open_shop: Api) -> None:
    await given.regions(shop)
    told = await asked(open_shop, 'mutation { cartCreate(input: { email: "x" }) { userErrors { code } } }')
    assert timeless(told) == {"planned": ["CartCreatePayload"], "handedOver": [], "statements": 0, "batches": []}


@with_engine
async def test_what_is_handed_over_says_why(shop: Shop, open_shop: Api) -> None:
    await given.regions(shop)
    for query, reason in (
        ("{ __schema { queryType { name } } }", "__schema is introspection"),
        ('{ product(by: { id: "product_nonsense" }) { id } }', "BadUserInput was raised"),
    ):
        told = await asked(open_shop, query)
        assert (told["planned"], told["handedOver"]) == ([], [{"reason": reason}])


@with_engine
async def test_a_reason_is_no_message_of_an_error_of_ours(
    shop: Shop, open_shop: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such messages may hold SQL, and what somebody wrote. They are for the log."""
    await given.regions(shop)
    await given.product(shop)

    def broken(*_: Any) -> Any:
        raise RuntimeError('DETAIL: Key (token)=(secret) of "cart"')

    monkeypatch.setattr("schema.money.digits", broken)
    answer = await open_shop.raw("{ products { nodes { variants { nodes { price { amount { formatted } } } } } } }")
    assert "secret" not in answer.text
    assert answer.json()["extensions"]["execution"]["handedOver"] == [{"reason": "RuntimeError was raised"}]
    assert f"request {answer.headers['x-request-id']} was left to graphql-core" in caplog.text
    assert "Key (token)=(secret)" in caplog.text


async def test_a_document_that_is_refused_was_neither_planned_nor_handed_over(open_shop: Api) -> None:
    told = await asked(open_shop, "{ nothing }")
    assert timeless(told) == {"planned": [], "handedOver": [], "statements": 0, "batches": []}
    milliseconds = told["milliseconds"]
    assert milliseconds["execute"] == milliseconds["sql"] == 0
    assert 0 < milliseconds["prepare"] == milliseconds["total"]


@with_engine
async def test_each_item_of_a_stream_tells_of_itself(shop: Shop, start_server: Any) -> None:
    server = start_server("--no-worker", COUNTERFOIL_DEBUG="on")
    async with server.api() as plain, asyncio.timeout(PATIENCE):
        ticket = await given.ticket(shop, plain)
        watcher = Api(plain.http, DEBUG)
        async with aclosing(watcher.events(WATCH, {"id": ticket.id, "token": ticket.access_token})) as items:
            first = (await anext(items))["extensions"]["execution"]
            assert timeless(first) == {
                "planned": ["TicketSnapshot"],
                "handedOver": [],
                "statements": 2,
                "batches": [("state of ticket", 1, 1)],
            }
            begun = time.perf_counter()
            for _ in range(2):
                said = {"ticketId": ticket.id, "body": "Hello", "accessToken": ticket.access_token}
                await plain.done("ticketPostMessage", said, "ticket { id }")
                told = (await anext(items))["extensions"]["execution"]
                assert (told["planned"], told["handedOver"]) == (["TicketChange"], [])
                assert ("state of ticket", 1, 1) in timeless(told)["batches"]
                assert told["statements"] == 2  # what is read for all streams together is nobody's own
                milliseconds = told["milliseconds"]
                assert milliseconds["prepare"] == 0
                assert 0 < milliseconds["execute"] == milliseconds["total"] < (time.perf_counter() - begun) * 1000


async def test_without_the_setting_or_the_header_answers_are_as_they_were(shop: Shop, api: Api, open_shop: Api) -> None:
    await given.regions(shop)
    await shirts(shop, 1)
    plain = await api.raw(PAGE)
    assert b"execution" not in plain.content
    assert (await Api(api.http, {"x-debug": "1"}).raw(PAGE)).content == plain.content
    assert (await Api(api.http, DEBUG).raw(PAGE)).content == plain.content
    assert (await Api(open_shop.http).raw(PAGE)).content == plain.content
    answer = (await open_shop.raw(PAGE)).json()
    assert list(answer.pop("extensions")) == ["execution"]
    assert answer == plain.json()


async def test_a_header_that_asks_for_something_else_is_told_what_to_write(open_shop: Api) -> None:
    answer = await Api(open_shop.http, {"x-debug": "yes"}).raw("{ __typename }")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["message"], error["extensions"]["code"]) == (
        "X-Debug is written like this: execution",
        "BAD_REQUEST",
    )


async def test_browsers_may_send_the_header_where_it_means_something(api: Api, open_shop: Api) -> None:
    asking = {
        "origin": "http://localhost:3000",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-debug",
    }
    assert (await api.http.options("/graphql", headers=asking)).status_code == 400
    assert (await open_shop.http.options("/graphql", headers=asking)).status_code == 200


def test_nobody_is_told_anything_in_production() -> None:
    production = {"COUNTERFOIL_ENV": "production", "JWT_SECRET": "j" * 32, "COOKIE_SECRET": "c" * 32}
    assert not read_settings(production).debug
    assert not read_settings({}).debug
    assert read_settings({"COUNTERFOIL_DEBUG": "on"}).debug
    with pytest.raises(WrongSetting) as refused:
        read_settings({**production, "COUNTERFOIL_DEBUG": "on"})
    assert str(refused.value) == "COUNTERFOIL_DEBUG is for development; leave it out in production."
    with pytest.raises(WrongSetting, match="write off or on"):
        read_settings({"COUNTERFOIL_DEBUG": "1"})


def test_things_under_way_at_the_same_time_are_not_counted_twice() -> None:
    now = 0.0
    watch = trace.Stopwatch()
    original = trace.perf_counter
    trace.perf_counter = lambda: now
    try:
        with watch:
            now = 1.0
            with watch:
                now = 3.0
            now = 4.0
        now = 10.0
        with watch:
            now = 11.0
    finally:
        trace.perf_counter = original
    assert watch.seconds == 5.0
