"""How long a delivery takes."""

import strawberry

from schema.build import view


@view()
class EstimatedDays:
    """How many days a delivery takes."""

    minimum: int = strawberry.field(description="At least.")
    maximum: int = strawberry.field(description="At most.")


def days(low: int | None, high: int | None) -> dict[str, int] | None:
    return {"minimum": low, "maximum": high} if low is not None and high is not None else None
