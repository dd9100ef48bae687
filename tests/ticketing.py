"""What the tests of tickets share: files and proofs that are there, staff who work, and what must always hold."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from db.connection import Read, new_id
from db.file import FilePurpose
from db.ticket import ProofDecision
from db.workflow import ActorKind
from domain import ticket_proof
from domain.actor import Actor
from domain.processes.shop import Shop
from domain.ticket_proof import DecideProof, UploadProof
from resolvers import ids
from tests import given
from tests.api import Api

WORKER = Actor(ActorKind.STAFF, None, frozenset({"tickets:read", "tickets:write", "orders:fulfil"}))
PROBLEMS = {
    "tickets do not add up to what is wanted of their line": """
        SELECT line.id, line.quantity, line.cancelled, line.shipped FROM order_line AS line
        JOIN "order" AS o ON o.id = line.order_id AND o.status <> 'pending'
        WHERE line.workflow_id IS NOT NULL AND line.quantity - line.cancelled <> (
            SELECT coalesce(sum(ticket.quantity), 0) FROM ticket JOIN workflow_state AS state
                ON state.workflow_id = ticket.workflow_id AND state.code = ticket.state
            WHERE ticket.order_line_id = line.id AND state.kind <> 'cancelled')
    """,
    "a history has a hole or an end that is not the ticket's": """
        SELECT ticket.id, ticket.last_seq FROM ticket LEFT JOIN ticket_event AS event ON event.ticket_id = ticket.id
        GROUP BY ticket.id HAVING array_agg(event.seq ORDER BY event.seq)
            IS DISTINCT FROM array(SELECT generate_series(1, ticket.last_seq))
    """,
    "what was sent and has arrived of a line is not what its parcels hold": """
        SELECT line.id FROM order_line AS line LEFT JOIN fulfilment_line AS part ON part.order_line_id = line.id
        GROUP BY line.id HAVING (line.shipped, line.delivered) IS DISTINCT FROM (
            coalesce(sum(part.quantity), 0),
            coalesce(sum(part.quantity) FILTER (WHERE part.delivered_at IS NOT NULL), 0))
    """,
    "what was sent and has arrived of a ticket is not what parcels hold of it": """
        SELECT ticket.id FROM ticket LEFT JOIN fulfilment_line AS part ON part.ticket_id = ticket.id
        GROUP BY ticket.id HAVING (ticket.shipped, ticket.delivered) IS DISTINCT FROM (
            coalesce(sum(part.quantity), 0),
            coalesce(sum(part.quantity) FILTER (WHERE part.delivered_at IS NOT NULL), 0))
    """,
    "stock that was sent is not what lines say": """
        SELECT line.id FROM order_line AS line JOIN stock_reservation AS taken ON taken.order_line_id = line.id
        GROUP BY line.id HAVING
            coalesce(sum(taken.quantity / taken.per_unit) FILTER (WHERE taken.state = 'shipped'), 0) <> line.shipped
            OR coalesce(sum(taken.quantity / taken.per_unit) FILTER (WHERE taken.state = 'allocated'), 0)
                <> line.quantity - line.cancelled - line.shipped
    """,
    "an order's fulfilment status is not what its lines say": """
        SELECT o.id, o.fulfillment_status FROM "order" AS o JOIN order_line AS line ON line.order_id = o.id
        GROUP BY o.id
        HAVING o.fulfillment_status <> CASE WHEN sum(shipped) = 0 THEN 'none'
            WHEN sum(delivered) = sum(line.quantity - cancelled) THEN 'delivered'
            WHEN sum(shipped) = sum(line.quantity - cancelled) THEN 'fulfilled' ELSE 'partial' END
    """,
}


async def problems(read: Read) -> list[str]:
    """Empty, or what is wrong."""
    found: list[str] = []
    for sentence, sql in PROBLEMS.items():
        found += [f"{sentence}: {tuple(row)}" for row in await read.records(text(sql))]
    return found


async def staff_of(shop: Shop, api: Api, *more: str) -> Api:
    return await given.caller(shop, api, "staff", "tickets:read", "tickets:write", *more)


async def uploaded(
    shop: Shop, ticket: UUID, purpose: FilePurpose = FilePurpose.PROOF, by: ActorKind = ActorKind.STAFF
) -> UUID:
    """A file for this ticket that is complete and part of nothing yet."""
    key = new_id()
    sql = text(
        """
        INSERT INTO file
            (id, purpose, ticket_id, name, size, sha256, state, content_type, created_by_kind, upload_until)
        VALUES (:id, :purpose, :ticket, 'art.png', 1, repeat('0', 64), 'ready', 'image/png', :by, now())
        """
    )
    async with shop.tx() as tx:
        await tx.run(sql, id=key, purpose=purpose, ticket=ticket, by=by)
    return key


async def proofed(shop: Shop, ticket: UUID, decision: ProofDecision | None = None) -> UUID:
    """A proof of the ticket, as staff would upload it, and decided on as they were told on the telephone."""
    file_id = await uploaded(shop, ticket)
    async with shop.tx() as tx:
        proof = await ticket_proof.upload(tx, UploadProof(ticket, file_id), WORKER)
        if decision is not None:
            await ticket_proof.decide(tx, DecideProof(proof, decision, "so be it"), WORKER, None)
    return proof


async def row(shop: Shop, ticket: UUID) -> Any:
    (found,) = await shop.read.records(text("SELECT * FROM ticket WHERE id = :id"), id=ticket)
    return found


async def put(shop: Shop, ticket: UUID, state: str) -> None:
    """Into a state behind the workflow's back, with nothing sent or called off."""
    async with shop.tx() as tx:
        await tx.run(text("DELETE FROM fulfilment_line"))
        await tx.run(text("UPDATE order_line SET delivered = 0, shipped = 0, cancelled = 0"))
        sql = text("UPDATE ticket SET state = :state, delivered = 0, shipped = 0 WHERE id = :id")
        await tx.run(sql, state=state, id=ticket)


async def stored(shop: Shop) -> list[Any]:
    """Everything that something done to a ticket could change."""
    tables = (
        "ticket",
        "ticket_event",
        "ticket_proof",
        "ticket_brief",
        "ticket_staff_read",
        "fulfilment",
        "fulfilment_line",
        "order_line",
        '"order"',
        "stock_level",
        "stock_reservation",
        "event",
        "audit_entry",
        "canned_reply",
        "workflow",
        "workflow_state",
        "workflow_transition",
        "file",
    )
    return [sorted(map(tuple, await shop.read.records(text(f"SELECT * FROM {table}"))), key=str) for table in tables]


async def refused(shop: Shop, api: Api, mutation: str, given_: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Type and path of what a mutation is refused with; nothing may have changed."""
    before = await stored(shop)
    payload = await api.do(mutation, given_, "__typename")
    assert await stored(shop) == before
    return [(error["__typename"], error["path"]) for error in payload["userErrors"]]


def public(ticket: UUID) -> str:
    return ids.encode("Ticket", ticket)


async def kinds(shop: Shop, ticket: UUID) -> list[str]:
    """The kinds of all that happened to a ticket."""
    sql = text("SELECT kind FROM ticket_event WHERE ticket_id = :id ORDER BY seq")
    return [found.kind for found in await shop.read.records(sql, id=ticket)]


async def make_order_of(shop: Shop, api: Api, *quantities: int, **columns: Any) -> list[given.Ticket]:
    """A new order with a line for each quantity; its tickets."""
    await given.regions(shop)
    lines = [
        {"variantId": (await given.product(shop, f"banner-{n}", **columns)).variant, "quantity": quantity}
        for n, quantity in enumerate(quantities, 1)
    ]
    return await given.tickets(shop, await given.order(api, *lines))
