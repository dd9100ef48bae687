"""The shop itself, as a storefront begins with it."""

import strawberry

from resolvers import shop as start
from resolvers.context import PUBLIC
from schema.build import asks, derived, query, view
from schema.region import PaymentOption, Region
from schema.scalars import BigInt, CurrencyCode


@view()
class ShopLimits:
    """How much at once. What a single document may ask for is told by its refusal."""

    page_size: int = strawberry.field(description="The most that `first` and `last` may be.")
    cart_lines: int = strawberry.field(description="Lines of one cart.")
    line_quantity: int = strawberry.field(description="Units of one line, where the variant sets no other limit.")
    upload_size: BigInt = strawberry.field(description="Bytes of one file.")


@view()
class Shop:
    """What a storefront has to know before it shows anything."""

    name: str | None = asks(start.name, "What it calls itself in its mails; null: nothing.", shared=True)
    region: Region | None = asks(
        start.region, "That of the context, else the default one. Null: it sells nowhere yet.", shared=True
    )
    regions: list[Region] = derived(lambda row: row["regions"], "All that are sold to, the default one first.")
    currencies: list[CurrencyCode] = derived(
        lambda row: list(dict.fromkeys(region["currency"] for region in row["regions"])),
        "Those of its regions, that of the default one first.",
    )
    channel_id: strawberry.ID = asks(start.channel, "The sales channel of the context.", shared=True)
    locales: list[str] = asks(
        start.locales,
        "In which there are translations of anything that is shown in the channel, by name. Texts that have none are "
        "shown as they were written, which is also the answer without a locale.",
        shared=True,
    )
    payment_options: list[PaymentOption] = asks(
        start.payment_options, "How carts of the context's region can be paid.", shared=True
    )
    limits: ShopLimits = asks(start.limits, "How much at once.", shared=True)


@view()
class ShopQuery:
    """Reads."""

    shop: Shop = query(start.shop, PUBLIC, "The shop itself: what a storefront begins with.", shared=True)
