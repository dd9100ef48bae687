"""What a cart comes to, and what it still lacks before it can be completed. Computed here and nowhere else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

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
    """`row` has the line with its variant (columns `variant_…`) and product; without a price it is not for sale."""

    row: Any
    price: Found | None
    total: LineTotal

    @property
    def variant(self) -> dict[str, Any]:
        """The row of its variant."""
        return {column: self.row[f"variant_{column}"] for column in _VARIANT}


@dataclass(frozen=True)
class Assessment:
    cart: Cart
    region: Region
    lines: tuple[AssessedLine, ...]
    totals: Totals
    requirements: tuple[Requirement, ...]


async def assess(read: Read, carts: Sequence[Cart]) -> list[Assessment]:
    """Assesses any number of carts by three statements, each cart in its own region."""
    rows = await _lines(read, [cart.id for cart in carts])
    regions = await _regions(read, {cart.region_id for cart in carts})
    wanted = {
        row["id"]: Wanted(row["variant_id"], row["quantity"], cart.region_id) for cart in carts for row in rows[cart.id]
    }
    prices = dict(zip(wanted, await price.best(read, list(wanted.values())), strict=True))
    assessments: list[Assessment] = []
    for cart in carts:
        region, rates = regions[cart.region_id]
        lines = tuple(_assessed(row, prices[row["id"]], rates, region) for row in rows[cart.id])
        summed = totals([line.total for line in lines], rates, cart.currency, inclusive=region.tax_inclusive)
        assessments.append(Assessment(cart, region, lines, summed, tuple(_requirements(cart, lines))))
    return assessments


_VARIANT: Final = tuple(column.key for column in Variant.__table__.c)
_LINES: Final = (
    select(
        CartLine.id,
        CartLine.cart_id,
        CartLine.quantity,
        CartLine.brief,
        *(column.label(f"variant_{column.key}") for column in Variant.__table__.c),
        (Variant.archived_at.is_(None) & (Product.status == ProductStatus.PUBLISHED)).label("live"),
        Product.title,
        Product.brief_schema,
        Product.brief_due,
    )
    .join(Variant, Variant.id == CartLine.variant_id)
    .join(Product, Product.id == Variant.product_id)
    .where(CartLine.cart_id == any_(bindparam("carts", type_=ARRAY(Uuid))))
    .order_by(CartLine.id)
)


async def _lines(read: Read, carts: Sequence[UUID]) -> dict[UUID, list[Any]]:
    by_cart: dict[UUID, list[Any]] = {cart_id: [] for cart_id in carts}
    for row in await read.records(_LINES, carts=list(carts)):
        by_cart[row["cart_id"]].append(row)
    return by_cart


_REGIONS: Final = (
    select(*Region.__table__.c, TaxRate.name.label("tax"), TaxRate.rate)
    .outerjoin(TaxRate, TaxRate.region_id == Region.id)
    .where(Region.id == any_(bindparam("regions", type_=ARRAY(Uuid))))
    .order_by(TaxRate.name)
)


async def _regions(read: Read, ids: Iterable[UUID]) -> dict[UUID, tuple[Region, list[Rate]]]:
    """Each region with its taxes."""
    regions: dict[UUID, tuple[Region, list[Rate]]] = {}
    for row in await read.records(_REGIONS, regions=list(ids)):
        _, rates = regions.setdefault(row["id"], (row, []))
        if row["tax"] is not None:
            rates.append(Rate(row["tax"], row["rate"]))
    return regions


def _assessed(row: Any, found: Found | None, rates: Sequence[Rate], region: Region) -> AssessedLine:
    sold_at = found if row["live"] else None
    unit = sold_at.amount if sold_at else 0
    applied = rates if row["variant_taxable"] else ()
    return AssessedLine(row, sold_at, line_total(unit, row["quantity"], applied, inclusive=region.tax_inclusive))


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
