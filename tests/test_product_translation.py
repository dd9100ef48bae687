"""A product is shown in the language of who looks, and an order keeps that in which it was placed."""

from typing import Any

from domain.processes.shop import Shop
from tests import given, products
from tests.api import Api
from tests.products import audited, for_staff, refused, staff

DE = {
    "title": "Becher",
    "subtitle": "Aus Papier",
    "description": "<b>Leicht</b><script>x()</script>",
    "seoTitle": "Becher!",
}
TEXTS = "title subtitle description seo { title description }"
EVERYWHERE = f"""($id: ID!) @inContext(locale: LOCALE) {{ listed: products {{ nodes {{ {TEXTS} }} }}
  byHandle: product(by: {{ handle: "paper-cup" }}) {{ {TEXTS} }} byId: product(by: {{ id: $id }}) {{ {TEXTS} }}
  node(id: $id) {{ ... on Product {{ {TEXTS} }} }} }}"""


def texts(title: str, subtitle: str | None, description: str, seo: str | None) -> dict[str, Any]:
    return {
        "title": title,
        "subtitle": subtitle,
        "description": description,
        "seo": {"title": seo, "description": None},
    }


async def seen(api: Api, cup: given.Sold, locale: str) -> Any:
    """The same wherever one looks."""
    found = await api(f"query {EVERYWHERE}".replace("LOCALE", f'"{locale}"'), {"id": cup.product})
    ways = [found["byHandle"], found["byId"], found["node"], *found["listed"]["nodes"]]
    assert ways == [ways[0]] * 4
    return ways[0]


async def translated(shop: Shop, api: Api) -> tuple[Api, given.Sold]:
    await given.regions(shop)
    toni = await staff(shop, api)
    cup = await given.product(shop)
    await toni.done("productSetTranslations", {"id": cup.product, "locale": "de", **DE}, "product { id }")
    await toni.done(
        "productSetTranslations", {"id": cup.product, "locale": "de_at", "title": "Häferl"}, "product { id }"
    )
    return toni, cup


async def test_a_product_is_shown_in_the_operations_locale_and_falls_back(shop: Shop, api: Api) -> None:
    toni, cup = await translated(shop, api)
    german = texts("Becher", "Aus Papier", "<b>Leicht</b>", "Becher!")
    assert await seen(api, cup, "de") == await seen(api, cup, "de-CH") == german
    assert await seen(api, cup, "de-AT") == {**german, "title": "Häferl"}
    english = texts("Paper Cup", None, "", None)
    for locale in ("en", "fr-FR", "nl"):
        assert await seen(api, cup, locale) == english, locale
    for locale in ("nowhere", "'; --", ""):
        answer = await api.answer(f'query @inContext(locale: "{locale}") {{ products {{ nodes {{ title }} }} }}')
        assert [error["extensions"]["argument"] for error in answer["errors"]] == ["locale"], locale
    document = '{ adminProducts { nodes { title } } adminProduct(by: { handle: "paper-cup" }) { title } }'
    staffs = await toni(f'query @inContext(locale: "de") {document}')
    assert staffs == {"adminProducts": {"nodes": [{"title": "Becher"}]}, "adminProduct": {"title": "Becher"}}


async def test_translations_are_said_by_locale_and_taken_back(shop: Shop, api: Api) -> None:
    toni, cup = await translated(shop, api)
    kept = {"title": "Becher", "subtitle": "Aus Papier", "description": "<b>Leicht</b>", "seo_title": "Becher!"}
    before = await for_staff(toni, cup.product)
    assert (before["version"], before["admin"]["translations"]) == (3, {"de": kept, "de-AT": {"title": "Häferl"}})
    for more, path in (
        ({"locale": "nowhere"}, "locale"),
        ({"locale": "", "title": "x"}, "locale"),
        ({"locale": "de", "title": "x" * 256}, "title"),
        ({"locale": "de", "description": "x" * 100_001}, "description"),
    ):
        wrong = {"id": cup.product, **more}
        assert await refused(toni, "productSetTranslations", wrong) == [("ValidationFailed", path)], more
    assert await for_staff(toni, cup.product) == before
    await toni.done("productSetTranslations", {"id": cup.product, "locale": "de", "subtitle": None}, "product { id }")
    now = await for_staff(toni, cup.product)
    assert (now["version"], now["admin"]["translations"]) == (4, {"de-AT": {"title": "Häferl"}})
    assert [action for action, _ in await audited(shop)] == ["productSetTranslations"] * 3


async def test_a_cart_shows_the_operations_language_and_its_order_keeps_the_carts(shop: Shop, api: Api) -> None:
    toni, cup = await translated(shop, api)
    del toni
    await products.execute(
        shop,
        'UPDATE product_option SET translations = \'{"de": {"name": "Titel"}}\'',
        'UPDATE option_value SET translations = \'{"de": {"name": "Nur einer"}}\'',
    )
    german = Api(api.http, {"x-shop-context": "locale=de-AT"}, api.database)
    cart = await given.cart(german, {"variantId": cup.variant, "quantity": 1})
    document = "($id: ID!, $token: String!) { cart(id: $id, token: $token) { lines { title } } }"

    async def title(of: Api, directive: str = "") -> str:
        query = "query ($id: ID!, $token: String!) " + directive + document.removeprefix("($id: ID!, $token: String!)")
        ((line),) = (await of(query, {"id": cart.id, "token": cart.token}))["cart"]["lines"]
        return line["title"]

    assert await title(german) == await title(api) == "Häferl", "its own, when nothing else is asked for"
    assert await title(api, '@inContext(locale: "de")') == "Becher"
    english = Api(api.http, {"x-shop-context": "locale=en"}, api.database)
    assert await title(english) == "Paper Cup"
    written = await english.done("cartAddLines", {**cart.key, "lines": []}, "cart { lines { title } }")
    assert written["cart"]["lines"] == [{"title": "Paper Cup"}]
    order = "order { lines { title options { name value } } }"
    placed = await english.done("cartComplete", cart.completion(), order)
    line = {"title": "Häferl", "options": [{"name": "Titel", "value": "Nur einer"}]}
    assert placed["order"]["lines"] == [line]
