"""Regions."""

from datetime import datetime

import strawberry

from db import Region as Row
from db.region import Rounding
from resolvers import region
from schema.build import column, derived, enum, given, input_type, loads, partial_input, required, view
from schema.errors import Payload
from schema.node import Node, public_id
from schema.scalars import CountryCode, CurrencyCode, Json

enum(
    Rounding,
    "How taxes are rounded to what the currency has.",
    HALF_UP="Halves away from zero.",
    HALF_EVEN="Halves to the even neighbour.",
)


@view(Row)
class RegionStaffDetails:
    """What staff see of a region besides what everybody sees."""

    rounding: Rounding = column("How its taxes are rounded.")
    payment_providers: list[str] | None = column("Through which its carts are paid. Null: any that the shop has.")
    external_id: str | None = column("What another system calls it; unique.")
    translations: Json = column('Its name by locale: `{"de": {"name": "Europa"}}`.')
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it was last changed.")


@view(Row)
class Region(Node):
    """A market: one currency, some countries, and a way of showing tax. Choose one by `@inContext(region:)`."""

    id: strawberry.ID = public_id("Region")
    code: str = column("Short name for addresses and settings: `eu`.")
    name: str = column("Shown to shoppers.")
    currency: CurrencyCode = column("What everything costs there is in this currency.")
    tax_inclusive: bool = column("Prices are shown with tax.")
    is_default: bool = column("Used when nothing else is asked for.")
    countries: list[CountryCode] = loads(
        region.countries_of_region,
        "id",
        "The countries sold to.",
        then=lambda rows: [row["country"] for row in rows],
    )
    metadata: Json = derived(lambda row: row["metadata"], "What the shop notes about it for its storefronts.")
    version: int = column("Rises with every change.")
    archived_at: datetime | None = column("Since when nothing is for sale there. Null: it is not archived.")
    admin: RegionStaffDetails | None = loads(
        region.details_of_region, "id", "What staff see besides. Null without `regions:write`."
    )


@view()
class PaymentOption:
    """A way in which a cart can be paid."""

    provider: str = strawberry.field(description="Its name, for `paymentSessionCreate` or `cartComplete`.")
    needs_session: bool = strawberry.field(description="`paymentSessionCreate` comes before `cartComplete`.")


@input_type
class _RegionFields:
    """What a region can be told to be."""

    countries: list[CountryCode] | None = given(
        "All countries sold to. One belongs to one region: it is refused if another has it."
    )
    move_countries: bool | None = given("`true`: countries that other regions have are taken from them.")
    rounding: Rounding | None = given("How its taxes are rounded.")
    is_default: bool | None = given("`true`: it becomes the default one, in place of that which is.")
    payment_providers: list[str] | None = given("Through which its carts are paid; null: any that the shop has.")
    translations: Json | None = given('Its name by locale: `{"de": {"name": "Europa"}}`.')
    metadata: Json | None = given("What the shop notes about it for its storefronts, at most 16 KiB.")
    external_id: str | None = given("What another system calls it; null: nothing.")


@partial_input
class RegionCreateInput(_RegionFields):
    """A new region."""

    code: str = required("Short name for addresses and settings, unique: `eu`.")
    name: str = required("Shown to shoppers; unique.")
    currency: CurrencyCode = required("What everything costs there is in this currency.")
    tax_inclusive: bool = required("Prices are shown with tax.")


@partial_input
class RegionUpdateInput(_RegionFields):
    """A region that is to be another; what is left out stays."""

    id: strawberry.ID = required("Which one.")
    if_version: int | None = given("Only if it is at this version.")
    code: str | None = given("Short name for addresses and settings; unique.")
    name: str | None = given("Shown to shoppers; unique.")
    currency: CurrencyCode | None = given(
        "Only while it has no open carts, and no prices or ways of delivery of its own."
    )
    tax_inclusive: bool | None = given("Prices are shown with tax.")


@input_type
class RegionArchiveInput:
    """A region in which nothing shall be sold any more."""

    id: strawberry.ID = required("Which one; never the default one.")
    if_version: int | None = given("Only if it is at this version.")


@view()
class RegionCreatePayload(Payload):
    """A new region."""

    region: Region | None = strawberry.field(description="The region.")


@view()
class RegionUpdatePayload(Payload):
    """A region as it is now."""

    region: Region | None = strawberry.field(description="The region.")


@view()
class RegionArchivePayload(Payload):
    """A region as it was last."""

    region: Region | None = strawberry.field(description="The region.")
