"""Making the variants that a product lacks: one for each combination of its values that there is no live one of."""

from collections.abc import Iterator
from itertools import product as every
from math import prod
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx
from domain import audit, catalog_lock
from domain.actor import Actor
from domain.money import Money
from domain.option import Choices, Chosen, choices_of
from domain.price import PriceDraft, set_prices
from domain.product import MOST_VARIANTS
from domain.variant import TooManyVariants
from domain.variant_batch import VariantBatch, Wanted

LARGEST_COUNT: Final = 2**31 - 1
"""What is told of more than that: ten options can have more combinations than clients can count."""


async def generate(
    tx: Tx, product_id: UUID, price: Money | None, actor: Actor, *, if_version: int | None = None
) -> list[UUID]:
    """The new variants, in the order of their values, behind those that there are; each with the price, if one is
    given, in all regions of its currency. Refuses before anything is made if they were too many.
    """
    await catalog_lock.lock_editable(tx, product_id, if_version)
    choices = (await choices_of(tx, [product_id]))[product_id]
    count = prod(len(option.values) for option in choices.options) if choices.options else 0
    if count > MOST_VARIANTS:
        raise TooManyVariants(path=("product_id",), count=min(count, LARGEST_COUNT))
    batch = VariantBatch()
    there = {tuple(row.combination) for row in await tx.records(_LIVE, product=product_id)}
    made = [batch.put(Wanted(choices, {}, wanted)) for wanted in _missing(choices, there)]
    await batch.check(tx)
    await batch.write(tx)
    if price is not None:
        await set_prices(tx, [PriceDraft(variant, price.currency, price.minor) for variant in made])
    if made:
        difference = {"variants": [choices.live, choices.live + len(made)]}
        difference |= audit.changed({}, {"price": price and {"amount": str(price.amount), "currency": price.currency}})
        await audit.record(tx, actor, "variantsGenerate", f"product:{product_id}", difference)
    return made


def _missing(choices: Choices, there: set[tuple[Any, ...]]) -> Iterator[list[Chosen]]:
    for values in every(*(option.values for option in choices.options)):
        if tuple(sorted(value.id for value in values)) not in there:
            yield [Chosen(o.row.name, value.name) for o, value in zip(choices.options, values, strict=True)]


_LIVE: Final = text("SELECT combination FROM variant WHERE product_id = :product AND archived_at IS NULL")
