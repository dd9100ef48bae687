"""Workflows are data: staff make them and change them, running tickets stay on theirs, and none can be a dead end."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy import text

from db.workflow import ActorKind, StateEffect, StateKind, TransitionRequirement
from domain import workflow
from domain.processes.shop import Shop
from domain.refusal import Refusal, refusals_of
from domain.workflow_spec import DEFAULT, StateSpec, TransitionSpec, WorkflowSpec
from tests import given, people
from tests.api import Api
from tests.matrix_tickets import STATES, WAYS, WORKFLOW
from tests.ticketing import kinds, make_order_of, refused, stored

SHOWN = """workflow { id code version name states { code name kind position initialFor slaMinutes effect briefLocked }
  transitions { fromState toState who requires } }"""


async def editor(shop: Shop, api: Api) -> Api:
    return (await people.member(shop, api, "workflows:write", "tickets:read", "tickets:write")).api


async def test_a_workflow_is_made_and_its_tickets_live_in_it(shop: Shop, api: Api) -> None:
    staff = await editor(shop, api)
    done = {"code": "done", "name": "Done", "kind": "DONE", "effect": "DELIVER", "briefLocked": True}
    states = [{**STATES[0], "slaMinutes": 30}, STATES[1], done, STATES[3]]
    ways = [*WAYS, {"fromState": "waiting", "toState": "todo", "who": "CUSTOMER", "requires": ["BRIEF_COMPLETE"]}]
    made = await staff.done(
        "workflowCreate", {"code": "simple", "name": " Simple ", "states": states, "transitions": ways}, SHOWN
    )
    shown = made["workflow"]
    assert (shown["code"], shown["version"], shown["name"]) == ("simple", 1, "Simple")
    assert shown["states"][0] == {
        **{"code": "todo", "name": "To do", "kind": "OPEN", "position": 0, "initialFor": "COMPLETE_BRIEF"},
        **{"slaMinutes": 30, "effect": "NONE", "briefLocked": False},
    }
    assert shown["states"][2]["effect"] == "DELIVER"
    ways_ = {(w["fromState"], w["toState"], w["who"], *w["requires"]) for w in shown["transitions"]}
    assert ways_ == {
        ("waiting", "todo", "STAFF"),
        ("todo", "done", "STAFF"),
        ("waiting", "todo", "CUSTOMER", "BRIEF_COMPLETE"),
        ("todo", "off", "STAFF"),  # staff may always call off what is not ended
        ("waiting", "off", "STAFF"),
    }
    listed = await staff("{ workflows { code version } }")
    assert listed == {"workflows": [{"code": "default", "version": 1}, {"code": "simple", "version": 1}]}
    one, two = await make_order_of(shop, api, 1, 2, workflow_code="simple", brief_schema=given.BRIEF)
    brief = {"ticketId": one.id, "brief": {"print_text": "A"}, "accessToken": one.access_token}
    moved = await api.done("ticketSubmitBrief", brief, "ticket { state { code } desk { rank } }")
    assert moved["ticket"]["state"] == {"code": "todo"}
    await staff.done("ticketMove", {"ticketId": one.id, "toState": "done"}, "ticket { id }")
    assert (await kinds(shop, one.key))[-3:] == ["shipped", "delivered", "moved"]
    assert await kinds(shop, two.key) == ["opened"]


async def test_an_edited_workflow_is_a_new_version_and_running_tickets_stay_on_theirs(shop: Shop, api: Api) -> None:
    staff = await editor(shop, api)
    (old,) = await make_order_of(shop, api, 1)
    given_ = {"code": "default", "ifVersion": 1, **WORKFLOW}
    assert (await staff.done("workflowUpdate", given_, SHOWN))["workflow"]["version"] == 2
    again = {**given_, "ifVersion": None}
    assert (await staff.done("workflowUpdate", again, SHOWN))["workflow"]["version"] == 2  # nothing was to change
    flyer = await given.product(shop, "flyer")
    (new,) = await given.tickets(shop, await given.order(api, {"variantId": flyer.variant, "quantity": 1}))
    query = "query ($id: ID!) { ticket(id: $id) { nextStates { code } } }"
    shown = [(await staff(query, {"id": ticket.id}))["ticket"]["nextStates"] for ticket in (old, new)]
    assert [[state["code"] for state in states] for states in shown] == [
        ["designing_artwork", "cancelled"],
        ["done", "off"],
    ]
    board = (await staff("{ ticketBoard { columns { count state { code } } } }"))["ticketBoard"]["columns"]
    assert [(c["state"]["code"], c["count"]) for c in board] == [
        *(("todo", 1), ("waiting", 0), ("done", 0), ("off", 0)),
        ("brief_received", 1),  # of the version before, as a ticket is in it
    ]
    version = 'query ($version: Int) { workflow(code: "default", version: $version) { version name } }'
    for asked, told in ((1, "Custom work"), (2, "Simple"), (None, "Simple")):
        assert (await staff(version, {"version": asked}))["workflow"]["name"] == told
    assert (await staff(version, {"version": 3}))["workflow"] is None
    stale = {**given_, "name": "Another"}
    assert await refused(shop, staff, "workflowUpdate", stale) == [("VersionConflict", ["ifVersion"])]
    assert [entry[0] for entry in await people.audited(shop)] == ["workflowUpdate", "workflowUpdate"]
    difference = (await people.audited(shop))[0][2]
    assert (difference["version"], difference["name"]) == ([1, 2], ["Custom work", "Simple"])


async def test_of_parallel_edits_of_one_version_one_is_made(shop: Shop, api: Api) -> None:
    staff = await editor(shop, api)
    edits = [{"code": "default", "ifVersion": 1, **WORKFLOW, "name": f"Edit {n}"} for n in range(6)]
    done = await asyncio.gather(*(staff.do("workflowUpdate", one, SHOWN) for one in edits))
    errors = [error["__typename"] for payload in done for error in payload["userErrors"]]
    assert errors == ["VersionConflict"] * 5
    codes = [{"code": "simple", **WORKFLOW}] * 4
    done = await asyncio.gather(*(staff.do("workflowCreate", one, SHOWN) for one in codes))
    errors = [(e["__typename"], e["path"]) for payload in done for e in payload["userErrors"]]
    assert errors == [("ValidationFailed", ["code"])] * 3
    rows = await shop.read.records(text("SELECT code, version FROM workflow ORDER BY code, version"))
    assert [tuple(row) for row in rows] == [("default", 1), ("default", 2), ("simple", 1)]
    edits = [{"code": "simple", **WORKFLOW, "name": f"Edit {n}"} for n in range(6)]
    shown = f"{SHOWN} userErrors {{ ... on VersionConflict {{ currentVersion }} }}"
    done = await asyncio.gather(*(staff.do("workflowUpdate", one, shown) for one in edits))
    assert all(error["currentVersion"] > 1 for payload in done for error in payload["userErrors"])


OPEN, DONE, WAITING, OFF = StateKind.OPEN, StateKind.DONE, StateKind.WAITING_CUSTOMER, StateKind.CANCELLED
SYSTEM, CUSTOMER = ActorKind.SYSTEM, ActorKind.CUSTOMER


def changed(state: int, **values: Any) -> Any:
    """The default workflow with another state in its place."""
    states = list(DEFAULT.states)
    states[state] = replace(states[state], **values)
    return lambda: replace(DEFAULT, states=tuple(states))


def with_way(*ways: TransitionSpec) -> Any:
    return lambda: replace(DEFAULT, transitions=(*DEFAULT.transitions, *ways))


def with_state(state: StateSpec, *ways: TransitionSpec) -> Any:
    states = (*DEFAULT.states, state)
    return lambda: replace(DEFAULT, states=states, transitions=(*DEFAULT.transitions, *ways))


FLAWED: list[tuple[Any, tuple[str, ...], str | None, str | None]] = [
    (lambda: replace(DEFAULT, code="No Code"), ("code",), None, None),
    (lambda: replace(DEFAULT, name="\n"), ("name",), None, None),
    (lambda: replace(DEFAULT, states=()), ("states",), None, None),
    (changed(2, code="Bad code"), ("states", "2", "code"), "Bad code", None),
    (changed(2, code="proof_sent"), ("states", "3", "code"), "proof_sent", None),
    (changed(2, name=""), ("states", "2", "name"), "designing_artwork", None),
    (changed(2, initial_for="complete_brief"), ("states", "2", "initial_for"), "designing_artwork", None),
    (changed(0, initial_for=None), ("states",), None, None),
    (changed(5, initial_for="complete_brief"), ("states", "5", "initial_for"), "delivered", None),
    (changed(6, kind=DONE), ("states",), None, None),
    (changed(5, kind=OFF), ("states",), None, None),
    (changed(5, sla_minutes=5), ("states", "5", "sla_minutes"), "delivered", None),
    (changed(2, sla_minutes=0), ("states", "2", "sla_minutes"), "designing_artwork", None),
    (changed(6, effect=StateEffect.SHIP), ("states", "6", "effect"), "cancelled", None),
    (with_way(TransitionSpec("nowhere", "delivered")), ("transitions", "18", "from_state"), "nowhere", "delivered"),
    (with_way(TransitionSpec("fulfilling", "gone")), ("transitions", "18", "to_state"), "fulfilling", "gone"),
    (with_way(TransitionSpec("fulfilling", "delivered")), ("transitions", "18"), "fulfilling", "delivered"),
    (with_way(TransitionSpec("fulfilling", "fulfilling")), ("transitions", "18", "to_state"), *["fulfilling"] * 2),
    (
        with_way(TransitionSpec("cancelled", "fulfilling")),
        ("transitions", "18", "from_state"),
        "cancelled",
        "fulfilling",
    ),
    (
        with_way(TransitionSpec("fulfilling", "proof_sent", CUSTOMER)),
        ("transitions", "18", "requires"),
        "fulfilling",
        "proof_sent",
    ),
    (
        with_way(TransitionSpec("fulfilling", "proof_sent", SYSTEM, (TransitionRequirement.NOTE,))),
        ("transitions", "18", "requires"),
        "fulfilling",
        "proof_sent",
    ),
    (with_state(StateSpec("lonely", "Lonely", OPEN)), ("states", "7"), "lonely", None),
    (with_state(StateSpec("pit", "Pit", OPEN), TransitionSpec("fulfilling", "pit")), ("states", "7"), "pit", None),
]


@pytest.mark.parametrize(("make", "path", "state", "to_state"), FLAWED)
def test_a_workflow_in_which_tickets_could_not_live_is_refused(
    make: Any, path: tuple[str, ...], state: str | None, to_state: str | None
) -> None:
    with pytest.raises((Exception, ExceptionGroup)) as caught:
        make()
    told = [
        (refusal.path, vars(refusal).get("state"), vars(refusal).get("to_state"))
        for refusal in refusals_of(caught.value)
    ]
    assert (path, state, to_state) in told


async def test_all_that_is_wrong_is_told_at_once_and_nothing_is_made(shop: Shop, api: Api) -> None:
    staff = await editor(shop, api)
    states = [{**STATES[0], "code": "To Do"}, {**STATES[1], "name": ""}, *STATES[2:]]
    flawed = {
        "code": "Bad",
        "name": "X",
        "states": states,
        "transitions": [*WAYS, {"fromState": "x", "toState": "off"}],
    }
    told = await refused(shop, staff, "workflowCreate", flawed)
    assert {error[0] for error in told} == {"WorkflowFlawed"}
    assert [error[1] for error in told[:3]] == [["code"], ["states", "0", "code"], ["states", "1", "name"]]
    assert ["transitions", "2", "fromState"] in [error[1] for error in told]
    nothing = {"code": "nothing", **WORKFLOW}
    assert await refused(shop, staff, "workflowUpdate", nothing) == [("NotFound", ["code"])]
    kind = "mutation ($i: WorkflowCreateInput!) { workflowCreate(input: $i) { workflow { id } } }"
    before = await stored(shop)
    for wrong in ({"states": None}, {"transitions": None}, {"name": None}, {"states": [{**STATES[0], "kind": "X"}]}):
        answer = await staff.answer(kind, {"i": {"code": "x", **WORKFLOW, **wrong}})
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert await stored(shop) == before
    for who, code in (("nobody", "UNAUTHENTICATED"), ("customer", "FORBIDDEN"), ("staff", "FORBIDDEN")):
        caller = await given.caller(shop, api, who, "tickets:read", "tickets:write")
        answer = await caller.answer(kind, {"i": {"code": "x", **WORKFLOW}})
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


async def test_what_the_first_release_has_written_gets_the_next_version_unless_somebody_changed_it(shop: Shop) -> None:
    async with shop.tx() as tx:
        await tx.run(text("DELETE FROM workflow_transition WHERE who <> 'staff'"))
        await tx.run(text("UPDATE workflow_transition SET requires = '{}'"))
        await tx.run(text("UPDATE workflow_state SET effect = 'none', brief_locked = false"))
    for _ in range(2):
        async with shop.tx() as tx:
            await workflow.install(tx, DEFAULT)
        rows = await shop.read.records(text("SELECT version FROM workflow ORDER BY version"))
        assert [row.version for row in rows] == [1, 2]


CODES = ["a", "b", "c", "d"]
WAY = st.builds(TransitionSpec, st.sampled_from(CODES), st.sampled_from(CODES))
STATE_KINDS = st.sampled_from(list(StateKind))


@settings(max_examples=300, deadline=None)
@given_any(st.lists(STATE_KINDS, min_size=2, max_size=4), st.lists(WAY, max_size=8))
def test_whatever_passes_leads_every_ticket_somewhere(kinds_: list[StateKind], ways: list[TransitionSpec]) -> None:
    initial = ["complete_brief", "incomplete_brief", None, None]
    states = tuple(
        StateSpec(code, code, kind, first)  # type: ignore[arg-type]
        for code, kind, first in zip(CODES, kinds_, initial, strict=False)
    )
    try:
        spec = WorkflowSpec("x", "X", states, tuple(ways))
    except (Refusal, ExceptionGroup):
        return
    done = {state.code for state in states if state.kind == DONE}
    for state in states:
        here, seen = {state.code}, set[str]()
        while here - seen:
            seen |= here
            here = {way.to_state for way in spec.transitions if way.from_state in seen}
        assert state.kind == OFF or seen & done
        assert state.kind not in {OPEN, WAITING} or any(
            way.from_state == state.code and dict(zip(CODES, kinds_, strict=False))[way.to_state] == OFF
            for way in spec.transitions
        )
