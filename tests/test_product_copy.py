"""A product is made once more, and its pictures are added, changed, ordered and taken away."""

from typing import Any

from sqlalchemy import text

from domain.price import PriceDraft
from domain.processes.shop import Shop
from resolvers import ids
from tests import given, products
from tests.api import Api
from tests.products import audited, created, for_staff, refused, shown, staff

PARTS = """product { id handle title version metadata categories { handle } admin { status externalId translations }
  options { name values { name } } media { url alt }
  variants { nodes { title sku barcode price { amount { minorUnits } } selectedOptions { name value }
    image { url } } } }"""


async def cups(shop: Shop, toni: Api) -> given.Sold:
    """A published product that has some of everything."""
    await given.regions(shop)
    (cup,) = await given.products(shop, products.draft("cup", {"S": "C-1", "L": "C-2"}))
    await given.prices(shop, *(PriceDraft(key, "EUR", 100 * i) for i, key in enumerate(cup.keys, 1)))
    told = {"externalId": "erp-1", "metadata": {"shelf": 4}}
    await toni.done("productUpdate", {"id": cup.product, **told}, "product { id }")
    await toni.done("productSetTranslations", {"id": cup.product, "locale": "de", "title": "Becher"}, "product { id }")
    await pictured(toni, cup.product, "https://example.com/a.jpg")
    await products.execute(
        shop,
        "INSERT INTO category (id, handle, name, rank) VALUES (gen_random_uuid(), 'cups', 'Cups', 1)",
        "INSERT INTO product_category (product_id, category_id) SELECT product.id, category.id FROM product, category",
        "UPDATE variant SET barcode = '123', media_id = (SELECT id FROM media) WHERE sku = 'C-1'",
        "UPDATE variant SET metadata = '{\"a\": 1}' WHERE sku = 'C-2'",
    )
    return cup


async def pictured(toni: Api, product_id: str, url: str, **more: Any) -> str:
    payload = await toni.done(
        "productAddMedia", {"productId": product_id, "image": {"url": url}, **more}, "media { id }"
    )
    return payload["media"]["id"]


async def test_a_copy_is_a_draft_with_everything_but_what_is_each_products_own(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    cup = await cups(shop, toni)
    before = await products.shown(toni, cup.product, PARTS.removeprefix("product {").removesuffix("}"))
    copy = (await toni.done("productDuplicate", {"id": cup.product}, PARTS))["product"]
    variants = [{**one, "sku": None, "barcode": None} for one in before["variants"]["nodes"]]
    assert [one["price"]["amount"]["minorUnits"] for one in variants] == ["100", "200"]
    assert (variants[0]["image"], before["categories"]) == ({"url": "https://example.com/a.jpg"}, [{"handle": "cups"}])
    own = {"id": copy["id"], "handle": "cup-2", "version": 1, "variants": {"nodes": variants}}
    admin = {"status": "DRAFT", "externalId": None, "translations": {"de": {"title": "Becher"}}}
    assert copy == {**before, **own, "admin": admin}
    again = {"id": cup.product, "title": " Mug ", "skuSuffix": "-B"}
    other = (await toni.done("productDuplicate", again, PARTS))["product"]
    assert (other["handle"], other["title"]) == ("mug", "Mug")
    assert [one["sku"] for one in other["variants"]["nodes"]] == ["C-1-B", "C-2-B"]
    assert await products.shown(toni, cup.product, PARTS.removeprefix("product {").removesuffix("}")) == before
    notes = await shop.read.records(text("SELECT count(*) FROM variant WHERE metadata = '{\"a\": 1}'"))
    assert notes[0][0] == 3
    told = [difference for action, difference in await audited(shop) if action == "productDuplicate"]
    assert told[0]["copy_of"] == [None, str(ids.decode("Product", cup.product))]


async def test_a_copy_whose_skus_are_in_use_is_not_made(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    cup = await cups(shop, toni)
    wish = {"id": cup.product, "skuSuffix": "-B"}
    await toni.done("productDuplicate", wish, "product { id }")
    assert await refused(toni, "productDuplicate", wish) == [("SkuTaken", "skuSuffix")] * 2
    for more, path in (
        ({"skuSuffix": ""}, "skuSuffix"),
        ({"skuSuffix": "x" * 51}, "skuSuffix"),
        ({"title": " "}, "title"),
    ):
        assert await refused(toni, "productDuplicate", {"id": cup.product, **more}) == [("ValidationFailed", path)]
    assert (await toni("{ adminProducts { totalCount } }"))["adminProducts"]["totalCount"] == 2


MEDIA = "media { url alt }"


async def test_pictures_are_added_changed_ordered_and_taken_away(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    made = await created(toni)
    urls = [f"https://example.com/{name}.jpg" for name in "abc"]
    a, b, c = [await pictured(toni, made["id"], url, alt=url[-5:-4]) for url in urls]
    key = {"productId": made["id"]}
    ordered = await toni.done(
        "productReorderMedia", {**key, "mediaIds": [c, a, b]}, "product { version media { alt } }"
    )
    assert ordered["product"] == {"version": 5, "media": [{"alt": "c"}, {"alt": "a"}, {"alt": "b"}]}
    await toni.done("productReorderMedia", {**key, "mediaIds": [c, a, b]}, "product { id }")
    changed = {"id": a, "url": "HTTPS://cdn.example.com/a?w=1#x", "ifVersion": 5}
    picture = (await toni.done("productUpdateMedia", changed, MEDIA))["media"]
    assert picture == {"url": "HTTPS://cdn.example.com/a?w=1#x", "alt": "a"}
    assert (await toni.done("productUpdateMedia", {"id": a, "alt": None}, MEDIA))["media"]["alt"] == ""
    await toni.done("productUpdateMedia", {"id": a}, MEDIA)
    await products.execute(shop, "UPDATE variant SET media_id = (SELECT id FROM media WHERE alt = 'c')")
    left = await toni.done("productRemoveMedia", {**key, "mediaIds": [c, c]}, "product { version media { alt } }")
    assert left["product"] == {"version": 8, "media": [{"alt": ""}, {"alt": "b"}]}
    await products.published(toni, made["id"])
    assert await shown(api, made["id"], "variants { nodes { image { id } } }") == {
        "variants": {"nodes": [{"image": None}]}
    }
    actions = [action for action, _ in await audited(shop) if "Media" in action]
    assert actions == [
        *["productAddMedia"] * 3,
        "productReorderMedia",
        "productUpdateMedia",
        "productUpdateMedia",
        "productRemoveMedia",
    ]


async def test_pictures_that_cannot_be_are_refused_and_nothing_is_asked_of_their_addresses(
    shop: Shop, api: Api
) -> None:
    toni = await staff(shop, api)
    made, other = await created(toni, "Cup"), await created(toni, "Mug")
    one = await pictured(toni, made["id"], "https://example.com/a.jpg")
    two = await pictured(toni, made["id"], "https://example.com/b.jpg")
    foreign = await pictured(toni, other["id"], "https://example.com/a.jpg")
    before = await for_staff(toni, made["id"])
    key = {"productId": made["id"]}
    for url in (
        "javascript:alert(1)",
        "data:image/svg+xml,<svg/>",
        "ftp://example.com/a.jpg",
        "//example.com/a.jpg",
        "https://",
        "https://user@example.com/a.jpg",
        "https://example.com/a b.jpg",
        "https://example.com/" + "x" * 2_000,
        "https://example.com/a.jpg",
    ):
        wrong = await refused(toni, "productAddMedia", {**key, "image": {"url": url}})
        assert wrong == [("ValidationFailed", "image.url")], url
        expected = [("ValidationFailed", "url")]
        assert await refused(toni, "productUpdateMedia", {"id": two, "url": url}) == expected, url
    long = {**key, "image": {"url": "https://example.com/c.jpg"}, "alt": "x" * 501}
    assert await refused(toni, "productAddMedia", long) == [("ValidationFailed", "alt")]
    assert await refused(toni, "productUpdateMedia", {"id": one, "url": None}) == [("ValidationFailed", "url")]
    for media in ([one], [one, one], [one, two, one], []):
        assert await refused(toni, "productReorderMedia", {**key, "mediaIds": media}) == [
            ("ValidationFailed", "mediaIds")
        ]
    for mutation in ("productReorderMedia", "productRemoveMedia"):
        assert await refused(toni, mutation, {**key, "mediaIds": [one, foreign]}) == [("NotFound", "mediaIds.1")]
    late = {**key, "mediaIds": [two, one], "ifVersion": 1}
    assert await refused(toni, "productReorderMedia", late) == [("VersionConflict", "ifVersion")]
    unknown = ids.encode("Media", ids.decode("Product", made["id"]))
    assert await refused(toni, "productUpdateMedia", {"id": unknown, "alt": ""}) == [("NotFound", "id")]
    assert await for_staff(toni, made["id"]) == before
    listed = await shop.read.records(text("SELECT url FROM media ORDER BY rank, url"))
    assert [row.url[-5:] for row in listed] == ["a.jpg", "a.jpg", "b.jpg"]
