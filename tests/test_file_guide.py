"""The guide to files says what is so."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from domain.processes.shop import Shop
from tests import given
from tests.api import ROOT, Api
from tests.uploads import announcing, picture, put, shop_with_files

GUIDE = (ROOT / "docs" / "files.md").read_text()
ART = picture()


@pytest_asyncio.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with shop_with_files(database_url, tmp_path) as running:
        yield running


async def test_the_documents_of_the_guide_upload_and_show_a_file(shop: Shop, api: Api) -> None:
    announce, take, show = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)
    ticket = await given.ticket(shop, api)
    told = announcing(ticket, ART)
    names = ("fileName", "size", "sha256", "accessToken")
    asked = {"ticketId": ticket.id, **{name: told[name] for name in names}}
    payload = (await api(announce, asked))["uploadPrepare"]
    assert payload["userErrors"] == []
    assert (await put(api, payload, ART)).status_code == 204
    taken = (await api(take, {"fileId": payload["file"]["id"], "accessToken": ticket.access_token}))["uploadComplete"]
    expected = {"id": payload["file"]["id"], "state": "READY", "contentType": "image/png", "width": 600, "height": 400}
    assert taken == {"file": expected, "userErrors": []}
    holder = Api(api.http, {"x-access-token": ticket.access_token})
    shown = (await holder(show, {"id": expected["id"]}))["node"]
    assert (await api.http.get(shown["url"])).content == ART
    assert (await api.http.get(shown["thumbnail"])).headers["content-type"] == "image/webp"
