"""Examples for tickets, workflows and what is sent, and what of them is in the world of the matrix."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import new_id
from db.file import FilePurpose
from db.ticket import TicketEventKind, Visibility
from db.workflow import ActorKind
from domain import ticket_shipment
from domain.actor import Actor
from domain.fulfilment import Tracking
from domain.processes.shop import Shop
from domain.ticket import record
from domain.ticket_shipment import Ship, Wanted
from resolvers import ids
from tests import carts, given, ticketing

STATES: Final = [
    {"code": "todo", "name": "To do", "kind": "OPEN", "initialFor": "COMPLETE_BRIEF"},
    {"code": "waiting", "name": "Waiting", "kind": "WAITING_CUSTOMER", "initialFor": "INCOMPLETE_BRIEF"},
    {"code": "done", "name": "Done", "kind": "DONE"},
    {"code": "off", "name": "Off", "kind": "CANCELLED"},
]
WAYS: Final = [{"fromState": "waiting", "toState": "todo"}, {"fromState": "todo", "toState": "done"}]
WORKFLOW: Final = {"name": "Simple", "states": STATES, "transitions": WAYS}


async def things_of_the_shop(shop: Shop) -> dict[str, str]:
    reply = new_id()
    sql = "INSERT INTO canned_reply (id, code, title, body) VALUES (:id, 'soon', 'Soon', 'We do it soon.')"
    await carts.execute(shop, sql, id=reply)
    (workflow,) = await shop.read.records(text("SELECT id FROM workflow"))
    return {"CannedReply": ids.encode("CannedReply", reply), "Workflow": ids.encode("Workflow", workflow.id)}


async def things_of(shop: Shop, order: str, line: str, ticket: str) -> dict[str, str]:
    """A second proof, that waits for a decision, and a parcel with a part of the line; the ticket stays where it is."""
    key = ids.decode("Ticket", ticket)
    proof, file = new_id(), await ticketing.uploaded(shop, key)
    await carts.execute(shop, "UPDATE file SET attached_at = now() WHERE id = :id", id=file)
    sql = """INSERT INTO ticket_proof (id, ticket_id, version, file_id, brief_version)
             VALUES (:id, :ticket, 2, :file, 1)"""
    await carts.execute(shop, sql, id=proof, ticket=key, file=file)
    parcel = (Wanted(ids.decode("OrderLine", line), 1),)
    async with shop.tx() as tx:
        ship = Ship(ids.decode("Order", order), parcel, Tracking("Post", "1", "https://post.example/1"))
        sent = await ticket_shipment.ship(tx, ship, ticketing.WORKER)
    await everything_happened(shop, key, proof, sent)
    return {"TicketProof": ids.encode("TicketProof", proof), "Fulfilment": ids.encode("Fulfilment", sent)}


async def everything_happened(shop: Shop, ticket: UUID, proof: UUID, sent: UUID) -> None:
    """Of each kind of event one more, in the history of a ticket that somebody does and that waits for its customer."""
    pat = await given.staff(shop, email=f"pat-{ticket}@shop.example")
    about, change = {"proof_id": proof, "version": 2}, {"from": None, "to": None}
    tracking = {"carrier": "Post", "tracking_number": "1", "tracking_url": "https://post.example/1"}
    events: dict[str, dict[str, Any]] = {
        "brief": {"version": 1},
        "message": {"body": "Greener", "file_ids": [], "annotates": {**about, "page": 1, "x": 0.5, "y": 0.25}},
        "proof_uploaded": about,
        "proof_decided": {**about, "decision": "approve", "comment": "Good"},
        "approval_withdrawn": about,
        "assigned": {"from": pat, "to": pat},
        "due": {**change, "from": "2030-01-01T00:00:00+00:00", "to": "2030-01-02T00:00:00+00:00"},
        "priority": {"from": "low", "to": "high"},
        "ranked": {},
        "split": {"other": ticket, "quantity": 1, "direction": "off"},
        "quantity": {"from": 4, "to": 3},
        "shipped": {"fulfilment_id": sent, "quantity": 1, **tracking},
        "delivered": {"quantity": 1},
        "overdue": {"what": "due", "state": "proof_sent"},
    }
    internal = {"assigned", "due", "priority", "ranked", "overdue"}
    by = Actor(ActorKind.STAFF, pat)
    async with shop.tx() as tx:
        for kind, data in events.items():
            seen = Visibility.INTERNAL if kind in internal else Visibility.PUBLIC
            await record(tx, ticket, TicketEventKind(kind), data, by, seen)
        sql = """UPDATE ticket SET state = 'proof_sent', assignee_id = :pat, due_at = '2041-01-01',
                 state_due_at = '2040-01-01' WHERE id = :id"""
        await tx.run(text(sql), pat=pat, id=ticket)


def _key(who: Any) -> UUID:
    return ids.decode("Ticket", who.bought.ticket)


async def _proof(world: Any, who: Any) -> dict[str, Any]:
    file = await ticketing.uploaded(world.shop, _key(who))
    return {"ticketId": who.bought.ticket, "fileId": ids.encode("File", file)}


async def _message(world: Any, who: Any) -> dict[str, Any]:
    return {"ticketId": who.bought.ticket, "body": "Is it ready?"}


async def file_of_the_ticket(shop: Shop, ticket: UUID) -> str:
    key = await ticketing.uploaded(shop, ticket, FilePurpose.TICKET_FILE, ActorKind.CUSTOMER)
    return ids.encode("File", key)


def _ticket(**more: Any) -> Any:
    return lambda _, who: {"ticketId": who.bought.ticket, **more}


QUERIES: Final[dict[str, Any]] = {
    "ticket": {"": lambda _, who: {"id": who.bought.ticket}},
    "ticketBoard": {"": lambda *_: {"workflow": "default", "perColumn": 50}},
    "tickets": {
        "": lambda *_: {"sort": "OLDEST"},
        "of an order": lambda _, who: {"filter": {"orderId": who.bought.order}, "sort": "RANK"},
    },
    "workflow": {"": lambda *_: {"code": "default"}},
}
MUTATIONS: Final[dict[str, Any]] = {
    "cannedReplyCreate": lambda *_: {"code": "late", "title": "Late", "body": "Sorry."},
    "cannedReplyDelete": lambda world, _: {"replyId": world.things["CannedReply"]},
    "cannedReplyUpdate": lambda world, _: {"replyId": world.things["CannedReply"], "title": "Very soon"},
    "fulfilmentCreate": lambda _, who: {
        "orderId": who.bought.order,
        "lines": [{"orderLineId": who.bought.line, "ticketId": who.bought.ticket, "quantity": 1}],
    },
    "fulfilmentDeliver": lambda _, who: {"fulfilmentId": who.things["Fulfilment"]},
    "fulfilmentUpdate": lambda _, who: {"fulfilmentId": who.things["Fulfilment"], "carrier": "Pigeon"},
    "ticketAssign": lambda world, who: {"ticketId": who.bought.ticket, "assigneeId": world.things["Staff"]},
    "ticketDecideProof": lambda _, who: {"proofId": who.things["TicketProof"], "decision": "APPROVE"},
    "ticketMarkRead": _ticket(seq=3),
    "ticketMove": _ticket(toState="designing_artwork"),
    "ticketPostMessage": _message,
    "ticketSetDue": _ticket(dueAt="2040-01-01T00:00:00Z"),
    "ticketSetPriority": _ticket(priority="HIGH"),
    "ticketSplit": _ticket(quantity=1),
    "ticketSubmitBrief": _ticket(brief={"print_text": "Another"}),
    "ticketUploadProof": _proof,
    "ticketsMove": lambda _, who: {"ticketIds": [who.bought.ticket], "toState": "designing_artwork"},
    "workflowCreate": lambda *_: {"code": "simple", **WORKFLOW},
    "workflowUpdate": lambda *_: {"code": "default", **WORKFLOW},
}
