"""What tests begin with: regions, products, stock, people, carts."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from db import Customer, OrderLine, Product, Role
from db import Ticket as TicketRow
from db.catalog import ProductStatus
from db.connection import new_id
from db.workflow import ActorKind
from domain import session, ticket_opening
from domain.actor import Actor
from domain.catalog import upsert_products
from domain.price import PriceDraft, set_prices
from domain.processes.shop import Shop
from domain.product import ProductDraft, VariantDraft
from domain.region import LocationDraft, RegionDraft, upsert_location, upsert_region
from domain.session import Device
from domain.staff import create_staff
from domain.stock import StockCount, set_counts
from resolvers import ids
from server.tokens import ACCESS, ISSUER, Argon2Passwords, KeyRing
from tests.api import SECRET, Api

ADDRESS = {"lastName": "Baker", "address1": "Keizersgracht 1", "city": "Amsterdam", "country": "NL"}
PASSWORD = "correct horse battery"
PASSWORD_HASH = Argon2Passwords.hash(PASSWORD)
EUROPE = RegionDraft("eu", "Europe", "EUR", True, ("NL", "DE"), {"VAT": Decimal("0.21")}, True)
AMERICA = RegionDraft("us", "United States", "USD", False, ("US",), {"Sales tax": Decimal("0.0825")})
JAPAN = RegionDraft("jp", "Japan", "JPY", True, ("JP",), {"Consumption tax": Decimal("0.10")})
BRIEF = {
    "type": "object",
    "properties": {"print_text": {"type": "string", "maxLength": 80}},
    "required": ["print_text"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Sold:
    """A product with its variants, ids as clients see them."""

    product: str
    variants: tuple[str, ...]
    keys: tuple[UUID, ...]

    @property
    def variant(self) -> str:
        return self.variants[0]


async def regions(shop: Shop) -> None:
    async with shop.tx() as tx:
        for draft in (EUROPE, AMERICA, JAPAN):
            await upsert_region(tx, draft)


async def product(
    shop: Shop,
    handle: str = "paper-cup",
    *,
    options: dict[str, tuple[str, ...]] | None = None,
    stock: int | None = 1000,
    prices: dict[str, int] | None = None,
    **columns: Any,
) -> Sold:
    """A published product with a variant per value of its one option; `stock` None: not counted.

    `columns` are columns of the product, for example `brief_schema`.
    """
    option, values = next(iter((options or {"Title": ("Default Title",)}).items()))
    variants = tuple(
        VariantDraft(values=(value,), sku=f"{handle}-{i}".upper(), manage_stock=stock is not None)
        for i, value in enumerate(values, 1)
    )
    title = handle.replace("-", " ").title()
    status = ProductStatus.PUBLISHED
    draft = ProductDraft(handle=handle, title=title, status=status, options=(option,), variants=variants)
    async with shop.tx() as tx:
        (made,) = await upsert_products(tx, [draft])
        if columns:
            await tx.run(update(Product).where(Product.id == made.product_id).values(**columns))
        await set_prices(
            tx,
            (
                PriceDraft(variant, currency, amount)
                for variant in made.variant_ids
                for currency, amount in (prices or {"EUR": 1000, "USD": 1100, "JPY": 1500}).items()
            ),
        )
        if stock is not None:
            place = await upsert_location(tx, LocationDraft("main", "Main"))
            await set_counts(tx, (StockCount(variant, place, stock) for variant in made.variant_ids))
    return Sold(
        ids.encode("Product", made.product_id),
        tuple(ids.encode("Variant", variant) for variant in made.variant_ids),
        made.variant_ids,
    )


async def customer(shop: Shop, email: str = "sam@shop.example") -> UUID:
    customer_id = new_id()
    async with shop.tx() as tx:
        await tx.run(insert(Customer).values(id=customer_id, email=email, password_hash=PASSWORD_HASH))
    return customer_id


async def staff(shop: Shop, *permissions: str, email: str = "toni@shop.example") -> UUID:
    role = f"role of {email}"
    async with shop.tx() as tx:
        await tx.insert(Role, [{"id": new_id(), "name": role, "permissions": list(permissions)}])
        return await create_staff(tx, email, "Toni", PASSWORD_HASH, [role])


async def signed_in(api: Api, email: str, *, as_staff: bool = False) -> Api:
    mutation = "staffSignIn" if as_staff else "customerSignIn"
    payload = await api.done(mutation, {"email": email, "password": PASSWORD}, "accessToken")
    return api.signed_in(payload["accessToken"])


@dataclass(frozen=True)
class Cart:
    id: str
    token: str
    total: dict[str, str]

    @property
    def key(self) -> dict[str, str]:
        return {"cartId": self.id, "token": self.token}

    def completion(self, key: str = "key-1") -> dict[str, Any]:
        return {**self.key, "expectedTotal": self.total, "idempotencyKey": key}


TOTAL = "totals { total { gross { amount currency } } }"


async def cart(api: Api, *lines: dict[str, Any], email: str = "sam@shop.example") -> Cart:
    """A cart that lacks nothing."""
    made = await api.done("cartCreate", {"lines": list(lines), "email": email}, f"token cart {{ id {TOTAL} }}")
    key = {"cartId": made["cart"]["id"], "token": made["token"]}
    await api.done("cartSetAddresses", {**key, "shippingAddress": ADDRESS}, "cart { id }")
    return Cart(made["cart"]["id"], made["token"], made["cart"]["totals"]["total"]["gross"])


ORDER = "accessToken order { id number status total { gross { amount currency } } tickets { id } } cart { status }"


async def order(api: Api, *lines: dict[str, Any], email: str = "sam@shop.example") -> dict[str, Any]:
    """A placed order with its `accessToken`."""
    made = await cart(api, *lines, email=email)
    payload = await api.done("cartComplete", made.completion(), ORDER)
    return {**payload["order"], "accessToken": payload["accessToken"]}


@dataclass(frozen=True)
class Ticket:
    """A ticket of a placed order with the order's access token; `id` as clients see it, `key` as the tables do."""

    id: str
    key: UUID
    order: UUID
    access_token: str


async def tickets(shop: Shop, placed: dict[str, Any]) -> list[Ticket]:
    """The tickets of a placed order, opened as the worker would, in the order of its lines."""
    order_key = ids.decode("Order", placed["id"])
    async with shop.tx() as tx:
        await ticket_opening.reconcile(tx, order_key)
    keys = await shop.read.scalars(
        select(TicketRow.id)
        .join(OrderLine, OrderLine.id == TicketRow.order_line_id)
        .where(TicketRow.order_id == order_key)
        .order_by(OrderLine.position, TicketRow.split_number)
    )
    return [Ticket(ids.encode("Ticket", key), key, order_key, placed["accessToken"]) for key in keys]


async def ticket(shop: Shop, api: Api, handle: str = "banner", **columns: Any) -> Ticket:
    """The only ticket of a new order in a shop that has nothing else; it lacks nothing and nothing happened yet."""
    await regions(shop)
    banner = await product(shop, handle, **columns)
    (opened,) = await tickets(shop, await order(api, {"variantId": banner.variant, "quantity": 1}))
    return opened


async def counted(
    shop: Shop, variant: UUID, place: str, on_hand: int, *, priority: int = 1, backorder: int = 0
) -> None:
    """What lies of a variant in a place, as after a count."""
    async with shop.tx() as tx:
        location = await upsert_location(tx, LocationDraft(place, place.title(), priority))
        await set_counts(tx, [StockCount(variant, location, on_hand, backorder)])


STAFF = Actor(ActorKind.STAFF, new_id(), frozenset({"tickets:read", "tickets:write"}))
"""A member of staff, as domain functions see one."""


ADMINISTRATOR = Actor(ActorKind.STAFF, None, frozenset({"*"}))
"""Likewise, one who may do everything."""


async def caller(shop: Shop, api: Api, who: str, *permissions: str) -> Api:
    """`nobody`, a new `customer`, or new `staff` with the permissions; without the cost of signing in."""
    if who == "nobody":
        return Api(api.http)
    email = f"{new_id()}@shop.example"
    if who == "customer":
        token = await access_token(shop, ActorKind.CUSTOMER, await customer(shop, email))
    else:
        token = await access_token(shop, ActorKind.STAFF, await staff(shop, *permissions, email=email))
    return api.signed_in(token)


async def access_token(shop: Shop, kind: ActorKind, subject_id: UUID, seconds: float = 900) -> str:
    """That of a new session, as after signing in, but good for as long as is said."""
    async with shop.tx() as tx:
        begun = await session.begin(tx, kind, subject_id, Device("a test"))
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    claims = {"sub": str(subject_id), "kind": str(kind), "sid": str(begun.session_id), "exp": until}
    return KeyRing((SECRET,)).sign({"iss": ISSUER, "aud": ACCESS, **claims})


async def until(condition: Callable[[], bool | Awaitable[bool]], within: float = 60) -> None:
    """Waits for what is to come true by itself."""
    end = time.monotonic() + within
    while True:
        met = condition()
        if met if isinstance(met, bool) else await met:
            return
        assert time.monotonic() < end, f"not within {within} s"
        await asyncio.sleep(0.02)


async def products(shop: Shop, *drafts: ProductDraft) -> list[Sold]:
    """Products with whatever the drafts say; without prices and stock."""
    async with shop.tx() as tx:
        made = await upsert_products(tx, drafts)
    return [
        Sold(
            ids.encode("Product", one.product_id),
            tuple(ids.encode("Variant", variant) for variant in one.variant_ids),
            one.variant_ids,
        )
        for one in made
    ]


async def prices(shop: Shop, *drafts: PriceDraft) -> None:
    async with shop.tx() as tx:
        await set_prices(tx, drafts)
