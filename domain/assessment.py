"""What a cart comes to, and what it still lacks before it can be completed. Computed here and nowhere else."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import Cart, CartLine, Product, Region, Variant
from db.catalog import BriefDue, PriceQuantity
from db.connection import Read, Tx
from domain import market as markets
from domain import price, requirement
from domain.brief import is_complete
from domain.cover import Cover, covers
from domain.delivery import NOT_NEEDED, Delivery, Parcel, QuotedLine, QuoteRequest, Quotes, delivery
from domain.market import Market
from domain.price import Found, Wanted
from domain.publication import for_sale_in_cart
from domain.quantity_rule import QuantityRule
from domain.requirement import Requirement, RequirementCode
from domain.totals import NOTHING, LineTotal, Totals, line_total, totals


@dataclass(frozen=True)
class AssessedLine:
    """`row` has the line with its variant (columns `variant_…`) and product; without a price it is not for sale."""

    row: Any
    price: Found | None
    total: LineTotal
    priced_for: int
    """The quantity that the price is for: more than the line's own where others count together with it."""
    changed_from: int | None = None
    """What a unit cost when the cart was last written, if it costs something else now for as many."""

    @property
    def variant(self) -> dict[str, Any]:
        """The row of its variant, and whether it is for sale (`live`)."""
        return {"live": self.row["live"], **{column: self.row[f"variant_{column}"] for column in _VARIANT}}

    @property
    def rule(self) -> QuantityRule:
        return QuantityRule.of(self.row, "variant_")


@dataclass(frozen=True)
class Assessment:
    cart: Cart
    market: Market
    lines: tuple[AssessedLine, ...]
    delivery: Delivery
    request: QuoteRequest | None
    """What providers of delivery are asked; null: nobody has said yet where it goes."""
    totals: Totals
    requirements: tuple[Requirement, ...]
    cover: Cover
    """What gift cards and store credit pay of the total."""

    @property
    def region(self) -> Region:
        return self.market.region

    @property
    def is_outside(self) -> bool:
        """It is to be sent to a country that is none of its region."""
        address = self.cart.shipping_address
        return address is not None and address["country"] not in self.market.countries


async def assess(read: Read, carts: Sequence[Cart]) -> list[Assessment]:
    """Assesses any number of carts by three statements, each cart in its own region; by four where a region has
    delivery whose price is asked of others, and one more where a cart names gift cards or store credit.
    """
    rows = await _lines(read, [cart.id for cart in carts])
    found = await markets.markets(read, {cart.region_id for cart in carts})
    quotes = await _quotes(read, [cart.id for cart in carts if found[cart.region_id].has_quotes])
    wanted = {
        row["id"]: Wanted(row["variant_id"], quantity, cart.region_id)
        for cart in carts
        for row, quantity in _counted(rows[cart.id])
    }
    prices = dict(zip(wanted, await price.best(read, list(wanted.values())), strict=True))
    assessments: list[Assessment] = []
    for cart in carts:
        market = found[cart.region_id]
        lines = tuple(_assessed(row, prices[row["id"]], wanted[row["id"]].quantity, market) for row in rows[cart.id])
        assessments.append(_summed(cart, market, lines, quotes.get(cart.id, {})))
    covered = await covers(read, carts, [assessment.totals.total for assessment in assessments])
    return [replace(assessment, cover=cover) for assessment, cover in zip(assessments, covered, strict=True)]


def _summed(cart: Cart, market: Market, lines: tuple[AssessedLine, ...], quotes: Mapping[str, Any]) -> Assessment:
    inclusive = market.region.tax_inclusive
    line_totals = tuple(line.total for line in lines)
    subtotal = sum(line.gross if inclusive else line.net for line in line_totals)
    request = _request(cart, lines, subtotal)
    country = cart.shipping_address["country"] if cart.shipping_address else None
    parcel = Parcel(request, country, line_totals, market.rates, inclusive)
    way = _delivery(cart, market, parcel, quotes)
    shipping = way.chosen.total if way.chosen else NOTHING
    summed = totals(line_totals, market.rates, cart.currency, inclusive=inclusive, shipping=shipping)
    asked = request if country is not None else None
    missing = tuple(_requirements(cart, lines, way))
    return Assessment(cart, market, lines, way, asked, summed, missing, Cover(summed.total, cart.currency))


_SEEN: Final = text(
    """
    UPDATE cart_line SET seen_price = seen.price, seen_quantity = seen.quantity
    FROM jsonb_to_recordset(:rows) AS seen (id uuid, price bigint, quantity int)
    WHERE cart_line.id = seen.id
    """
)


async def acknowledge(tx: Tx, cart: Cart) -> Assessment:
    """Assesses a cart that this transaction has written, and notes its prices as those that the customer has seen.

    What is returned still tells what had changed before.
    """
    (assessment,) = await assess(tx, [cart])
    seen = {line.row["id"]: (line.price.amount, line.priced_for) if line.price else None for line in assessment.lines}
    rows = [
        {"id": line.row["id"], "price": now[0] if now else None, "quantity": now[1] if now else None}
        for line in assessment.lines
        if (now := seen[line.row["id"]]) != _seen(line.row)
    ]
    if rows:
        await tx.run(_SEEN, rows=rows)
    return assessment


def _seen(row: Any) -> tuple[int, int] | None:
    return None if row["seen_price"] is None else (row["seen_price"], row["seen_quantity"])


def told(assessment: Assessment) -> Assessment:
    """The same, when what had changed has been told."""
    return replace(assessment, lines=tuple(replace(line, changed_from=None) for line in assessment.lines))


_VARIANT: Final = tuple(column.key for column in Variant.__table__.c)
_LINES: Final = (
    select(
        CartLine.id,
        CartLine.cart_id,
        CartLine.quantity,
        CartLine.brief,
        CartLine.metadata_,
        CartLine.seen_price,
        CartLine.seen_quantity,
        *(column.label(f"variant_{column.key}") for column in Variant.__table__.c),
        (Variant.archived_at.is_(None) & for_sale_in_cart(Cart.channel_id)).label("live"),
        Product.title,
        Product.brief_schema,
        Product.brief_due,
        Product.price_quantity,
    )
    .join(Variant, Variant.id == CartLine.variant_id)
    .join(Product, Product.id == Variant.product_id)
    .join(Cart, Cart.id == CartLine.cart_id)
    .where(CartLine.cart_id == any_(bindparam("carts", type_=ARRAY(Uuid))))
    .order_by(CartLine.id)
)


async def _lines(read: Read, carts: Sequence[UUID]) -> dict[UUID, list[Any]]:
    by_cart: dict[UUID, list[Any]] = {cart_id: [] for cart_id in carts}
    for row in await read.records(_LINES, carts=list(carts)):
        by_cart[row["cart_id"]].append(row)
    return by_cart


_QUOTES: Final = text(
    """
    SELECT cart_id, provider, hash, offers FROM quote WHERE cart_id = ANY(:carts) AND expires_at > clock_timestamp()
    """
)


async def _quotes(read: Read, carts: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """By cart and provider what counts still if its hash fits."""
    by_cart: dict[UUID, dict[str, Any]] = defaultdict(dict)
    if carts:
        for row in await read.records(_QUOTES, carts=list(carts)):
            by_cart[row["cart_id"]][row["provider"]] = row
    return by_cart


def _counted(rows: Sequence[Any]) -> Iterator[tuple[Any, int]]:
    """Each line with the quantity that its price is for, as its product says."""
    of_variant: dict[UUID, int] = defaultdict(int)
    of_product: dict[UUID, int] = defaultdict(int)
    for row in rows:
        of_variant[row["variant_id"]] += row["quantity"]
        of_product[row["variant_product_id"]] += row["quantity"]
    for row in rows:
        if row["price_quantity"] == PriceQuantity.VARIANT:
            yield row, of_variant[row["variant_id"]]
        elif row["price_quantity"] == PriceQuantity.PRODUCT:
            yield row, of_product[row["variant_product_id"]]
        else:
            yield row, row["quantity"]


def _assessed(row: Any, found: Found | None, priced_for: int, market: Market) -> AssessedLine:
    sold_at = found if row["live"] else None
    unit = sold_at.amount if sold_at else 0
    applied = market.rates if row["variant_taxable"] else ()
    total = line_total(unit, row["quantity"], applied, inclusive=market.region.tax_inclusive)
    seen = _seen(row)
    is_news = sold_at is not None and seen is not None and seen[1] == priced_for and seen[0] != unit
    return AssessedLine(row, sold_at, total, priced_for, seen[0] if seen and is_news else None)


def _request(cart: Cart, lines: Sequence[AssessedLine], subtotal: int) -> QuoteRequest:
    """Of the lines that are things to be sent."""
    sent = [line.row for line in lines if line.row["variant_requires_shipping"]]
    return QuoteRequest(
        cart.currency,
        cart.shipping_address or {},
        tuple(
            QuotedLine(row["variant_id"], row["variant_sku"], row["quantity"], row["variant_weight_grams"])
            for row in sent
        ),
        subtotal,
    )


def _delivery(cart: Cart, market: Market, parcel: Parcel, found: Mapping[str, Any]) -> Delivery:
    """Of quotes only those count that were given for the cart as it is."""
    if not market.ways:
        return NOT_NEEDED
    fitting = parcel.request.hash if found else None
    quotes: Quotes = {provider: row["offers"] for provider, row in found.items() if row["hash"] == fitting}
    return delivery(market.ways, parcel, quotes, cart.delivery_option_id)


def _requirements(cart: Cart, lines: Sequence[AssessedLine], way: Delivery) -> Iterator[Requirement]:
    """In the order in which a checkout asks for them."""
    if not lines:
        yield requirement.NO_LINES
    for line in lines:
        if line.price is None:
            yield requirement.of_line(RequirementCode.FOR_SALE, line.row["id"])
        elif not line.rule.allows(line.row["quantity"]):
            yield requirement.of_line(RequirementCode.QUANTITY, line.row["id"])
    if cart.email is None:
        yield requirement.NO_EMAIL
    if cart.shipping_address is None:
        yield requirement.NO_ADDRESS
    if way.chosen_unquoted:
        yield requirement.NO_QUOTE
    elif way.is_needed and way.chosen is None and (way.offered or way.unquoted):
        yield requirement.NO_DELIVERY
    elif way.is_needed and way.chosen is None and cart.shipping_address is not None:
        yield requirement.NOWHERE
    for line in lines:
        row = line.row
        if row["brief_due"] == BriefDue.BEFORE_ORDER and not is_complete(row["brief"], row["brief_schema"]):
            yield requirement.of_line(RequirementCode.BRIEF, row["id"])
