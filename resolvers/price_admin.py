"""Price lists and prices, for staff."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, Select, Text, Uuid, bindparam, false, or_, select, true

from db import CustomerGroup, Price, PriceList, PriceListGroup
from db.price import PriceListKind, PriceListStatus
from domain import price_explanation, price_list, price_upsert
from domain.money import minor_units
from domain.price import MOST_UNITS
from domain.price_explanation import Asked
from domain.price_list import CreatePriceList, UpdatePriceList
from domain.price_upsert import PriceRow
from domain.refusal import Gathering, ValidationFailed
from resolvers import ids
from resolvers.batches import connected, many, one
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort
from resolvers.upsert import refuse_all, rows_of

READ: Final = "prices:read"
LISTS: Final = select(PriceList)
PRICES: Final = select(Price)
BY_VARIANT: Final = Sort("price.variant", (Price.variant_id, Price.id))
list_by_id = one(LISTS, PriceList.id)
price_by_id = one(PRICES, Price.id)
prices_of_list = connected(PRICES, Price.price_list_id, BY_VARIANT)
groups_of_list = many(
    select(PriceListGroup.price_list_id, CustomerGroup.id, CustomerGroup.name)
    .join(CustomerGroup, CustomerGroup.id == PriceListGroup.group_id)
    .order_by(CustomerGroup.name, CustomerGroup.id),
    PriceListGroup.price_list_id,
)


def _unless(name: str, type_: Any, condition: Any) -> Any:
    """Whether the condition holds, or the statement's parameter is null: nothing is asked for there."""
    return or_(bindparam(name, type_=type_).is_(None), condition)


def _filtered() -> Select[Any]:
    is_base = bindparam("is_base", type_=Boolean)
    return PRICES.where(
        _unless("variant_id", Uuid, Price.variant_id == bindparam("variant_id", type_=Uuid)),
        _unless("price_list_id", Uuid, Price.price_list_id == bindparam("price_list_id", type_=Uuid)),
        _unless("region_id", Uuid, Price.region_id == bindparam("region_id", type_=Uuid)),
        _unless("currency", Text, Price.currency == bindparam("currency", type_=Text)),
        _unless("is_base", Boolean, Price.price_list_id.is_(None) == is_base),
    )


_PRICES: Final = Listed(_filtered(), BY_VARIANT)
_LISTS: Final = Listed(
    LISTS.where(_unless("status", Text, PriceList.status == bindparam("status", type_=Text))),
    Sort("price_list.id", (PriceList.id,), descending=True),
)


async def lists(ctx: Ctx, args: PageArgs, status: PriceListStatus | None) -> Page:
    return await _LISTS.page(ctx, args, status=status)


async def price_list_of(ctx: Ctx, by_id: str) -> Any:
    return await ctx.load(list_by_id, ids.decode("PriceList", by_id, "id"))


async def find_list(ctx: Ctx, key: UUID) -> Any:
    """For those who may see all."""
    seen = true() if ctx.actor.may(READ) else false()
    return await ctx.read.first(LISTS.where(PriceList.id == key, seen))


async def find_price(ctx: Ctx, key: UUID) -> Any:
    """For those who may see all."""
    seen = true() if ctx.actor.may(READ) else false()
    return await ctx.read.first(PRICES.where(Price.id == key, seen))


async def prices(ctx: Ctx, args: PageArgs, wanted: Any) -> Page:
    """`wanted` null: all that there are."""
    named = {"variant_id": "Variant", "price_list_id": "PriceList", "region_id": "Region"}
    keys = {name: _key(kind, getattr(wanted, name, None), "filter", name) for name, kind in named.items()}
    plain = {name: getattr(wanted, name, None) for name in ("currency", "is_base")}
    return await _PRICES.page(ctx, args, **keys, **plain)


def _key(kind: str, public: str | None, *path: str) -> UUID | None:
    return None if public is None else ids.decode(kind, public, *path)


async def explain(ctx: Ctx, asked: Any) -> dict[str, Any]:
    groups = ids.decode_all("CustomerGroup", asked["customer_group_ids"] or [], "customer_group_ids")
    region = _key("Region", asked["region_id"], "region_id")
    if not 1 <= asked["quantity"] <= MOST_UNITS:
        raise ValidationFailed("A quantity is 1 to 1,000,000.", path=("quantity",))
    of = Asked(
        ids.decode("Variant", asked["variant_id"], "variant_id"),
        asked["quantity"],
        (await ctx.region()).id if region is None else region,
        tuple(groups),
        asked["at"],
    )
    explained = await price_explanation.explain(ctx.read, of)
    candidates = [{"price": row, "verdict": verdict} for row, verdict in explained.rows]
    return {"price": explained.price, "candidates": candidates}


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    groups = None if given.customer_group_ids is None else _groups(given.customer_group_ids)
    columns = {name: value for name, value in given.given.items() if name not in {"kind", "customer_group_ids"}}
    command = CreatePriceList(PriceListKind(given.kind), columns, groups)
    async with ctx.shop.tx() as tx:
        return {"price_list": await price_list.create(tx, command, ctx.actor)}


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    columns = {name: value for name, value in given.given.items() if name not in {"id", "if_version"}}
    command = UpdatePriceList(ids.decode("PriceList", given.id, "id"), columns, given.if_version)
    async with ctx.shop.tx() as tx:
        return {"price_list": await price_list.change(tx, command, ctx.actor)}


async def archive(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("PriceList", given.id, "id")
    async with ctx.shop.tx() as tx:
        return {"price_list": await price_list.archive(tx, key, given.if_version, ctx.actor)}


async def set_groups(ctx: Ctx, given: Any) -> dict[str, Any]:
    if "customer_group_ids" not in given.given:
        raise ValidationFailed("Name the groups, or give null: then it is for everybody.", path=("customer_group_ids",))
    key = ids.decode("PriceList", given.id, "id")
    groups = None if given.customer_group_ids is None else _groups(given.customer_group_ids)
    async with ctx.shop.tx() as tx:
        return {"price_list": await price_list.set_groups(tx, key, groups, given.if_version, ctx.actor)}


def _groups(public: list[str]) -> tuple[UUID, ...]:
    return tuple(ids.decode_all("CustomerGroup", public, "customer_group_ids"))


async def upsert(ctx: Ctx, given: Any) -> dict[str, Any]:
    rows = rows_of(given, _row)
    async with ctx.shop.tx() as tx:
        results = await price_upsert.upsert_prices(tx, rows, ctx.actor)
        refuse_all(results, given.on_error)
    return {"results": results}


def _row(row: Any) -> PriceRow:
    gathering, keys, amounts = Gathering(), dict[str, UUID | None](), dict[str, int | None]()
    for name, kind in (("variant_id", "Variant"), ("price_list_id", "PriceList"), ("region_id", "Region")):
        with gathering.at():
            keys[name] = _key(kind, getattr(row, name), name)
    for name in ("amount", "compare_at"):
        with gathering.at():
            amounts[name] = _minor(row, name)
    if "amount" not in row.given:
        with gathering.at("amount"):
            raise ValidationFailed("Give an amount, or null to take the price away.")
    gathering.raise_if_any()
    return PriceRow(
        sku=row.sku,
        currency=row.currency,
        keeps_compare_at="compare_at" not in row.given,
        min_quantity=1 if row.min_quantity is None else row.min_quantity,
        **keys,  # pyright: ignore[reportArgumentType]
        **amounts,  # pyright: ignore[reportArgumentType]
    )


def _minor(row: Any, name: str) -> int | None:
    value = getattr(row, name)
    try:
        return None if value is None else minor_units(value, row.currency)
    except ValidationFailed as refused:
        raise ValidationFailed(refused.message, path=(name,)) from None
