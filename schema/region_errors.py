"""`userErrors` of regions."""

import strawberry

from domain import region_change
from resolvers import ids
from schema.build import column, derived, view
from schema.errors import UserError


@view(region_change.CountryTaken)
class CountryTaken(UserError):
    """A country belongs to one region, and another one has it."""

    country: str = column("The country.")
    region_id: strawberry.ID | None = derived(
        lambda error: ids.encode("Region", error["region_id"]) if error.get("region_id") else None, "Which region."
    )
    region_name: str = column("Its name.")


@view(region_change.RegionInUse)
class RegionInUse(UserError):
    """Something is counted in the region's currency, so it stays."""

    open_carts: int = column("Carts that were begun there and are not completed.")
    prices: int = column("Prices of the region alone.")
    delivery_options: int = column("Ways of delivery there.")


REGION_ERRORS = (CountryTaken, RegionInUse)
