"""Uploads: announced by who may, taken if they are what was announced, ready once they were looked at."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, text, update

from db import File
from db.connection import new_id
from domain import file as files
from domain.processes.shop import Shop
from resolvers import ids
from server import tokens as purposes
from server.tokens import FILE, ISSUER, KeyRing, SignedTokens
from tests import carts, given, people
from tests.api import SECRET, Api
from tests.uploads import (
    HTML,
    PDF,
    UPLOAD,
    announcing,
    complete,
    lying,
    picture,
    prepared,
    put,
    shop_with_files,
    uploaded,
)

ART = picture()


@pytest_asyncio.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with shop_with_files(database_url, tmp_path) as running:
        yield running


async def stored(shop: Shop) -> list[dict[str, Any]]:
    return [dict(row) for row in await shop.read.records(select(File.__table__).order_by(File.id))]


async def test_a_file_is_announced_sent_and_looked_at(shop: Shop, api: Api, tmp_path: Path) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART, "Our lögo.gif"))
    upload = payload["upload"]
    assert payload["file"] == {
        "id": payload["file"]["id"],
        "state": "PENDING",
        "name": "Our lögo.gif",
        "size": str(len(ART)),
        "contentType": None,
        "width": None,
        "height": None,
        "url": None,
        "thumbnail": None,
    }
    assert upload["url"].startswith("/uploads/")
    left = datetime.fromisoformat(upload["expiresAt"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    assert (await put(api, payload, ART)).status_code == 204
    assert lying(tmp_path) == [f"incoming/{ids.decode('File', payload['file']['id']).hex}"]
    done = await complete(api, payload, ticket.access_token)
    file = done["file"]
    assert done["userErrors"] == []
    assert (file["state"], file["contentType"], file["width"], file["height"]) == ("READY", "image/png", 600, 400)
    (row,) = await stored(shop)
    assert (row["thumbnails"], row["ticket_id"], row["attached_at"]) == ([160, 480], ticket.key, None)
    assert (row["created_by_kind"], row["created_by"]) == ("customer", None)
    kept = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(kept) == ["160", "480", "original"]
    assert (await api.http.get(file["url"])).content == ART


async def test_it_is_asked_for_again_by_its_id_by_those_who_may_see_it(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    file = await uploaded(api, ticket, ART)
    query = "query ($id: ID!) { node(id: $id) { ... on File { name } } }"
    holder = Api(api.http, {"x-access-token": ticket.access_token})
    callers = {
        "nobody": Api(api.http),
        "holder": holder,
        "customer": await given.caller(shop, api, "customer"),
        "staff": await given.caller(shop, api, "staff"),
        "products": await given.caller(shop, api, "staff", "products:write"),
        "tickets": await given.caller(shop, api, "staff", "tickets:read"),
    }
    seen = {who for who, caller in callers.items() if (await caller(query, {"id": file["id"]}))["node"] is not None}
    assert seen == {"holder", "tickets"}


NONSENSE = [
    ({"subjectId": None}, "subjectId"),
    ({"fileName": ""}, "fileName"),
    ({"fileName": "x" * 201}, "fileName"),
    ({"fileName": "../../etc/passwd"}, "fileName"),
    ({"fileName": "C:\\art.png"}, "fileName"),
    ({"fileName": ".."}, "fileName"),
    ({"fileName": "art\0.png"}, "fileName"),
    ({"fileName": "art\r\nX-Evil: 1.png"}, "fileName"),
    ({"fileName": "gnp.\u202eexe"}, "fileName"),
    ({"size": "0"}, "size"),
    ({"size": "-1"}, "size"),
    ({"size": str(50 * 2**20 + 1)}, "size"),
    ({"size": str(2**63 - 1)}, "size"),
    ({"sha256": ""}, "sha256"),
    ({"sha256": "0" * 63}, "sha256"),
    ({"sha256": "g" * 64}, "sha256"),
    ({"subjectId": "nonsense"}, "subjectId"),
]


async def test_nonsense_is_refused_by_its_field_and_announces_nothing(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    for more, path in NONSENSE:
        payload = await api.do("uploadPrepare", announcing(ticket, ART, **more), UPLOAD)
        errors = [(e["__typename"], e["path"]) for e in payload["userErrors"]]
        assert (payload["file"], payload["upload"], errors) == (None, None, [("ValidationFailed", [path])]), more
    document = f"mutation ($input: UploadPrepareInput!) {{ uploadPrepare(input: $input) {{ {UPLOAD} }} }}"
    for name in ("purpose", "fileName", "size", "sha256"):
        answer = await api.answer(document, {"input": announcing(ticket, ART, **{name: None})})
        assert [e["extensions"]["code"] for e in answer["errors"]] == ["BAD_USER_INPUT"]
    assert await stored(shop) == []


async def test_only_who_may_write_on_a_ticket_uploads_for_it(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    announced = announcing(ticket, ART, accessToken=None)

    async def refusal(caller: Api, **more: Any) -> str:
        document = f"mutation ($input: UploadPrepareInput!) {{ uploadPrepare(input: $input) {{ {UPLOAD} "
        document += "userErrors { __typename path } } }"
        answer = await caller.answer(document, {"input": {**announced, **more}})
        if "errors" in answer:
            return answer["errors"][0]["extensions"]["code"]
        errors = answer["data"]["uploadPrepare"]["userErrors"]
        return errors[0]["__typename"] + ":" + errors[0]["path"][0] if errors else "done"

    nobody, customer = Api(api.http), await given.caller(shop, api, "customer")
    reader = await given.caller(shop, api, "staff", "tickets:read", "orders:read")
    writer = await given.caller(shop, api, "staff", "tickets:write")
    seller = await given.caller(shop, api, "staff", "products:write")
    for caller in (nobody, customer, reader, seller):
        assert await refusal(caller) == "NotFound:subjectId"
        assert await refusal(caller, subjectId=ids.encode("Ticket", new_id())) == "NotFound:subjectId"
    assert await refusal(nobody, accessToken="nonsense") == "NotFound:subjectId"
    for purpose, subject, without in (
        ("PROOF", ticket.id, (customer, reader, seller)),
        ("PRODUCT_MEDIA", ids.encode("Product", new_id()), (customer, reader, writer)),
    ):
        assert await refusal(nobody, purpose=purpose, subjectId=subject) == "UNAUTHENTICATED"
        holder = await refusal(nobody, purpose=purpose, subjectId=subject, accessToken=ticket.access_token)
        assert holder == "UNAUTHENTICATED"
        for caller in without:
            assert await refusal(caller, purpose=purpose, subjectId=subject) == "FORBIDDEN"
    assert await stored(shop) == []
    missing = ids.encode("Product", new_id())
    assert await refusal(seller, purpose="PRODUCT_MEDIA", subjectId=missing) == "NotFound:subjectId"
    assert await refusal(nobody, accessToken=ticket.access_token) == "done"
    assert await refusal(writer) == "done"
    assert await refusal(writer, purpose="PROOF") == "done"
    assert [row["created_by_kind"] for row in await stored(shop)] == ["customer", "staff", "staff"]


async def test_what_staff_upload_is_in_the_audit_log(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    toni = await people.member(shop, api, "tickets:write")
    file = await uploaded(toni.api, ticket, PDF, "proof.pdf", purpose="PROOF")
    subject = f"file:{ids.decode('File', file['id'])}"
    assert await people.audited(shop) == [
        ("uploadPrepare", subject, {"name": [None, "proof.pdf"]}),
        ("uploadComplete", subject, {"content_type": [None, "application/pdf"]}),
    ]


async def test_other_bytes_than_were_announced_are_not_taken(shop: Shop, api: Api, tmp_path: Path) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART))

    async def in_parts(content: bytes) -> AsyncIterator[bytes]:
        for i in range(0, len(content), 500):
            yield content[i : i + 500]

    other = ART[:-1] + bytes([ART[-1] ^ 1])
    for content, status, code in (
        (other, 422, "CHECKSUM_MISMATCH"),
        (in_parts(other), 422, "CHECKSUM_MISMATCH"),
        (ART[:-1], 422, "CHECKSUM_MISMATCH"),
        (in_parts(ART[:-1]), 422, "CHECKSUM_MISMATCH"),
        (b"", 422, "CHECKSUM_MISMATCH"),
        (ART + b"\0", 413, "PAYLOAD_TOO_LARGE"),
        (in_parts(ART + b"\0"), 413, "PAYLOAD_TOO_LARGE"),
    ):
        answer = await put(api, payload, content)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (status, code)
        assert lying(tmp_path) == []
    done = await complete(api, payload, ticket.access_token)
    assert [e["__typename"] for e in done["userErrors"]] == ["UploadIncomplete"]
    assert [row["state"] for row in await stored(shop)] == ["pending"]
    assert (await put(api, payload, in_parts(ART))).status_code == 204
    assert (await complete(api, payload, ticket.access_token))["file"]["state"] == "READY"


async def test_bytes_that_go_on_are_cut_off_where_they_were_to_end(shop: Shop, api: Api, tmp_path: Path) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART))
    sent = 0

    async def without_end() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 100_000
            yield bytes(100_000)

    assert (await put(api, payload, without_end())).status_code == 413
    assert sent <= 200_000
    assert lying(tmp_path) == []


async def test_an_upload_that_is_interrupted_leaves_nothing_and_may_begin_anew(
    shop: Shop, api: Api, tmp_path: Path
) -> None:
    ticket = await given.ticket(shop, api)
    large = picture("PNG", (1500, 1000)) + bytes(3 * 2**20)
    payload = await prepared(api, announcing(ticket, large))
    half_way = asyncio.Event()

    async def stopping() -> AsyncIterator[bytes]:
        yield large[: 2**21]
        half_way.set()
        await asyncio.sleep(60)

    sending = asyncio.create_task(put(api, payload, stopping()))
    await half_way.wait()
    await given.until(lambda: len(lying(tmp_path)) == 1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert lying(tmp_path) == []
    assert (await put(api, payload, large)).status_code == 204


async def test_tokens_of_uploads_are_good_for_their_file_until_their_time_and_for_nothing_else(
    shop: Shop, api: Api, tmp_path: Path
) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART))
    file_id = ids.decode("File", payload["file"]["id"])
    good = payload["upload"]["url"].removeprefix("/uploads/")
    soon, past = datetime.now(UTC) + timedelta(minutes=5), datetime.now(UTC) - timedelta(seconds=1)
    claims = {"iss": ISSUER, "sub": str(file_id), "exp": soon}
    keys, elsewhere = KeyRing((SECRET,)), KeyRing(("somebody else's secret of enough characters",))
    tokens = {
        "expired": keys.sign({**claims, "aud": purposes.UPLOAD, "exp": past}),
        "without an end": keys.sign({"iss": ISSUER, "aud": purposes.UPLOAD, "sub": str(file_id)}),
        "of a download": keys.sign({**claims, "aud": FILE}),
        "of another shop": elsewhere.sign({**claims, "aud": purposes.UPLOAD}),
        "of nothing": SignedTokens(SECRET).upload_token(new_id(), soon),
        "of no id": keys.sign({**claims, "aud": purposes.UPLOAD, "sub": "../../x"}),
        "an order's": ticket.access_token,
        "cut": good[:-2],
        "nonsense": "nonsense",
    }
    for name, token in tokens.items():
        answer = await api.http.put(f"/uploads/{token}", content=ART)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND"), name
    assert (await api.http.get(f"/files/{good}")).status_code == 404
    assert (await api.http.post(f"/uploads/{good}", content=ART)).status_code == 405
    assert lying(tmp_path) == []
    await carts.execute(shop, "UPDATE file SET upload_until = now() - interval '1 second'")
    assert (await put(api, payload, ART)).status_code == 404
    await carts.execute(shop, "UPDATE file SET upload_until = now() + interval '1 minute'")
    assert (
        await api.http.put(f"/uploads/{good}", content=ART, headers={"content-encoding": "gzip"})
    ).status_code == 415
    assert (await put(api, payload, ART)).status_code == 204


async def test_a_file_that_is_ready_takes_no_more_bytes(shop: Shop, api: Api, tmp_path: Path) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART))
    for _ in range(2):
        assert (await put(api, payload, ART)).status_code == 204
    await complete(api, payload, ticket.access_token)
    before = lying(tmp_path)
    assert (await put(api, payload, ART)).status_code == 404
    assert lying(tmp_path) == before


async def test_what_is_not_taken_is_told_why_and_not_kept(shop: Shop, api: Api, tmp_path: Path) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, HTML, "art.png"))
    assert (await put(api, payload, HTML)).status_code == 204
    for _ in range(2):
        done = await complete(api, payload, ticket.access_token)
        assert done["file"] is None
        (error,) = done["userErrors"]
        assert (error["__typename"], error["code"], error["reason"]) == (
            "FileRejected",
            "FILE_REJECTED",
            "TYPE_NOT_ALLOWED",
        )
        assert error["path"] == ["fileId"]
        assert lying(tmp_path) == []
    (row,) = await stored(shop)
    assert (row["state"], row["reason"], row["content_type"]) == ("rejected", "type_not_allowed", None)
    assert (await put(api, payload, HTML)).status_code == 404


async def test_nobody_completes_what_somebody_else_uploads(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART))
    await put(api, payload, ART)
    before = await stored(shop)
    writer = await given.caller(shop, api, "staff", "tickets:write", "tickets:read")
    for caller in (Api(api.http), await given.caller(shop, api, "customer"), writer):
        done = await complete(caller, payload)
        assert (done["file"], [e["__typename"] for e in done["userErrors"]]) == (None, ["NotFound"])
        assert await complete(caller, {"file": {"id": ids.encode("File", new_id())}}) == done
    assert await stored(shop) == before
    theirs = await prepared(writer, announcing(ticket, ART, accessToken=None))
    await put(api, theirs, ART)
    assert [e["__typename"] for e in (await complete(api, theirs, ticket.access_token))["userErrors"]] == ["NotFound"]
    reader = await given.caller(shop, api, "staff", "tickets:read")
    assert [e["__typename"] for e in (await complete(reader, theirs))["userErrors"]] == ["NotFound"]
    assert (await complete(writer, theirs))["file"]["state"] == "READY"


async def test_completed_many_times_at_once_it_is_ready_once(shop: Shop, api: Api, tmp_path: Path) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART))
    await put(api, payload, ART)
    answers = await asyncio.gather(*(complete(api, payload, ticket.access_token) for _ in range(8)))
    for answer in answers:
        assert (answer["userErrors"], answer["file"]["state"]) == ([], "READY")
    assert len(lying(tmp_path)) == 3
    ready = await shop.read.records(select(File.id).where(File.state == "ready"))
    events = await shop.read.records(text("SELECT id FROM event WHERE name = 'FileReady'"))
    assert (len(ready), len(events)) == (1, 1)


async def test_a_ticket_has_so_many_files_at_most_whoever_announces_at_once(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await given.ticket(shop, api)
    monkeypatch.setattr(files, "MOST_WAITING", 3)
    answers = await asyncio.gather(*(api.do("uploadPrepare", announcing(ticket, ART), "file { id }") for _ in range(8)))
    assert sorted(e["__typename"] for a in answers for e in a["userErrors"]) == ["TooManyFiles"] * 5
    assert len(await stored(shop)) == 3
    async with shop.tx() as tx:
        await tx.run(update(File).values(state="ready", content_type="image/png"))
    await carts.execute(shop, "UPDATE file SET attached_at = now()")
    await prepared(api, announcing(ticket, ART))
    monkeypatch.setattr(files, "MOST_BYTES", 5 * len(ART) - 1)
    payload = await api.do("uploadPrepare", announcing(ticket, ART), "file { id }")
    assert [(e["__typename"], e["code"], e["path"]) for e in payload["userErrors"]] == [
        ("TooManyFiles", "TOO_MANY_FILES", ["subjectId"])
    ]


async def test_a_hash_is_told_in_either_case(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    payload = await prepared(api, announcing(ticket, ART, sha256=hashlib.sha256(ART).hexdigest().upper()))
    assert (await put(api, payload, ART)).status_code == 204


async def test_a_browser_of_the_storefront_may_upload_and_others_may_not(
    shop: Shop, database_url: str, tmp_path: Path
) -> None:
    async with shop_with_files(database_url, tmp_path, STORE_CORS="https://store.example") as api:
        payload = await prepared(api, announcing(await given.ticket(shop, api), ART))
        asked = {"access-control-request-method": "PUT", "access-control-request-headers": "content-type"}

        async def allowed(origin: str) -> tuple[int, Any]:
            headers = {**asked, "origin": origin}
            answer = await api.http.options(payload["upload"]["url"], headers=headers)
            return answer.status_code, answer.headers.get("access-control-allow-origin")

        assert await allowed("https://store.example") == (200, "https://store.example")
        assert await allowed("https://evil.example") == (400, None)
