"""Tax classes, rates, and how regions count taxes, for staff."""

from datetime import datetime
from decimal import Decimal

import strawberry

from db import TaxClass as ClassRow
from db import TaxRate as RateRow
from domain.processes.quote_tax import Previewed
from resolvers import catalog
from schema.build import column, derived, given, input_type, loads, partial_input, required, view
from schema.errors import Payload
from schema.money import TaxAmount, TaxedMoney, tax_amounts, taxed
from schema.node import Node, public_id
from schema.region import Region
from schema.scalars import CountryCode

CLASS = "The code of a tax class; null: the default one."
SUBDIVISION = "ISO 3166-2, `US-CA` or `CA`; null: the whole country."
FROM = "The postcode from which on. Alone it means all that begin like it; null: any."
TO = "The last postcode, of as many characters as the first."
REPLACES = "It takes the place of rates of wider areas; otherwise it comes to them."


@view(ClassRow)
class TaxClass(Node):
    """Goods that are taxed alike. Products and ways of delivery that name none are of the default one."""

    id: strawberry.ID = public_id("TaxClass")
    code: str = column("Short name, unique; it stays.")
    name: str = column("For people.")
    is_default: bool = column("It is meant where none is named.")
    created_at: datetime = column("When it was made.")
    archived_at: datetime | None = column("Since when nobody can choose it; what has it is taxed by it still.")


@view(RateRow)
class TaxRate(Node):
    """A tax of a country, or of a part of one. All rates that fit where something goes add up."""

    id: strawberry.ID = public_id("TaxRate")
    country: CountryCode = column("Where it is taken.")
    subdivision: str | None = column("ISO 3166-2 without the country: `CA` of `US-CA`; null: everywhere in it.")
    postcode_from: str | None = column("A postcode is meant whose first characters, as many, are not before these.")
    postcode_to: str | None = column("And not after these; the same twice: all that begin so.")
    tax_class_code: str = column("What it is taken of, by the code of the class.")
    name: str = column("As customers see it, for example VAT.")
    rate: Decimal = column("As a fraction: 0.21 is 21 %.")
    replaces: bool = column("It takes the place of rates of wider areas; otherwise it comes to them.")


@view()
class RegionTax:
    """How taxes are counted in a region."""

    region: Region = loads(catalog.region_by_id, "id", "Which one.")
    home_country: CountryCode | None = derived(
        lambda row: row["home"],
        "Whose taxes count while nobody has said where something goes. Null: the region has no countries.",
    )
    tax_provider: str = strawberry.field(description="Who counts; `local`: the rates that are stored here.")


@view(Previewed)
class TaxPreview:
    """How an amount would be taxed."""

    total: TaxedMoney = derived(lambda p: taxed(p["total"].net, p["total"].tax, p["currency"]), "What it comes to.")
    taxes: list[TaxAmount] = derived(
        lambda p: tax_amounts((tax.data for tax in p["total"].taxes), p["currency"]), "By rate."
    )
    provider: str = column("Who counted; `local`: the rates that are stored here.")
    is_fallback: bool = column("The region's provider gave no answer.")
    is_outside: bool = column("The address lies outside of the region: its home's tax is not in the amount any more.")


@input_type
class TaxAddressInput:
    """As much of an address as taxes depend on."""

    country: CountryCode = required("Which country.")
    province: str | None = given("State or province, by its code or its name.")
    postal_code: str | None = given("Postcode.")
    city: str | None = given("For providers that ask for it.")
    address1: str | None = given("Likewise.")


@input_type
class TaxClassCreateInput:
    """A new tax class. It has no rates yet: what is of it is not taxed before some are made."""

    code: str = required("Unique: small letters, digits and hyphens. It stays.")
    name: str = required("For people, at most 100 characters.")
    is_default: bool = given("It is to be meant where none is named.", False)


@partial_input
class TaxClassUpdateInput:
    """A tax class that is to be another; what is left out stays."""

    id: strawberry.ID = required("Which one.")
    name: str | None = given("For people, at most 100 characters.")
    is_default: bool | None = given("`true`: it becomes the default one, in place of that which is.")


@input_type
class TaxClassArchiveInput:
    """A tax class that nobody shall choose any more."""

    id: strawberry.ID = required("Which one; never the default one.")


@input_type
class TaxRateCreateInput:
    """A new rate."""

    country: CountryCode = required("Where it is taken.")
    name: str = required("As customers see it, for example VAT; unique for the same place and class.")
    rate: Decimal = required("As a fraction, with at most six decimal places: 0.21 is 21 %.")
    tax_class_code: str | None = given(CLASS)
    subdivision: str | None = given(SUBDIVISION)
    postcode_from: str | None = given(FROM)
    postcode_to: str | None = given(TO)
    replaces: bool = given(REPLACES, False)


@partial_input
class TaxRateUpdateInput:
    """A rate that is to be another; what is left out stays, null empties."""

    id: strawberry.ID = required("Which one.")
    country: CountryCode | None = given("Where it is taken.")
    name: str | None = given("As customers see it; unique for the same place and class.")
    rate: Decimal | None = given("As a fraction, with at most six decimal places: 0.21 is 21 %.")
    tax_class_code: str | None = given(CLASS)
    subdivision: str | None = given(SUBDIVISION)
    postcode_from: str | None = given(FROM)
    postcode_to: str | None = given(TO)
    replaces: bool | None = given(REPLACES)


@input_type
class TaxRateRemoveInput:
    """A rate that is not taken any more."""

    id: strawberry.ID = required("Which one.")


@input_type
class RegionSetTaxInput:
    """How taxes are to be counted in a region; all of it."""

    region_id: strawberry.ID = required("Which one.")
    home_country: CountryCode | None = given("One of its countries; without it, the first by its code.")
    tax_provider: str = given("Who counts; `local`: the rates that are stored here.", "local")
    if_version: int | None = given("The region's version that this is a change of; another one is refused.")


@view()
class TaxClassCreatePayload(Payload):
    """A new tax class."""

    tax_class: TaxClass | None = strawberry.field(description="What was made.")


@view()
class TaxClassUpdatePayload(Payload):
    """A tax class as it is now."""

    tax_class: TaxClass | None = strawberry.field(description="What it is now.")


@view()
class TaxClassArchivePayload(Payload):
    """A tax class that nobody can choose any more."""

    tax_class: TaxClass | None = strawberry.field(description="What it was.")


@view()
class TaxRateCreatePayload(Payload):
    """A new rate."""

    tax_rate: TaxRate | None = strawberry.field(description="What was made.")


@view()
class TaxRateUpdatePayload(Payload):
    """A rate as it is now."""

    tax_rate: TaxRate | None = strawberry.field(description="What it is now.")


@view()
class TaxRateRemovePayload(Payload):
    """A rate that is no more; orders keep what was agreed."""

    tax_rate: TaxRate | None = strawberry.field(description="What it was.")


@view()
class RegionSetTaxPayload(Payload):
    """How taxes are counted in a region now."""

    region_tax: RegionTax | None = strawberry.field(description="What holds now.")
