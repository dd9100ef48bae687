"""Briefs and proofs: the customer says what it is to be, sees how it will look, and decides on what they have seen."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from db.file import FilePurpose
from db.ticket import ProofDecision, TicketEventKind
from db.workflow import ActorKind
from domain.actor import SYSTEM
from domain.processes.erase_customer import erase_customer
from domain.processes.export_customer import export_customer
from domain.processes.shop import Shop
from resolvers import ids
from resolvers.ticket import EVENT_TYPES
from schema.ticket_event import TYPES
from tests import given
from tests.api import Api
from tests.ticketing import kinds, make_order_of, problems, proofed, refused, row, staff_of, uploaded

SHOWN = """ticket { version briefVersion briefComplete brief state { code } requiredAction { kind proofId }
  proofs { id version note decision comment decidedBy file { name } } }"""
BRIEF = {"print_text": "Ada"}


async def opened(shop: Shop, api: Api) -> given.Ticket:
    """A ticket that lacks its brief."""
    (ticket,) = await make_order_of(shop, api, 1, brief_schema=given.BRIEF)
    return ticket


def brief(ticket: given.Ticket, what: Any = BRIEF, **more: Any) -> dict[str, Any]:
    return {"ticketId": ticket.id, "brief": what, "accessToken": ticket.access_token, **more}


async def required(api: Api, ticket: given.Ticket) -> Any:
    query = "query ($id: ID!) { ticket(id: $id) { requiredAction { kind proofId } } }"
    caller = Api(api.http, {"x-access-token": ticket.access_token})
    return (await caller(query, {"id": ticket.id}))["ticket"]["requiredAction"]


async def test_the_whole_way_from_the_brief_to_the_approved_proof(shop: Shop, api: Api) -> None:
    ticket = await opened(shop, api)
    staff = await staff_of(shop, api)
    assert await required(api, ticket) == {"kind": "SUBMIT_BRIEF", "proofId": None}
    done = (await api.done("ticketSubmitBrief", brief(ticket), SHOWN))["ticket"]
    assert (done["version"], done["briefVersion"], done["briefComplete"]) == (3, 1, True)
    assert (done["brief"], done["state"], done["requiredAction"]) == (BRIEF, {"code": "brief_received"}, None)
    await staff.done("ticketMove", {"ticketId": ticket.id, "toState": "designing_artwork"}, "ticket { id }")
    proofs: list[str] = []
    for n, (decision, comment, leads_to) in enumerate(
        (("REQUEST_CHANGES", "Greener", "designing_artwork"), ("APPROVE", "", "fulfilling")), 1
    ):
        given_ = {
            "ticketId": ticket.id,
            "fileId": ids.encode("File", await uploaded(shop, ticket.key)),
            "note": f" Look {n} ",
        }
        shown = await staff.done("ticketUploadProof", given_, f"proof {{ id version }} {SHOWN}")
        proofs.append(shown["proof"]["id"])
        assert shown["proof"]["version"] == n
        assert shown["ticket"]["state"] == {"code": "proof_sent"}
        assert shown["ticket"]["requiredAction"] == {"kind": "DECIDE_PROOF", "proofId": proofs[-1]}
        say = {"proofId": proofs[-1], "decision": decision, "comment": comment, "accessToken": ticket.access_token}
        shown = await api.done("ticketDecideProof", say, f"proof {{ id decision }} {SHOWN}")
        assert shown["proof"] == {"id": proofs[-1], "decision": decision}
        assert shown["ticket"]["state"] == {"code": leads_to}
        assert shown["ticket"]["proofs"][-1] == {
            "id": proofs[-1],
            "version": n,
            "note": f"Look {n}",
            "decision": decision,
            "comment": comment,
            "decidedBy": "CUSTOMER",
            "file": {"name": "art.png"},
        }
        assert (await api.done("ticketDecideProof", say, SHOWN))["ticket"] == shown["ticket"]  # once more
    assert await kinds(shop, ticket.key) == [
        *("opened", "brief", "moved", "moved"),
        *("proof_uploaded", "moved", "proof_decided", "moved") * 2,
    ]
    query = """query ($id: ID!, $token: String) { ticket(id: $id, accessToken: $token) { history {
        __typename actor ... on TicketProofDecided { proofId proofVersion decision comment }
        ... on TicketMoved { toState } ... on TicketBriefSubmitted { briefVersion } } } }"""
    history = (await api(query, {"id": ticket.id, "token": ticket.access_token}))["ticket"]["history"]
    assert history[1:3] == [
        {"__typename": "TicketBriefSubmitted", "actor": "CUSTOMER", "briefVersion": 1},
        {"__typename": "TicketMoved", "actor": "CUSTOMER", "toState": "brief_received"},
    ]
    assert history[5] == {"__typename": "TicketMoved", "actor": "SYSTEM", "toState": "proof_sent"}
    assert history[6] == {
        "__typename": "TicketProofDecided",
        "actor": "CUSTOMER",
        "proofId": proofs[0],
        "proofVersion": 1,
        "decision": "REQUEST_CHANGES",
        "comment": "Greener",
    }
    assert await problems(shop.read) == []


async def test_only_the_newest_proof_is_decided_on_and_only_once(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 1)
    old = ids.encode("TicketProof", await proofed(shop, ticket.key))
    new = ids.encode("TicketProof", await proofed(shop, ticket.key))
    decide = """mutation ($input: TicketDecideProofInput!) { ticketDecideProof(input: $input) { userErrors { code path
        ... on ProofSuperseded { newestProofId newestVersion } ... on ProofDecided { decision } } } }"""

    async def said(proof: str, decision: str) -> Any:
        given_ = {"proofId": proof, "decision": decision, "comment": "!", "accessToken": ticket.access_token}
        return (await api(decide, {"input": given_}))["ticketDecideProof"]["userErrors"]

    superseded = {"code": "PROOF_SUPERSEDED", "path": ["proofId"], "newestProofId": new, "newestVersion": 2}
    assert await said(old, "APPROVE") == [superseded]
    assert await said(new, "APPROVE") == []
    assert await said(new, "APPROVE") == []
    assert await said(new, "REQUEST_CHANGES") == [{"code": "PROOF_DECIDED", "path": ["proofId"], "decision": "APPROVE"}]
    assert await said(old, "APPROVE") == [superseded]
    assert (await kinds(shop, ticket.key)).count("proof_decided") == 1
    query = "{ n: node(id: %r) { ... on TicketProof { version decision } } }".replace("%r", f'"{new}"')
    assert await api(query) == {"n": None}
    owner = Api(api.http, {"x-access-token": ticket.access_token})
    assert await owner(query) == {"n": {"version": 2, "decision": "APPROVE"}}


async def test_of_two_decisions_at_once_one_counts(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 1)
    proof = ids.encode("TicketProof", await proofed(shop, ticket.key))
    say = {"proofId": proof, "comment": "!", "accessToken": ticket.access_token}
    wanted = [{**say, "decision": decision} for decision in ("APPROVE", "REQUEST_CHANGES") * 4]
    done = await asyncio.gather(*(api.do("ticketDecideProof", one, "proof { id }") for one in wanted))
    errors = sorted(error["__typename"] for payload in done for error in payload["userErrors"])
    assert errors == ["ProofDecided"] * 4
    assert (await kinds(shop, ticket.key)).count("proof_decided") == 1


async def test_a_changed_brief_withdraws_the_approval_and_the_same_brief_does_not(shop: Shop, api: Api) -> None:
    ticket = await opened(shop, api)
    await api.done("ticketSubmitBrief", brief(ticket), SHOWN)
    await proofed(shop, ticket.key, ProofDecision.APPROVE)
    before = (await row(shop, ticket.key)).last_seq
    same = (await api.done("ticketSubmitBrief", brief(ticket), SHOWN))["ticket"]
    assert same["proofs"][0]["decision"] == "APPROVE"
    assert (await row(shop, ticket.key)).last_seq == before
    staff = await staff_of(shop, api)
    changed = {"ticketId": ticket.id, "brief": {"print_text": "Bea"}}
    shown = (await staff.done("ticketSubmitBrief", changed, SHOWN))["ticket"]
    assert (shown["briefVersion"], shown["brief"]) == (2, {"print_text": "Bea"})
    proof = shown["proofs"][0]
    assert (proof["decision"], proof["comment"], proof["decidedBy"]) == (None, "", None)
    assert (await kinds(shop, ticket.key))[-2:] == ["brief", "approval_withdrawn"]
    sql = text("SELECT version, brief, actor_kind FROM ticket_brief ORDER BY version")
    assert [tuple(kept) for kept in await shop.read.records(sql)] == [
        (1, BRIEF, "customer"),
        (2, {"print_text": "Bea"}, "staff"),
    ]


async def test_a_brief_that_does_not_fit_comes_too_late_or_on_another_version_is_refused(shop: Shop, api: Api) -> None:
    ticket = await opened(shop, api)
    for what, error in (
        ({}, ("ValidationFailed", ["brief"])),
        ({"print_text": 1}, ("ValidationFailed", ["brief", "print_text"])),
        ({"print_text": "x" * 81}, ("ValidationFailed", ["brief", "print_text"])),
        ({"print_text": "x", "more": 1}, ("ValidationFailed", ["brief"])),
        ({"print_text": "x" * 30_000}, ("ValidationFailed", ["brief"])),
    ):
        assert await refused(shop, api, "ticketSubmitBrief", brief(ticket, what)) == [error]
    late = brief(ticket, ifVersion=7)
    assert await refused(shop, api, "ticketSubmitBrief", late) == [("VersionConflict", ["ifVersion"])]
    nothing = "mutation ($i: TicketSubmitBriefInput!) { ticketSubmitBrief(input: $i) { ticket { id } } }"
    for given_ in ({"ticketId": ticket.id, "brief": None}, {"ticketId": ticket.id}, {"ticketId": None, "brief": {}}):
        answer = await api.answer(nothing, {"i": given_})
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    await api.done("ticketSubmitBrief", brief(ticket, ifVersion=None), SHOWN)
    staff = await staff_of(shop, api)
    async with shop.tx() as tx:
        await tx.run(text("UPDATE ticket SET state = 'fulfilling'"))
    changed = brief(ticket, {"print_text": "Cleo"})
    assert await refused(shop, api, "ticketSubmitBrief", changed) == [("BriefLocked", ["ticketId"])]
    await staff.done("ticketSubmitBrief", changed, SHOWN)
    await staff.done("ticketMove", {"ticketId": ticket.id, "toState": "cancelled"}, "ticket { id }")
    assert await refused(shop, staff, "ticketSubmitBrief", brief(ticket)) == [("TicketEnded", ["ticketId"])]
    proof = {"ticketId": ticket.id, "fileId": ids.encode("File", await uploaded(shop, ticket.key))}
    assert await refused(shop, staff, "ticketUploadProof", proof) == [("TicketEnded", ["ticketId"])]


async def test_a_ticket_without_a_schema_takes_no_brief(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 1)
    assert await refused(shop, api, "ticketSubmitBrief", brief(ticket)) == [("ValidationFailed", ["brief"])]


@pytest.mark.parametrize("who", ["another ticket's", "a customer's", "a message's", "attached", "of nothing"])
async def test_a_proof_is_a_file_that_staff_uploaded_for_it(shop: Shop, api: Api, who: str) -> None:
    one, two = await make_order_of(shop, api, 1, 1)
    staff = await staff_of(shop, api)
    file = {
        "another ticket's": lambda: uploaded(shop, two.key),
        "a customer's": lambda: uploaded(shop, one.key, by=ActorKind.CUSTOMER),
        "a message's": lambda: uploaded(shop, one.key, FilePurpose.TICKET_FILE),
        "attached": lambda: _attached(shop, one),
        "of nothing": lambda: asyncio.sleep(0, given.new_id()),
    }[who]
    given_ = {"ticketId": one.id, "fileId": ids.encode("File", await file())}
    assert await refused(shop, staff, "ticketUploadProof", given_) == [("NotFound", ["fileId"])]


async def _attached(shop: Shop, ticket: given.Ticket) -> Any:
    await proofed(shop, ticket.key)
    return (await shop.read.records(text("SELECT id FROM file")))[0].id


async def test_what_is_to_be_changed_must_be_said(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 1)
    proof = ids.encode("TicketProof", await proofed(shop, ticket.key))
    say = {"proofId": proof, "decision": "REQUEST_CHANGES", "accessToken": ticket.access_token}
    for comment in ("", "  ", "x" * 10_001):
        given_ = {**say, "comment": comment}
        assert await refused(shop, api, "ticketDecideProof", given_) == [("ValidationFailed", ["comment"])]


async def test_files_go_with_messages_and_internal_ones_stay_internal(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 1)
    staff = await staff_of(shop, api)
    theirs = ids.encode("File", await uploaded(shop, ticket.key, FilePurpose.TICKET_FILE, ActorKind.CUSTOMER))
    ours = ids.encode("File", await uploaded(shop, ticket.key, FilePurpose.TICKET_FILE))
    post = {"ticketId": ticket.id, "body": "", "accessToken": ticket.access_token}
    await api.done("ticketPostMessage", {**post, "fileIds": [theirs]}, "ticket { id }")
    note = {"ticketId": ticket.id, "body": "See", "visibility": "INTERNAL", "fileIds": [ours]}
    await staff.done("ticketPostMessage", note, "ticket { id }")
    query = """query ($id: ID!) { ticket(id: $id) { files { id }
        history { ... on TicketMessagePosted { body files { id } } } } }"""
    owner = Api(api.http, {"x-access-token": ticket.access_token})
    assert (await owner(query, {"id": ticket.id}))["ticket"] == {
        "files": [{"id": theirs}],
        "history": [{}, {"body": "", "files": [{"id": theirs}]}],
    }
    shown = (await staff(query, {"id": ticket.id}))["ticket"]
    assert shown["files"] == [{"id": theirs}, {"id": ours}]
    assert shown["history"][2] == {"body": "See", "files": [{"id": ours}]}
    for files, error in (
        ([theirs], ("NotFound", ["fileIds", "0"])),  # it is part of something already
        (["x"], ("ValidationFailed", ["fileIds", "0"])),
        ([ours] * 21, ("ValidationFailed", ["fileIds"])),
        ([], ("ValidationFailed", ["body"])),
    ):
        assert await refused(shop, api, "ticketPostMessage", {**post, "fileIds": files}) == [error]


async def test_others_neither_brief_nor_decide(shop: Shop, api: Api) -> None:
    """Nor do they learn whether there is anything."""
    ticket = await opened(shop, api)
    proof = ids.encode("TicketProof", await proofed(shop, ticket.key))
    other = (await make_other_order(shop, api)).access_token
    for who in ("nobody", "customer", "staff"):
        caller = await given.caller(shop, api, who, "tickets:read", "orders:read", "orders:write")
        for token in ({}, {"accessToken": other}, {"accessToken": None}, {"accessToken": "x"}):
            say = {"proofId": proof, "decision": "APPROVE", **token}
            assert await refused(shop, caller, "ticketDecideProof", say) == [("NotFound", ["proofId"])]
            given_ = {"ticketId": ticket.id, "brief": BRIEF, **token}
            assert await refused(shop, caller, "ticketSubmitBrief", given_) == [("NotFound", ["ticketId"])]


async def make_other_order(shop: Shop, api: Api) -> given.Ticket:
    flyer = await given.product(shop, "flyer")
    (ticket,) = await given.tickets(shop, await given.order(api, {"variantId": flyer.variant, "quantity": 1}))
    return ticket


async def test_of_an_erased_customer_neither_briefs_nor_comments_are_left(shop: Shop, api: Api) -> None:
    ticket = await opened(shop, api)
    sam = await given.customer(shop)
    async with shop.tx() as tx:
        await tx.run(text('UPDATE "order" SET customer_id = :sam'), sam=sam)
    for words in ("my first wish", "my second wish"):
        await api.done("ticketSubmitBrief", brief(ticket, {"print_text": words}), SHOWN)
    proof = ids.encode("TicketProof", await proofed(shop, ticket.key))
    say = {"proofId": proof, "decision": "REQUEST_CHANGES", "comment": "my third wish"}
    await api.done("ticketDecideProof", {**say, "accessToken": ticket.access_token}, SHOWN)

    async def left() -> int:
        tables = ("ticket", "ticket_brief", "ticket_proof", "ticket_event")
        rows = [row_ for table in tables for row_ in await shop.read.records(text(f"SELECT * FROM {table}"))]
        return str([tuple(row_) for row_ in rows]).count("wish")

    assert await left() == 5
    exported = str(await export_customer(shop, sam))
    assert all(f"my {nth} wish" in exported for nth in ("first", "second", "third"))
    await erase_customer(shop, sam, SYSTEM)
    assert await left() == 0


def test_every_kind_of_event_has_a_type() -> None:
    assert set(EVENT_TYPES) == set(TYPES) == set(TicketEventKind)
    assert {kind: type_.__name__ for kind, type_ in TYPES.items()} == EVENT_TYPES
