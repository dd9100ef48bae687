"""Who may watch a ticket, until when, and how a stream ends that cannot go on."""

from datetime import UTC, datetime, timedelta

import pytest
from graphql import GraphQLError
from sqlalchemy import delete, update

from db import Order, Staff, StaffRole
from db.workflow import ActorKind
from domain import session
from server.errors import public_error
from tests import given
from tests.api import Api, running_server
from tests.live import TICKET_EVENTS, Live, Stream, live_fixture, post, watching  # noqa: F401 - the fixture `live`


async def test_a_foreign_ticket_cannot_be_watched(live: Live) -> None:
    ticket, other = await live.ticket(), await live.ticket()
    books = await given.caller(live.shop, live.api, "staff", "orders:read")
    customer = await given.caller(live.shop, live.api, "customer")
    tokens = (other.access_token, "nonsense", "")
    callers = (live.api, books, customer, *(Api(live.api.http, {"x-access-token": token}) for token in tokens))
    for caller in callers:
        async with watching(caller, ticket, with_token=False) as stream:
            error = await stream.error()
            assert error["message"] == "There is no such ticket, or it is not yours."
            assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "ticketId")
            assert set(error) <= {"message", "path", "locations", "extensions"}


async def test_what_is_no_ticket_cannot_be_watched(live: Live) -> None:
    ticket = await live.ticket()
    for wrong in (ticket.id.replace("ticket_", "order_"), "nonsense", ""):
        async with watching(live.api, given.Ticket(wrong, ticket.key, ticket.order, ticket.access_token)) as stream:
            error = await stream.error()
            assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "ticketId")


async def test_staff_see_internal_notes_live_and_customers_do_not(live: Live) -> None:
    ticket = await live.ticket()
    staff = await live.staff()
    with_header = Api(live.api.http, {"x-access-token": ticket.access_token})
    async with (
        watching(staff, ticket, 1, with_token=False) as inside,
        watching(live.api, ticket, 1) as outside,
        watching(with_header, ticket, 1, with_token=False) as outside_too,
    ):
        for body, visibility in (("two", "PUBLIC"), ("three", "INTERNAL"), ("four", "PUBLIC")):
            await post(staff, ticket, body, visibility=visibility)
        assert await inside.messages(3) == [(2, "two"), (3, "three"), (4, "four")]
        for stream in (outside, outside_too):  # the gap tells that there was something, and nothing else
            assert await stream.messages(2) == [(2, "two"), (4, "four")]
    async with watching(live.api, ticket, 3) as resumed:
        assert await resumed.messages(1) == [(4, "four")]


async def short_lived(live: Live, seconds: float) -> Api:
    email = f"brief-{seconds}@shop.example"
    staff_id = await given.staff(live.shop, "tickets:read", email=email)
    token = await given.access_token(live.shop, ActorKind.STAFF, staff_id, seconds)
    return live.api.signed_in(token)


async def test_a_stream_ends_when_the_sign_in_expires(live: Live) -> None:
    ticket = await live.ticket()
    begin = datetime.now(UTC)
    staff = await short_lived(live, 3)
    async with watching(staff, ticket, with_token=False) as quiet, watching(staff, ticket, 1, with_token=False) as busy:
        assert (await quiet.item())["__typename"] == "TicketSnapshot"
        await post(live.api, ticket, "still")
        assert await busy.messages(1) == await quiet.messages(1) == [(2, "still")]
        for stream in (quiet, busy):
            error = await stream.error()
            assert error["extensions"]["code"] == "UNAUTHENTICATED"
            assert error["message"] == "The sign-in has expired; sign in again and resume with the last seq."
    assert datetime.now(UTC) - begin >= timedelta(seconds=2)
    answer = await staff.answer("{ __typename }")
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    async with watching(await live.staff(), ticket, 1, with_token=False) as again:
        assert await again.messages(1) == [(2, "still")]


NOT_READ = "This ticket may no longer be read."
ENDED = "This sign-in has ended; sign in again and resume with the last seq."


async def ends_without_a_word(live: Live, ticket: given.Ticket, stream: Stream, message: str = NOT_READ) -> None:
    """The next change ends the stream, and its content does not get out."""
    await post(await live.staff(), ticket, "secret")
    error = await stream.error()
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert error["message"] == message


async def test_raising_the_orders_access_version_ends_the_streams_of_its_old_tokens(live: Live) -> None:
    ticket = await live.ticket()
    async with watching(live.api, ticket) as stream:
        await stream.item()
        async with live.shop.tx() as tx:
            await tx.run(update(Order).where(Order.id == ticket.order).values(access_version=2))
        await ends_without_a_word(live, ticket, stream)
    async with watching(live.api, ticket) as stream:
        assert (await stream.error())["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("loses", ["the role", "the account", "the session"])
async def test_a_stream_ends_for_staff_who_may_no_longer_read_tickets(live: Live, loses: str) -> None:
    ticket = await live.ticket()
    email = f"{loses.replace(' ', '-')}@shop.example"
    staff_id = await given.staff(live.shop, "tickets:read", email=email)
    staff = await given.signed_in(live.api, email, as_staff=True)
    async with watching(staff, ticket, with_token=False) as stream:
        await stream.item()
        await post(live.api, ticket, "hello")
        assert await stream.messages(1) == [(2, "hello")]
        async with live.shop.tx() as tx:
            if loses == "the role":
                await tx.run(delete(StaffRole).where(StaffRole.staff_id == staff_id))
            elif loses == "the account":
                await tx.run(update(Staff).where(Staff.id == staff_id).values(active=False))
            else:
                await session.end_all(tx, ActorKind.STAFF, staff_id)
        await ends_without_a_word(live, ticket, stream, NOT_READ if loses == "the role" else ENDED)


async def test_a_stream_on_which_nothing_happens_ends_with_the_sign_in_too(live: Live) -> None:
    ticket = await live.ticket()
    email = "quiet@shop.example"
    staff_id = await given.staff(live.shop, "tickets:read", email=email)
    staff = live.api.signed_in(await given.access_token(live.shop, ActorKind.STAFF, staff_id))
    async with watching(staff, ticket, with_token=False) as stream:
        await stream.item()
        async with live.shop.tx() as tx:
            await session.end_all(tx, ActorKind.STAFF, staff_id)
        error = await stream.error()
    assert (error["extensions"]["code"], error["message"]) == ("UNAUTHENTICATED", ENDED)


CHANGE = """
    UPDATE ticket SET last_seq = 3 WHERE id = '{key}';
    INSERT INTO ticket_event (ticket_id, seq, kind, visibility, actor_kind, data)
    VALUES ('{key}', 3, 'message', 'public', 'staff', '{{"body": "not lost"}}');
    INSERT INTO event (name, topic, data) VALUES ('TicketChanged', 'ticket:{key}', '{{}}')"""


@pytest.mark.parametrize("table", ["ticket_event", "workflow_state", "ticket"])
async def test_a_stream_that_breaks_ends_with_a_masked_error_and_resumes_without_loss(live: Live, table: str) -> None:
    ticket = await live.ticket()
    database = live.shop.database.pool
    async with watching(live.api, ticket, 1) as stream:
        await post(live.api, ticket, "told")
        assert await stream.messages(1) == [(2, "told")]
        change = CHANGE.format(key=ticket.key)
        await database.execute(f"BEGIN; {change}; ALTER TABLE {table} RENAME TO gone; COMMIT")
        try:
            error = await stream.error()
        finally:
            await database.execute(f"ALTER TABLE gone RENAME TO {table}")
    assert error["message"] == "Something went wrong on our side."
    assert error["extensions"].keys() == {"code", "requestId"}
    assert error["extensions"]["code"] == "INTERNAL"
    assert table not in str({**error, "path": []})
    async with watching(live.api, ticket, 2) as resumed:
        assert await resumed.messages(1) == [(3, "not lost")]


@pytest.mark.parametrize("cause", [ValueError, TypeError, KeyError, ZeroDivisionError])
def test_an_error_that_is_nowhere_in_the_document_is_never_shown(cause: type[Exception]) -> None:
    """As a stream raises it: without a path and without a place, unlike what a scalar refuses."""
    told = public_error(GraphQLError("the password", original_error=cause("the password")), "request-1")
    assert told == {
        "message": "Something went wrong on our side.",
        "extensions": {"code": "INTERNAL", "requestId": "request-1"},
    }


async def test_streams_over_sse_are_as_many_as_a_caller_may_have(live: Live) -> None:
    ticket = await live.ticket()
    staff = await live.staff()
    with running_server(live.url) as start:
        server = start("--no-worker", SOCKET_CONNECTIONS="2", TRUSTED_PROXIES="127.0.0.1")
        async with server.api() as api:
            near, far = (
                Api(api.http, {**staff.headers, "x-forwarded-for": address}) for address in ("192.0.2.1", "192.0.2.2")
            )
            guest = Api(api.http, {"x-forwarded-for": "192.0.2.3"})
            async with watching(near, ticket, with_token=False) as one, watching(far, ticket, with_token=False) as two:
                await one.item()
                await two.item()
                body = {"query": TICKET_EVENTS, "variables": {"ticket": ticket.id}}
                headers = {**near.headers, "accept": "text/event-stream", "x-forwarded-for": "192.0.2.4"}
                refused = await api.http.post("/graphql", json=body, headers=headers)
                assert refused.status_code == 429
                assert refused.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_REQUESTS"
                async with watching(guest, ticket) as other:
                    await other.item()

            async def served() -> bool:
                async with api.http.stream("POST", "/graphql", json=body, headers=headers) as response:
                    return response.status_code == 200

            await given.until(served)  # places come back
