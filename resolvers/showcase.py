"""What inputs say of categories and collections, as the domain wants it."""

from typing import Any

from domain.refusal import under
from domain.showcase import Image


def given_columns(given: Any, *others: str) -> dict[str, Any]:
    """What was given of a partial input but `others`, with the picture as one."""
    told = {name: value for name, value in given.given.items() if name not in others}
    if told.get("image") is not None:
        told["image"] = _image(told["image"])
    return told


def _image(given: Any) -> Image:
    with under("image"):
        return Image(given.url, given.alt or "")
