"""Customers: signing in, and what they and staff see of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Text, bindparam, select

from db import Customer, CustomerAddress, CustomerGroup, CustomerGroupMember, Order
from db.order import OrderStatus
from db.workflow import ActorKind
from domain.address import normalised_email
from domain.attempt import Limit
from domain.customer import Credentials, admit, credentials_of, customer_credentials
from engine.batch import Batch
from resolvers import ids
from resolvers import password as password_
from resolvers.batches import connected, many, one
from resolvers.cart_write import merged_cart
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort, page_of
from resolvers.session import SIGN_IN, Limits, counted_attempt, signed_in, succeeded

PASSWORD: Final = Limits(
    Limit("password of an account", 10, timedelta(minutes=15)),
    Limit("passwords from an address", 100, timedelta(minutes=15)),
)
"""Of somebody who has signed in and shows it again."""
LIVING: Final = Customer.erased_at.is_(None)
BY_ID: Final = Sort("customer.id", (Customer.id,))
ORDERS: Final = Sort("order.id", (Order.id,))

customer_by_id = one(select(Customer).where(LIVING), Customer.id)
all_customers = Listed(select(Customer).where(LIVING), BY_ID)
customers_by_email = Listed(
    select(Customer).where(LIVING, Customer.email.op("^@", is_comparison=True)(bindparam("prefix", type_=Text))), BY_ID
)


async def customer_sign_in(ctx: Ctx, given: Any) -> dict[str, Any]:
    who = f"customer {normalised_email(given.email)}"
    await counted_attempt(ctx, SIGN_IN, who)
    found = await password_.verified(ctx, await customer_credentials(ctx.read, given.email), given.password)
    async with ctx.shop.tx() as tx:
        await admit(tx, found)
        await succeeded(tx, SIGN_IN, who)
        handed = await signed_in(ctx, ActorKind.CUSTOMER, found.id, tx, given.tokens)
    signed = await ctx.read.one(select(Customer).where(Customer.id == found.id))
    if ctx.actor.id is None and ctx.actor.api_key_id is None:
        ctx.actor = replace(ctx.actor, id=found.id)  # a guest until now; the payload shows them what is theirs
    token = given.cart_token if given.cart_token is not None else ctx.cart_token
    return {"customer": signed, **handed, **(await merged_cart(ctx, token, found.id) if token else {})}


async def shown_again(ctx: Ctx, password: str, path: str = "password") -> Credentials:
    """The customer who has signed in and now shows that it is still them."""
    known = await credentials_of(ctx.read, own_id(ctx))
    return await password_.shown_again(ctx, known, password, who=f"customer {known.id}", limits=PASSWORD, path=path)


def own_id(ctx: Ctx) -> UUID:
    """Of fields that need a customer who has signed in: who that is."""
    assert ctx.actor.customer_id is not None
    return ctx.actor.customer_id


async def me(ctx: Ctx) -> Customer | None:
    return await ctx.load(customer_by_id, ctx.actor.customer_id) if ctx.actor.customer_id else None


async def customer(ctx: Ctx, public_id: str) -> Customer | None:
    return await ctx.load(customer_by_id, ids.decode("Customer", public_id, "id"))


async def customers(ctx: Ctx, args: PageArgs, email: str | None) -> Page:
    if email is None:
        return await all_customers.page(ctx, args)
    return await customers_by_email.page(ctx, args, prefix=email.lower())


def shown_to(
    permission: str, batch: Batch, *, own: bool = True, owner: Callable[[Any], UUID] = lambda key: key, none: Any = list
) -> Batch:
    """What belongs to customers, shown to staff with the permission and to the customer; `none` to anybody else."""

    async def load(ctx: Ctx, keys: list[Any]) -> list[Any]:
        theirs = ctx.actor.customer_id if own else None
        seen = [key for key in keys if ctx.actor.may(permission) or owner(key) == theirs]
        found = dict(zip(seen, await batch.load(ctx, seen), strict=True)) if seen else {}
        return [found[key] if key in found else none() for key in keys]

    return Batch(f"{batch.name} for {permission}", load)


async def _nothing() -> int:
    return 0


addresses_of_customer = shown_to(
    "customers:read",
    many(select(CustomerAddress).order_by(CustomerAddress.id), CustomerAddress.customer_id),
)
orders_of_customer = shown_to(
    "orders:read",
    connected(select(Order).where(Order.status != OrderStatus.PENDING), Order.customer_id, ORDERS),
    owner=lambda key: key[0],
    none=lambda: page_of([], ORDERS, PageArgs(), _nothing),
)
groups_of_customer = shown_to(
    "customers:read",
    many(
        select(*CustomerGroup.__table__.c, CustomerGroupMember.customer_id)
        .join(CustomerGroupMember, CustomerGroupMember.group_id == CustomerGroup.id)
        .order_by(CustomerGroup.name),
        CustomerGroupMember.customer_id,
    ),
    own=False,
)
"""How a shop sorts its customers is told to none of them."""
