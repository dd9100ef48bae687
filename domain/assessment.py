"""What a cart comes to, and what it still lacks before it can be completed. Computed here and nowhere else."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Text, Uuid, any_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import Cart, CartLine, Product, Region, Variant
from db.catalog import BriefDue, PriceQuantity
from db.connection import Read, Tx
from db.delivery import QuoteKind
from domain import market as markets
from domain import price, requirement
from domain.brief import is_complete
from domain.cart_tax import CartTax, answered, asked
from domain.cover import Cover, covers
from domain.delivery import NOT_NEEDED, Delivery, Parcel, QuotedLine, QuoteRequest, Quotes, delivery
from domain.destination import Destination
from domain.market import Market, Sought
from domain.money import times
from domain.price import Found, Wanted
from domain.publication import for_sale_in_cart
from domain.quantity_rule import QuantityRule
from domain.requirement import Requirement, RequirementCode
from domain.tax import Levy
from domain.tax_provider import Answer, TaxItem
from domain.totals import MOST_WORTH, NOTHING, LineTotal, Totals, taxed, totals
from domain.translation import translated_in


@dataclass(frozen=True)
class AssessedLine:
    """`row` has the line with its variant (columns `variant_…`) and product; without a price it is not for sale."""

    row: Any
    price: Found | None
    total: LineTotal
    priced_for: int
    """The quantity that the price is for: more than the line's own where others count together with it."""
    tax_class: str | None
    """Null: it is not taxed."""
    changed_from: int | None = None
    """What a unit cost when the cart was last written, if it costs something else now for as many."""
    is_counted: bool = True
    """False: prices have risen so much that with so many units the cart would come to more than can be counted."""

    @property
    def variant(self) -> dict[str, Any]:
        """The row of its variant, and whether it is for sale (`live`)."""
        return {"live": self.row["live"], **{column: self.row[f"variant_{column}"] for column in _VARIANT}}

    @property
    def rule(self) -> QuantityRule:
        return QuantityRule.of(self.row, "variant_")

    @property
    def unit(self) -> int:
        """What one costs; nothing where it is not for sale, or not counted."""
        return self.price.amount if self.price and self.is_counted else 0

    @property
    def shown(self) -> int:
        """What all of it costs, as the region shows prices."""
        return times(self.unit, self.row["quantity"])

    def at_home(self, levy: Levy) -> LineTotal:
        taxable = self.tax_class is not None
        return levy.at_home(self.unit, self.row["quantity"], self.tax_class, taxable=taxable)

    def tax_item(self, levy: Levy) -> TaxItem | None:
        """What a provider of taxes is asked about it; nothing where it is not taxed."""
        if self.tax_class is None:
            return None
        quantity = self.row["quantity"]
        base = levy.base(self.unit, quantity, self.tax_class)
        return TaxItem(str(self.row["id"]), base, self.tax_class, quantity, self.row["variant_sku"])

    def as_told(self, answer: Answer, levy: Levy) -> "AssessedLine":
        """With the taxes that a provider said."""
        item = self.tax_item(levy)
        if item is None or item.key not in answer:
            return self
        return replace(self, total=taxed(item.amount, answer[item.key], inclusive=levy.included))


@dataclass(frozen=True)
class Assessment:
    cart: Cart
    market: Market
    lines: tuple[AssessedLine, ...]
    delivery: Delivery
    request: QuoteRequest | None
    """What providers of delivery are asked; null: nobody has said yet where it goes."""
    tax: CartTax
    totals: Totals
    requirements: tuple[Requirement, ...]
    cover: Cover
    """What gift cards and store credit pay of the total."""
    locale: str | None = None
    """That in which its texts are; null: the cart's own."""

    @property
    def region(self) -> Region:
        return self.market.region

    @property
    def is_outside(self) -> bool:
        """It is to be sent to a country that is none of its region."""
        address = self.cart.shipping_address
        return address is not None and address["country"] not in self.market.countries


async def assess(read: Read, carts: Sequence[Cart], locale: str | None = None) -> list[Assessment]:
    """Assesses any number of carts by three statements, each cart in its own region; by four where a region has
    delivery whose price is asked of others, and one more where a cart names gift cards or store credit.

    Texts are in the locale, or each cart's in its own.
    """
    rows = await _lines(read, [cart.id for cart in carts], locale)
    places = [Sought(cart.region_id, _destination(cart)) for cart in carts]
    by_place = await markets.markets(read, places)
    found = {cart.id: by_place[place] for cart, place in zip(carts, places, strict=True)}
    quotes = await _quotes(read, [cart.id for cart in carts if found[cart.id].has_quotes])
    wanted = {
        row["id"]: Wanted(row["variant_id"], quantity, cart.region_id, cart.customer_id)
        for cart in carts
        for row, quantity in _counted(rows[cart.id])
    }
    prices = dict(zip(wanted, await price.best(read, list(wanted.values())), strict=True))
    assessments: list[Assessment] = []
    for cart in carts:
        market, room, lines = found[cart.id], MOST_WORTH, list[AssessedLine]()
        for row in rows[cart.id]:
            lines.append(_assessed(row, prices[row["id"]], wanted[row["id"]].quantity, market, room))
            room -= lines[-1].shown
        assessments.append(_summed(cart, market, tuple(lines), quotes.get(cart.id, {})))
    covered = await covers(read, carts, [assessment.totals.total for assessment in assessments])
    both = zip(assessments, covered, strict=True)
    return [replace(assessment, cover=cover, locale=locale) for assessment, cover in both]


def _summed(cart: Cart, market: Market, lines: tuple[AssessedLine, ...], quotes: Mapping[Any, Any]) -> Assessment:
    levy = market.levy
    request = _request(cart, lines, sum(line.shown for line in lines))
    country = cart.shipping_address["country"] if cart.shipping_address else None
    parcel = Parcel(request, country, _totals(lines), tuple(line.at_home(levy) for line in lines), levy)
    way = _delivery(cart, market, parcel, quotes)
    tax = _tax(cart, market, lines, way, quotes)
    if tax.answer is not None:
        lines = tuple(line.as_told(tax.answer, levy) for line in lines)
        way = _delivery(cart, market, replace(parcel, lines=_totals(lines), answer=tax.answer), quotes)
    shipping = way.chosen.total if way.chosen else NOTHING
    rates = levy.taxes.of(None) if tax.answer is None else ()
    summed = totals(_totals(lines), rates, cart.currency, inclusive=levy.inclusive, shipping=shipping)
    missing = tuple(_requirements(cart, lines, way, tax))
    to_ask = request if country is not None else None
    return Assessment(cart, market, lines, way, to_ask, tax, summed, missing, Cover(summed.total, cart.currency))


def _totals(lines: Sequence[AssessedLine]) -> tuple[LineTotal, ...]:
    return tuple(line.total for line in lines)


def _tax(
    cart: Cart, market: Market, lines: Sequence[AssessedLine], way: Delivery, quotes: Mapping[Any, Any]
) -> CartTax:
    """Nobody is asked before it is known where it goes."""
    request, provider = None, market.region.tax_provider
    if market.asks_taxes and cart.shipping_address is not None:
        items = [item for line in lines if (item := line.tax_item(market.levy)) is not None]
        request = asked(cart.currency, cart.shipping_address, market.levy, items, way.offered)
    return answered(request, quotes.get((QuoteKind.TAX, provider)))


def _destination(cart: Cart) -> Destination | None:
    return Destination.of(cart.shipping_address) if cart.shipping_address is not None else None


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
_SPOKEN: Final = func.coalesce(bindparam("locale", type_=Text), Cart.locale)
"""The locale in which a cart is shown: that which is asked for, else its own."""
_LINES: Final = (
    select(
        CartLine.id,
        CartLine.cart_id,
        CartLine.quantity,
        CartLine.brief,
        CartLine.metadata_,
        CartLine.seen_price,
        CartLine.seen_quantity,
        *(
            translated_in(Variant, "title", _SPOKEN, "variant_title")
            if column.key == "title"
            else column.label(f"variant_{column.key}")
            for column in Variant.__table__.c
        ),
        (Variant.archived_at.is_(None) & for_sale_in_cart(Cart.channel_id)).label("live"),
        translated_in(Product, "title", _SPOKEN),
        Product.brief_schema,
        Product.brief_due,
        Product.price_quantity,
        Product.tax_class_code,
    )
    .join(Variant, Variant.id == CartLine.variant_id)
    .join(Product, Product.id == Variant.product_id)
    .join(Cart, Cart.id == CartLine.cart_id)
    .where(CartLine.cart_id == any_(bindparam("carts", type_=ARRAY(Uuid))))
    .order_by(CartLine.id)
)


async def _lines(read: Read, carts: Sequence[UUID], locale: str | None) -> dict[UUID, list[Any]]:
    by_cart: dict[UUID, list[Any]] = {cart_id: [] for cart_id in carts}
    for row in await read.records(_LINES, carts=list(carts), locale=locale):
        by_cart[row["cart_id"]].append(row)
    return by_cart


_QUOTES: Final = text(
    """
    SELECT cart_id, kind, provider, hash, offers FROM quote JOIN cart ON cart.id = cart_id
    WHERE cart_id = ANY(:carts) AND (expires_at > clock_timestamp() OR cart.status <> 'open')
    """
)


async def _quotes(read: Read, carts: Sequence[UUID]) -> dict[UUID, dict[Any, Any]]:
    """By cart, and by kind and provider, what counts still if its hash fits. What was agreed does not expire."""
    by_cart: dict[UUID, dict[Any, Any]] = defaultdict(dict)
    if carts:
        for row in await read.records(_QUOTES, carts=list(carts)):
            by_cart[row["cart_id"]][row["kind"], row["provider"]] = row
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


def _assessed(row: Any, found: Found | None, priced_for: int, market: Market, room: int) -> AssessedLine:
    """`room` is what it may cost beside the lines before it; one that costs more is shown, and counted as nothing."""
    sold_at = found if row["live"] else None
    unit = sold_at.amount if sold_at else 0
    is_counted = unit * row["quantity"] <= room
    taxable = row["variant_taxable"]
    code = (row["tax_class_code"] or market.levy.taxes.default) if taxable else None
    total = market.levy.line(unit if is_counted else 0, row["quantity"], code, taxable=taxable)
    seen = _seen(row)
    is_news = sold_at is not None and seen is not None and seen[1] == priced_for and seen[0] != unit
    return AssessedLine(row, sold_at, total, priced_for, code, seen[0] if seen and is_news else None, is_counted)


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


def _delivery(cart: Cart, market: Market, parcel: Parcel, found: Mapping[Any, Any]) -> Delivery:
    """Of quotes only those count that were given for the cart as it is."""
    if not market.ways:
        return NOT_NEEDED
    fitting = parcel.request.hash if found else None
    quotes: Quotes = {
        provider: row["offers"]
        for (kind, provider), row in found.items()
        if kind == QuoteKind.DELIVERY and row["hash"] == fitting
    }
    return delivery(market.ways, parcel, quotes, cart.delivery_option_id)


def _requirements(cart: Cart, lines: Sequence[AssessedLine], way: Delivery, tax: CartTax) -> Iterator[Requirement]:
    """In the order in which a checkout asks for them."""
    if not lines:
        yield requirement.NO_LINES
    for line in lines:
        if line.price is None:
            yield requirement.of_line(RequirementCode.FOR_SALE, line.row["id"])
        elif not line.is_counted or not line.rule.allows(line.row["quantity"]):
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
    if tax.is_unquoted:
        yield requirement.NO_TAXES
