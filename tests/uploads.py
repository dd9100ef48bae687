"""What tests of files share: bytes of every kind, and the way from announcing a file to having it."""

import hashlib
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from tests import given
from tests.api import Api, running_app

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj <</Type /Catalog>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"
SVG = b'<?xml version="1.0"?>\n<!-- a box --><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><html><body><script>alert(1)</script></body></html>"
FILE = "id state name size contentType width height url thumbnail(width: 300)"
UPLOAD = f"file {{ {FILE} }} upload {{ method url headers {{ name value }} expiresAt }}"


def picture(kind: str = "PNG", size: tuple[int, int] = (600, 400), mode: str = "RGB", **more: Any) -> bytes:
    """A picture whose left half is red and whose right half is not."""
    image = Image.new(mode, size)
    image.paste(Image.new("RGB", (size[0] // 2, size[1]), (200, 20, 20)).convert(mode), (0, 0))
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


@asynccontextmanager
async def shop_with_files(database_url: str, root: Path, **environment: str) -> AsyncIterator[Api]:
    async with running_app(database_url, FILES_URL=root.as_uri(), **environment) as api:
        yield api


def announcing(ticket: given.Ticket, content: bytes, name: str = "art.png", **more: Any) -> dict[str, Any]:
    """The input of `uploadPrepare` for a file of a ticket, by who has the order's token."""
    told = {"fileName": name, "size": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
    subject = {"purpose": "TICKET_FILE", "subjectId": ticket.id, "accessToken": ticket.access_token}
    return {**subject, **told, **more}


async def prepared(api: Api, announced: Mapping[str, Any]) -> dict[str, Any]:
    return await api.done("uploadPrepare", dict(announced), UPLOAD)


async def put(api: Api, payload: Mapping[str, Any], content: Any) -> httpx.Response:
    """Sends the bytes as the payload of `uploadPrepare` says."""
    upload = payload["upload"]
    headers = {header["name"]: header["value"] for header in upload["headers"]}
    return await api.http.request(upload["method"], upload["url"], content=content, headers=headers)


async def complete(api: Api, payload: Mapping[str, Any], access_token: str | None = None) -> dict[str, Any]:
    """The payload of `uploadComplete`, with the reason where the file is not taken."""
    given_ = {"fileId": payload["file"]["id"], "accessToken": access_token}
    document = f"""mutation ($input: UploadCompleteInput!) {{ uploadComplete(input: $input) {{
        file {{ {FILE} }} userErrors {{ __typename code path ... on FileRejected {{ reason }} }} }} }}"""
    return (await api(document, {"input": given_}))["uploadComplete"]


async def uploaded(api: Api, ticket: given.Ticket, content: bytes, name: str = "art.png", **more: Any) -> Any:
    """A file of the ticket that is ready, or the error that it is refused with."""
    payload = await prepared(api, announcing(ticket, content, name, **more))
    assert (await put(api, payload, content)).status_code == 204
    done = await complete(api, payload, ticket.access_token)
    return done["userErrors"][0] if done["userErrors"] else done["file"]


def lying(root: Path) -> list[str]:
    """The bytes that lie in a storage, by the last parts of their places."""
    return sorted("/".join(path.relative_to(root).parts[::2]) for path in root.rglob("*") if path.is_file())
