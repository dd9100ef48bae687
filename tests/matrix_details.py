"""What else the world of the matrix has, so that each field shows something: dates, decisions, things gone wrong."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text, update

from db import Order
from db.connection import new_id
from db.delivery import DeliveryKind, DeliveryTax
from db.ticket import TicketEventKind, Visibility
from db.workflow import ActorKind
from domain import channel, gift_card, ticket_shipment
from domain.actor import SYSTEM, Actor
from domain.delivery_option import Tier
from domain.fulfilment import Tracking
from domain.processes.shop import Shop
from domain.ticket import record
from domain.ticket_shipment import Ship, Wanted
from resolvers import ids
from tests import balances, carts, channels, deliveries, given, matrix_files, ticketing
from tests.access import Bought
from tests.api import Api

LATER: Final = datetime(2120, 1, 1, tzinfo=UTC)
FREE: Final[dict[str, Any]] = {
    "code": "free",
    "name": "Free",
    "days_min": 1,
    "days_max": 3,
    "taxes": [{"name": "VAT", "rate": "0.21", "amount": 0}],
}
"""How an order was sent, as it was agreed."""


async def of_the_shop(shop: Shop, gift_card_id: str) -> None:
    """Windows, limits and ends: of the publication of what is sold, of how much, of channels, cards and work."""
    window = "UPDATE product_channel SET published_from = now() - interval '1 day', published_until = :until"
    await carts.execute(shop, window, until=LATER)
    await carts.execute(shop, "UPDATE variant SET quantity_max = 100")
    await carts.execute(shop, "UPDATE workflow_state SET sla_minutes = 60 WHERE code = 'proof_sent'")
    card = "UPDATE balance SET expires_at = :until, recipient_email = 'robin@shop.example' WHERE id = :id"
    await carts.execute(shop, card, until=LATER, id=ids.decode("GiftCard", gift_card_id))
    disabled, outlet = await balances.card(shop), await channels.made(shop, "outlet")
    async with shop.tx() as tx:
        await gift_card.disable(tx, disabled.key, SYSTEM)
        await channel.archive(tx, ids.decode("Channel", outlet), given.ADMINISTRATOR)


async def ways_of_delivery(shop: Shop) -> None:
    """One that goes by weight and is taxed for itself, and one of a provider that nobody can choose now."""
    taxed: dict[str, Any] = {"tax_treatment": DeliveryTax.OWN, "tax_rates": (("VAT", Decimal("0.09")),)}
    days: dict[str, Any] = {"days_min": 1, "days_max": 3}
    weighed: dict[str, Any] = {"kind": DeliveryKind.BY_WEIGHT, "countries": ("NL",), "free_from": 100_000}
    dear: dict[str, Any] = {"kind": DeliveryKind.BY_SUBTOTAL, "tiers": (Tier(0, 900), Tier(5000, 400))}
    await deliveries.option(shop, "eu", "parcel", tiers=(Tier(0, 500), Tier(1000, None)), **weighed, **taxed, **days)
    await deliveries.option(shop, "eu", "courier", **dear)
    await deliveries.option(shop, "eu", "pigeon", tiers=(), provider="pigeon", fallback=1500, active=False)


async def of_a_person(shop: Shop, theirs: Bought, cart: given.Cart) -> None:
    """What became of their order, and a price in their cart that is another one by now."""
    order = ids.decode("Order", theirs.order)
    seen = "UPDATE cart_line SET seen_price = 999 WHERE cart_id = :id"
    await carts.execute(shop, seen, id=ids.decode("Cart", cart.id))
    async with shop.tx() as tx:
        await tx.run(update(Order).where(Order.id == order).values(delivery=FREE))
    await money(shop, order)
    await work(shop, theirs)


async def money(shop: Shop, order: UUID) -> None:
    """A refund that failed, and a report that does not fit; neither changes a sum."""
    of_order = {"order": order}
    await carts.execute(shop, "UPDATE payment_attempt SET asked_at = now() WHERE order_id = :order", **of_order)
    until = "UPDATE payment SET authorised_until = :until WHERE order_id = :order"
    await carts.execute(shop, until, until=LATER, **of_order)
    refund = """INSERT INTO payment_operation
                    (id, payment_id, order_id, kind, state, amount, currency, reason, problem, decided_at)
                SELECT :id, id, order_id, 'refund', 'failed', 100, currency, 'Torn', 'The card is closed', now()
                FROM payment WHERE order_id = :order"""
    await carts.execute(shop, refund, id=new_id(), **of_order)
    misfit = """INSERT INTO payment_event
                    (attempt_id, payment_id, provider, kind, reference, amount, currency, source, problem)
                SELECT attempt_id, id, provider, 'captured', 'misfit ' || id, 1, currency, 'webhook', 'amount'
                FROM payment WHERE order_id = :order"""
    await carts.execute(shop, misfit, **of_order)


async def still_undecided(shop: Shop, api: Api, variant: str) -> None:
    """Of a guest's order an attempt that nobody hears of, and money that came for one which had been given up."""
    brief = {"print_text": "Hello"}
    placed = await given.order(api, {"variantId": variant, "quantity": 1, "brief": brief}, email="robin@shop.example")
    attempt = text(
        """
        INSERT INTO payment_attempt (id, order_id, n, provider, amount, currency, state, created_at)
        VALUES (:id, :order, :n, 'test', 100, 'EUR', :state, now() - interval '1 hour')
        """
    )
    late = text(
        """
        INSERT INTO payment (id, order_id, attempt_id, provider, currency, captured)
        VALUES (:id, :order, :attempt, 'test', 'EUR', 100)
        """
    )
    order_id, given_up = ids.decode("Order", placed["id"]), new_id()
    async with shop.tx() as tx:
        await tx.run(attempt, id=new_id(), order=order_id, n=100, state="started")
        await tx.run(attempt, id=given_up, order=order_id, n=101, state="cancelled")
        await tx.run(late, id=new_id(), order=order_id, attempt=given_up)


async def work(shop: Shop, theirs: Bought) -> None:
    """An older proof that was decided on, a parcel that has arrived, and what somebody with a name did and wrote."""
    key, file = ids.decode("Ticket", theirs.ticket), await ticketing.uploaded(shop, ids.decode("Ticket", theirs.ticket))
    art = await matrix_files.file(shop, attached=True, by="staff", ticket_id=key)
    proof = """INSERT INTO ticket_proof
                   (id, ticket_id, version, file_id, brief_version, decision, comment, decided_by_kind, decided_at)
               VALUES (:id, :ticket, 1, :file, 1, 'request_changes', 'Larger', 'customer', now())"""
    await carts.execute(shop, "UPDATE file SET attached_at = now() WHERE id = :id", id=file)
    await carts.execute(shop, proof, id=new_id(), ticket=key, file=file)
    happened: dict[TicketEventKind, dict[str, Any]] = {
        TicketEventKind.OPENED: {"state": "proof_sent"},
        TicketEventKind.MOVED: {"from": "designing_artwork", "to": "proof_sent"},
        TicketEventKind.MESSAGE: {"body": "As you asked", "file_ids": [ids.decode("File", art)]},
    }
    async with shop.tx() as tx:
        assignee = await tx.one_scalar(text("SELECT assignee_id FROM ticket WHERE id = :id"), id=key)
        by = Actor(ActorKind.STAFF, assignee)
        for kind, data in happened.items():
            await record(tx, key, kind, data, by, Visibility.PUBLIC)
        part = (Wanted(ids.decode("OrderLine", theirs.line), 1),)
        parcel = Ship(ids.decode("Order", theirs.order), part, Tracking("Post", "2", "https://post.example/2"))
        await ticket_shipment.deliver(tx, await ticket_shipment.ship(tx, parcel, ticketing.WORKER), ticketing.WORKER)


async def adjusted(worker: Api, gift_card_id: str, customer: str) -> None:
    """Money that somebody changed by hand, so that it is known who did and what they wrote about it."""
    euro = {"amount": {"amount": "1.00", "currency": "EUR"}, "idempotencyKey": "by hand"}
    await worker.done("giftCardAdjust", {"giftCardId": gift_card_id, "note": "Sorry", **euro}, "__typename")
    await worker.done("storeCreditAdjust", {"customerId": customer, "reason": "Sorry", **euro}, "__typename")
