"""Workflows: where a ticket may go from where it is, and who may take it there."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select

from db import Event, Order, Ticket, TicketEvent, Workflow, WorkflowState, WorkflowTransition
from db.connection import new_id
from db.ticket import ProofDecision
from db.workflow import ActorKind, StateKind
from domain import ticket_move, workflow
from domain.processes.shop import Shop
from domain.ticket_move import Move
from domain.workflow import DEFAULT
from resolvers import ids
from tests import given
from tests.api import Api
from tests.ticketing import proofed, put

ALLOWED = {
    "awaiting_brief": ["brief_received", "cancelled"],
    "brief_received": ["designing_artwork", "cancelled"],
    "designing_artwork": ["awaiting_brief", "proof_sent", "cancelled"],
    "proof_sent": ["designing_artwork", "fulfilling", "cancelled"],
    "fulfilling": ["designing_artwork", "delivered", "cancelled"],
    "delivered": [],
    "cancelled": [],
}
WORK_STATUS = {
    "awaiting_brief": "WAITING_CUSTOMER",
    "brief_received": "IN_PROGRESS",
    "designing_artwork": "IN_PROGRESS",
    "proof_sent": "WAITING_CUSTOMER",
    "fulfilling": "IN_PROGRESS",
    "delivered": "DONE",
    "cancelled": "NONE",
}
MOVE = """mutation ($input: TicketMoveInput!) { ticketMove(input: $input) {
  ticket { state { code } version lastSeq nextStates { code } }
  userErrors { __typename code message path
               ... on InvalidTransition { fromState toState allowed } ... on VersionConflict { currentVersion } } } }"""


async def stored(shop: Shop) -> list[Any]:
    """Everything that moving a ticket could change."""
    tables = (Ticket, TicketEvent, Event, Order)
    return [sorted(map(tuple, await shop.read.all(select(table))), key=str) for table in tables]


async def staff_of(shop: Shop, api: Api) -> Api:
    return await given.caller(shop, api, "staff", "tickets:read", "tickets:write")


async def moved(api: Api, ticket: given.Ticket, to: str, **more: Any) -> dict[str, Any]:
    return (await api(MOVE, {"input": {"ticketId": ticket.id, "toState": to, **more}}))["ticketMove"]


@pytest.mark.parametrize("origin", ALLOWED)
async def test_a_ticket_goes_only_where_its_workflow_lets_it(shop: Shop, api: Api, origin: str) -> None:
    ticket = await given.ticket(shop, api, stock=None)
    staff = await staff_of(shop, api)
    await proofed(shop, ticket.key, ProofDecision.APPROVE)
    for to in (*ALLOWED, "no_such_state"):
        await put(shop, ticket.key, origin)
        before = await stored(shop)
        row = await shop.read.one(select(Ticket))
        payload = await moved(staff, ticket, to)
        if to in ALLOWED[origin]:
            last = row.last_seq + (3 if to == "delivered" else 1)  # which is sent, and has arrived
            after = {"state": {"code": to}, "version": row.version + 1, "lastSeq": last}
            following = [{"code": code} for code in ALLOWED[to]]
            assert payload == {"ticket": {**after, "nextStates": following}, "userErrors": []}
            event = (await shop.read.all(select(TicketEvent).order_by(TicketEvent.seq)))[-1]
            assert (event.seq, event.kind, event.data) == (last, "moved", {"from": origin, "to": to})
        else:
            assert payload == {
                "ticket": None,
                "userErrors": [
                    {
                        "__typename": "InvalidTransition",
                        "code": "INVALID_TRANSITION",
                        "message": f"A ticket cannot go from {origin!r} to {to!r}.",
                        "path": ["toState"],
                        "fromState": origin,
                        "toState": to,
                        "allowed": ALLOWED[origin],
                    }
                ],
            }
            assert await stored(shop) == before


def test_the_default_workflow_is_as_the_tests_expect_it() -> None:
    assert [state.code for state in DEFAULT.states] == list(ALLOWED)
    ends = {state.code for state in DEFAULT.states if state.kind in {StateKind.DONE, StateKind.CANCELLED}}
    assert ends == {code for code, following in ALLOWED.items() if not following}


async def test_a_move_on_the_version_that_was_read_or_on_any_is_done(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    staff = await staff_of(shop, api)
    await proofed(shop, ticket.key, ProofDecision.APPROVE)
    steps = (
        ("designing_artwork", {"ifVersion": 3}),
        ("proof_sent", {"ifVersion": None}),
        ("fulfilling", {}),
        ("delivered", {"ifVersion": 6}),
    )
    for version, (to, more) in enumerate(steps, 4):
        payload = await moved(staff, ticket, to, **more)
        assert payload["userErrors"] == []
        assert (payload["ticket"]["state"], payload["ticket"]["version"]) == ({"code": to}, version)


async def test_a_move_on_another_version_is_refused_and_tells_the_current_one(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    staff = await staff_of(shop, api)
    await moved(staff, ticket, "designing_artwork", ifVersion=1)
    before = await stored(shop)
    for version in (1, 3, 0, -1):
        for to in ("proof_sent", "no_such_state"):
            payload = await moved(staff, ticket, to, ifVersion=version)
            assert payload["ticket"] is None
            assert payload["userErrors"] == [
                {
                    "__typename": "VersionConflict",
                    "code": "VERSION_CONFLICT",
                    "message": "The ticket has changed: it is at version 2.",
                    "path": ["ifVersion"],
                    "currentVersion": 2,
                }
            ]
    assert await stored(shop) == before


async def test_only_staff_with_the_permission_move_tickets(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    before = await stored(shop)
    forbidden = {"code": "FORBIDDEN", "needs": "tickets:write"}
    for who, error in (("nobody", {"code": "UNAUTHENTICATED"}), ("customer", forbidden), ("staff", forbidden)):
        caller = await given.caller(shop, api, who, "tickets:read", "orders:read", "orders:write")
        caller.headers["x-access-token"] = ticket.access_token  # proves the order, but moving is not for its owner
        answer = await caller.answer(MOVE, {"input": {"ticketId": ticket.id, "toState": "designing_artwork"}})
        assert answer["data"] is None
        (told,) = answer["errors"]
        assert told["path"] == ["ticketMove"]
        assert {name: value for name, value in told["extensions"].items() if name != "requestId"} == error
    assert await stored(shop) == before


async def test_a_ticket_that_does_not_exist_is_not_found(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    staff = await staff_of(shop, api)
    before = await stored(shop)
    for ticket_id, type_, code in (
        (ids.encode("Ticket", new_id()), "NotFound", "NOT_FOUND"),
        (ids.encode("Order", ticket.order), "ValidationFailed", "VALIDATION_FAILED"),
        ("nonsense", "ValidationFailed", "VALIDATION_FAILED"),
    ):
        given_ = {"ticketId": ticket_id, "toState": "cancelled"}
        payload = await staff.do("ticketMove", given_, "ticket { id }")
        assert payload["ticket"] is None
        (told,) = payload["userErrors"]
        assert (told["__typename"], told["code"], told["path"]) == (type_, code, ["ticketId"])
    assert await stored(shop) == before


async def test_the_work_on_an_order_stands_where_its_tickets_stand(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    lines = [{"variantId": (await given.product(shop, h)).variant, "quantity": 1} for h in ("banner", "flyer")]
    order = await given.order(api, *lines)
    first, second = await given.tickets(shop, order)
    await proofed(shop, first.key, ProofDecision.APPROVE)
    staff = await staff_of(shop, api)
    seen: list[tuple[str, int]] = []
    for ticket, to in (
        (first, "designing_artwork"),  # no change of the order: its version stays
        (first, "proof_sent"),
        (second, "designing_artwork"),  # still waiting for the customer, because of the first
        (first, "fulfilling"),
        (first, "delivered"),
        (second, "cancelled"),
    ):
        assert (await moved(staff, ticket, to))["userErrors"] == []
        row = await shop.read.one(select(Order))
        seen.append((row.work_status, row.version))
    begun = seen[0][1]
    assert seen == [
        ("in_progress", begun),
        ("waiting_customer", begun + 1),
        ("waiting_customer", begun + 1),
        ("in_progress", begun + 2),
        ("in_progress", begun + 3),  # one of two lines has arrived
        ("done", begun + 5),  # and nothing is wanted of the other
    ]


async def test_every_state_shows_in_the_orders_work_status(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    await proofed(shop, ticket.key, ProofDecision.APPROVE)
    query = "query ($id: ID!, $token: String) { order(by: { id: $id }, accessToken: $token) { workStatus } }"
    path = ["designing_artwork", "awaiting_brief", "brief_received", "designing_artwork", "proof_sent", "fulfilling"]
    for state in (*path, "delivered"):
        async with shop.tx() as tx:
            await ticket_move.move(tx, Move(ticket.key, state), given.STAFF)
        found = await api(query, {"id": ids.encode("Order", ticket.order), "token": ticket.access_token})
        assert found == {"order": {"workStatus": WORK_STATUS[state]}}


async def test_only_who_may_move_a_ticket_is_shown_where_to(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    query = "query ($id: ID!, $token: String) { ticket(id: $id, accessToken: $token) { nextStates { code name } } }"
    variables = {"id": ticket.id, "token": ticket.access_token}
    staff = await staff_of(shop, api)
    assert await staff(query, variables) == {
        "ticket": {
            "nextStates": [
                {"code": "designing_artwork", "name": "Designing artwork"},
                {"code": "cancelled", "name": "Cancelled"},
            ]
        }
    }
    readers = (
        api,
        await given.caller(shop, api, "customer"),
        await given.caller(shop, api, "staff", "tickets:read"),
    )
    for reader in readers:
        assert await reader(query, variables) == {"ticket": {"nextStates": []}}


async def _install_version_2(shop: Shop) -> None:
    """The shop drops proofs: version 2 of the default workflow has two states."""
    key = new_id()
    states = (("brief_received", StateKind.OPEN), ("delivered", StateKind.DONE))
    async with shop.tx() as tx:
        await tx.run(insert(Workflow).values(id=key, code="default", version=2, name="Without proofs"))
        for position, (code, kind) in enumerate(states):
            initial = "complete_brief" if position == 0 else None
            row = {"code": code, "name": code, "kind": kind, "position": position, "initial_for": initial}
            await tx.run(insert(WorkflowState).values(workflow_id=key, **row))
        step = {"from_state": "brief_received", "to_state": "delivered", "who": ActorKind.STAFF}
        await tx.run(insert(WorkflowTransition).values(workflow_id=key, **step))


async def test_a_running_ticket_stays_on_the_version_of_the_workflow_it_began_with(shop: Shop, api: Api) -> None:
    old = await given.ticket(shop, api)
    await _install_version_2(shop)
    flyer = await given.product(shop, "flyer")
    (new,) = await given.tickets(shop, await given.order(api, {"variantId": flyer.variant, "quantity": 1}))
    staff = await staff_of(shop, api)
    (refused,) = (await moved(staff, new, "designing_artwork"))["userErrors"]
    assert refused["allowed"] == ["delivered"]
    (refused,) = (await moved(staff, old, "delivered"))["userErrors"]
    assert refused["allowed"] == ["designing_artwork", "cancelled"]
    assert (await moved(staff, new, "delivered"))["userErrors"] == []
    assert (await moved(staff, old, "designing_artwork"))["userErrors"] == []


async def test_installing_a_workflow_that_is_there_changes_nothing(shop: Shop) -> None:
    changed = replace(DEFAULT, name="Renamed")
    tables = (Workflow, WorkflowState, WorkflowTransition)
    before = [await shop.read.all(select(table)) for table in tables]
    for spec in (DEFAULT, changed):
        async with shop.tx() as tx:
            await workflow.install(tx, spec)
    assert [await shop.read.all(select(table)) for table in tables] == before
    assert [len(rows) for rows in before] == [1, 7, sum(map(len, ALLOWED.values())) + 5]
