"""Tax classes and rates, how regions count taxes, and what an amount would be taxed, for staff."""

from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Text, bindparam, false, or_, select, true
from sqlalchemy import cast as cast_

from db import TaxClass, TaxRate
from db.region import Region
from domain import region_tax
from domain import tax_class as classes
from domain import tax_rate as rates
from domain.address import COUNTRIES
from domain.money import minor_units
from domain.processes.quote_tax import preview as previewed
from domain.refusal import Gathering, NotFound, ValidationFailed, under
from domain.region_tax import SetRegionTax
from domain.tax import LOCAL
from domain.tax_class import CreateTaxClass, UpdateTaxClass
from domain.tax_rate import RateDraft, UpdateRate
from domain.totals import MOST_WORTH
from resolvers import ids
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort

_COUNTRY: Final = bindparam("country", type_=Text)
_CODE: Final = bindparam("code", type_=Text)
_CLASSES: Final = select(TaxClass).order_by(TaxClass.is_default.desc(), TaxClass.code)
_RATES: Final = Listed(
    select(TaxRate).where(
        or_(cast_(_COUNTRY, Text).is_(None), TaxRate.country == _COUNTRY),
        or_(cast_(_CODE, Text).is_(None), TaxRate.tax_class_code == _CODE),
    ),
    Sort("tax_rate.id", (TaxRate.id,)),
)
_CURRENCY: Final = select(Region.currency).where(Region.id == bindparam("id"))


async def tax_classes(ctx: Ctx) -> list[TaxClass]:
    return await ctx.read.all(_CLASSES)


async def tax_rates(ctx: Ctx, args: PageArgs, country: str | None, tax_class_code: str | None) -> Page:
    return await _RATES.page(ctx, args, country=country, code=tax_class_code)


async def find_class(ctx: Ctx, key: UUID) -> TaxClass | None:
    seen = true() if ctx.actor.may("tax:read") else false()
    return await ctx.read.first(select(TaxClass).where(TaxClass.id == key, seen))


async def find_rate(ctx: Ctx, key: UUID) -> TaxRate | None:
    seen = true() if ctx.actor.may("tax:read") else false()
    return await ctx.read.first(select(TaxRate).where(TaxRate.id == key, seen))


async def region(ctx: Ctx, region_id: str) -> Any:
    return await region_tax.find(ctx.read, ids.decode("Region", region_id, "region_id"))


async def preview(ctx: Ctx, region_id: str, address: Any, tax_class_code: str | None, amount: Any) -> dict[str, Any]:
    key = ids.decode("Region", region_id, "region_id")
    currency = await ctx.read.scalar(_CURRENCY, id=key)
    if currency is None:
        raise NotFound(path=("region_id",))
    gathering, minor = Gathering(), 0
    with gathering.at("address", "country"):
        if address.country not in COUNTRIES:
            raise ValidationFailed(f"{address.country!r} is not an ISO 3166 country code such as DE.")
    with gathering.at("tax_class_code"):
        await classes.check_usable(ctx.read, tax_class_code)
    with gathering.at("amount"):
        if amount.currency != currency:
            raise ValidationFailed(f"The region's currency is {currency}.", path=("currency",))
        minor = minor_units(amount.amount, currency)
        if minor < 0:
            raise ValidationFailed("An amount is 0 or more.", path=("amount",))
        if minor > MOST_WORTH:
            raise ValidationFailed("With taxes this would come to more than can be counted.", path=("amount",))
    gathering.raise_if_any()
    given = cast("dict[str, Any]", vars(address))
    place = {name: value or "" for name, value in given.items()}
    with under("amount"):
        found = await previewed(ctx.shop, key, place, tax_class_code, minor)
    return {**vars(found), "currency": currency}


async def create_class(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = CreateTaxClass(given.code, given.name, bool(given.is_default))
    async with ctx.shop.tx() as tx:
        return {"tax_class": await classes.create(tx, command, ctx.actor)}


async def update_class(ctx: Ctx, given: Any) -> dict[str, Any]:
    with under("name"):
        if "name" in given.given and given.name is None:
            raise ValidationFailed("This cannot be empty: leave it out, or say what it is to be.")
    command = UpdateTaxClass(ids.decode("TaxClass", given.id, "id"), given.name, given.is_default)
    async with ctx.shop.tx() as tx:
        return {"tax_class": await classes.change(tx, command, ctx.actor)}


async def archive_class(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("TaxClass", given.id, "id")
    async with ctx.shop.tx() as tx:
        return {"tax_class": await classes.archive(tx, key, ctx.actor)}


async def create_rate(ctx: Ctx, given: Any) -> dict[str, Any]:
    told: dict[str, Any] = {name: getattr(given, name) for name in rates.FIELDS}
    draft = RateDraft(**told)
    async with ctx.shop.tx() as tx:
        return {"tax_rate": await rates.create(tx, draft, ctx.actor)}


async def update_rate(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = UpdateRate(ids.decode("TaxRate", given.id, "id"), given.given)
    async with ctx.shop.tx() as tx:
        return {"tax_rate": await rates.change(tx, command, ctx.actor)}


async def remove_rate(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("TaxRate", given.id, "id")
    async with ctx.shop.tx() as tx:
        return {"tax_rate": await rates.remove(tx, key, ctx.actor)}


async def set_region(ctx: Ctx, given: Any) -> dict[str, Any]:
    key, provider = ids.decode("Region", given.region_id, "region_id"), given.tax_provider
    if provider != LOCAL and provider not in ctx.shop.taxes:
        known = ", ".join([LOCAL, *sorted(ctx.shop.taxes)])
        raise ValidationFailed(f"There is no such provider of taxes; choose of: {known}.", path=("tax_provider",))
    command = SetRegionTax(key, given.home_country, provider, given.if_version)
    async with ctx.shop.tx() as tx:
        return {"region_tax": await region_tax.change(tx, command, ctx.actor)}
