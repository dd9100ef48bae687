"""What every storage promises, held by a directory and by a bucket of a server that speaks like S3."""

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import httpx
import pytest

from db.connection import new_id
from domain import storage
from domain.processes.shop import Shop
from domain.storage import Announced, Storage, StorageUnavailable
from plugins.storage_local import LocalStorage
from resolvers import ids
from server.settings import WrongSetting, read_settings
from server.storages import make_storage
from tests import given
from tests.api import free_port, running_app
from tests.uploads import HTML, announcing, complete, picture, prepared, put

ART = picture()
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of an empty bucket on a server of our own; its process ends with the tests."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = {name: os.environ.get(name) for name in KEYS}
    os.environ.update(KEYS)
    try:
        endpoint, end = f"http://127.0.0.1:{port}", time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{endpoint}/moto-api/")
                break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.1)
        client: Any = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        client.create_bucket(Bucket="shop")
        yield f"s3://shop/the%20files?region=us-east-1&endpoint={endpoint}"
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        process.terminate()
        process.wait(10)


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (tmp_path / "files").as_uri() if request.param == "file" else request.getfixturevalue("bucket")


async def taken(kept: Storage, key: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / new_id().hex
    path.write_bytes(data)
    await kept.take(path, key)


async def whole(kept: Storage, key: str, first: int = 0, count: int = 10**9) -> bytes:
    return b"".join([part async for part in kept.read(key, first, count)])


async def test_what_is_taken_is_found_again_whole_in_parts_and_until_it_is_removed(url: str, tmp_path: Path) -> None:
    kept, file_id = make_storage(url), new_id()
    key, small = storage.original(file_id), storage.thumbnail(file_id, 160)
    data = os.urandom(600_000)
    assert await kept.size(key) is None
    assert await whole(kept, key) == b""
    assert not await kept.fetch(key, tmp_path / "none")
    await taken(kept, key, b"earlier", tmp_path)
    await taken(kept, key, data, tmp_path)
    await taken(kept, small, b"small", tmp_path)
    assert await kept.size(key) == len(data)
    assert await whole(kept, key, 0, len(data)) == data
    assert await whole(kept, key, 250_000, 100_000) == data[250_000:350_000]
    assert await whole(kept, key, 5, 0) == b""
    assert await kept.fetch(key, tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == data
    other = storage.original(new_id())
    await taken(kept, other, b"other", tmp_path)
    for prefix in storage.everything_of(file_id) * 2:
        await kept.remove(prefix)
    assert (await kept.size(key), await kept.size(small), await kept.size(other)) == (None, None, 5)
    assert (tmp_path / "fetched").read_bytes() == data


async def test_who_takes_and_removes_at_once_loses_nothing_of_others(url: str, tmp_path: Path) -> None:
    kept, files = make_storage(url), [new_id() for _ in range(8)]

    async def come_and_go(file_id: UUID) -> None:
        for _ in range(3):
            await taken(kept, storage.incoming(file_id), file_id.bytes, tmp_path)
            await kept.remove(storage.everything_of(file_id)[0])
        await taken(kept, storage.original(file_id), file_id.bytes, tmp_path)

    await asyncio.gather(*map(come_and_go, files))
    for file_id in files:
        assert await whole(kept, storage.original(file_id), 0, 16) == file_id.bytes
        assert await kept.size(storage.incoming(file_id)) is None


async def test_a_bucket_takes_the_bytes_from_the_client_itself(bucket: str, shop: Shop, database_url: str) -> None:
    async with running_app(database_url, FILES_URL=bucket) as api:
        ticket = await given.ticket(shop, api)
        payload = await prepared(api, announcing(ticket, ART))
        upload = payload["upload"]
        assert upload["url"].startswith("http://127.0.0.1:")
        for signed in ("X-Amz-Signature=", "content-length%3B", "x-amz-checksum-sha256", "X-Amz-Expires=900"):
            assert signed in upload["url"]
        (header,) = upload["headers"]
        assert header["name"] == "x-amz-checksum-sha256"
        done = await complete(api, payload, ticket.access_token)
        assert [e["__typename"] for e in done["userErrors"]] == ["UploadIncomplete"]
        headers = {header["name"]: header["value"]}
        async with httpx.AsyncClient() as client:
            sent = await client.put(upload["url"], content=ART, headers=headers)
            assert sent.status_code == 200
            file = (await complete(api, payload, ticket.access_token))["file"]
            assert (file["state"], file["contentType"], file["width"]) == ("READY", "image/png", 600)
            # A signed address is good a while longer: what comes by it now is nobody's.
            await client.put(upload["url"], content=HTML, headers={**headers, "content-length": str(len(HTML))})
        assert (await api.http.get(file["url"])).content == ART
        part = await api.http.get(file["url"], headers={"range": "bytes=-7"})
        assert (part.status_code, part.content) == (206, ART[-7:])
        small = await api.http.get(file["thumbnail"])
        assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")


async def test_other_bytes_than_were_announced_are_not_taken_from_a_bucket_either(
    bucket: str, shop: Shop, database_url: str
) -> None:
    """As of a service that does not check what it was told to."""
    kept = make_storage(bucket)
    async with running_app(database_url, FILES_URL=bucket) as api:
        ticket = await given.ticket(shop, api)
        payload = await prepared(api, announcing(ticket, ART))
        key = storage.incoming(ids.decode("File", payload["file"]["id"]))
        for wrong in (ART[:-1], ART[:-1] + b"x", ART + b"x"):
            path = kept.scratch / f"wrong-{new_id().hex}"
            path.write_bytes(wrong)
            await kept.take(path, key)
            path.unlink(missing_ok=True)
            done = await complete(api, payload, ticket.access_token)
            assert (done["file"], [e["__typename"] for e in done["userErrors"]]) == (None, ["UploadIncomplete"])
            assert await kept.size(key) is None
        assert (await put_there(payload, ART)).status_code == 200
        assert (await complete(api, payload, ticket.access_token))["file"]["state"] == "READY"
        assert (await put(api, {"upload": {**payload["upload"], "url": "/uploads/x"}}, ART)).status_code == 404


async def put_there(payload: Any, content: bytes) -> httpx.Response:
    headers = {header["name"]: header["value"] for header in payload["upload"]["headers"]}
    async with httpx.AsyncClient() as client:
        return await client.put(payload["upload"]["url"], content=content, headers=headers)


async def test_a_bucket_that_is_away_is_told_as_such_and_not_what_it_says(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    away = f"s3://shop?region=us-east-1&endpoint=http://127.0.0.1:{free_port()}"
    with pytest.raises(StorageUnavailable, match=r"^EndpointConnectionError$"):
        await make_storage(away).size("x")
    async with running_app(database_url, FILES_URL=away) as api:
        ticket = await given.ticket(shop, api)
        payload = await prepared(api, announcing(ticket, ART))
        document = "mutation ($input: UploadCompleteInput!) { uploadComplete(input: $input) { file { id } } }"
        given_ = {"fileId": payload["file"]["id"], "accessToken": ticket.access_token}
        answer = await api.answer(document, {"input": given_})
        assert [e["extensions"]["code"] for e in answer["errors"]] == ["UNAVAILABLE"]
        assert "127.0.0.1" not in str(answer)


async def test_a_key_never_leads_out_of_the_directory(tmp_path: Path) -> None:
    root = tmp_path / "files"
    kept = LocalStorage(root)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for key in ("../secret", "files/../../secret", "/etc/passwd", "", ".", "files/..", str(secret)):
        with pytest.raises(ValueError, match="leads out"):
            await kept.size(key)
        with pytest.raises(ValueError, match="leads out"):
            await kept.remove(key)
        with pytest.raises(ValueError, match="leads out"):
            await whole(kept, key)
    assert secret.read_text() == "secret"


async def test_what_dead_processes_left_is_cleared_away_after_a_day(tmp_path: Path) -> None:
    kept = LocalStorage(tmp_path)
    kept.scratch.mkdir()
    old, new = kept.scratch / "upload-old", kept.scratch / "upload-new"
    for path in (old, new):
        path.write_bytes(b"x")
    day_ago = time.time() - 24 * 3600 - 60
    os.utime(old, (day_ago, day_ago))
    await kept.tidy()
    assert list(kept.scratch.iterdir()) == [new]


def test_keys_are_made_of_ids_alone_and_fill_folders_evenly() -> None:
    file_id = new_id()
    assert storage.original(file_id) == f"files/{file_id.hex[-2:]}/{file_id.hex}/original"
    assert storage.thumbnail(file_id, 160) == f"files/{file_id.hex[-2:]}/{file_id.hex}/160"
    assert storage.incoming(file_id) == f"incoming/{file_id.hex[-2:]}/{file_id.hex}/upload"
    assert len({storage.original(new_id())[:8] for _ in range(200)}) > 100


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("FILES_URL", "/srv/files"),
        ("FILES_URL", "file://"),
        ("FILES_URL", "file://srv/files"),
        ("FILES_URL", "s3://"),
        ("FILES_URL", "ftp://x/y"),
        ("API_URL", "api.shop.example"),
        ("API_URL", "https://api.shop.example?x=1"),
        ("UPLOAD_MAX_MIB", "0"),
        ("UPLOAD_MAX_MIB", "5001"),
    ],
)
def test_a_setting_that_cannot_be_stops_the_start(setting: str, value: str) -> None:
    with pytest.raises(WrongSetting, match=setting):
        read_settings({setting: value})


def test_files_lie_at_home_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    settings = read_settings({"COUNTERFOIL_HOME": str(tmp_path)})
    assert (settings.files_url, settings.api_url) == ((tmp_path / "files").as_uri(), "")
    assert settings.upload_max_mib == 50
    announced = Announced(len(ART), hashlib.sha256(ART).hexdigest())
    assert make_storage(settings.files_url).upload_target("x", announced, 60) is None
