"""Pictures of categories and collections that are uploaded: served to everybody, taken once, gone when replaced."""

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from domain.processes.prune import prune
from domain.processes.shop import Shop
from domain.storage import Files
from plugins.storage_local import LocalStorage
from resolvers import ids
from tests import customers, given
from tests.api import Api
from tests.test_file_media import of_product
from tests.uploads import PDF, SVG, announcing, complete, lying, picture, prepared, put, shop_with_files

ART, OTHER = picture(), picture("JPEG")
WRITE = ("categories:write", "collections:write", "products:write", "tickets:write")
KINDS = pytest.mark.parametrize(("kind", "named"), [("category", {"name": "Cups"}), ("collection", {"title": "Cups"})])


@pytest_asyncio.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with shop_with_files(database_url, tmp_path) as running:
        yield running


def announced(kind: str, content: bytes, **more: Any) -> dict[str, Any]:
    told = {"fileName": "cup.png", "size": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
    return {"purpose": f"{kind.upper()}_PICTURE", **told, **more}


async def taken(api: Api, given_: dict[str, Any], content: bytes) -> str:
    """The id of a file that is ready."""
    payload = await prepared(api, given_)
    assert (await put(api, payload, content)).status_code == 204
    done = await complete(api, payload)
    assert done["userErrors"] == []
    return done["file"]["id"]


def path_of(file: str, content: bytes) -> str:
    return f"/media/{ids.decode('File', file).hex}/{hashlib.sha256(content).hexdigest()[:32]}"


def writer(api: Api, kind: str) -> Callable[..., Any]:
    async def write(verb: str, **given_: Any) -> dict[str, Any]:
        shown = f"{kind} {{ id version image {{ url alt fileId }} }}"
        return (await api.done(f"{kind}{verb}", given_, shown))[kind]

    return write


async def states(shop: Shop) -> dict[str, tuple[str, bool]]:
    rows = await customers.rows(shop, "SELECT id, state, attached_at IS NOT NULL AS used FROM file")
    return {ids.encode("File", row["id"]): (row["state"], row["used"]) for row in rows}


@KINDS
async def test_an_uploaded_picture_is_shown_to_everybody_until_it_is_replaced(
    shop: Shop, api: Api, tmp_path: Path, kind: str, named: dict[str, str]
) -> None:
    staff = await given.caller(shop, api, "staff", *WRITE)
    write = writer(staff, kind)
    first, second = await taken(staff, announced(kind, ART), ART), await taken(staff, announced(kind, OTHER), OTHER)
    assert (await api.http.get(path_of(first, ART))).status_code == 404, "nobody's business before"
    made = await write("Create", **named, image={"fileId": first, "alt": " A cup "})
    assert made["image"] == {"url": path_of(first, ART), "alt": "A cup", "fileId": first}
    answer = await api.http.get(made["image"]["url"])
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, ART, "image/png")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await api.http.get(made["image"]["url"] + "/160")).headers["content-type"] == "image/webp"
    query = f"query ($id: ID!) {{ {kind}(by: {{ id: $id }}) {{ image {{ url alt }} }} }}"
    if kind == "category":
        assert (await api(query, {"id": made["id"]}))[kind]["image"] == {"url": path_of(first, ART), "alt": "A cup"}
    same = await write("Update", id=made["id"], image={"fileId": first, "alt": "Still"})
    assert (same["image"], same["version"]) == ({**made["image"], "alt": "Still"}, 2)
    named_again = await write("Update", id=made["id"], image={"fileId": first, "alt": "Still"})
    assert named_again["version"] == 2
    replaced = await write("Update", id=made["id"], image={"fileId": second})
    assert replaced["image"] == {"url": path_of(second, OTHER), "alt": "", "fileId": second}
    assert await states(shop) == {first: ("removed", True), second: ("ready", True)}
    assert (await api.http.get(path_of(first, ART))).status_code == 404
    gone = await write("Update", id=made["id"], image=None)
    assert gone["image"] is None
    assert await states(shop) == {first: ("removed", True), second: ("removed", True)}
    assert lying(tmp_path)
    await prune(Shop(shop.database, shop.providers, files=Files(LocalStorage(tmp_path))))
    assert lying(tmp_path) == []
    (entry, *_) = await customers.rows(
        shop, "SELECT difference FROM audit_entry WHERE action ~ 'Update' ORDER BY id DESC"
    )
    assert entry["difference"]["image_url"] == [path_of(second, OTHER), None]


@KINDS
async def test_a_picture_that_it_may_not_have_is_refused_and_changes_nothing(
    shop: Shop, api: Api, kind: str, named: dict[str, str]
) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    (ticket,) = await given.tickets(shop, await given.order(api, {"variantId": cup.variant, "quantity": 1}))
    staff = await given.caller(shop, api, "staff", *WRITE)
    write = writer(staff, kind)
    other_kind = {"category": "collection", "collection": "category"}[kind]
    used = await taken(staff, announced(kind, ART), ART)
    await write("Create", **named, image={"fileId": used})
    made = await write("Create", **named)
    mine = await taken(staff, announced(kind, ART), ART)
    proof = {**announcing(ticket, ART), "accessToken": None, "purpose": "PROOF"}
    wrong = {
        "another purpose": await taken(staff, of_product(cup.product, ART), ART),
        "of the other kind": await taken(staff, announced(other_kind, ART), ART),
        "a proof": await taken(staff, proof, ART),
        "not complete": (await prepared(staff, announced(kind, ART)))["file"]["id"],
        "used": used,
        "not there": ids.encode("File", ticket.key),
    }
    before = await states(shop)
    rows = await customers.rows(shop, f"SELECT * FROM {kind} ORDER BY id")
    for why, file in wrong.items():
        for verb, which in (("Create", named), ("Update", {"id": made["id"]})):
            refused = await staff.do(f"{kind}{verb}", {**which, "image": {"fileId": file}}, "__typename")
            assert customers.errors(refused) == [("NotFound", ["image", "fileId"])], why
    for image, path in (
        ({"fileId": mine, "url": "https://e.example/a.jpg"}, ["image", "fileId"]),
        ({"alt": "x"}, ["image", "url"]),
        ({"fileId": made["id"]}, ["image", "fileId"]),
        ({"fileId": mine, "alt": "x" * 501}, ["image", "alt"]),
    ):
        refused = await staff.do(f"{kind}Update", {"id": made["id"], "image": image}, "__typename")
        assert [at for _, at in customers.errors(refused)] == [path]
    stale = {"id": made["id"], "image": {"fileId": mine}, "ifVersion": 9}
    assert customers.errors(await staff.do(f"{kind}Update", stale, "__typename")) == [
        ("VersionConflict", ["ifVersion"])
    ]
    assert await states(shop) == before
    assert await customers.rows(shop, f"SELECT * FROM {kind} ORDER BY id") == rows
    elsewhere = await write("Update", id=made["id"], image={"url": "https://e.example/a.jpg"})
    assert elsewhere["image"] == {"url": "https://e.example/a.jpg", "alt": "", "fileId": None}


async def test_only_who_may_change_categories_uploads_their_pictures_and_only_pictures(shop: Shop, api: Api) -> None:
    staff = await given.caller(shop, api, "staff", "categories:write")
    document = """mutation ($input: UploadPrepareInput!) { uploadPrepare(input: $input) {
        file { id } userErrors { __typename path } } }"""
    for who, code in (("nobody", "UNAUTHENTICATED"), ("customer", "FORBIDDEN"), ("staff", "FORBIDDEN")):
        caller = await given.caller(shop, api, who, *(("products:write",) if who == "staff" else ()))
        answer = await caller.answer(document, {"input": announced("category", ART)})
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert (await staff.answer(document, {"input": announced("collection", ART)}))["errors"]
    category = (await staff.done("categoryCreate", {"name": "Cups"}, "category { id }"))["category"]["id"]
    with_subject = await staff.do("uploadPrepare", announced("category", ART, subjectId=category), "file { id }")
    assert customers.errors(with_subject) == [("ValidationFailed", ["subjectId"])]
    seller = await given.caller(shop, api, "staff", "products:write")
    without = await seller.do(
        "uploadPrepare", {**announced("category", ART), "purpose": "PRODUCT_MEDIA"}, "file { id }"
    )
    assert customers.errors(without) == [("ValidationFailed", ["subjectId"])]
    assert await states(shop) == {}
    for content in (SVG, PDF):
        payload = await prepared(staff, announced("category", content))
        assert (await put(staff, payload, content)).status_code == 204
        assert [e["__typename"] for e in (await complete(staff, payload))["userErrors"]] == ["FileRejected"]
    for _ in range(30 - len(await states(shop))):
        await prepared(staff, announced("category", ART))
    many = await staff.do("uploadPrepare", announced("category", ART), "file { id }")
    assert customers.errors(many) == [("TooManyFiles", ["purpose"])]
    assert len(await states(shop)) == 30
    node = "query ($id: ID!) { node(id: $id) { id } }"
    (one, *_) = await states(shop)
    assert (await staff(node, {"id": one}))["node"] == {"id": one}
    for other in (seller, await given.caller(shop, api, "staff", "tickets:read", "collections:write")):
        assert (await other(node, {"id": one}))["node"] is None


async def test_a_category_that_is_deleted_takes_its_picture_along(shop: Shop, api: Api) -> None:
    staff = await given.caller(shop, api, "staff", "categories:write")
    file = await taken(staff, announced("category", ART), ART)
    made = await writer(staff, "category")("Create", name="Cups", image={"fileId": file})
    await staff.done("categoryDelete", {"id": made["id"]}, "categoryId")
    assert await states(shop) == {file: ("removed", True)}
    assert (await api.http.get(path_of(file, ART))).status_code == 404
