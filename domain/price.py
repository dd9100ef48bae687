"""Prices: what a variant costs in a currency, a region and a quantity."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import Integer, Uuid, any_, bindparam, column, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import Variant
from db.connection import Read, Tx, new_id
from db.price import PriceListKind
from domain.money import LARGEST, digits
from domain.price_resolution import candidates, resolved
from domain.refusal import ValidationFailed

MOST_UNITS: Final = 1_000_000
"""The most that a line can have."""


@dataclass(frozen=True, slots=True)
class PriceDraft:
    """Amounts in minor units; `amount` None takes the price away. Region None: any region of the currency; price list
    None: base.
    """

    variant_id: UUID
    currency: str
    amount: int | None
    compare_at: int | None = None
    region_id: UUID | None = None
    min_quantity: int = 1
    price_list_id: UUID | None = None

    def __post_init__(self) -> None:
        digits(self.currency)
        for name, minor in (("amount", self.amount), ("compare_at", self.compare_at)):
            if minor is not None and not 0 <= minor <= LARGEST:
                raise ValidationFailed("A price is 0 or more.", path=(name,))
        if not 1 <= self.min_quantity <= MOST_UNITS:
            raise ValidationFailed("A price counts from a quantity of 1 to 1,000,000 on.", path=("min_quantity",))

    @property
    def key(self) -> tuple[UUID, str, UUID | None, UUID | None, int]:
        """What it is the price of: no other can have the same."""
        return self.variant_id, self.currency, self.price_list_id, self.region_id, self.min_quantity

    @property
    def row(self) -> dict[str, object]:
        return {
            "id": new_id(),
            "variant_id": self.variant_id,
            "currency": self.currency,
            "region_id": self.region_id,
            "price_list_id": self.price_list_id,
            "min_quantity": self.min_quantity,
            "amount": self.amount,
            "compare_at": self.compare_at,
        }


# Whoever writes prices of a variant holds it: in the order of their ids, so that no two wait for each other crosswise.
_HELD: Final = (
    select(Variant.id)
    .where(Variant.id == any_(bindparam("variants", type_=ARRAY(Uuid))))
    .order_by(Variant.id)
    .with_for_update(key_share=True)
)
_WRITE: Final = text(
    """
    WITH given AS (SELECT * FROM jsonb_populate_recordset(CAST(NULL AS price), :rows)),
    gone AS (
        DELETE FROM price USING given
        WHERE given.amount IS NULL
          AND price.variant_id = given.variant_id AND price.currency = given.currency
          AND price.price_list_id IS NOT DISTINCT FROM given.price_list_id
          AND price.region_id IS NOT DISTINCT FROM given.region_id AND price.min_quantity = given.min_quantity
        RETURNING price.variant_id
    ),
    written AS (
        INSERT INTO price (id, variant_id, currency, price_list_id, region_id, min_quantity, amount, compare_at)
        SELECT id, variant_id, currency, price_list_id, region_id, min_quantity, amount, compare_at FROM given
        WHERE amount IS NOT NULL
        ON CONFLICT (variant_id, currency, price_list_id, region_id, min_quantity) DO UPDATE
        SET amount = excluded.amount, compare_at = excluded.compare_at
        WHERE (price.amount, price.compare_at) IS DISTINCT FROM (excluded.amount, excluded.compare_at)
        RETURNING variant_id
    )
    SELECT variant_id FROM gone UNION ALL SELECT variant_id FROM written
    """
)


async def set_prices(tx: Tx, prices: Iterable[PriceDraft]) -> list[UUID]:
    """Writes what differs, by two statements; one entry per price changed: its variant's id.

    Of two drafts for the same variant, currency, price list, region and quantity the later one counts.
    """
    rows = {price.key: price.row for price in prices}
    if not rows:
        return []
    await tx.scalars(_HELD, variants=list({row["variant_id"] for row in rows.values()}))
    return [row.variant_id for row in await tx.records(_WRITE.bindparams(rows=list(rows.values())))]


class Wanted(NamedTuple):
    """A price is asked for by variant and quantity, in a region and its currency, for a customer; null: a guest."""

    variant_id: UUID
    quantity: int
    region_id: UUID
    customer_id: UUID | None = None


class Found(Protocol):
    """Per unit, in minor units; gross or net as the region says. `min_quantity` is the tier that applied.

    `original` is the regular price, `amount` the lower one of it and of a sale. `list_id` is the price list of
    `amount`; null: base.
    """

    @property
    def amount(self) -> int: ...
    @property
    def original(self) -> int: ...
    @property
    def compare_at(self) -> int | None: ...
    @property
    def currency(self) -> str: ...
    @property
    def min_quantity(self) -> int: ...
    @property
    def tax_included(self) -> bool: ...
    @property
    def list_id(self) -> UUID | None: ...
    @property
    def list_kind(self) -> PriceListKind | None: ...
    @property
    def list_ends_at(self) -> datetime | None: ...


def _asked() -> Any:
    """`Wanted`s as arrays, with their positions from 1 on."""
    uuids, numbers = ARRAY(Uuid), ARRAY(Integer)
    columns = (
        column("variant_id", Uuid),
        column("quantity", Integer),
        column("region_id", Uuid),
        column("customer_id", Uuid),
    )
    given = func.unnest(
        bindparam("variants", type_=uuids),
        bindparam("quantities", type_=numbers),
        bindparam("regions", type_=uuids),
        bindparam("customers", type_=uuids),
    )
    return given.table_valued(*columns, with_ordinality="position", name="wanted").render_derived()


WANTED: Final = _asked()
BEST: Final = resolved(WANTED, "position")
_POSSIBLE: Final = candidates(WANTED).subquery("possible")
_STEPS: Final = (
    select(
        _POSSIBLE.c.position,
        _POSSIBLE.c.variant_id,
        _POSSIBLE.c.min_quantity.label("quantity"),
        _POSSIBLE.c.region_id,
        _POSSIBLE.c.customer_id,
    )
    .distinct()
    .cte("step")
)
_BY_STEP: Final = resolved(_STEPS, "position", "quantity")
LADDER: Final = _BY_STEP.order_by(*_BY_STEP.selected_columns["position", "quantity"])


def _ranges() -> Any:
    """From the cheapest to the dearest live variant of products, with their positions from 1 on."""
    uuids = ARRAY(Uuid)
    given = func.unnest(
        bindparam("products", type_=uuids), bindparam("regions", type_=uuids), bindparam("customers", type_=uuids)
    )
    columns = (column("product_id", Uuid), column("region_id", Uuid), column("customer_id", Uuid))
    asked = given.table_valued(*columns, with_ordinality="position", name="asked").render_derived()
    variants = (
        select(
            asked.c.position,
            Variant.id.label("variant_id"),
            literal(1).label("quantity"),
            asked.c.region_id,
            asked.c.customer_id,
        )
        .join(Variant, Variant.product_id == asked.c.product_id)
        .where(Variant.archived_at.is_(None))
        .cte("of_product")
    )
    price = resolved(variants, "position", "variant_id").subquery("price")
    return select(
        price.c.position,
        func.min(price.c.amount).label("minimum"),
        func.max(price.c.amount).label("maximum"),
        func.min(price.c.currency).label("currency"),
        func.bool_and(price.c.tax_included).label("tax_included"),
    ).group_by(price.c.position)


RANGES: Final = _ranges()


async def ranges(read: Read, wanted: Sequence[tuple[UUID, UUID, UUID | None]]) -> list[Any]:
    """What one unit of products costs at least and at most, each (product, region, customer), by one statement.

    Rows of minimum, maximum, currency and tax_included, in the order of `wanted`; null: none of it is for sale there.
    """
    found: list[Any] = [None] * len(wanted)
    if wanted:
        products, regions, customers = (list(one) for one in zip(*wanted, strict=True))
        given = {"products": products, "regions": regions, "customers": customers}
        for row in await read.records(RANGES, **given, at=None, groups=[]):
            found[row["position"] - 1] = row
    return found


async def best(
    read: Read, wanted: Sequence[Wanted], *, at: datetime | None = None, groups: Sequence[UUID] = ()
) -> list[Found | None]:
    """The price of each, in their order, by one statement; null: not for sale there. `at` null: now.

    `groups` are customer groups that count for all of them, besides those of each one's customer.
    """
    found: list[Found | None] = [None] * len(wanted)
    if wanted:
        for row in await read.records(BEST, **_parameters(wanted), at=at, groups=list(groups)):
            found[row["position"] - 1] = row
    return found


def _parameters(wanted: Sequence[Wanted]) -> dict[str, Any]:
    variants, quantities, regions, customers = (list(column) for column in zip(*wanted, strict=True))
    return {"variants": variants, "quantities": quantities, "regions": regions, "customers": customers}


async def ladders(read: Read, wanted: Sequence[Wanted]) -> list[list[Found]]:
    """The prices of each by rising quantity, whatever quantity is wanted, by one statement: only where they change."""
    steps: list[list[Any]] = [[] for _ in wanted]
    if wanted:
        for row in await read.records(LADDER, **_parameters(wanted), at=None, groups=[]):
            ladder = steps[row["position"] - 1]
            if not ladder or _shown(ladder[-1]) != _shown(row):
                ladder.append(row)
    return steps


def _shown(row: Any) -> tuple[int, int, int | None]:
    return row["amount"], row["original"], row["compare_at"]
