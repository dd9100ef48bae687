"""Files that are over: given up, never used, or of a customer who is erased."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from db import File
from domain import file as files
from domain.actor import GUEST, SYSTEM
from domain.processes.erase_customer import erase_customer
from domain.processes.export_customer import export_customer
from domain.processes.prune import prune
from domain.processes.shop import Shop
from domain.storage import Files, StorageUnavailable
from plugins.storage_local import LocalStorage
from resolvers import ids
from server.tokens import SignedTokens
from tests import carts, given
from tests.api import SECRET, Api
from tests.uploads import announcing, complete, lying, picture, prepared, put, shop_with_files, uploaded

ART = picture()


@pytest_asyncio.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with shop_with_files(database_url, tmp_path) as running:
        yield running


@pytest.fixture
def keeper(shop: Shop, tmp_path: Path) -> Shop:
    """The shop as its worker knows it."""
    return Shop(shop.database, shop.providers, files=Files(LocalStorage(tmp_path)))


async def states(shop: Shop) -> list[tuple[str, str]]:
    return [(row.name, row.state) for row in await shop.read.records(select(File).order_by(File.id))]


async def attached(shop: Shop, ticket: given.Ticket, file: dict[str, Any]) -> None:
    async with shop.tx() as tx:
        await files.attach(tx, [ids.decode("File", file["id"])], ticket.key, files.FilePurpose.TICKET_FILE, GUEST)


async def aged(shop: Shop, name: str, hours: float) -> None:
    sql = """UPDATE file SET created_at = created_at - make_interval(secs => :seconds),
             upload_until = upload_until - make_interval(secs => :seconds) WHERE name = :name"""
    await carts.execute(shop, sql, seconds=hours * 3600.0, name=name)


async def test_what_is_never_completed_or_never_used_goes_with_its_bytes(
    shop: Shop, keeper: Shop, api: Api, tmp_path: Path
) -> None:
    ticket = await given.ticket(shop, api)
    for name, hours in (("announced", 1.2), ("announced late", 1.3), ("sent", 1.3)):
        payload = await prepared(api, announcing(ticket, ART, name))
        if name == "sent":
            await put(api, payload, ART)
        await aged(shop, name, hours)
    for name, hours in (("unused", 24.1), ("unused yet", 23.9), ("used", 500.0)):
        file = await uploaded(api, ticket, ART, name)
        if name == "used":
            await attached(shop, ticket, file)
        await aged(shop, name, hours)
    refused = await prepared(api, announcing(ticket, b"<html>", "refused"))
    await put(api, refused, b"<html>")
    await complete(api, refused, ticket.access_token)
    await aged(shop, "refused", 24.1)
    assert len(lying(tmp_path)) == 3 * 3 + 1
    assert await prune(keeper) >= 4
    assert await states(shop) == [("announced", "pending"), ("unused yet", "ready"), ("used", "ready")]
    assert len(lying(tmp_path)) == 2 * 3
    await prune(keeper)
    assert len(await states(shop)) == 3
    await aged(shop, "announced", 0.1)
    await prune(keeper)
    assert [name for name, _ in await states(shop)] == ["unused yet", "used"]


async def test_a_sweep_goes_on_where_the_storage_was_away(
    shop: Shop, keeper: Shop, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await given.ticket(shop, api)
    file = await uploaded(api, ticket, ART, "unused")
    await aged(shop, "unused", 25)

    async def away(self: Any, prefix: str) -> None:
        del self, prefix
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "remove", away)
        with pytest.raises(StorageUnavailable):
            await prune(keeper)
    assert [state for _, state in await states(shop)] == ["removed"]
    assert (await api.http.get(file["url"])).status_code == 404
    assert len(lying(tmp_path)) == 3
    await prune(keeper)
    assert (await states(shop), lying(tmp_path)) == ([], [])


async def test_what_is_removed_while_it_is_completed_leaves_no_bytes(
    shop: Shop, keeper: Shop, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART))
    await put(api, payload, ART)
    really = LocalStorage.take

    async def too_late(self: LocalStorage, path: Path, key: str) -> None:
        await carts.execute(shop, "UPDATE file SET state = 'removed'")
        await prune(keeper)
        await really(self, path, key)

    monkeypatch.setattr(LocalStorage, "take", too_late)
    done = await complete(api, payload, ticket.access_token)
    assert (done["file"], [e["__typename"] for e in done["userErrors"]]) == (None, ["NotFound"])
    assert (await states(shop), lying(tmp_path)) == ([], [])


async def test_who_is_erased_leaves_no_file_and_no_name_of_one(
    shop: Shop, keeper: Shop, api: Api, tmp_path: Path
) -> None:
    await given.regions(shop)
    banner = await given.product(shop, "banner")
    people = {}
    for email in ("sam@shop.example", "kim@shop.example"):
        key = await given.customer(shop, email)
        as_them = api.signed_in(await given.access_token(shop, files.ActorKind.CUSTOMER, key))
        line = {"variantId": banner.variant, "quantity": 1}
        (ticket,) = await given.tickets(shop, await given.order(as_them, line, email=email))
        file = await uploaded(api, ticket, ART, f"of {email}")
        await attached(shop, ticket, file)
        people[email] = key, ticket, file
    sam, ticket, file = people["sam@shop.example"]
    exported = await export_customer(keeper, sam)
    (told,) = exported["orders"][0]["tickets"][0]["files"]
    assert (told["name"], told["size"]) == ("of sam@shop.example", len(ART))
    await prepared(api, announcing(ticket, ART, "not even sent"))
    await erase_customer(keeper, sam, SYSTEM)
    assert (await api.http.get(file["url"])).status_code == 404
    await prune(keeper)
    rows = await shop.read.records(select(File).order_by(File.id))
    assert [(row.name, row.state, row.sha256 == files.NO_HASH, row.bytes_gone_at is None) for row in rows] == [
        ("(erased)", "removed", True, False),
        ("of kim@shop.example", "ready", False, True),
    ]
    assert len(lying(tmp_path)) == 3
    _, _, kims = people["kim@shop.example"]
    assert (await api.http.get(kims["url"])).status_code == 200
    toni = await given.caller(shop, api, "staff", "tickets:read")
    query = "query ($id: ID!) { node(id: $id) { ... on File { name state url thumbnail(width: 1) } } }"
    shown = (await toni(query, {"id": file["id"]}))["node"]
    assert shown == {"name": "(erased)", "state": "REMOVED", "url": None, "thumbnail": None}
    token = SignedTokens(SECRET).file_token(ids.decode("File", file["id"]), None, 60)
    assert (await api.http.get(f"/files/{token}")).status_code == 404
