"""What inputs say of categories and collections, as the domain wants it."""

from typing import Any
from uuid import UUID

from domain.refusal import ValidationFailed, under
from domain.showcase import Image
from domain.showcase_picture import Showing
from resolvers import ids
from resolvers.context import Ctx


def given_columns(given: Any, *others: str) -> dict[str, Any]:
    """What was given of a partial input but `others`, with the picture as one."""
    told = {name: value for name, value in given.given.items() if name not in others}
    if told.get("image") is not None:
        told["image"] = _image(told["image"])
    return told


def _image(given: Any) -> Image:
    with under("image"):
        if given.url is not None and given.file_id is not None:
            raise ValidationFailed("Name an address or an uploaded file, not both.", path=("file_id",))
        file_id = None if given.file_id is None else ids.decode("File", given.file_id, "file_id")
        return Image(given.url, given.alt or "", file_id)


def showing(ctx: Ctx, model: Any, key: UUID | None = None) -> Showing:
    """Whose picture it is to be; null: of what is being made."""
    return Showing(model, "" if ctx.shop.files is None else ctx.shop.files.address, key)
