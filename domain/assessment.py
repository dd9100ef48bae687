"""What a cart comes to, and what it still lacks before it can be completed. Computed here and nowhere else."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import any_, select

from db import Cart, CartLine, Product, Region, TaxRate, Variant
from db.catalog import BriefDue, ProductStatus
from db.connection import Read
from domain import price
from domain.brief import is_complete
from domain.price import Found, Wanted
from domain.totals import LineTotal, Rate, Totals, line_total, totals


class Step(StrEnum):
    """The page of a checkout on which something is asked for."""

    CART = "cart"
    CONTACT = "contact"
    ADDRESS = "address"
    DELIVERY = "delivery"
    BRIEF = "brief"
    PAYMENT = "payment"


class RequirementCode(StrEnum):
    LINES = "lines"
    FOR_SALE = "for_sale"
    EMAIL = "email"
    SHIPPING_ADDRESS = "shipping_address"
    BRIEF = "brief"


@dataclass(frozen=True)
class Requirement:
    """Something that is missing: `mutation` supplies it, at `path` of its input."""

    code: RequirementCode
    step: Step
    message: str
    mutation: str
    path: tuple[str, ...]
    line_id: UUID | None = None


@dataclass(frozen=True)
class AssessedLine:
    """`row` has the line with its variant and product; without a price the line is not for sale."""

    row: Any
    price: Found | None
    total: LineTotal


@dataclass(frozen=True)
class Assessment:
    cart: Cart
    region: Region
    lines: tuple[AssessedLine, ...]
    totals: Totals
    requirements: tuple[Requirement, ...]


async def assess(read: Read, carts: Sequence[Cart]) -> list[Assessment]:
    """Assesses any number of carts by four statements, each cart in its own region."""
    rows = await _lines(read, [cart.id for cart in carts])
    regions = {r.id: r for r in await read.all(select(Region).where(_among(Region.id, [c.region_id for c in carts])))}
    rates = await _rates(read, list(regions))
    wanted = {
        row.id: Wanted(row.variant_id, row.quantity, cart.currency, cart.region_id)
        for cart in carts
        for row in rows[cart.id]
    }
    found = await price.best(read, list(wanted.values()))
    assessments: list[Assessment] = []
    for cart in carts:
        region = regions[cart.region_id]
        lines = tuple(_assessed(row, found.get(wanted[row.id]), rates[region.id], region) for row in rows[cart.id])
        summed = totals([line.total for line in lines], rates[region.id], cart.currency, inclusive=region.tax_inclusive)
        assessments.append(Assessment(cart, region, lines, summed, tuple(_requirements(cart, lines))))
    return assessments


def _among(column: Any, ids: Sequence[UUID]) -> Any:
    return column == any_(cast(Any, list(set(ids))))


async def _lines(read: Read, carts: Sequence[UUID]) -> dict[UUID, list[Any]]:
    rows = await read.records(
        select(
            CartLine.id,
            CartLine.cart_id,
            CartLine.variant_id,
            CartLine.quantity,
            CartLine.brief,
            Variant.sku,
            Variant.taxable,
            Variant.media_id,
            (Variant.archived_at.is_(None) & (Product.status == ProductStatus.PUBLISHED)).label("live"),
            Product.id.label("product_id"),
            Product.title,
            Product.brief_schema,
            Product.brief_due,
            Product.workflow_code,
        )
        .join(Variant, Variant.id == CartLine.variant_id)
        .join(Product, Product.id == Variant.product_id)
        .where(_among(CartLine.cart_id, carts))
        .order_by(CartLine.id)
    )
    by_cart: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        by_cart[row.cart_id].append(row)
    return by_cart


async def _rates(read: Read, regions: Sequence[UUID]) -> dict[UUID, list[Rate]]:
    rows = await read.all(select(TaxRate).where(_among(TaxRate.region_id, regions)).order_by(TaxRate.name))
    by_region: dict[UUID, list[Rate]] = defaultdict(list)
    for row in rows:
        by_region[row.region_id].append(Rate(row.name, row.rate))
    return by_region


def _assessed(row: Any, found: Found | None, rates: Sequence[Rate], region: Region) -> AssessedLine:
    sold_at = found if row.live else None
    unit = sold_at.amount if sold_at else 0
    applied = rates if row.taxable else ()
    return AssessedLine(row, sold_at, line_total(unit, row.quantity, applied, inclusive=region.tax_inclusive))


def _requirements(cart: Cart, lines: Sequence[AssessedLine]) -> list[Requirement]:
    """In the order in which a checkout asks for them."""
    missing: list[Requirement] = []
    if not lines:
        missing.append(Requirement(RequirementCode.LINES, Step.CART, "The cart is empty.", "cartAddLines", ("lines",)))
    missing += [
        Requirement(
            RequirementCode.FOR_SALE,
            Step.CART,
            "This line is no longer for sale here.",
            "cartRemoveLines",
            ("lineIds",),
            line.row.id,
        )
        for line in lines
        if line.price is None
    ]
    if cart.email is None:
        missing.append(
            Requirement(
                RequirementCode.EMAIL,
                Step.CONTACT,
                "An e-mail address is needed.",
                "cartSetCustomer",
                ("email",),
            )
        )
    if cart.shipping_address is None:
        missing.append(
            Requirement(
                RequirementCode.SHIPPING_ADDRESS,
                Step.ADDRESS,
                "A shipping address is needed.",
                "cartSetAddresses",
                ("shippingAddress",),
            )
        )
    missing += [
        Requirement(
            RequirementCode.BRIEF,
            Step.BRIEF,
            "This line needs its brief before it can be ordered.",
            "cartAddLines",
            ("lines", "brief"),
            line.row.id,
        )
        for line in lines
        if line.row.brief_due == BriefDue.BEFORE_ORDER and not is_complete(line.row.brief, line.row.brief_schema)
    ]
    return missing
