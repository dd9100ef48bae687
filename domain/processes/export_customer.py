"""Everything that is stored about a customer, as one JSON object, read at one moment."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from domain import audit
from domain.actor import Actor
from domain.processes.shop import Shop
from domain.refusal import NotFound


async def export_customer(shop: Shop, customer_id: UUID) -> dict[str, Any]:
    """Amounts are in minor units of their currency. Secrets, and how the shop sorts its customers, are not in it."""
    found = await shop.read.records(_EXPORT, id=customer_id)
    if not found:
        raise NotFound(path=("customer_id",))
    return found[0].exported


async def export_by_staff(shop: Shop, customer_id: UUID, actor: Actor) -> dict[str, Any]:
    """The same; that it was read stands in the audit log."""
    exported = await export_customer(shop, customer_id)
    async with shop.tx() as tx:
        await audit.record(tx, actor, "customerExportByStaff", f"customer:{customer_id}", {})
    return exported


_EXPORT: Final = text(
    """
    SELECT jsonb_build_object(
        'profile', jsonb_build_object(
            'email', customer.email, 'first_name', customer.first_name, 'last_name', customer.last_name,
            'phone', customer.phone, 'locale', customer.locale, 'confirmed_at', customer.confirmed_at,
            'created_at', customer.created_at,
            'requested_email', (SELECT new_email FROM email_change WHERE customer_id = customer.id)),
        'addresses', (SELECT coalesce(jsonb_agg(address || jsonb_build_object('default_shipping', default_shipping,
                'default_billing', default_billing) ORDER BY id), '[]')
            FROM customer_address WHERE customer_id = customer.id),
        'notifications', jsonb_build_object(
            'not_wanted', (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'channel', channel)
                    ORDER BY kind, channel), '[]')
                FROM notification_opt_out WHERE recipient = 'customer:' || customer.id),
            'told', (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'channel', channel,
                    'state', notification.state, 'created_at', notification.created_at, 'sent_at', sent_at)
                    ORDER BY notification.id), '[]')
                FROM notification JOIN "order" AS about ON about.id = notification.order_id
                WHERE about.customer_id = customer.id AND recipient = 'order:' || about.id)),
        'sessions', (SELECT coalesce(jsonb_agg(jsonb_build_object('device', device, 'address', address,
                'created_at', created_at, 'last_used_at', last_used_at, 'ended_at', ended_at) ORDER BY id), '[]')
            FROM session WHERE customer_id = customer.id),
        'carts', (SELECT coalesce(jsonb_agg(jsonb_build_object('status', status, 'email', email,
                'shipping_address', shipping_address, 'billing_address', billing_address, 'created_at', created_at,
                'metadata', cart.metadata,
                'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object('sku', variant.sku, 'quantity', line.quantity,
                        'brief', line.brief, 'metadata', line.metadata) ORDER BY line.id), '[]')
                    FROM cart_line AS line JOIN variant ON variant.id = line.variant_id
                    WHERE line.cart_id = cart.id)) ORDER BY cart.id), '[]')
            FROM cart WHERE cart.customer_id = customer.id),
        'store_credit', (SELECT coalesce(jsonb_agg(jsonb_build_object('currency', currency, 'amount', amount,
                'entries', (SELECT coalesce(jsonb_agg(jsonb_build_object('at', at, 'amount', delta, 'reason', reason)
                        ORDER BY entry.id), '[]')
                    FROM balance_entry AS entry WHERE entry.balance_id = balance.id)) ORDER BY currency), '[]')
            FROM balance WHERE balance.customer_id = customer.id),
        'gift_cards', (SELECT coalesce(jsonb_agg(jsonb_build_object('last_characters', last_characters,
                'currency', currency, 'amount', amount, 'created_at', balance.created_at, 'expires_at', expires_at)
                ORDER BY balance.id), '[]')
            FROM balance WHERE recipient_email = customer.email AND customer.confirmed_at IS NOT NULL),
        'orders', (SELECT coalesce(jsonb_agg(jsonb_build_object('number', "order".number, 'status', status,
                'email', "order".email, 'shipping_address', shipping_address, 'billing_address', billing_address,
                'currency', currency, 'subtotal', subtotal, 'delivery', delivery->'name', 'shipping_net', shipping_net,
                'shipping_tax', shipping_tax, 'tax', tax, 'total', total, 'placed_at', placed_at,
                'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object('title', title, 'sku', sku, 'options', options,
                        'quantity', quantity, 'gross', gross, 'tax', line.tax, 'brief', brief) ORDER BY position), '[]')
                    FROM order_line AS line WHERE line.order_id = "order".id),
                'balance_payments', (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', kind,
                        'last_characters', last_characters, 'amount', hold.amount, 'given_back', given_back)
                        ORDER BY hold.position), '[]')
                    FROM balance_hold AS hold JOIN balance ON balance.id = hold.balance_id
                    WHERE hold.order_id = "order".id AND hold.state = 'spent'),
                'tickets', (SELECT coalesce(jsonb_agg(jsonb_build_object('state', state, 'brief', brief,
                        'messages', (SELECT coalesce(jsonb_agg(jsonb_build_object('from', said.actor_kind,
                                'at', said.at, 'text', said.data ->> 'body') ORDER BY said.seq), '[]')
                            FROM ticket_event AS said WHERE said.ticket_id = ticket.id
                            AND said.kind = 'message' AND said.visibility = 'public'),
                        'briefs', (SELECT coalesce(jsonb_agg(told.brief ORDER BY told.version), '[]')
                            FROM ticket_brief AS told WHERE told.ticket_id = ticket.id),
                        'decisions', (SELECT coalesce(jsonb_agg(jsonb_build_object('proof', proof.version,
                                'decision', proof.decision, 'comment', proof.comment, 'at', proof.decided_at)
                                ORDER BY proof.version), '[]')
                            FROM ticket_proof AS proof WHERE proof.ticket_id = ticket.id
                            AND proof.decided_by_kind = 'customer'),
                        'files', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', file.name, 'size', file.size,
                                'sha256', file.sha256, 'created_at', file.created_at) ORDER BY file.id), '[]')
                            FROM file WHERE file.ticket_id = ticket.id AND file.created_by_kind = 'customer'
                            AND file.state = 'ready')) ORDER BY ticket.id), '[]')
                    FROM ticket WHERE ticket.order_id = "order".id)) ORDER BY "order".id), '[]')
            FROM "order" WHERE "order".customer_id = customer.id)
    ) AS exported
    FROM customer WHERE id = :id AND erased_at IS NULL
    """
)
