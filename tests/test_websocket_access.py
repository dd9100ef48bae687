"""Who may connect and as whom, over WebSocket: found out for each operation, by the same proofs as over HTTP."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from db.session import ApiKeyKind
from db.workflow import ActorKind
from domain import api_key as api_keys
from domain.actor import Actor, OrderAccess
from domain.api_key import CreateApiKey
from resolvers import ids
from resolvers import ticket as of_ticket
from server.tokens import LIVE_SECONDS, SignedTokens
from tests import given
from tests.api import SECRET, Api
from tests.browser import ADMIN, STORE, STRANGER, Browser
from tests.live import post
from tests.sockets import (
    TYPENAME,
    Watched,
    begun,
    connected,
    refused,
    serving,
    watched_fixture,  # noqa: F401 - the fixture `watched`
)
from tests.test_live_tokens import orders

ME = "{ me { email } }"
MINE = "{ mySessions { current } }"
MANY = 200
SIGNED = SignedTokens(SECRET)


def bearer(api: Api) -> str:
    return api.headers["authorization"]


async def reason(url: str, **payload: Any) -> tuple[int, str]:
    """With which a connection that begins like this is closed."""
    async with connected(url) as socket:
        await socket.send({"type": "connection_init", "payload": payload})
        return await socket.closed()


@pytest.mark.parametrize(
    "origin",
    [
        STRANGER,
        "null",
        "",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil",
        "*",
        "http://[",
    ],
)
async def test_a_page_of_another_site_may_not_connect(watched: Watched, origin: str) -> None:
    """Fault 48. Browsers ask nobody before they connect, and send cookies along; whatever else it brings."""
    customer = await given.caller(watched.shop, watched.api, "customer")
    own_host = watched.served.url.removeprefix("http://")
    for headers in (
        {},
        {"authorization": bearer(customer)},
        {"sec-fetch-site": "same-origin"},
        {"cookie": "counterfoil_customer_access=x"},
        {"x-forwarded-host": "shop.example", "x-forwarded-proto": "https"},
        {"host": "shop.example"},
        {"referer": f"http://{own_host}/graphql"},
    ):
        assert await refused(watched.served.url, {"origin": origin, **headers}) == (403, "FORBIDDEN"), headers
    async with asyncio.timeout(60):
        assert await refused(watched.served.url, {"origin": origin}, protocols=()) == (403, "FORBIDDEN")
    await watched.served.nothing_is_left()


async def test_of_two_origins_none_is_believed(watched: Watched) -> None:
    for origins in ([STORE, STRANGER], [STRANGER, STORE], [STORE, STORE]):
        both: Any = [("origin", origin) for origin in origins]
        with pytest.raises(InvalidStatus) as status:
            async with connected(watched.served.url, both):
                pass
        assert status.value.response.status_code == 400


async def test_pages_of_the_shop_and_programs_may_connect(watched: Watched) -> None:
    for origin in (STORE, ADMIN, watched.served.url):
        async with begun(watched.served.url, {"origin": origin}) as socket:
            assert await socket.asked(TYPENAME) == {"data": {"__typename": "Query"}}
    async with begun(watched.served.url) as socket:
        assert await socket.asked(TYPENAME) == {"data": {"__typename": "Query"}}


async def cookies_of(watched: Watched, email: str) -> Browser:
    await given.customer(watched.shop, email)
    browser = Browser(watched.api)
    await browser.sign_in(email)
    return browser


async def test_cookies_count_where_sessions_of_their_kind_may_live(watched: Watched) -> None:
    browser = await cookies_of(watched, "cookies@shop.example")
    mine = {"data": {"mySessions": [{"current": True}]}}
    for origin in (STORE, watched.served.url):
        async with begun(watched.served.url, browser.at(origin).sends()) as socket:
            assert await socket.asked(MINE) == mine
    async with begun(watched.served.url, browser.at(ADMIN).sends()) as socket:  # staff's alone
        answer = await socket.asked(MINE)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
    async with connected(watched.served.url, browser.at(None).sends()) as socket:  # as with a POST without an origin
        await socket.send({"type": "connection_init"})
        assert (await socket.closed())[0] == 4403
    bought = (await given.signed_in(watched.api, "cookies@shop.example")).headers["authorization"]
    async with begun(watched.served.url, browser.at(None).sends(), Authorization=bought) as socket:
        assert len((await socket.asked(MINE))["data"]["mySessions"]) == 2


async def test_a_cookie_that_has_ended_lets_nobody_begin(watched: Watched) -> None:
    browser = await cookies_of(watched, "ended@shop.example")
    async with begun(watched.served.url, browser.sends()) as socket:
        assert "errors" not in await socket.asked(MINE)
        await watched.shop.database.pool.execute("UPDATE session SET ended_at = now() WHERE ended_at IS NULL")
        assert (await socket.error(await socket.subscribe(MINE)))[0] == "UNAUTHENTICATED"
        assert (await socket.error(await socket.subscribe(TYPENAME)))[0] == "UNAUTHENTICATED"
    async with connected(watched.served.url, browser.sends()) as socket:
        await socket.send({"type": "connection_init"})
        assert await socket.closed() == (4403, "Forbidden: This sign-in has ended; sign in again.")


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
async def test_a_page_says_in_the_first_message_what_it_cannot_say_in_headers(watched: Watched, name: str) -> None:
    ticket = await watched.ticket()
    customer = await given.caller(watched.shop, watched.api, "customer")
    async with begun(watched.served.url, {"origin": STORE}, **{name: bearer(customer)}) as socket:
        assert len((await socket.asked(MINE))["data"]["mySessions"]) >= 1
    async with begun(watched.served.url, {"origin": STORE}, **{"X-Access-Token": ticket.access_token}) as socket:
        id_ = await socket.watch(ticket, with_token=False)
        assert (await socket.item(id_))["ticket"]["id"] == ticket.id
    async with begun(watched.served.url, {"authorization": bearer(customer)}) as socket:
        assert "errors" not in await socket.asked(MINE)
    async with begun(watched.served.url, {"authorization": "Bearer nonsense"}, **{name: bearer(customer)}) as socket:
        assert "errors" not in await socket.asked(MINE)  # what is said last counts
    async with begun(watched.served.url, {"authorization": bearer(customer)}, **{name: None}) as socket:
        assert "errors" not in await socket.asked(MINE)


async def test_a_cart_is_opened_by_its_token_over_a_websocket(watched: Watched) -> None:
    made = (await watched.api("mutation { cartCreate(input: {}) { token cart { id } } }"))["cartCreate"]
    query = "query ($id: ID!) { cart(id: $id) { id } }"
    variables = {"id": made["cart"]["id"]}
    async with begun(watched.served.url, **{"X-Cart-Token": made["token"]}) as its, begun(watched.served.url) as other:
        assert (await its.asked(query, variables))["data"] == {"cart": variables}
        assert (await other.asked(query, variables))["data"] == {"cart": None}


CLAIMS = {"sub": "cust_1", "kind": "staff", "permissions": ["orders:read"], "sid": "1"}


@pytest.mark.parametrize(
    "payload",
    [
        {"jwt": CLAIMS},
        {"Authorization": CLAIMS},
        {"authorization": {"jwt": CLAIMS}},
        {"Authorization": ["Bearer x"]},
        {"Authorization": 5},
        {"Authorization": True},
        {"user": CLAIMS},
        {"headers": {"Authorization": "Bearer x"}},
        {"X-Access-Token": {"order": "1", "v": 1}},
        {"X-Api-Key": {"kind": "secret"}},
        {"permissions": ["orders:read"]},
        {"Authorization": "Bearer a", "authorization": "Bearer b"},
    ],
)
async def test_claims_that_come_decoded_are_not_believed(watched: Watched, payload: dict[str, Any]) -> None:
    """Fault 22: what nobody signed proves nothing, and is not taken for nothing either."""
    code, said = await reason(watched.served.url, **payload)
    assert code == 4403
    assert said.startswith("Forbidden")
    await watched.served.nothing_is_left()


async def test_what_a_page_calls_itself_beside_makes_it_nobody(watched: Watched) -> None:
    """Text of other names is no proof: the connection is a guest's."""
    async with begun(watched.served.url, jwt="x", user="admin", role="staff", token="cf_secret_x") as socket:
        answer = await socket.asked("{ me { email } }")
        assert answer["data"] == {"me": None}
        answer = await socket.asked("{ tickets { totalCount } }")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]


async def test_whoever_proves_something_wrong_does_not_begin(watched: Watched) -> None:
    ticket = await watched.ticket()
    staff_id = await given.staff(watched.shop, "tickets:read", email="expired@shop.example")
    expired = await given.access_token(watched.shop, ActorKind.STAFF, staff_id, -60)
    others = SignedTokens("another secret, which is not ours at all")
    foreign, _ = others.live_token(Actor(), OrderAccess(ticket.order, 1))
    for payload in (
        {"Authorization": "nonsense"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer cf_secret_nonsense"},
        {"Authorization": f"Bearer {expired}"},
        {"Authorization": f"Bearer {foreign}"},
        {"Authorization": f"Bearer {ticket.access_token}"},
        {"Authorization": "Bearer \x00"},
        {"X-Api-Key": "nonsense"},
        {"X-Api-Key": "cf_publishable_nonsense"},
    ):
        code, said = await reason(watched.served.url, **payload)
        assert (code, said[:9]) == (4403, "Forbidden"), payload


async def test_each_operation_finds_out_anew_who_asks(watched: Watched) -> None:
    """A session that ended, or a permission that was taken away, is none for the next operation."""
    staff_id = await given.staff(watched.shop, "tickets:read", email="leaving@shop.example")
    token = await given.access_token(watched.shop, ActorKind.STAFF, staff_id)
    tickets = "{ tickets { totalCount } }"
    async with begun(watched.served.url, Authorization=f"Bearer {token}") as socket:
        assert "errors" not in await socket.asked(tickets)
        await watched.shop.database.pool.execute("DELETE FROM staff_role WHERE staff_id = $1", staff_id)
        answer = await socket.asked(tickets)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
        await watched.shop.database.pool.execute("UPDATE session SET ended_at = now() WHERE staff_id = $1", staff_id)
        assert (await socket.error(await socket.subscribe(TYPENAME)))[0] == "UNAUTHENTICATED"


async def test_a_token_that_expires_starts_nothing_more_and_ends_its_streams(watched: Watched) -> None:
    ticket = await watched.ticket()
    staff_id = await given.staff(watched.shop, "tickets:read", email="brief@shop.example")
    begin = datetime.now(UTC)
    token = await given.access_token(watched.shop, ActorKind.STAFF, staff_id, 2)
    async with begun(watched.served.url, Authorization=f"Bearer {token}") as socket:
        id_ = await socket.watch(ticket, with_token=False)
        assert (await socket.item(id_))["__typename"] == "TicketSnapshot"
        assert (await socket.error(id_))[0] == "UNAUTHENTICATED"
        assert datetime.now(UTC) - begin >= timedelta(seconds=1)
        assert (await socket.error(await socket.subscribe(TYPENAME)))[0] == "UNAUTHENTICATED"
        again = await socket.watch(ticket)  # its own proof beside a wrong one does not help either
        assert (await socket.error(again))[0] == "UNAUTHENTICATED"
    await watched.served.nothing_is_left()


async def test_a_key_that_is_revoked_starts_nothing_more_and_ends_its_streams(watched: Watched) -> None:
    ticket = await watched.ticket()
    wanted = CreateApiKey(ApiKeyKind.SECRET, "Board", ("tickets:read",))
    async with watched.shop.tx() as tx:
        made = await api_keys.create(tx, wanted, given.ADMINISTRATOR)
    async with begun(watched.served.url, Authorization=f"Bearer {made.key}") as socket:
        id_ = await socket.watch(ticket, with_token=False)
        await socket.item(id_)
        await watched.shop.database.pool.execute("UPDATE api_key SET revoked_at = now() WHERE id = $1", made.row.id)
        await post(watched.api, ticket, "secret")
        assert (await socket.error(id_))[0] == "UNAUTHENTICATED"
        assert (await socket.error(await socket.subscribe(TYPENAME)))[0] == "UNAUTHENTICATED"
    assert (await reason(watched.served.url, Authorization=f"Bearer {made.key}"))[0] == 4403


async def test_what_is_posted_after_a_key_was_revoked_is_not_told_however_late_that_is_seen(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket, changes = await watched.ticket(), of_ticket._changes
    wanted = CreateApiKey(ApiKeyKind.SECRET, "Board", ("tickets:read",))
    async with watched.shop.tx() as tx:
        made = await api_keys.create(tx, wanted, given.ADMINISTRATOR)

    async def revoked_meanwhile(*asked: Any) -> Any:
        await watched.shop.database.pool.execute("UPDATE api_key SET revoked_at = now() WHERE id = $1", made.row.id)
        await post(watched.api, ticket, "secret")
        return await changes(*asked)

    monkeypatch.setattr(of_ticket, "_changes", revoked_meanwhile)
    async with begun(watched.served.url, Authorization=f"Bearer {made.key}") as socket:
        id_ = await socket.watch(ticket, with_token=False)
        assert (await socket.item(id_))["__typename"] == "TicketSnapshot"
        assert (await socket.error(id_))[0] == "UNAUTHENTICATED"


async def test_the_access_of_an_order_that_ends_ends_its_streams(watched: Watched) -> None:
    ticket = await watched.ticket()
    writer = await given.caller(watched.shop, watched.api, "staff", "orders:write", "tickets:write")
    async with begun(watched.served.url) as socket:
        id_ = await socket.watch(ticket)
        await socket.item(id_)
        await writer.done("orderEndAccess", {"orderId": ids.encode("Order", ticket.order)}, "order { id }")
        await post(writer, given.Ticket(ticket.id, ticket.key, ticket.order, ""), "secret")
        assert await socket.error(id_) == ("UNAUTHENTICATED", "This ticket may no longer be read.")
        assert (await socket.error(await socket.watch(ticket)))[0] == "BAD_USER_INPUT"


async def test_a_live_token_lets_subscribe_over_a_websocket_and_nothing_else(watched: Watched) -> None:
    ticket, foreign = await watched.ticket(), await watched.ticket()
    made = await watched.api.done("liveTokenCreate", {"accessToken": ticket.access_token}, "liveToken expiresIn")
    assert made["expiresIn"] == LIVE_SECONDS
    async with begun(watched.served.url, {"origin": STORE}, Authorization=f"Bearer {made['liveToken']}") as socket:
        id_ = await socket.watch(ticket, with_token=False)
        assert (await socket.item(id_))["ticket"]["id"] == ticket.id
        for query in (TYPENAME, MINE, "{ nonsense }", "mutation { cartCreate(input: {}) { token } }"):
            code, _ = await socket.error(await socket.subscribe(query))
            assert code in {"UNAUTHENTICATED", "BAD_REQUEST", "BAD_USER_INPUT"}, query
        assert (await socket.error(await socket.subscribe(TYPENAME)))[0] == "UNAUTHENTICATED"
        assert (await socket.error(await socket.watch(foreign, with_token=False)))[0] == "BAD_USER_INPUT"


async def test_staff_see_internal_notes_over_a_websocket_and_customers_do_not(watched: Watched) -> None:
    ticket = await watched.ticket()
    staff = await watched.staff()
    async with begun(watched.served.url, Authorization=bearer(staff)) as inside, begun(watched.served.url) as outside:
        ours, theirs = await inside.watch(ticket, 1, with_token=False), await outside.watch(ticket, 1)
        for body, visibility in (("two", "PUBLIC"), ("three", "INTERNAL"), ("four", "PUBLIC")):
            await post(staff, ticket, body, visibility=visibility)
        assert [(await inside.item(ours))["seq"] for _ in range(3)] == [2, 3, 4]
        assert [(await outside.item(theirs))["seq"] for _ in range(2)] == [2, 4]


async def test_of_two_hundred_sockets_each_gets_what_is_theirs_and_nothing_else(watched: Watched) -> None:
    """Fault 14: over one process, some of them with two streams; every frame is looked at."""
    tickets = await orders(watched, MANY)
    all_ids = [ticket.id for ticket in tickets]
    async with serving(watched.url, SOCKET_CONNECTIONS="1000") as served, AsyncExitStack() as stack:
        proofs = [{"X-Access-Token": ticket.access_token} if n % 2 else {} for n, ticket in enumerate(tickets)]
        sockets = [await stack.enter_async_context(begun(served.url, **proof)) for proof in proofs]
        streams = [
            await socket.watch(ticket, with_token=not n % 2)
            for n, (socket, ticket) in enumerate(zip(sockets, tickets, strict=True))
        ]
        firsts = await asyncio.gather(*(socket.item(id_) for socket, id_ in zip(sockets, streams, strict=True)))
        turn = asyncio.Semaphore(16)

        async def write(ticket: given.Ticket, body: str) -> None:
            async with turn:
                await post(watched.api, ticket, body)

        told_first = [ticket for n, ticket in enumerate(tickets) if n % 3]
        for round_ in (told_first, tickets):
            await asyncio.gather(*(write(ticket, f"for {ticket.id}") for ticket in round_))
        for n, (socket, id_, ticket) in enumerate(zip(sockets, streams, tickets, strict=True)):
            frames = [firsts[n], *[await socket.item(id_) for _ in range(2 if n % 3 else 1)]]
            for frame in frames:
                assert frame["ticket"]["id"] == ticket.id
                assert [other for other in all_ids if other in str(frame)] == [ticket.id]
            assert [frame["seq"] for frame in frames] == list(range(1, 1 + len(frames)))
            assert {frame["event"]["body"] for frame in frames[1:]} == {f"for {ticket.id}"}
            assert await socket.asked(TYPENAME) == {"data": {"__typename": "Query"}}  # nothing else was under way
