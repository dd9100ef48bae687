"""What a file is, found in its bytes: neither its name nor what its sender says counts.

Only pictures that were decoded here are ever shown inline. Everything else is known by its signature and is given out
to be saved, so that nothing of it runs in anybody's browser.
"""

import re
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from xml.parsers import expat

import puremagic
from PIL import Image, ImageOps

from db.file import FilePurpose

PICTURES: Final = {
    "AVIF": "image/avif",
    "GIF": "image/gif",
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
}
"""By Pillow's name of the format. Of others (EPS, for which it would start a program) it is not even asked."""
SHOWN_INLINE: Final = frozenset(PICTURES.values())
SVG: Final = "image/svg+xml"
PDF: Final = "application/pdf"
ARTWORK: Final = frozenset(
    {PDF, SVG, "application/postscript", "image/vnd.adobe.photoshop", "image/tiff", "image/heif"}
)
"""What printers work with; known by its signature alone."""
BY_SIGNATURE: Final = (SHOWN_INLINE | ARTWORK) - {SVG}
ALLOWED: Final[Mapping[FilePurpose, frozenset[str]]] = {
    FilePurpose.TICKET_FILE: SHOWN_INLINE | ARTWORK,
    FilePurpose.PROOF: SHOWN_INLINE | {PDF},
    FilePurpose.PRODUCT_MEDIA: SHOWN_INLINE,
    FilePurpose.CATEGORY_PICTURE: SHOWN_INLINE,
    FilePurpose.COLLECTION_PICTURE: SHOWN_INLINE,
}
WIDTHS: Final = (160, 480, 960, 1920)
"""Of thumbnails; those that a picture is too small for are not made."""
ORIENTATION: Final = 0x0112
"""The EXIF tag that says how a picture is to be turned."""
SIDEWAYS: Final = frozenset({5, 6, 7, 8})
SMALL_STEPS: Final = frozenset({"1", "P", "PA"})
"""Pillow's modes with few colours."""
TALLEST: Final = 4
"""So many times its width a thumbnail may be high."""
THUMBNAIL_TYPE: Final = "image/webp"
MOST_PIXELS: Final = 50_000_000
"""An A2 page at 300 dpi has 35 million. Decoded, each takes four bytes."""
HEAD: Final = 64 * 1024
SIGNATURE: Final = 256
"""Bytes at the beginning, in which the signatures of all that is taken lie."""
WINDOW: Final = 256 * 1024
LONGEST_MARK: Final = 512
ACTIVE: Final = re.compile(
    rb"<(?:script[\s>/]|iframe[\s>/]|!doctype\s{1,8}html|html[\s>]|\?php\s|svg\s[^<>]{0,256}xmlns)", re.IGNORECASE
)
"""What a picture has no use for, and what makes a page or a program of it where somebody takes it for one."""


class RejectionReason(StrEnum):
    """Why a file is not taken."""

    TYPE_NOT_ALLOWED = "type_not_allowed"
    BROKEN = "broken"
    TOO_MANY_PIXELS = "too_many_pixels"
    ACTIVE_CONTENT = "active_content"


class Unfit(Exception):
    def __init__(self, reason: RejectionReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Content:
    """What was found. Width and height are those that a viewer shows; `thumbnails` lie there by their width."""

    content_type: str
    width: int | None = None
    height: int | None = None
    thumbnails: Mapping[int, Path] = field(default_factory=dict[int, Path])


def inspect(path: Path, purpose: FilePurpose) -> Content:
    """What the file is, with thumbnails beside it (`<name>.<width>`); `Unfit` if the purpose does not take it.

    It reads, decodes and writes, so it belongs into a thread.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
        found = _signature(head)
        if found not in ALLOWED[purpose]:
            raise Unfit(RejectionReason.TYPE_NOT_ALLOWED)
        if found not in SHOWN_INLINE:
            return Content(found)
        file.seek(0)
        if _is_active(file):
            raise Unfit(RejectionReason.ACTIVE_CONTENT)
        file.seek(0)
        return _picture(file, path, found)


def _signature(head: bytes) -> str | None:
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        return SVG if _is_svg(head) else None
    try:
        matches = cast("list[Any]", cast(Any, puremagic).magic_string(head[:SIGNATURE]))
    except (puremagic.PureError, ValueError):
        return None
    return next((match.mime_type for match in matches if match.mime_type in BY_SIGNATURE), None)


def _is_svg(head: bytes) -> bool:
    """Whether the first element is that of an SVG. Nothing is loaded, and nothing after that element is read."""
    roots: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = lambda name, _attributes: roots.append(name) if not roots else None
    with suppress(expat.ExpatError):  # what is wrong behind the first element is its reader's business
        parser.Parse(head, False)
    return roots[:1] == ["http://www.w3.org/2000/svg svg"]


def _is_active(file: BinaryIO) -> bool:
    """In parts, since a search holds everybody else up for as long as it lasts."""
    before = b""
    while part := file.read(WINDOW):
        if ACTIVE.search(before + part):
            return True
        before = part[-LONGEST_MARK:]
    return False


def _picture(file: BinaryIO, path: Path, expected: str) -> Content:
    made: dict[int, Path] = {}
    try:
        with Image.open(file, formats=tuple(PICTURES)) as image:
            if PICTURES.get(image.format or "") != expected:
                raise Unfit(RejectionReason.TYPE_NOT_ALLOWED)
            if image.width * image.height > MOST_PIXELS:
                raise Unfit(RejectionReason.TOO_MANY_PIXELS)
            width, height = reversed(image.size) if _is_sideways(image) else image.size
            widths = [wanted for wanted in WIDTHS if wanted < width] or [WIDTHS[0]]
            shown = _largest(image, widths[-1])
        for wanted in reversed(widths):
            shown.thumbnail((wanted, TALLEST * wanted))
            made[shown.width] = path.with_name(f"{path.name}.{shown.width}")
            shown.save(made[shown.width], "WEBP", quality=82)
        return Content(expected, width, height, made)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unfit(RejectionReason.TOO_MANY_PIXELS) from None
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, struct.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk; decoders say in all these ways what they think of the bytes
        raise Unfit(RejectionReason.BROKEN) from None


def _is_sideways(image: Image.Image) -> bool:
    return image.getexif().get(ORIENTATION) in SIDEWAYS


def _largest(image: Image.Image, width: int) -> Image.Image:
    """The picture upright, at most so wide, and with nothing that was noted about it: where and by whom it was taken
    is nobody's business.

    It is made smaller before anything else, which of JPEG needs a part of the memory and of the time.
    """
    if image.mode in SMALL_STEPS:  # has too few colours to be made smaller well
        image = image.convert("RGBA")
    height = TALLEST * width
    image.thumbnail((height, width) if _is_sideways(image) else (width, height))
    upright = ImageOps.exif_transpose(image)
    plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    plain.info.clear()
    return plain
