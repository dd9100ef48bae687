"""An order as it is written down: everything that it shows is copied from the cart and the catalogue.

Later changes of prices, titles, options or pictures never reach it.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, delete, text
from sqlalchemy.dialects.postgresql import insert

from db import Cart, Order, OrderLine
from db.connection import Tx, new_id
from db.delivery import DeliveryTax
from domain.assessment import AssessedLine, Assessment
from domain.brief import is_complete
from domain.reservation import Need
from domain.translation import fallbacks

_REWRITTEN: Final = (
    "region_id",
    "channel_id",
    "currency",
    "tax_inclusive",
    "customer_id",
    "email",
    "locale",
    "shipping_address",
    "billing_address",
    "delivery",
    "subtotal",
    "shipping_net",
    "shipping_tax",
    "tax",
    "total",
    "taxes",
    "amount_due",
)
_INSERT: Final = insert(Order).values({name: bindparam(name) for name in ("id", "cart_id", *_REWRITTEN)})
_WRITE: Final = _INSERT.on_conflict_do_update(
    index_elements=["cart_id"], set_={name: _INSERT.excluded[name] for name in _REWRITTEN}
).returning(Order.id)
_FORMER_LINES: Final = delete(OrderLine).where(OrderLine.order_id == bindparam("order_id"))


async def write(tx: Tx, cart: Cart, assessment: Assessment) -> tuple[UUID, list[Need]]:
    """Writes the cart's order, or rewrites the pending one that an earlier attempt left.

    Returns its id, and what its lines need of the stock.
    """
    new, sums = new_id(), assessment.totals
    order_id: UUID = await tx.one_scalar(
        _WRITE,
        id=new,
        cart_id=cart.id,
        region_id=cart.region_id,
        channel_id=cart.channel_id,
        currency=cart.currency,
        tax_inclusive=assessment.region.tax_inclusive,
        customer_id=cart.customer_id,
        email=cart.email,
        locale=cart.locale,
        shipping_address=cart.shipping_address,
        billing_address=cart.billing_address,
        delivery=_delivery(assessment),
        subtotal=sums.subtotal,
        shipping_net=sums.shipping.net,
        shipping_tax=sums.shipping.tax,
        tax=sums.tax,
        total=sums.total,
        taxes=[tax.data for tax in sums.taxes],
        amount_due=sums.total,
    )
    if order_id != new:
        await tx.run(_FORMER_LINES, order_id=order_id)
    return order_id, await _write_lines(tx, order_id, assessment)


# What is copied of the catalogue, in the cart's locale; lines without work have no workflow.
_COPIED: Final = text(
    """
    SELECT variant.id, media.url AS image_url, newest.id AS workflow_id, chosen.options
    FROM variant JOIN product ON product.id = variant.product_id LEFT JOIN media ON media.id = variant.media_id
    LEFT JOIN LATERAL (
        SELECT id FROM workflow WHERE code = product.workflow_code ORDER BY version DESC LIMIT 1
    ) AS newest ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', coalesce(option.translations #>> ARRAY[spoken.first, 'name'],
                option.translations #>> ARRAY[spoken.second, 'name'],
                option.translations #>> ARRAY[spoken.third, 'name'], option.name),
            'value', coalesce(value.translations #>> ARRAY[spoken.first, 'name'],
                value.translations #>> ARRAY[spoken.second, 'name'],
                value.translations #>> ARRAY[spoken.third, 'name'], value.name)
            ) ORDER BY option.rank), '[]') AS options
        FROM variant_option_value AS choice
        JOIN product_option AS option ON option.id = choice.option_id
        JOIN option_value AS value ON value.id = choice.value_id
        CROSS JOIN (VALUES (CAST(:first AS text), CAST(:second AS text), CAST(:third AS text)))
            AS spoken (first, second, third)
        WHERE choice.variant_id = variant.id
    ) AS chosen
    WHERE variant.id = ANY(:variants)
    """
)


def _delivery(assessment: Assessment) -> dict[str, Any] | None:
    chosen = assessment.delivery.chosen
    if chosen is None:
        return None
    by_class = chosen.way.tax_treatment == DeliveryTax.REGION
    code = chosen.way.tax_class_code or assessment.market.levy.taxes.default
    return {**chosen.data, "tax_class": code if by_class else None}


async def _write_lines(tx: Tx, order_id: UUID, assessment: Assessment) -> list[Need]:
    variants = [line.row["variant_id"] for line in assessment.lines]
    locales = (*fallbacks(assessment.cart.locale), None, None, None)
    spoken = dict(zip(("first", "second", "third"), locales, strict=False))
    copied = {row["id"]: row for row in await tx.records(_COPIED, variants=variants, **spoken)}
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "order_id": order_id,
            "position": position,
            **_line_row(line),
            **{name: copied[variant][name] for name in ("image_url", "workflow_id", "options")},
        }
        for position, (variant, line) in enumerate(zip(variants, assessment.lines, strict=True), 1)
    ]
    await tx.insert(OrderLine, rows)
    return [
        Need(row["id"], line.row["id"], row["variant_id"], row["quantity"])
        for row, line in zip(rows, assessment.lines, strict=True)
    ]


def _line_row(line: AssessedLine) -> dict[str, Any]:
    row, total = line.row, line.total
    assert line.price is not None
    return {
        "variant_id": row["variant_id"],
        "title": row["title"],
        "sku": row["variant_sku"],
        "quantity": row["quantity"],
        "unit_price": line.price.amount,
        "net": total.net,
        "tax": total.tax,
        "gross": total.gross,
        "taxes": [tax.data for tax in total.taxes],
        "tax_class_code": line.tax_class,
        "brief": row["brief"],
        "brief_complete": is_complete(row["brief"], row["brief_schema"]),
    }
