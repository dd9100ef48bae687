"""What categories and collections share of what they show."""

from typing import Any

import strawberry

from schema.build import given, input_type, view


@view()
class Picture:
    """A picture of a category or a collection."""

    url: str = strawberry.field(description="Where it is.")
    alt: str = strawberry.field(description="What it shows, for those who do not see it.")


def picture_of(row: Any) -> Any:
    return None if row["image_url"] is None else {"url": row["image_url"], "alt": row["image_alt"]}


@input_type
class PictureInput:
    """A picture of a category or a collection."""

    url: str | None = given("Where it is, `https://…`.")
    alt: str | None = given("What it shows, for those who do not see it; at most 500 characters.")
