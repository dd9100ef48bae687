"""Files become part of messages, proofs and whatever else is said on a ticket: once, and only where they belong."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import select

from db import File
from db.connection import new_id
from domain import file as files
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api
from tests.uploads import PDF, announcing, picture, prepared, shop_with_files, uploaded

ART = picture()


@pytest_asyncio.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with shop_with_files(database_url, tmp_path) as running:
        yield running


async def stored(shop: Shop) -> list[dict[str, Any]]:
    return [dict(row) for row in await shop.read.records(select(File.__table__).order_by(File.id))]


async def attach(shop: Shop, ticket: UUID, *file_ids: str, actor: Any = None, **more: Any) -> list[str]:
    async with shop.tx() as tx:
        keys = [ids.decode("File", file_id) for file_id in file_ids]
        purpose = more.pop("purpose", "ticket_file")
        attached = await files.attach(tx, keys, ticket, purpose, actor or files.Actor(), **more)
    return [ids.encode("File", file.id) for file in attached]


async def test_files_become_part_of_something_once_and_in_order(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    first, second = [(await uploaded(api, ticket, ART))["id"] for _ in range(2)]
    assert await attach(shop, ticket.key, second, first) == [second, first]
    assert await attach(shop, ticket.key) == []
    for wrong in ([first], [first, first]):
        with pytest.raises(files.Refusal):
            await attach(shop, ticket.key, *wrong)
    assert all(row["attached_at"] for row in await stored(shop))


async def test_only_what_is_ready_and_of_the_same_ticket_side_and_purpose_is_attached(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    (other,) = await given.tickets(shop, await given.order(api, {"variantId": await variant(api), "quantity": 1}))
    ready, foreign = await uploaded(api, ticket, ART), await uploaded(api, other, ART)
    pending = (await prepared(api, announcing(ticket, ART)))["file"]
    writer = await given.caller(shop, api, "staff", "tickets:write")
    of_staff = await uploaded(writer, ticket, ART)
    proof = await uploaded(writer, ticket, PDF, purpose="PROOF")
    before = await stored(shop)
    nothing = ids.encode("File", new_id())
    for wrong in (foreign["id"], pending["id"], of_staff["id"], proof["id"], nothing):
        with pytest.raises(files.NotFound) as refused:
            await attach(shop, ticket.key, ready["id"], wrong)
        assert refused.value.path == ("file_ids", "1")
        assert await stored(shop) == before
    staff = {"actor": given.STAFF}
    assert await attach(shop, ticket.key, proof["id"], purpose="proof", **staff) == [proof["id"]]
    assert await attach(shop, ticket.key, of_staff["id"], visibility="internal", **staff) == [of_staff["id"]]
    holder = Api(api.http, {"x-access-token": ticket.access_token})
    query = "query ($id: ID!) { node(id: $id) { id } }"
    shown = [(await holder(query, {"id": f["id"]}))["node"] is not None for f in (ready, pending, proof, of_staff)]
    assert shown == [True, True, True, False]


async def variant(api: Api) -> str:
    found = await api("{ products(first: 1) { nodes { variants(first: 1) { nodes { id } } } } }")
    return found["products"]["nodes"][0]["variants"]["nodes"][0]["id"]


async def test_of_two_messages_at_once_one_gets_the_file(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    file = await uploaded(api, ticket, ART)
    tried = await asyncio.gather(*(attach(shop, ticket.key, file["id"]) for _ in range(6)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in tried) == ["NotFound"] * 5 + ["list"]
