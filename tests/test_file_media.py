"""Pictures of products that are uploaded here: everybody sees them, and may keep them for ever."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from sqlalchemy import select

from db import File, Media
from domain.processes.shop import Shop
from resolvers import ids
from tests import given, people
from tests.api import Api
from tests.uploads import PDF, SVG, complete, picture, prepared, put, shop_with_files, uploaded

ART = picture()
MEDIA = "query ($id: ID!) { product(by: { id: $id }) { media { id url alt } } }"


@pytest_asyncio.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with shop_with_files(database_url, tmp_path) as running:
        yield running


def of_product(product: str, content: bytes) -> dict[str, Any]:
    told = {"fileName": "cup.png", "size": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
    return {"purpose": "PRODUCT_MEDIA", "subjectId": product, **told}


def of_file(product: str, file: str) -> dict[str, Any]:
    return {"productId": product, "image": {"fileId": file}}


async def picture_of(api: Api, product: str, content: bytes = ART) -> dict[str, Any]:
    """The payload of `uploadComplete`."""
    payload = await prepared(api, of_product(product, content))
    assert (await put(api, payload, content)).status_code == 204
    return await complete(api, payload)


async def test_an_uploaded_picture_is_shown_behind_the_others_for_ever(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    toni = await people.member(shop, api, "products:write")
    first, second = [(await picture_of(toni.api, cup.product))["file"] for _ in range(2)]
    for file, alt in ((first, "A cup "), (second, "")):
        added = await toni.api.done(
            "productAddMedia", {**of_file(cup.product, file["id"]), "alt": alt}, "media { id url alt }"
        )
        assert added["media"]["alt"] == alt.strip()
    media = (await api(MEDIA, {"id": cup.product}))["product"]["media"]
    assert [(one["id"], one["alt"]) for one in media] == [(media[0]["id"], "A cup"), (added["media"]["id"], "")]
    for one, file in zip(media, (first, second), strict=True):
        assert one["url"] == f"/media/{ids.decode('File', file['id']).hex}/{hashlib.sha256(ART).hexdigest()[:32]}"
        answer = await api.http.get(one["url"])
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, ART, "image/png")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        small = await api.http.get(one["url"] + "/160")
        assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
        for wrong in ("/161", "/0160x", "/-160", "0", "/160/160"):
            assert (await api.http.get(one["url"] + wrong)).status_code == 404
    subject = f"product:{ids.decode('Product', cup.product)}"
    assert (await people.audited(shop))[-1] == ("productAddMedia", subject, {"media": [None, media[1]["url"]]})


async def test_a_picture_is_nobodys_business_before_it_is_the_products(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    seller = await given.caller(shop, api, "staff", "products:write")
    file = (await picture_of(seller, cup.product))["file"]
    url = f"/media/{ids.decode('File', file['id']).hex}/{hashlib.sha256(ART).hexdigest()[:32]}"
    assert (await api.http.get(url)).status_code == 404
    query = "query ($id: ID!) { node(id: $id) { id } }"
    assert (await api(query, {"id": file["id"]}))["node"] is None
    other = await given.caller(shop, api, "staff", "tickets:read", "tickets:write")
    assert (await other(query, {"id": file["id"]}))["node"] is None
    assert (await seller(query, {"id": file["id"]}))["node"] == {"id": file["id"]}


async def test_nothing_but_pictures_becomes_one(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    seller = await given.caller(shop, api, "staff", "products:write")
    for content in (SVG, PDF, picture("JPEG") + b"<script>alert(1)</script>"):
        refused = await picture_of(seller, cup.product, content)
        assert (refused["file"], [e["__typename"] for e in refused["userErrors"]]) == (None, ["FileRejected"])
    for row in await shop.read.records(select(File)):
        given_ = of_file(cup.product, ids.encode("File", row.id))
        payload = await seller.do("productAddMedia", given_, "media { id }")
        assert [(e["__typename"], e["path"]) for e in payload["userErrors"]] == [("NotFound", ["image", "fileId"])]
    assert await shop.read.records(select(Media)) == []


async def test_a_picture_is_added_once_and_to_its_own_product(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup, lid = await given.product(shop), await given.product(shop, "lid")
    seller = await given.caller(shop, api, "staff", "products:write", "tickets:write")
    file = (await picture_of(seller, cup.product))["file"]
    (ticket,) = await given.tickets(shop, await given.order(api, {"variantId": cup.variant, "quantity": 1}))
    art = await uploaded(seller, ticket, ART)
    pending = (await prepared(seller, of_product(cup.product, ART)))["file"]
    for product, wrong, path in (
        (lid.product, file["id"], ["image", "fileId"]),
        (cup.product, art["id"], ["image", "fileId"]),
        (cup.product, pending["id"], ["image", "fileId"]),
        (ids.encode("Product", ticket.key), file["id"], ["productId"]),
    ):
        payload = await seller.do("productAddMedia", of_file(product, wrong), "media { id }")
        assert [(e["__typename"], e["path"]) for e in payload["userErrors"]] == [("NotFound", path)]
    given_ = of_file(cup.product, file["id"])
    long = await seller.do("productAddMedia", {**given_, "alt": "x" * 501}, "media { id }")
    assert [(e["__typename"], e["path"]) for e in long["userErrors"]] == [("ValidationFailed", ["alt"])]
    assert await shop.read.records(select(Media)) == []
    await seller.done("productAddMedia", given_, "media { id }")
    again = await seller.do("productAddMedia", given_, "media { id }")
    assert [(e["__typename"], e["path"]) for e in again["userErrors"]] == [("NotFound", ["image", "fileId"])]
    assert len(await shop.read.records(select(Media))) == 1


async def test_pictures_are_added_by_who_may_alone(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    seller = await given.caller(shop, api, "staff", "products:write")
    file = (await picture_of(seller, cup.product))["file"]
    document = "mutation ($input: ProductAddMediaInput!) { productAddMedia(input: $input) { media { id } } }"
    for who, code in (("nobody", "UNAUTHENTICATED"), ("customer", "FORBIDDEN"), ("staff", "FORBIDDEN")):
        caller = await given.caller(shop, api, who)
        answer = await caller.answer(document, {"input": of_file(cup.product, file["id"])})
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await shop.read.records(select(Media)) == []
