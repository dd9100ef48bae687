"""From which shelves an order is served: demand is summed, then spread over levels in the order of their locations.

Pure arithmetic; reservation.py locks the levels that are planned on, and takes what was planned.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from domain.refusal import ErrorCode, Gathering, Refusal


@dataclass(eq=False)
class InsufficientStock(Refusal):
    """`available_quantity` is how many units of this line could be had, 0 or more."""

    available_quantity: int = 0
    variant_id: UUID | None = None
    line_id: UUID | None = None
    code = ErrorCode.INSUFFICIENT_STOCK


@dataclass(frozen=True)
class Need:
    """Units of a variant that an order line wants; a refusal names the cart line it came from."""

    order_line_id: UUID
    cart_line_id: UUID
    variant_id: UUID
    units: int


@dataclass(frozen=True)
class Demand:
    """What a need takes of one stock item: several items when the variant is a bundle.

    Without an item nobody has counted the variant yet, and there is nothing to take from. `only_level` is the one
    that can be taken from, where there is just one.
    """

    need: Need
    item_id: UUID | None
    per_unit: int
    only_level: UUID | None = None

    @property
    def quantity(self) -> int:
        return self.need.units * self.per_unit


@dataclass
class Level:
    """A candidate to take from; `free` falls while it is planned on."""

    id: UUID
    item_id: UUID
    free: int


@dataclass(frozen=True)
class Taking:
    order_line_id: UUID
    level_id: UUID
    quantity: int
    per_unit: int = 1


def plan(demands: Sequence[Demand], levels: Sequence[Level]) -> list[Taking]:
    """Takes from levels in the order given; two lines of one item are summed because `free` falls.

    Refuses with every line that is short. What each could have is counted as taken, so that all that is told could
    be had together.
    """
    candidates: dict[UUID | None, list[Level]] = defaultdict(list)
    for level in levels:
        candidates[level.item_id].append(level)
    takings: list[Taking] = []
    gathering = Gathering()
    for need, parts in groupby(demands, key=lambda demand: demand.need):
        wanted = [(part, candidates[part.item_id]) for part in parts]
        available = min(sum(level.free for level in of) // part.per_unit for part, of in wanted)
        for part, of in wanted:
            takings += _take(part, min(available, need.units), of)
        with gathering.at("lines"):
            if available < need.units:
                raise _short(need, available)
    gathering.raise_if_any()
    return takings


def _short(need: Need, available: int) -> InsufficientStock:
    return InsufficientStock(
        f"Only {available} of these can be had.",
        available_quantity=available,
        variant_id=need.variant_id,
        line_id=need.cart_line_id,
    )


def _take(demand: Demand, units: int, levels: Sequence[Level]) -> Iterator[Taking]:
    missing = units * demand.per_unit
    for level in levels:
        if taken := min(level.free, missing):
            level.free -= taken
            missing -= taken
            yield Taking(demand.need.order_line_id, level.id, taken, demand.per_unit)
