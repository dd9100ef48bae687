"""Files are given to who has their address, until it expires; nothing of them runs, and no name leads anywhere."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from db.connection import new_id
from domain.processes.shop import Shop
from resolvers import ids
from server.tokens import FILE, ISSUER, UPLOAD, KeyRing, SignedTokens
from tests import given
from tests.api import SECRET, Api
from tests.uploads import PDF, SVG, announcing, picture, prepared, put, shop_with_files, uploaded

ART = picture()
TOKENS = SignedTokens(SECRET)
SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
}


@pytest_asyncio.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with shop_with_files(database_url, tmp_path / "files") as running:
        yield running


async def shown(api: Api, ticket: given.Ticket, file_id: str, field: str) -> Any:
    """A field of a file, asked by who has the order's token."""
    holder = Api(api.http, {"x-access-token": ticket.access_token})
    answer = await holder.answer(
        f"query ($id: ID!) {{ node(id: $id) {{ ... on File {{ {field} }} }} }}", {"id": file_id}
    )
    return answer["errors"][0]["extensions"] if "errors" in answer else answer["data"]["node"]


KINDS = [
    (ART, "image/png", "inline"),
    (picture("JPEG"), "image/jpeg", "inline"),
    (PDF, "application/pdf", "attachment"),
    (SVG, "image/svg+xml", "attachment"),
    (b"%!PS-Adobe-3.0\n", "application/postscript", "attachment"),
]


async def test_pictures_may_be_shown_and_everything_else_is_saved(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    for content, kind, how in KINDS:
        file = await uploaded(api, ticket, content, 'Our "lögo"; filename=x.html.png')
        answer = await api.http.get(file["url"])
        assert (answer.status_code, answer.content) == (200, content)
        headers = answer.headers
        assert {name: headers[name] for name in SAFE} == SAFE
        assert headers["content-type"] == kind
        named = "filename*=UTF-8''Our%20%22l%C3%B6go%22%3B%20filename%3Dx.html.png"
        assert headers["content-disposition"] == f"{how}; {named}"
        assert headers["content-length"] == str(len(content))
        private, _, seconds = headers["cache-control"].rpartition("=")
        assert (private, 290 < int(seconds) <= 300) == ("private, max-age", True)
        head = await api.http.head(file["url"])
        assert (head.status_code, head.content) == (200, b"")
        own = {"cache-control", "x-request-id"}
        assert {k: v for k, v in head.headers.items() if k not in own} == {
            k: v for k, v in headers.items() if k not in own
        }


async def test_thumbnails_are_the_smallest_that_is_wide_enough(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    file = await uploaded(api, ticket, ART)
    sizes: dict[int, Any] = {}
    for width in (1, 160, 161, 480, 5000):
        url = (await shown(api, ticket, file["id"], f"thumbnail(width: {width})"))["thumbnail"]
        answer = await api.http.get(url)
        assert (answer.headers["content-type"], answer.content[8:12]) == ("image/webp", b"WEBP")
        assert {name: answer.headers[name] for name in SAFE} == SAFE
        sizes[width] = answer.headers["content-disposition"]
    assert sizes == dict.fromkeys((1, 160), "inline; filename*=UTF-8''160.webp") | dict.fromkeys(
        (161, 480, 5000), "inline; filename*=UTF-8''480.webp"
    )
    document = await uploaded(api, ticket, PDF)
    assert (document["thumbnail"], document["width"], document["height"]) == (None, None, None)
    for width in (None, 161):
        url = f"/files/{TOKENS.file_token(ids.decode('File', document['id']), width, 60)}"
        assert (await api.http.get(url)).status_code == (200 if width is None else 404)


async def test_an_address_expires_and_is_for_one_file(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    file = await uploaded(api, ticket, ART)
    key = ids.decode("File", file["id"])
    url = (await shown(api, ticket, file["id"], "url(expiresIn: 1)"))["url"]
    assert (await api.http.get(url)).status_code == 200
    for seconds in (0, -1, 3601):
        refused = await shown(api, ticket, file["id"], f"url(expiresIn: {seconds})")
        assert (refused["code"], refused["argument"]) == ("BAD_USER_INPUT", "expiresIn")
    claims = {"iss": ISSUER, "aud": FILE, "sub": str(key), "exp": datetime.now(UTC) + timedelta(minutes=5)}
    keys, elsewhere = KeyRing((SECRET,)), KeyRing(("somebody else's secret of enough characters",))
    assert (await api.http.get(f"/files/{keys.sign(claims)}")).status_code == 200
    for wrong in (
        keys.sign({**claims, "exp": datetime.now(UTC) - timedelta(seconds=1)}),
        keys.sign({name: value for name, value in claims.items() if name != "exp"}),
        keys.sign({**claims, "aud": UPLOAD}),
        keys.sign({**claims, "sub": str(new_id())}),
        keys.sign({**claims, "sub": "../x"}),
        keys.sign({**claims, "w": "160"}),
        keys.sign({**claims, "w": 161}),
        keys.sign({**claims, "w": True}),
        elsewhere.sign(claims),
        ticket.access_token,
    ):
        answer = await api.http.get(f"/files/{wrong}")
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")


async def test_a_file_that_is_not_there_yet_has_no_address(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART))
    await put(api, payload, ART)
    file = payload["file"]
    assert (file["url"], file["thumbnail"]) == (None, None)
    token = TOKENS.file_token(ids.decode("File", file["id"]), None, 60)
    assert (await api.http.get(f"/files/{token}")).status_code == 404


async def test_no_name_leads_anywhere_else(shop: Shop, api: Api, tmp_path: Path) -> None:
    ticket = await given.ticket(shop, api)
    file = await uploaded(api, ticket, ART)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    good = file["url"].removeprefix("/files/")
    hexed = ids.decode("File", file["id"]).hex
    for place in ("files", "media", "uploads"):
        for name in (
            "../secret",
            "..%2fsecret",
            "%2e%2e/secret",
            "%2e%2e%2fsecret",
            "..%252fsecret",
            "..%5csecret",
            "%2fetc%2fpasswd",
            "/etc/passwd",
            "//etc/passwd",
            "file:%2f%2f%2fetc%2fpasswd",
            "%00",
            f"{good}%00" if place == "files" else "x%00",
            f"{good}/../../secret",
            f"{hexed}/..%2f..%2fsecret",
            f"{hexed}/../original",
            f"{hexed}/{'0' * 32}",
            f"{hexed}/{'0' * 32}/160",
            f"{hexed[:-2]}%00%00/{'0' * 32}",
            "%ff%fe",
            "ä",
            "",
        ):
            answer = await api.http.request("PUT" if place == "uploads" else "GET", f"http://shop.test/{place}/{name}")
            assert answer.status_code == 404, (place, name)
            assert "secret" not in answer.text.replace("secret key", "")
    assert (await api.http.get(file["url"])).content == ART


async def test_one_range_is_answered_and_every_other_is_not_worth_any_work(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    file = await uploaded(api, ticket, ART)
    whole = len(ART)

    async def asked(given_: str | bytes, **more: str) -> tuple[int, bytes, str | None]:
        answer = await api.http.get(file["url"], headers={"range": given_, **more})
        return answer.status_code, answer.content, answer.headers.get("content-range")

    assert await asked("bytes=0-99") == (206, ART[:100], f"bytes 0-99/{whole}")
    assert await asked("bytes=100-") == (206, ART[100:], f"bytes 100-{whole - 1}/{whole}")
    assert await asked("bytes=-10") == (206, ART[-10:], f"bytes {whole - 10}-{whole - 1}/{whole}")
    assert await asked(f"bytes=5-{whole + 5}") == (206, ART[5:], f"bytes 5-{whole - 1}/{whole}")
    assert await asked(f"bytes=-{whole + 5}") == (200, ART, None)
    for beyond in (f"bytes={whole}-", "bytes=-0", f"bytes={whole + 1}-{whole + 2}", "bytes=999999999999-"):
        status, _, told = await asked(beyond)
        assert (status, told) == (416, f"bytes */{whole}")
    etag = (await api.http.get(file["url"])).headers["etag"]
    assert (await asked("bytes=0-9", **{"if-range": etag}))[0] == 206
    assert (await asked("bytes=0-9", **{"if-range": '"other"'}))[0] == 200
    many = ",".join(f"{i}-{i}" for i in range(10_000))
    begun = time.perf_counter()
    for _ in range(10):
        assert (await asked("bytes=0-9"))[0] == 206
    usual, begun = time.perf_counter() - begun, time.perf_counter()
    for odd in (
        f"bytes={many}",
        "bytes=0-1,3-4",
        "bytes=" + "0" * 60_000 + "-",
        "bytes=9-1",
        "bytes=-",
        "bytes=a-b",
        "bytes=٣-٤".encode(),
        "items=0-1",
        "bytes=0 - 1",
        "bytes=" + " " * 50_000,
    ):
        assert await asked(odd) == (200, ART, None)
    assert time.perf_counter() - begun < 50 * usual


async def test_who_has_it_already_is_told_so(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    file = await uploaded(api, ticket, ART)
    etags: set[str] = set()
    for url in (file["url"], file["thumbnail"]):
        etag = (await api.http.get(url)).headers["etag"]
        again = await api.http.get(url, headers={"if-none-match": etag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert (await api.http.get(url, headers={"if-none-match": '"other"'})).status_code == 200
        etags.add(etag)
    assert len(etags) == 2


async def test_bytes_that_are_lost_are_no_half_answer(shop: Shop, api: Api, tmp_path: Path) -> None:
    ticket = await given.ticket(shop, api)
    file = await uploaded(api, ticket, ART)
    for place in (tmp_path / "files" / "files").rglob("*"):
        if place.is_file():
            place.unlink()
    for url in (file["url"], file["thumbnail"]):
        assert (await api.http.get(url)).status_code == 404


async def test_a_storage_that_is_away_is_told_and_nothing_is_lost(
    shop: Shop, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART))
    root = tmp_path / "files"
    root.write_text("a file where a directory should be")
    answer = await put(api, payload, ART)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
    root.unlink()
    assert (await put(api, payload, ART)).status_code == 204


async def test_addresses_begin_as_the_shop_says(shop: Shop, database_url: str, tmp_path: Path) -> None:
    async with shop_with_files(database_url, tmp_path, API_URL="https://api.shop.example/") as api:
        ticket = await given.ticket(shop, api)
        payload = await prepared(api, announcing(ticket, ART))
        assert payload["upload"]["url"].startswith("https://api.shop.example/uploads/ey")
        file = await uploaded_at(api, ticket, payload)
        assert file["url"].startswith("https://api.shop.example/files/ey")


async def uploaded_at(api: Api, ticket: given.Ticket, payload: Any) -> Any:
    at_home = {**payload, "upload": {**payload["upload"], "url": payload["upload"]["url"].partition("example")[2]}}
    assert (await put(api, at_home, ART)).status_code == 204
    given_ = {"fileId": payload["file"]["id"], "accessToken": ticket.access_token}
    return (await api.done("uploadComplete", given_, "file { url }"))["file"]
