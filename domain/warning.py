"""Warnings: what a caller should know although nothing was refused. Shown as types of the schema with these names."""

import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.money import Money


@dataclass(frozen=True, kw_only=True)
class Notice:
    """`path` is where in the input, or in the cart, the cause stands."""

    message: str
    path: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def code(self) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).upper()


@dataclass(frozen=True, kw_only=True)
class OutsideRegion(Notice):
    """Shipping outside of the cart's region is unusual, not forbidden."""

    country: str


@dataclass(frozen=True, kw_only=True)
class PriceChangedSince(Notice):
    """One unit costs something else than when the cart was last written."""

    line_id: UUID
    before: Money
    current: Money


@dataclass(frozen=True, kw_only=True)
class ShortStock(Notice):
    """There is less now than the line has; `available` may be 0."""

    line_id: UUID
    available: int


@dataclass(frozen=True, kw_only=True)
class MergedLine(Notice):
    """Units came to a line: now it has `quantity`, `added` of them are new."""

    line_id: UUID
    quantity: int
    added: int


@dataclass(frozen=True, kw_only=True)
class LeftOut(Notice):
    """What was ordered once and cannot be put into a cart any more, or not as it was."""

    variant_id: UUID
    title: str
    quantity: int
    is_brief_only: bool = field(default=False)
    """The line is there, without its brief: that does not fit any more."""


@dataclass(frozen=True, kw_only=True)
class FallbackPrice(Notice):
    """The provider of the delivery gives no answer; its price is the one for such cases."""

    option_id: UUID


@dataclass(frozen=True, kw_only=True)
class FallbackTax(Notice):
    """The provider of taxes gives no answer; the rates that are stored here count meanwhile."""


@dataclass(frozen=True, kw_only=True)
class CartNotMerged(Notice):
    """The cart is as it was; `reason` is the code of the refusal."""

    reason: str


def data(notice: Notice) -> dict[str, Any]:
    """What the schema shows of it."""
    return {**vars(notice), "__typename": notice.name, "code": notice.code, "path": list(notice.path)}
