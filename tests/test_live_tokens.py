"""Tokens that let subscribe and do nothing else, and that a stream carries what is its reader's and nothing else.

Published faults: graphql-tools CVE-2026-118665/118666 (one caller's events and credentials used for another).
"""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from graphql import GraphQLObjectType
from sqlalchemy import update

from db import Order
from db.connection import new_id
from db.session import ApiKeyKind, Purpose
from domain import api_key as api_keys
from domain.actor import Actor, OrderAccess
from domain.api_key import CreateApiKey
from resolvers import ids
from schema import build_schema
from server.tokens import ISSUER, LIVE, LIVE_SECONDS, SignedTokens
from tests import given
from tests.api import SECRET, Api
from tests.live import Live, Stream, live_fixture, post, watching  # noqa: F401 - the fixture `live`

SIGNED = SignedTokens(SECRET)
MANY = 200
REFUSED = "A live token lets subscribe, and nothing else: sign in, or send the token of your order."
MUTATIONS = build_schema()._schema.type_map["Mutation"]


async def live_token(caller: Api, **given_: Any) -> str:
    payload = await caller.done("liveTokenCreate", given_, "liveToken expiresIn")
    assert payload["expiresIn"] == LIVE_SECONDS
    return payload["liveToken"]


async def customers_ticket(live: Live) -> tuple[Api, given.Ticket]:
    """A new customer with a ticket, opened by being signed in: without the order's token."""
    customer = await given.caller(live.shop, live.api, "customer")
    order = await given.order(customer, {"variantId": live.variant, "quantity": 1})
    (ticket,) = await given.tickets(live.shop, order)
    return customer, ticket


async def snapshot(stream: Stream, ticket: given.Ticket) -> None:
    item = await stream.item()
    assert (item["__typename"], item["ticket"]["id"]) == ("TicketSnapshot", ticket.id)


async def is_not_shown(caller: Api, ticket: given.Ticket) -> None:
    async with watching(caller, ticket, with_token=False) as stream:
        assert (await stream.error())["extensions"]["argument"] == "ticketId"


async def test_a_customers_live_token_lets_watch_their_tickets_and_no_others(live: Live) -> None:
    customer, ticket = await customers_ticket(live)
    _, foreign = await customers_ticket(live)
    browser = live.api.signed_in(await live_token(customer))
    async with watching(browser, ticket, with_token=False) as stream:
        await snapshot(stream, ticket)
        await post(live.api, ticket, "hello")
        assert await stream.messages(1) == [(2, "hello")]
    await is_not_shown(browser, foreign)


async def test_a_live_token_of_an_order_lets_watch_its_tickets_and_no_others(live: Live) -> None:
    ticket, foreign = await live.ticket(), await live.ticket()
    for token in (
        await live_token(live.api, accessToken=ticket.access_token),
        await live_token(Api(live.api.http, {"x-access-token": ticket.access_token})),
    ):
        browser = live.api.signed_in(token)
        async with watching(browser, ticket, with_token=False) as stream:
            await snapshot(stream, ticket)
        await is_not_shown(browser, foreign)


async def test_a_live_token_may_be_of_a_customer_and_of_an_order(live: Live) -> None:
    customer, own = await customers_ticket(live)
    other, foreign = await live.ticket(), await live.ticket()
    browser = live.api.signed_in(await live_token(customer, accessToken=other.access_token))
    for ticket in (own, other):
        async with watching(browser, ticket, with_token=False) as stream:
            await snapshot(stream, ticket)
    await is_not_shown(browser, foreign)


def least(name: str, field: Any) -> str:
    kind = field.args["input"].type
    return f"mutation ($input: {kind}) {{ {name}(input: $input) {{ __typename }} }}"


async def test_with_a_live_token_nothing_is_asked_and_nothing_is_done(live: Live) -> None:
    customer, ticket = await customers_ticket(live)
    browser = live.api.signed_in(await live_token(customer, accessToken=ticket.access_token))
    assert isinstance(MUTATIONS, GraphQLObjectType)
    queries = ["{ __typename }", "{ __schema { queryType { name } } }", "{ regions { id } }", "{ nonsense }"]
    for query in queries:
        await live.api.answer(query)  # once, so that the server knows the document
    for document in (*queries, *(least(name, field) for name, field in MUTATIONS.fields.items())):
        answer = await browser.raw(document, {"input": {}})
        assert answer.status_code == 401, document
        (error,) = answer.json()["errors"]
        assert (error["message"], error["extensions"]["code"]) == (REFUSED, "UNAUTHENTICATED")
    got = await browser.http.get("/graphql", params={"query": "{ __typename }"}, headers=browser.headers)
    assert got.status_code == 401
    for document in ("{ __typename }", "{ regions { id } }"):
        (item,) = [item async for item in browser.events(document, {})]
        assert item["data"] is None
        assert [error["extensions"]["code"] for error in item["errors"]] == ["UNAUTHENTICATED"]
    read = "query ($id: ID!, $token: String) { ticket(id: $id, accessToken: $token) { id } }"
    answer = await browser.raw(read, {"id": ticket.id, "token": ticket.access_token})
    assert answer.status_code == 401


async def test_of_two_operations_the_one_that_runs_is_looked_at(live: Live) -> None:
    """A subscription beside a query does not let the query in, whichever is named."""
    customer, ticket = await customers_ticket(live)
    browser = live.api.signed_in(await live_token(customer))
    document = f"""query Ask {{ __typename }}
                   subscription Watch {{ ticketEvents(ticketId: "{ticket.id}", afterSeq: 1000) {{ __typename }} }}"""
    for name, code in (("Ask", "UNAUTHENTICATED"), ("Watch", None), (None, None), ("Nobody", None)):
        body = {"query": document, "operationName": name}
        headers = {**browser.headers, "accept": "text/event-stream"}
        told = (await browser.http.post("/graphql", json=body, headers=headers)).text
        assert '"__typename":"Query"' not in told
        assert ("ResyncRequired" in told) == (name == "Watch")
        if code is not None:
            assert code in told
    assert (await browser.http.post("/graphql", json={"query": document}, headers=browser.headers)).status_code == 401


async def test_a_live_token_is_nothing_where_other_tokens_belong(live: Live) -> None:
    customer, ticket = await customers_ticket(live)
    token = await live_token(customer, accessToken=ticket.access_token)
    read = "query ($id: ID!, $token: String) { ticket(id: $id, accessToken: $token) { id } }"
    for caller in (live.api, Api(live.api.http, {"x-access-token": token})):
        assert await caller(read, {"id": ticket.id, "token": token}) == {"ticket": None}
    assert (await Api(live.api.http, {"x-api-key": token}).raw("{ __typename }")).status_code == 401
    payload = await live.api.do("accessLinkExchange", {"token": token}, "accessToken")
    assert [error["code"] for error in payload["userErrors"]] == ["TOKEN_INVALID"]


async def test_other_tokens_are_no_live_tokens(live: Live) -> None:
    ticket = await live.ticket()
    single = (SIGNED.single_use_token(purpose, new_id()) for purpose in Purpose)
    foreign = SignedTokens("another secret, which is not ours at all").live_token(Actor(), OrderAccess(ticket.order, 1))
    for token in (ticket.access_token, *single, foreign[0]):
        assert (await live.api.signed_in(token).raw("{ __typename }")).status_code == 401
        with pytest.raises(AssertionError):
            async with watching(live.api.signed_in(token), ticket, with_token=False) as stream:
                await stream.item()


async def test_live_tokens_are_made_for_customers_and_holders_of_an_orders_token(live: Live) -> None:
    ticket = await live.ticket()
    made = "mutation ($token: String) { liveTokenCreate(input: { accessToken: $token }) { liveToken } }"
    async with live.shop.tx() as tx:
        secret = await api_keys.create(tx, CreateApiKey(ApiKeyKind.SECRET, "x", ("tickets:read",)), given.ADMINISTRATOR)
    staff = await live.staff()
    for caller in (live.api, staff, live.api.signed_in(secret.key), Api(live.api.http, {"x-access-token": "nonsense"})):
        answer = await caller.answer(made)
        assert answer["data"] is None
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
        wrong = await caller.do("liveTokenCreate", {"accessToken": "nonsense"}, "liveToken")
        assert wrong["liveToken"] is None
        assert [(e["code"], e["path"]) for e in wrong["userErrors"]] == [("TOKEN_INVALID", ["accessToken"])]
    browser = live.api.signed_in(await live_token(staff, accessToken=ticket.access_token))
    async with watching(browser, ticket, with_token=False) as stream:
        await snapshot(stream, ticket)
    await is_not_shown(browser, await live.ticket())


async def short_lived(live: Live, ticket: given.Ticket, seconds: float) -> Api:
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    claims = {"iss": ISSUER, "aud": LIVE, "exp": until, "order": str(ticket.order), "v": 1}
    return live.api.signed_in(SIGNED._keys.sign(claims))


async def test_a_stream_ends_with_its_live_token_and_goes_on_with_another(live: Live) -> None:
    ticket = await live.ticket()
    async with watching(await short_lived(live, ticket, 3), ticket, with_token=False) as stream:
        await snapshot(stream, ticket)
        await post(live.api, ticket, "two")
        assert await stream.messages(1) == [(2, "two")]
        assert (await stream.error())["extensions"]["code"] == "UNAUTHENTICATED"
    await post(live.api, ticket, "three")
    again = live.api.signed_in(await live_token(live.api, accessToken=ticket.access_token))
    async with watching(again, ticket, 2, with_token=False) as stream:
        assert await stream.messages(1) == [(3, "three")]


async def test_a_live_token_is_good_no_longer_than_what_it_was_made_of(live: Live) -> None:
    customer, own = await customers_ticket(live)
    guests = await live.ticket()
    token = await live_token(customer)
    order = await live_token(live.api, accessToken=guests.access_token)
    async with (
        watching(live.api.signed_in(token), own, with_token=False) as of_customer,
        watching(live.api.signed_in(order), guests, with_token=False) as of_order,
    ):
        await snapshot(of_customer, own)
        await snapshot(of_order, guests)
        await live.shop.database.pool.execute("UPDATE session SET ended_at = now() WHERE customer_id IS NOT NULL")
        writer = await given.caller(live.shop, live.api, "staff", "orders:write", "tickets:write")
        await writer.done("orderEndAccess", {"orderId": ids.encode("Order", guests.order)}, "order { id }")
        for ticket, stream in ((own, of_customer), (guests, of_order)):
            await post(writer, given.Ticket(ticket.id, ticket.key, ticket.order, ""), "secret")
            assert (await stream.error())["extensions"]["code"] == "UNAUTHENTICATED"
    async with watching(live.api.signed_in(order), guests, with_token=False) as stream:
        assert (await stream.error())["extensions"]["argument"] == "ticketId"
    assert (await live.api.signed_in(token).raw("{ __typename }")).status_code == 401


async def test_ending_the_access_of_an_order_ends_its_streams(live: Live) -> None:
    """Without a change of the ticket: within the seconds after which a stream looks by itself."""
    ticket = await live.ticket()
    async with watching(live.api, ticket) as stream:
        await snapshot(stream, ticket)
        writer = await given.caller(live.shop, live.api, "staff", "orders:write")
        await writer.done("orderEndAccess", {"orderId": ids.encode("Order", ticket.order)}, "order { id }")
        error = await stream.error()
        assert (error["extensions"]["code"], error["message"]) == (
            "UNAUTHENTICATED",
            "This ticket may no longer be read.",
        )


@pytest.mark.parametrize("loses", ["the key", "the scope"])
async def test_a_stream_of_a_program_ends_with_its_key(live: Live, loses: str) -> None:
    ticket = await live.ticket()
    wanted = CreateApiKey(ApiKeyKind.SECRET, "Board", ("tickets:read", "tickets:write"))
    async with live.shop.tx() as tx:
        made = await api_keys.create(tx, wanted, given.ADMINISTRATOR)
    program = live.api.signed_in(made.key)
    async with watching(program, ticket, with_token=False) as stream:
        await snapshot(stream, ticket)
        await post(program, ticket, "two", visibility="INTERNAL", accessToken=None)
        assert await stream.messages(1) == [(2, "two")]
        lost = "revoked_at = now()" if loses == "the key" else "scopes = '{orders:read}'"
        await live.shop.database.pool.execute(f"UPDATE api_key SET {lost} WHERE id = $1", made.row.id)
        await post(live.api, ticket, "three")
        assert (await stream.error())["extensions"]["code"] == "UNAUTHENTICATED"


async def orders(live: Live, count: int) -> list[given.Ticket]:
    """Tickets of so many orders, eight of which are made at a time."""
    turn = asyncio.Semaphore(8)

    async def one() -> given.Ticket:
        async with turn:
            return await live.ticket()

    return await asyncio.gather(*(one() for _ in range(count)))


async def test_of_two_hundred_readers_each_gets_what_is_theirs_and_nothing_else(live: Live) -> None:
    """Over one process, by half of them with live tokens; every frame is looked at."""
    tickets = await orders(live, MANY)
    all_ids = [ticket.id for ticket in tickets]
    async with AsyncExitStack() as stack:
        limits = httpx.Limits(max_connections=20, max_keepalive_connections=0)
        writer = Api(
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=live.api.http.base_url, limits=limits, timeout=60)
            )
        )
        streams: list[Stream] = []
        for n, ticket in enumerate(tickets):
            if n % 2:
                streams.append(await stack.enter_async_context(watching(live.api, ticket)))
            else:
                token, _ = SIGNED.live_token(Actor(), OrderAccess(ticket.order, 1))
                reader = live.api.signed_in(token)
                streams.append(await stack.enter_async_context(watching(reader, ticket, with_token=False)))
        firsts = await asyncio.gather(*(stream.item() for stream in streams))
        told_first = [ticket for n, ticket in enumerate(tickets) if n % 3]
        for round_ in (told_first, tickets):  # what would be another's comes before one's own last, or after the first
            await asyncio.gather(*(post(writer, ticket, f"for {ticket.id}") for ticket in round_))
        later = await asyncio.gather(
            *(stream.items(2 if n % 3 else 1) for n, stream in enumerate(streams)),
        )
        await asyncio.gather(*(post(writer, ticket, "the end") for ticket in tickets))
        lasts = await asyncio.gather(*(stream.item() for stream in streams))
        for ticket, first, items, last in zip(tickets, firsts, later, lasts, strict=True):
            for frame in (first, *items, last):
                told = str(frame)
                assert frame["ticket"]["id"] == ticket.id
                assert [id_ for id_ in all_ids if id_ in told] == [ticket.id]
            assert [item["seq"] for item in (*items, last)] == list(range(2, 3 + len(items)))
            assert {item["event"]["body"] for item in items} == {f"for {ticket.id}"}
            assert last["event"]["body"] == "the end"


async def test_access_that_ended_before_stays_ended(live: Live) -> None:
    """A live token that was made of an order's old token opens nothing."""
    ticket = await live.ticket()
    token, _ = SIGNED.live_token(Actor(), OrderAccess(ticket.order, 1))
    async with live.shop.tx() as tx:
        await tx.run(update(Order).where(Order.id == ticket.order).values(access_version=2))
    await is_not_shown(live.api.signed_in(token), ticket)
    payload = await live.api.do("liveTokenCreate", {"accessToken": ticket.access_token}, "liveToken")
    assert [error["code"] for error in payload["userErrors"]] == ["TOKEN_INVALID"]
