"""Regions."""

import strawberry

from db import Region as Row
from schema.build import column, view
from schema.node import Node, public_id
from schema.scalars import CurrencyCode


@view(Row)
class Region(Node):
    """A market: one currency, some countries, and a way of showing tax. Choose one by `@inContext(region:)`."""

    id: strawberry.ID = public_id("Region")
    code: str = column("Short name for addresses and settings: `eu`.")
    name: str = column("Shown to shoppers.")
    currency: CurrencyCode = column("What everything costs there is in this currency.")
    tax_inclusive: bool = column("Prices are shown with tax.")
    is_default: bool = column("Used when nothing else is asked for.")
