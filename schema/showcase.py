"""What categories and collections share of what they show."""

from typing import Any

import strawberry

from resolvers import ids
from schema.build import given, input_type, view


@view()
class Picture:
    """A picture of a category or a collection."""

    url: str = strawberry.field(description="Where it is.")
    alt: str = strawberry.field(description="What it shows, for those who do not see it.")
    file_id: strawberry.ID | None = strawberry.field(description="Its file; null: it lies elsewhere.")


def picture_of(row: Any) -> Any:
    file_id = row["image_file_id"] and ids.encode("File", row["image_file_id"])
    return None if row["image_url"] is None else {"url": row["image_url"], "alt": row["image_alt"], "file_id": file_id}


@input_type
class PictureInput:
    """A picture of a category or a collection: by its address or its file, one of them."""

    url: str | None = given("Where it is, `https://…`. It is shown from there and never fetched.")
    file_id: strawberry.ID | None = given(
        "An uploaded file of the purpose `CATEGORY_PICTURE` or `COLLECTION_PICTURE` that is complete; or that which it "
        "has already. What it showed before is removed."
    )
    alt: str | None = given("What it shows, for those who do not see it; at most 500 characters.")
