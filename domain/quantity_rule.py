"""How many units of a variant a line may have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from domain.refusal import ErrorCode, Refusal


@dataclass(eq=False)
class QuantityOutsideRule(Refusal):
    """The variant is sold in other quantities; `maximum` null: there is none but that of every line."""

    minimum: int = 1
    maximum: int | None = None
    increment: int = 1
    code = ErrorCode.QUANTITY_OUTSIDE_RULE


@dataclass(frozen=True)
class QuantityRule:
    """Multiples of `increment` from `minimum` to `maximum`, which are multiples of it themselves."""

    minimum: int
    maximum: int | None
    increment: int

    @classmethod
    def of(cls, row: Mapping[str, Any], prefix: str = "") -> Self:
        """Of a row of `variant`."""
        return cls(row[f"{prefix}quantity_min"], row[f"{prefix}quantity_max"], row[f"{prefix}quantity_step"])

    def allows(self, quantity: int) -> bool:
        most = quantity if self.maximum is None else self.maximum
        return self.minimum <= quantity <= most and quantity % self.increment == 0

    def nearest(self, quantity: int) -> int:
        """The most that is allowed of so many; the minimum of fewer."""
        most = quantity if self.maximum is None else min(quantity, self.maximum)
        return max(self.minimum, most - most % self.increment)

    def check(self, quantity: int, *path: str) -> None:
        if not self.allows(quantity):
            most = "" if self.maximum is None else f", at most {self.maximum:,}"
            raise QuantityOutsideRule(
                f"This is sold in multiples of {self.increment:,}, at least {self.minimum:,}{most}.",
                path=path,
                minimum=self.minimum,
                maximum=self.maximum,
                increment=self.increment,
            )
