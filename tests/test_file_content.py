"""What a file is, is found in its bytes: whatever it is called, nothing of it ever runs in somebody's browser."""

import io
import zlib
from pathlib import Path

import pytest
from PIL import Image

from db.file import FilePurpose
from domain import content
from domain.content import RejectionReason, Unfit, inspect
from tests.uploads import HTML, PDF, SVG, picture

TICKET, PROOF, MEDIA = FilePurpose.TICKET_FILE, FilePurpose.PROOF, FilePurpose.PRODUCT_MEDIA
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%Creator: Adobe Illustrator(R) 24\n%%BoundingBox: 0 0 10 10\n"
HEIF = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)
PSD = b"8BPS\0\1" + bytes(64)


def seen(tmp_path: Path, data: bytes, purpose: FilePurpose = TICKET) -> str:
    """The type that is found, or why the file is not taken."""
    path = tmp_path / "upload"
    path.write_bytes(data)
    try:
        return inspect(path, purpose).content_type
    except Unfit as unfit:
        return unfit.reason
    finally:
        for left in tmp_path.iterdir():
            left.unlink()


@pytest.mark.parametrize(
    ("kind", "found"),
    [("PNG", "png"), ("JPEG", "jpeg"), ("GIF", "gif"), ("WEBP", "webp"), ("AVIF", "avif")],
)
def test_pictures_are_taken_for_every_purpose(kind: str, found: str, tmp_path: Path) -> None:
    for purpose in FilePurpose:
        assert seen(tmp_path, picture(kind), purpose) == f"image/{found}"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (PDF, "application/pdf"),
        (SVG, "image/svg+xml"),
        (b"\xef\xbb\xbf \n<!DOCTYPE svg><svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (POSTSCRIPT, "application/postscript"),
        (PSD, "image/vnd.adobe.photoshop"),
        (picture("TIFF"), "image/tiff"),
        (HEIF, "image/heif"),
    ],
)
def test_artwork_goes_on_tickets_and_is_never_shown_inline(data: bytes, found: str, tmp_path: Path) -> None:
    assert seen(tmp_path, data) == found
    assert found not in content.SHOWN_INLINE
    for purpose in (PROOF, MEDIA):
        taken = purpose == PROOF and data == PDF
        assert seen(tmp_path, data, purpose) == (found if taken else RejectionReason.TYPE_NOT_ALLOWED)


@pytest.mark.parametrize(
    "data",
    [
        HTML,
        b"  \n" + HTML,
        b"\xef\xbb\xbf" + HTML,
        b"<p>Hello</p>" + HTML,
        b"<html xmlns='http://www.w3.org/1999/xhtml'><svg xmlns='http://www.w3.org/2000/svg'/></html>",
        b"<svg><script>alert(1)</script></svg>",
        b"<!-- <svg xmlns='http://www.w3.org/2000/svg'> --><html/>",
        b"<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'/>",
        b"<?php system($_GET['x']); ?>",
        b"#!/bin/sh\nrm -rf /\n",
        b"MZ" + bytes(200),
        b"\x7fELF" + bytes(200),
        b"PK\x03\x04" + bytes(100),
        b"Hello",
        b"\0",
        b"<",
        b"\xff\xfe<\0h\0t\0m\0l\0>\0",
    ],
)
def test_pages_programs_and_what_nobody_knows_are_not_taken(data: bytes, tmp_path: Path) -> None:
    for purpose in FilePurpose:
        assert seen(tmp_path, data, purpose) == RejectionReason.TYPE_NOT_ALLOWED


def png_with_text(text: bytes) -> bytes:
    """A picture with a comment."""
    whole = picture()
    chunk = b"tEXtComment\0" + text
    extra = (len(chunk) - 4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    return whole[:33] + extra + whole[33:]


def gif_bomb() -> bytes:
    """Says that it is 65,535 pixels wide and as high."""
    return b"GIF89a\xff\xff\xff\xff\xf0\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\2\2D\1\0;"


def test_a_picture_with_a_page_or_a_program_in_it_is_not_taken(tmp_path: Path) -> None:
    for mark in (b"<script>alert(1)</script>", b"<?php echo 1;", b"<HTML >", SVG, HTML, b"<iframe src=x>"):
        assert seen(tmp_path, png_with_text(mark), MEDIA) == RejectionReason.ACTIVE_CONTENT
        assert seen(tmp_path, picture("JPEG") + mark) == RejectionReason.ACTIVE_CONTENT
    beyond = b"\0" * (content.WINDOW - len(picture("JPEG")) - 4)  # across the end of the part that is read at once
    assert seen(tmp_path, picture("JPEG") + beyond + b"<script>") == RejectionReason.ACTIVE_CONTENT
    assert seen(tmp_path, b"GIF89a" + HTML) == RejectionReason.ACTIVE_CONTENT
    assert seen(tmp_path, png_with_text(b"3 < 4, <b>bold</b> and <x:xmpmeta>")) == "image/png"
    # An element ends before the next one begins: what looks on from each to the last takes seconds for a file of them.
    assert seen(tmp_path, png_with_text(b"<svg <b xmlns")) == "image/png"


def test_what_only_begins_like_a_picture_is_not_taken(tmp_path: Path) -> None:
    for whole in (picture("PNG"), picture("JPEG"), picture("WEBP"), picture("GIF")):
        assert seen(tmp_path, whole[:60]) == RejectionReason.BROKEN
        assert seen(tmp_path, whole[: len(whole) * 2 // 3]) == RejectionReason.BROKEN
    assert seen(tmp_path, picture("PNG")[:8] + picture("JPEG")) == RejectionReason.BROKEN


def test_a_small_file_that_would_be_a_huge_picture_is_not_decoded(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("1", (10_001, 5_000)).save(out, "PNG")
    wide = out.getvalue()
    assert len(wide) < 10_000
    assert seen(tmp_path, wide) == RejectionReason.TOO_MANY_PIXELS
    assert seen(tmp_path, gif_bomb()) == RejectionReason.TOO_MANY_PIXELS
    header = bytearray(picture("PNG", (10, 10)))
    header[16:24] = (12_000).to_bytes(4) + (8_000).to_bytes(4)  # of which Pillow itself only warns
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4)
    assert seen(tmp_path, bytes(header)) == RejectionReason.TOO_MANY_PIXELS


def test_a_disk_that_is_full_is_no_fault_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(picture())
    (tmp_path / "upload.160").mkdir()  # nothing can be written there
    with pytest.raises(IsADirectoryError):
        inspect(path, MEDIA)


def test_entities_that_would_grow_without_end_cost_nothing(tmp_path: Path) -> None:
    lines = [b'<!ENTITY a0 "ha">', *(b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 30))]
    bomb = b"<!DOCTYPE svg [%s]><svg xmlns='http://www.w3.org/2000/svg' id='&a29;'/>" % b"".join(lines)
    assert seen(tmp_path, bomb) == RejectionReason.TYPE_NOT_ALLOWED
    outside = (
        b"<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg xmlns='http://www.w3.org/2000/svg'>&x;</svg>"
    )
    assert seen(tmp_path, outside) == "image/svg+xml"


def thumbnails(tmp_path: Path, data: bytes) -> dict[int, Image.Image]:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return {
        width: Image.open(io.BytesIO(place.read_bytes())) for width, place in inspect(path, MEDIA).thumbnails.items()
    }


def test_thumbnails_are_as_wide_as_is_said_and_none_is_larger_than_the_picture(tmp_path: Path) -> None:
    def sizes(width: int, height: int) -> list[tuple[int, int]]:
        made = thumbnails(tmp_path, picture("PNG", (width, height)))
        assert all(width == image.width and image.format == "WEBP" for width, image in made.items())
        return sorted(image.size for image in made.values())

    assert sizes(2000, 1000) == [(160, 80), (480, 240), (960, 480), (1920, 960)]
    assert sizes(600, 400) == [(160, 107), (480, 320)]
    assert sizes(100, 50) == [(100, 50)]
    assert sizes(1, 1) == [(1, 1)]
    assert sizes(100, 2000) == [(32, 640)]  # not higher than four times as wide as it may be


def test_thumbnails_are_upright_and_say_nothing_of_where_and_by_whom_the_picture_was_taken(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x013B] = 6, "Camera of Sam", "Sam"
    exif.get_ifd(0x8825)[2] = (52.0, 22.0, 0.0)
    data = picture("JPEG", (600, 400), exif=exif, comment=b"At home")
    path = tmp_path / "upload"
    path.write_bytes(data)
    found = inspect(path, TICKET)
    assert (found.width, found.height) == (400, 600)
    ((width, place),) = found.thumbnails.items()
    small = Image.open(place)
    assert (width, small.size) == (160, (160, 240))
    assert dict(small.getexif()) == {}
    assert set(small.info) <= {"background", "loop", "timestamp", "duration"}
    for told in (b"Sam", b"home", b"EXIF", b"XMP", b"ICCP"):
        assert told not in place.read_bytes()
    top, bottom = small.convert("RGB").getpixel((80, 20)), small.convert("RGB").getpixel((80, 220))
    assert (top[0] > 150, bottom[0] < 80) == (True, True)  # what was on the left is above


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_mode_get_thumbnails(mode: str, tmp_path: Path) -> None:
    if mode == "CMYK":
        data = picture("JPEG", mode=mode)
    else:
        made = Image.new("I;16", (600, 400)) if mode == "I;16" else Image.open(io.BytesIO(picture())).convert(mode)
        out = io.BytesIO()
        made.save(out, "PNG")
        data = out.getvalue()
    assert sorted(thumbnails(tmp_path, data)) == [160, 480]


def test_what_can_be_seen_through_stays_so(tmp_path: Path) -> None:
    small = thumbnails(tmp_path, picture("PNG", mode="RGBA"))[160]
    assert small.mode == "RGBA"
    assert small.getpixel((150, 50))[3] == 0
