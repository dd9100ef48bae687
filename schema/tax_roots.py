"""The root fields that are about taxes."""

from typing import Any

import strawberry

from resolvers import tax
from resolvers.context import Ctx
from resolvers.page import Page
from schema import tax as types
from schema.build import arg, mutation, optional, query, view
from schema.money import MoneyInput
from schema.node import PAGE_ARGS, Connection, page_args
from schema.scalars import CountryCode

READ = "tax:read"
WRITE = "tax:write"


async def _rates(ctx: Ctx, country: str | None, tax_class_code: str | None, **args: Any) -> Page:
    return await tax.tax_rates(ctx, page_args(**args), country, tax_class_code)


@view()
class TaxQuery:
    """Reads."""

    tax_classes: list[types.TaxClass] = query(
        tax.tax_classes, READ, "All tax classes, the default one first, also archived ones. Needs `tax:read`."
    )
    tax_rates: Connection[types.TaxRate] = query(
        _rates,
        READ,
        "Rates, oldest first. Needs `tax:read`.",
        country=optional(CountryCode, "Those of one country and its parts."),
        tax_class_code=optional(str, "Those of one class."),
        **PAGE_ARGS,
    )
    region_tax: types.RegionTax | None = query(
        tax.region, READ, "How taxes are counted in a region. Needs `tax:read`.", region_id=arg(strawberry.ID, "Which.")
    )
    tax_preview: types.TaxPreview = query(
        tax.preview,
        READ,
        "How an amount would be taxed that is paid in a region and goes to an address. Its provider of taxes may be "
        "asked. Needs `tax:read`.",
        region_id=arg(strawberry.ID, "Where it is bought."),
        address=arg(types.TaxAddressInput, "Where it goes."),
        tax_class_code=optional(str, types.CLASS),
        amount=arg(MoneyInput, "In the region's currency, with or without tax as the region shows prices."),
    )


@view()
class TaxMutation:
    """Writes."""

    tax_class_create: types.TaxClassCreatePayload = mutation(
        types.TaxClassCreateInput, tax.create_class, WRITE, "Makes a tax class. Needs `tax:write`."
    )
    tax_class_update: types.TaxClassUpdatePayload = mutation(
        types.TaxClassUpdateInput, tax.update_class, WRITE, "Changes a tax class. Needs `tax:write`."
    )
    tax_class_archive: types.TaxClassArchivePayload = mutation(
        types.TaxClassArchiveInput,
        tax.archive_class,
        WRITE,
        "Takes a tax class out of use: nobody can choose it any more. Needs `tax:write`.",
    )
    tax_rate_create: types.TaxRateCreatePayload = mutation(
        types.TaxRateCreateInput, tax.create_rate, WRITE, "Makes a rate. Needs `tax:write`."
    )
    tax_rate_update: types.TaxRateUpdatePayload = mutation(
        types.TaxRateUpdateInput, tax.update_rate, WRITE, "Changes a rate. Needs `tax:write`."
    )
    tax_rate_remove: types.TaxRateRemovePayload = mutation(
        types.TaxRateRemoveInput, tax.remove_rate, WRITE, "Removes a rate. Needs `tax:write`."
    )
    region_set_tax: types.RegionSetTaxPayload = mutation(
        types.RegionSetTaxInput,
        tax.set_region,
        WRITE,
        "Says how taxes are counted in a region. Needs `tax:write`.",
    )
