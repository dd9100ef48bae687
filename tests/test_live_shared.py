"""What many are told is read and executed once; and what was decided by waiting for a lock is told in that order."""

import asyncio
import gc
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import text

from domain.processes.shop import Shop
from domain.ticket_message import PostMessage, post_message
from engine import shared
from tests import given
from tests.api import ENGINE
from tests.live import Stream
from tests.sockets import Watched, watched_fixture  # noqa: F401 - the fixture `watched`
from tests.streams import TICKET_BOARD, bodies, of_board, of_order, subscribed

READERS = 8
BOARD = {"workflow", "columns", "read"}
PERSONAL = TICKET_BOARD.replace("ticket { id lastSeq }", "ticket { id lastSeq unreadCount }")


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The audiences for which an item was executed."""
    made: list[Any] = []
    execute = shared._execute

    async def counted(event: Any, key: Any, *more: Any) -> Any:
        made.append(key[-1])
        return await execute(event, key, *more)

    monkeypatch.setattr(shared, "_execute", counted)
    return made


async def readers(stack: AsyncExitStack, api: Any, document: str, variables: dict[str, Any]) -> list[Stream]:
    streams = [await stack.enter_async_context(subscribed(api, document, **variables)) for _ in range(READERS)]
    for stream in streams:
        await stream.item()
    return streams


@pytest.mark.skipif(
    ENGINE.get("COUNTERFOIL_ENGINE") == "graphql-core",
    reason="the engine shares what is executed; it is off",
)
async def test_an_item_is_executed_once_for_all_who_may_do_the_same(watched: Watched, executions: list[Any]) -> None:
    board = await of_board(watched)
    colleague = await given.caller(watched.shop, watched.api, "staff", "tickets:read", "tickets:write")
    reader = await given.caller(watched.shop, watched.api, "staff", "tickets:read")
    async with AsyncExitStack() as stack:
        alike = [await readers(stack, api, TICKET_BOARD, board.variables) for api in (board.api, colleague)]
        others = await readers(stack, reader, TICKET_BOARD, board.variables)
        executions.clear()
        await board.post("one")
        told = [await stream.item() for streams in (*alike, others) for stream in streams]
    assert all(item == told[0] for item in told)
    assert [audience.permissions for audience in executions] in (
        [{"tickets:read", "tickets:write"}, {"tickets:read"}],
        [{"tickets:read"}, {"tickets:read", "tickets:write"}],
    )


async def test_what_is_somebodys_own_is_executed_for_each(watched: Watched, executions: list[Any]) -> None:
    board = await of_board(watched)
    async with AsyncExitStack() as stack:
        streams = await readers(stack, board.api, PERSONAL, board.variables)
        executions.clear()
        await board.post("one")
        assert [(await stream.item())["ticket"]["unreadCount"] for stream in streams] == [1] * READERS
        tried = len(executions)
        await board.post("two")
        assert [(await stream.item())["ticket"]["unreadCount"] for stream in streams] == [2] * READERS
    assert tried <= 1
    assert len(executions) == tried  # known to be personal by now


async def test_who_waited_for_another_is_told_after_it_though_it_began_before(watched: Watched) -> None:
    """The event of the transaction with the lower number comes second: it was written behind the order's lock."""
    order = await of_order(watched)
    async with order.stream() as stream:
        await stream.item()
        holds, goes_on = asyncio.Event(), asyncio.Event()
        early = asyncio.create_task(_early(watched.shop, order.ticket, holds, goes_on))
        await holds.wait()
        async with watched.shop.tx() as between:  # so that for a while the first number is settled, the last is not
            await between.records(_XID)
            await order.post("began later, written first")
            goes_on.set()
            xid = await early
            await asyncio.sleep(0.3)
        told = await stream.items(2)
    assert bodies(told) == ["began later, written first", "began first, written later"]
    rows = await watched.shop.read.records(_LOGGED, entity=f"order:{order.ticket.order}")
    first, second = rows[-2:]
    assert (second.xid, second.follows) == (xid, first.xid)
    assert second.xid < first.xid
    async with order.stream(told[0]["cursor"]) as resumed:
        assert bodies(await resumed.items(1)) == ["began first, written later"]


async def test_what_a_state_has_shown_is_not_told_again_though_others_were_still_writing(watched: Watched) -> None:
    """An open transaction holds the log back: what was committed meanwhile is in the state, and in the log later."""
    board = await of_board(watched)
    async with AsyncExitStack() as stack:
        async with watched.shop.tx() as open_:
            await open_.records(_XID)
            await board.post("shown")
            stream = await stack.enter_async_context(board.stream())
            first = await stream.item()
            assert [t["lastSeq"] for column in first["board"]["columns"] for t in column["tickets"]] == [2]
            resumed = await stack.enter_async_context(board.stream(first["cursor"]))
        await board.post("told")
        assert bodies(await stream.items(1)) == bodies(await resumed.items(1)) == ["told"]


_XID = text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint) AS xid")
_LOGGED = text(
    """
    SELECT CAST(CAST(xid AS text) AS bigint) AS xid, CAST(CAST(follows AS text) AS bigint) AS follows
    FROM event WHERE entity = :entity AND name = 'TicketChanged' ORDER BY follows, id
    """
)


async def _early(shop: Shop, ticket: given.Ticket, holds: asyncio.Event, goes_on: asyncio.Event) -> int:
    async with shop.tx() as tx:
        (row,) = await tx.records(_XID)
        holds.set()
        await goes_on.wait()
        await post_message(tx, PostMessage(ticket.key, "began first, written later"), given.STAFF, None)
    return row.xid


async def test_a_stream_that_waits_holds_nothing_of_what_it_has_told(watched: Watched) -> None:
    """A board of a hundred tickets would be held for each of a thousand screens."""
    board = await of_board(watched)
    async with board.stream() as stream:
        await stream.item()
        await board.post("one")
        await stream.item()
        await asyncio.sleep(0.1)
        objects: list[Any] = [one for one in gc.get_objects() if issubclass(type(one), dict)]
        held = [one for one in objects if one.get("__typename") == "TicketBoardSnapshot" or one.keys() >= BOARD]
    assert held == []
