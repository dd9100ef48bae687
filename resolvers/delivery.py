"""Ways of delivery of a region, for staff."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select

from db import DeliveryOption, Region
from db.connection import Read
from db.delivery import LOCAL, DeliveryKind
from domain import delivery_option
from domain.delivery_option import DeliveryDraft, Tier
from domain.money import minor_units
from domain.refusal import NotFound, ValidationFailed, gathered, under
from resolvers import ids
from resolvers.context import Ctx

ROWS: Final = select(*DeliveryOption.__table__.c, Region.currency).join(Region, Region.id == DeliveryOption.region_id)
_OF_REGION: Final = ROWS.where(
    DeliveryOption.region_id == bindparam("region_id"), DeliveryOption.archived_at.is_(None)
).order_by(DeliveryOption.position, DeliveryOption.id)
_BY_ID: Final = ROWS.where(DeliveryOption.id == bindparam("id"))
_CURRENCY: Final = select(Region.currency).where(Region.id == bindparam("id"))
_CURRENCY_OF_OPTION: Final = (
    select(Region.currency)
    .join(DeliveryOption, DeliveryOption.region_id == Region.id)
    .where(DeliveryOption.id == bindparam("id"))
)


async def options(ctx: Ctx, region_id: str) -> list[Any]:
    """Of a region, also those that are not in use."""
    return await ctx.read.records(_OF_REGION, region_id=ids.decode("Region", region_id, "region_id"))


async def find(ctx: Ctx, key: UUID) -> Any:
    """For those who may see all."""
    if not ctx.actor.may("delivery:read"):
        return None
    return next(iter(await ctx.read.records(_BY_ID, id=key)), None)


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    region_id = ids.decode("Region", given.region_id, "region_id")
    currency = await _currency(ctx.read, _CURRENCY, region_id, "region_id")
    draft = _draft(ctx, given.option, currency)
    async with ctx.shop.tx() as tx:
        made = await delivery_option.create(tx, region_id, draft, ctx.actor)
    return {"delivery_option": _row(made, currency)}


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    option_id = ids.decode("DeliveryOption", given.option_id, "option_id")
    currency = await _currency(ctx.read, _CURRENCY_OF_OPTION, option_id, "option_id")
    draft = _draft(ctx, given.option, currency)
    async with ctx.shop.tx() as tx:
        changed = await delivery_option.change(tx, option_id, draft, ctx.actor)
    return {"delivery_option": _row(changed, currency)}


async def archive(ctx: Ctx, given: Any) -> dict[str, Any]:
    option_id = ids.decode("DeliveryOption", given.option_id, "option_id")
    currency = await _currency(ctx.read, _CURRENCY_OF_OPTION, option_id, "option_id")
    async with ctx.shop.tx() as tx:
        archived = await delivery_option.archive(tx, option_id, ctx.actor)
    return {"delivery_option": _row(archived, currency)}


def _row(row: Any, currency: str) -> dict[str, Any]:
    return {**row, "currency": currency}


async def _currency(read: Read, statement: Any, key: UUID, path: str) -> str:
    currency: str | None = await read.scalar(statement, id=key)
    if currency is None:
        raise NotFound(path=(path,))
    return currency


def _draft(ctx: Ctx, given: Any, currency: str) -> DeliveryDraft:
    plain = ("code", "name", "position", "active", "tax_treatment", "tax_class_code", "provider")
    with under("option"):
        if given.provider != LOCAL and given.provider not in ctx.shop.deliveries:
            known = ", ".join([LOCAL, *sorted(ctx.shop.deliveries)])
            raise ValidationFailed(f"There is no such provider of delivery; choose of: {known}.", path=("provider",))
        return DeliveryDraft(
            **{name: getattr(given, name) for name in plain},
            kind=given.kind,
            tiers=tuple(gathered(list(_tiers(given, currency)))),
            free_from=_minor(given.free_from, currency, "free_from"),
            fallback=_minor(given.fallback, currency, "fallback"),
            tax_rates=tuple((rate.name, rate.rate) for rate in given.tax_rates or ()),
            countries=tuple(given.countries or ()),
            days_min=given.estimated_days.minimum if given.estimated_days else None,
            days_max=given.estimated_days.maximum if given.estimated_days else None,
        )


def _tiers(given: Any, currency: str) -> Iterator[Any]:
    for index, tier in enumerate(given.tiers or ()):
        yield ("tiers", str(index)), lambda tier=tier: _tier(tier, given.kind, currency)


def _tier(tier: Any, kind: DeliveryKind, currency: str) -> Tier:
    if tier.weight_grams is not None and kind != DeliveryKind.BY_WEIGHT:
        raise ValidationFailed("Only a price BY_WEIGHT has this.", path=("weight_grams",))
    if tier.subtotal is not None and kind != DeliveryKind.BY_SUBTOTAL:
        raise ValidationFailed("Only a price BY_SUBTOTAL has this.", path=("subtotal",))
    start = tier.weight_grams if tier.weight_grams is not None else _minor(tier.subtotal, currency, "subtotal")
    return Tier(start or 0, _minor(tier.amount, currency, "amount"))


def _minor(given: Any, currency: str, path: str) -> int | None:
    """In the currency of the region, and in no other."""
    if given is None:
        return None
    with under(path):
        if given.currency != currency:
            raise ValidationFailed(f"The region's currency is {currency}.", path=("currency",))
        return minor_units(given.amount, currency)
