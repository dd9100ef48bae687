"""An order as it is written down: everything that it shows is copied from the cart and the catalogue.

Later changes of prices, titles, options or pictures never reach it.
"""

from typing import Any, cast
from uuid import UUID

from sqlalchemy import any_, delete, select
from sqlalchemy.dialects.postgresql import insert

from db import Cart, Media, OptionValue, Order, OrderLine, ProductOption, VariantOptionValue
from db.connection import Tx, new_id
from domain import workflow
from domain.assessment import AssessedLine, Assessment
from domain.brief import is_complete
from domain.reservation import Need


async def write_order(tx: Tx, cart: Cart, assessment: Assessment) -> UUID:
    """Inserts the cart's order, or rewrites the pending one that an earlier attempt left."""
    sums = assessment.totals
    snapshot: dict[str, Any] = {
        "region_id": cart.region_id,
        "currency": cart.currency,
        "tax_inclusive": assessment.region.tax_inclusive,
        "customer_id": cart.customer_id,
        "email": cart.email,
        "shipping_address": cart.shipping_address,
        "billing_address": cart.billing_address,
        "subtotal": sums.subtotal,
        "tax": sums.tax,
        "total": sums.total,
        "taxes": [tax.data for tax in sums.taxes],
        "amount_due": sums.total,
    }
    statement = insert(Order).values(id=new_id(), cart_id=cart.id, **snapshot)
    return await tx.one_scalar(
        statement.on_conflict_do_update(index_elements=["cart_id"], set_=snapshot).returning(Order.id)
    )


async def write_lines(tx: Tx, order_id: UUID, assessment: Assessment) -> list[Need]:
    """Copies everything that a line shows, so that later changes of the catalogue never reach the order."""
    variants = [line.row.variant_id for line in assessment.lines]
    options = await _options(tx, variants)
    images = await _images(tx, [line.row.media_id for line in assessment.lines if line.row.media_id])
    codes = {line.row.workflow_code for line in assessment.lines if line.row.workflow_code}
    workflows = await workflow.newest(tx, sorted(codes)) if codes else {}
    await tx.run(delete(OrderLine).where(OrderLine.order_id == order_id))
    rows: list[dict[str, Any]] = [
        {
            **_line_row(line),
            "id": new_id(),
            "order_id": order_id,
            "position": position,
            "options": options.get(line.row.variant_id, []),
            "image_url": images.get(line.row.media_id),
            "workflow_id": workflows.get(line.row.workflow_code),
        }
        for position, line in enumerate(assessment.lines, 1)
    ]
    await tx.insert(OrderLine, rows)
    return [
        Need(row["id"], line.row.id, row["variant_id"], row["quantity"])
        for row, line in zip(rows, assessment.lines, strict=True)
    ]


def _line_row(line: AssessedLine) -> dict[str, Any]:
    row, total = line.row, line.total
    assert line.price is not None
    return {
        "variant_id": row.variant_id,
        "title": row.title,
        "sku": row.sku,
        "quantity": row.quantity,
        "unit_price": line.price.amount,
        "net": total.net,
        "tax": total.tax,
        "gross": total.gross,
        "taxes": [tax.data for tax in total.taxes],
        "brief": row.brief,
        "brief_complete": is_complete(row.brief, row.brief_schema),
    }


async def _options(tx: Tx, variants: list[UUID]) -> dict[UUID, list[dict[str, str]]]:
    rows = await tx.records(
        select(VariantOptionValue.variant_id, ProductOption.name, OptionValue.name.label("value"))
        .join(ProductOption, ProductOption.id == VariantOptionValue.option_id)
        .join(OptionValue, OptionValue.id == VariantOptionValue.value_id)
        .where(VariantOptionValue.variant_id == any_(cast(Any, variants)))
        .order_by(ProductOption.rank)
    )
    chosen: dict[UUID, list[dict[str, str]]] = {}
    for row in rows:
        chosen.setdefault(row.variant_id, []).append({"name": row.name, "value": row.value})
    return chosen


async def _images(tx: Tx, media: list[UUID]) -> dict[UUID, str]:
    if not media:
        return {}
    rows = await tx.records(select(Media.id, Media.url).where(Media.id == any_(cast(Any, media))))
    return {row.id: row.url for row in rows}
