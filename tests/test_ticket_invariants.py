"""Whatever both sides do to tickets in whatever order: all adds up, and customers see nothing that is internal."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import given as given_any
from hypothesis import strategies as st
from sqlalchemy import text

from domain.processes.overdue_tickets import tell_of_overdue
from domain.processes.shop import Shop
from domain.ticket_opening import reconcile
from resolvers import ids
from tests import given
from tests.api import Api
from tests.ticketing import make_order_of, problems, staff_of, uploaded

SECRET = "s3cr3t-of-staff"
"""In everything that staff say among themselves."""
HISTORY = """query ($id: ID!, $token: String, $after: Int! = 0) { ticket(id: $id, accessToken: $token) {
  lastSeq requiredAction { kind } proofs { note } desk { priority } files { name } history(after: $after) {
    __typename seq visibility actor actorName ... on TicketMessagePosted { body files { name } } } } }"""
INTERNAL_TYPES = {"TicketAssigned", "TicketDueSet", "TicketPrioritySet", "TicketRanked", "TicketBecameOverdue"}
STATES = ("brief_received", "designing_artwork", "proof_sent", "fulfilling", "delivered", "cancelled", "awaiting_brief")
Act = Callable[["Play", random.Random], Coroutine[Any, Any, Any]]


class Play:
    """An order with two lines, its customer and its staff."""

    def __init__(self, shop: Shop, api: Api, staff: Api, toni: str, first: given.Ticket) -> None:
        self.shop, self.api, self.staff, self.toni, self.first = shop, api, staff, toni, first

    async def one(self, dice: random.Random) -> str:
        rows = await self.shop.read.records(text("SELECT id FROM ticket ORDER BY id"))
        return ids.encode("Ticket", dice.choice(rows).id)

    async def by_staff(self, mutation: str, given_: dict[str, Any]) -> Any:
        return await self.staff.do(mutation, given_, "__typename")

    async def by_customer(self, mutation: str, given_: dict[str, Any]) -> Any:
        return await self.api.do(mutation, {**given_, "accessToken": self.first.access_token}, "__typename")


async def move(play: Play, dice: random.Random) -> None:
    given_ = {"ticketId": await play.one(dice), "toState": dice.choice(STATES), "note": dice.choice([None, SECRET])}
    await play.by_staff("ticketMove", given_)


async def place(play: Play, dice: random.Random) -> None:
    end = dice.choice(["TOP", "BOTTOM"])
    await play.by_staff("ticketMove", {"ticketId": await play.one(dice), "end": end})


async def split(play: Play, dice: random.Random) -> None:
    await play.by_staff("ticketSplit", {"ticketId": await play.one(dice), "quantity": dice.randint(1, 3)})


async def note(play: Play, dice: random.Random) -> None:
    given_ = {"ticketId": await play.one(dice), "body": SECRET, "visibility": "INTERNAL"}
    await play.by_staff("ticketPostMessage", given_)


async def say(play: Play, dice: random.Random) -> None:
    by = dice.choice([play.by_staff, play.by_customer])
    await by("ticketPostMessage", {"ticketId": await play.one(dice), "body": "Hello"})


async def organise(play: Play, dice: random.Random) -> None:
    ticket = {"ticketId": await play.one(dice)}
    await play.by_staff("ticketAssign", {**ticket, "assigneeId": dice.choice([None, play.toni])})
    await play.by_staff("ticketSetPriority", {**ticket, "priority": dice.choice(["LOW", "URGENT"])})
    await play.by_staff("ticketSetDue", {**ticket, "dueAt": f"202{dice.randint(0, 9)}-01-01T00:00:00Z"})
    await tell_of_overdue(play.shop)


async def brief(play: Play, dice: random.Random) -> None:
    given_ = {"ticketId": await play.one(dice), "brief": {"print_text": dice.choice("abc")}}
    await dice.choice([play.by_staff, play.by_customer])("ticketSubmitBrief", given_)


async def proof(play: Play, dice: random.Random) -> None:
    ticket = await play.one(dice)
    file = await uploaded(play.shop, ids.decode("Ticket", ticket))
    await play.by_staff("ticketUploadProof", {"ticketId": ticket, "fileId": ids.encode("File", file)})


async def decide(play: Play, dice: random.Random) -> None:
    rows = await play.shop.read.records(text("SELECT id FROM ticket_proof ORDER BY id"))
    if rows:
        say_ = {"decision": dice.choice(["APPROVE", "APPROVE", "REQUEST_CHANGES"]), "comment": "Well"}
        await play.by_customer(
            "ticketDecideProof", {"proofId": ids.encode("TicketProof", dice.choice(rows).id), **say_}
        )


async def ship(play: Play, dice: random.Random) -> None:
    rows = await play.shop.read.records(text("SELECT id FROM order_line ORDER BY position"))
    lines = [{"orderLineId": ids.encode("OrderLine", dice.choice(rows).id), "quantity": dice.randint(1, 4)}]
    order = ids.encode("Order", play.first.order)
    await play.by_staff("fulfilmentCreate", {"orderId": order, "lines": lines})


async def deliver(play: Play, dice: random.Random) -> None:
    rows = await play.shop.read.records(text("SELECT id FROM fulfilment ORDER BY id"))
    if rows:
        await play.by_staff("fulfilmentDeliver", {"fulfilmentId": ids.encode("Fulfilment", dice.choice(rows).id)})


async def reconciled(play: Play, _dice: random.Random) -> None:
    async with play.shop.tx() as tx:
        await reconcile(tx, play.first.order)


ACTS: tuple[Act, ...] = (
    *(move, move, move, place, split, split, note, say, organise, brief, proof, decide, decide),
    *(ship, deliver, reconciled),
)


async def opened(shop: Shop, api: Api) -> Play:
    first, _ = await make_order_of(shop, api, 6, 4, brief_schema=given.BRIEF)
    staff = await staff_of(shop, api, "orders:fulfil")
    toni = ids.encode("Staff", await given.staff(shop, email="assigned@shop.example"))
    return Play(shop, api, staff, toni, first)


async def nothing_internal_is_seen(play: Play) -> None:
    """By whoever has the order's token; and staff see all of it."""
    rows = await play.shop.read.records(text("SELECT id, last_seq FROM ticket ORDER BY id"))
    for found in rows:
        asked = {"id": ids.encode("Ticket", found.id)}
        theirs = (await play.api(HISTORY, {**asked, "token": play.first.access_token}))["ticket"]
        assert SECRET not in str(theirs)
        assert theirs["desk"] is None
        shown = [event["seq"] for event in theirs["history"]]
        assert {event["visibility"] for event in theirs["history"]} == {"PUBLIC"}
        assert INTERNAL_TYPES.isdisjoint(event["__typename"] for event in theirs["history"])
        ours = (await play.staff(HISTORY, asked))["ticket"]["history"]
        assert [event["seq"] for event in ours] == list(range(1, found.last_seq + 1))
        assert [event["seq"] for event in ours if event["visibility"] == "PUBLIC"] == shown


async def test_after_any_sequence_of_acts_all_adds_up_and_nothing_internal_is_told(shop: Shop, api: Api) -> None:
    play = await opened(shop, api)
    for seed in range(6):
        dice = random.Random(seed)
        for _ in range(12):
            await dice.choice(ACTS)(play, dice)
        assert await problems(shop.read) == [], seed
    await nothing_internal_is_seen(play)


async def test_all_adds_up_when_everything_is_done_at_once(shop: Shop, api: Api) -> None:
    play = await opened(shop, api)
    for seed in range(4):
        dice = random.Random(seed)
        await asyncio.gather(*(dice.choice(ACTS)(play, random.Random(dice.random())) for _ in range(12)))
        assert await problems(shop.read) == [], seed
    ranks = await shop.read.records(text("SELECT rank FROM ticket"))
    assert len({found.rank for found in ranks}) == len(ranks)
    await nothing_internal_is_seen(play)


BEGUN: dict[int, Play] = {}


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given_any(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 2**32)), min_size=3, max_size=8))
async def test_what_hypothesis_thinks_of_adds_up_too(shop: Shop, api: Api, acts: list[tuple[Act, int]]) -> None:
    """All its examples are played on the same order, one after another."""
    if id(shop) not in BEGUN:
        BEGUN[id(shop)] = await opened(shop, api)
    for act, seed in acts:
        await act(BEGUN[id(shop)], random.Random(seed))
    assert await problems(shop.read) == []
