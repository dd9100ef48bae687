"""What a shopper sees of a product, in the merchant's order, and of what is not published: nothing."""

from sqlalchemy import update

from db import Category, Collection, Product, ProductCategory, ProductCollection
from db.catalog import ProductStatus
from db.connection import new_id
from domain.collection_publication import publish_new
from domain.processes.shop import Shop
from domain.product import MediaDraft, ProductDraft, VariantDraft
from resolvers import ids
from tests import given
from tests.api import Api

PUBLISHED = ProductStatus.PUBLISHED
HIDDEN = [ProductStatus.DRAFT, ProductStatus.PROPOSED, ProductStatus.REJECTED]
PAGE = """id handle title description vendor type tags version briefDue briefSchema seo { title description }
    options { name values { name } } media { url alt }
    variants { nodes { title sku barcode weightGrams requiresShipping selectedOptions { name value } image { url }
                       product { handle } } }"""
BY_HANDLE = "query ($handle: String!) { product(by: {handle: $handle}) { %s } }"
BY_ID = "query ($id: ID!) { product(by: {id: $id}) { %s } }"


def mug(*order: tuple[str, str], media: str = "abc", options: tuple[str, str] = ("Size", "Glaze")) -> ProductDraft:
    """Variants in this order; each letter of `media` is a picture."""
    return ProductDraft(
        handle="mug",
        title="Mug",
        description='<p onclick="steal()">Holds <b>tea</b>.</p><script>steal()</script>',
        status=PUBLISHED,
        vendor="Potter & Sons",
        type="Cup",
        tags=("tea", "clay"),
        seo_title="A mug",
        options=options,
        media=tuple(MediaDraft(f"https://img.example/{letter}.jpg", letter.upper()) for letter in media),
        variants=tuple(
            VariantDraft(
                values=(values),
                sku="-".join(sorted(values)).upper(),
                weight_grams=300,
                image=f"https://img.example/{media[0]}.jpg" if i == 1 else None,
            )
            for i, values in enumerate(order, 1)
        ),
    )


async def test_a_product_page_shows_everything_in_the_merchants_order(shop: Shop, api: Api) -> None:
    await given.products(shop, mug(("S", "White"), ("L", "White"), ("L", "Blue")))
    reordered = mug(("L", "Blue"), ("L", "White"), ("S", "White"), media="cab")
    (sold,) = await given.products(shop, reordered)
    found = (await api(BY_HANDLE % PAGE, {"handle": "mug"}))["product"]
    variants = found.pop("variants")["nodes"]
    assert found == {
        "id": sold.product,
        "handle": "mug",
        "title": "Mug",
        "description": "<p>Holds <b>tea</b>.</p>",
        "vendor": "Potter & Sons",
        "type": "Cup",
        "tags": ["tea", "clay"],
        "version": 2,
        "briefDue": "AFTER_ORDER",
        "briefSchema": None,
        "seo": {"title": "A mug", "description": None},
        "options": [
            {"name": "Size", "values": [{"name": "L"}, {"name": "S"}]},
            {"name": "Glaze", "values": [{"name": "Blue"}, {"name": "White"}]},
        ],
        "media": [{"url": f"https://img.example/{letter}.jpg", "alt": letter.upper()} for letter in "cab"],
    }
    assert variants == [
        {
            "title": f"{size} / {glaze}",
            "sku": "-".join(sorted((size, glaze))).upper(),
            "barcode": None,
            "weightGrams": 300,
            "requiresShipping": True,
            "selectedOptions": [{"name": "Size", "value": size}, {"name": "Glaze", "value": glaze}],
            "image": image,
            "product": {"handle": "mug"},
        }
        for size, glaze, image in (
            ("L", "Blue", {"url": "https://img.example/c.jpg"}),
            ("L", "White", None),
            ("S", "White", None),
        )
    ]
    assert (await api(BY_ID % "id title", {"id": sold.product}))["product"] == {"id": sold.product, "title": "Mug"}


async def test_options_change_places_when_the_merchant_says_so(shop: Shop, api: Api) -> None:
    await given.products(shop, mug(("S", "White"), ("L", "Blue")))
    await given.products(shop, mug(("White", "S"), ("Blue", "L"), options=("Glaze", "Size")))
    selection = "options { name values { name } } variants { nodes { title selectedOptions { name value } } }"
    assert (await api(BY_HANDLE % selection, {"handle": "mug"}))["product"] == {
        "options": [
            {"name": "Glaze", "values": [{"name": "White"}, {"name": "Blue"}]},
            {"name": "Size", "values": [{"name": "S"}, {"name": "L"}]},
        ],
        "variants": {
            "nodes": [
                {
                    "title": f"{g} / {s}",
                    "selectedOptions": [{"name": "Glaze", "value": g}, {"name": "Size", "value": s}],
                }
                for g, s in (("White", "S"), ("Blue", "L"))
            ]
        },
    }


async def test_products_of_one_page_do_not_mix_up_what_belongs_to_them(shop: Shop, api: Api) -> None:
    handles = ("cup", "jug", "pot")
    sold = [await given.product(shop, handle, options={handle: (f"{handle} 1", f"{handle} 2")}) for handle in handles]
    selection = "id options { name values { id name } } variants { nodes { id selectedOptions { name value } } }"
    nodes = (await api(f"{{ products {{ nodes {{ {selection} }} }} }}"))["products"]["nodes"]
    assert [[value.pop("id")[:6] for value in node["options"][0]["values"]] for node in nodes] == [["value_"] * 2] * 3
    assert nodes == [
        {
            "id": made.product,
            "options": [{"name": handle, "values": [{"name": f"{handle} 1"}, {"name": f"{handle} 2"}]}],
            "variants": {
                "nodes": [
                    {"id": variant, "selectedOptions": [{"name": handle, "value": f"{handle} {i}"}]}
                    for i, variant in enumerate(made.variants, 1)
                ]
            },
        }
        for handle, made in zip(handles, sold, strict=True)
    ]


async def test_categories_come_by_rank_and_collections_by_title(shop: Shop, api: Api) -> None:
    cup, plate = await given.product(shop, "cup"), await given.product(shop, "plate")
    categories = {name: new_id() for name in ("Sale", "Kitchen", "Gifts")}
    collections = {title: new_id() for title in ("Winter", "Autumn")}
    async with shop.tx() as tx:
        ranks = {"Kitchen": 1, "Gifts": 2, "Sale": 3}
        await tx.insert(
            Category, [{"id": i, "handle": n.lower(), "name": n, "rank": ranks[n]} for n, i in categories.items()]
        )
        await tx.insert(Collection, [{"id": i, "handle": t.lower(), "title": t} for t, i in collections.items()])
        of_cup, of_plate = (ids.decode("Product", one.product) for one in (cup, plate))
        in_category = [(of_cup, name) for name in categories] + [(of_plate, "Gifts")]
        await tx.insert(
            ProductCategory, [{"product_id": str(p), "category_id": categories[name]} for p, name in in_category]
        )
        await tx.insert(
            ProductCollection,
            [
                {"product_id": str(of_cup), "collection_id": i, "rank": f"a{n}"}
                for n, i in enumerate(collections.values())
            ],
        )
        await publish_new(tx, collections.values())
    query = "{ products { nodes { handle categories { name handle } collections { title handle } } } }"
    assert (await api(query))["products"]["nodes"] == [
        {
            "handle": "cup",
            "categories": [{"name": name, "handle": name.lower()} for name in ("Kitchen", "Gifts", "Sale")],
            "collections": [{"title": title, "handle": title.lower()} for title in ("Autumn", "Winter")],
        },
        {"handle": "plate", "categories": [{"name": "Gifts", "handle": "gifts"}], "collections": []},
    ]


async def test_what_is_not_published_is_nowhere_to_be_seen(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    shown = await given.product(shop, "shown")
    for status in HIDDEN:
        hidden = await given.product(shop, f"is-{status}", status=status)
        listed = await api("{ products { nodes { id } totalCount } }")
        assert listed["products"] == {"nodes": [{"id": shown.product}], "totalCount": 1}
        assert await api(BY_HANDLE % "id", {"handle": f"is-{status}"}) == {"product": None}
        assert await api(BY_ID % "id", {"id": hidden.product}) == {"product": None}
        payload = await api.do("cartCreate", {"lines": [{"variantId": hidden.variant}]}, "cart { id }")
        assert [error["__typename"] for error in payload["userErrors"]] == ["NotForSale"]
    assert await api(BY_ID % "id", {"id": shown.product}) == {"product": {"id": shown.product}}


CART = """query ($id: ID!, $token: String!) { cart(id: $id, token: $token) { requirements { code }
    lines { unitPrice { amount } variant { id title sku product { id } } } } }"""


async def test_a_product_withdrawn_from_sale_is_not_shown_through_a_cart_that_has_it(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup, jug = await given.product(shop, "cup"), await given.product(shop, "jug")
    cart = await given.cart(api, {"variantId": cup.variant}, {"variantId": jug.variant})
    for status in HIDDEN:
        async with shop.tx() as tx:
            await tx.run(update(Product).where(Product.handle == "cup").values(status=status))
        read = (await api(CART, {"id": cart.id, "token": cart.token}))["cart"]
        assert [line["variant"] for line in read["lines"]] == [
            {"id": cup.variant, "title": "Default Title", "sku": "CUP-1", "product": None},
            {"id": jug.variant, "title": "Default Title", "sku": "JUG-1", "product": {"id": jug.product}},
        ]
        assert [line["unitPrice"] for line in read["lines"]] == [None, {"amount": "10.00"}]
        assert [one["code"] for one in read["requirements"]] == ["FOR_SALE"]


async def test_an_archived_variant_is_no_longer_offered(shop: Shop, api: Api) -> None:
    await given.products(shop, mug(("S", "White"), ("L", "Blue")))
    await given.products(shop, mug(("L", "Blue")))
    selection = "options { values { name } } variants { nodes { title } totalCount }"
    assert (await api(BY_HANDLE % selection, {"handle": "mug"}))["product"] == {
        "options": [{"values": [{"name": "L"}]}, {"values": [{"name": "Blue"}]}],
        "variants": {"nodes": [{"title": "L / Blue"}], "totalCount": 1},
    }


async def test_a_product_that_there_is_not_is_null(shop: Shop, api: Api) -> None:
    await given.products(shop, mug(("S", "White")))
    for handle in ("no-such-mug", "MUG", "mug ", "", "%", "mug' OR true --"):
        assert await api(BY_HANDLE % "id", {"handle": handle}) == {"product": None}
    assert await api(BY_ID % "id", {"id": ids.encode("Product", new_id())}) == {"product": None}


async def test_a_product_is_named_in_exactly_one_way(shop: Shop, api: Api) -> None:
    await given.products(shop, mug(("S", "White")))
    for by in ("{}", "{handle: null}", '{handle: "mug", id: "prod_x"}', '{handle: "mug", id: null}', "null", "{x: 1}"):
        answer = await api.answer(f"{{ product(by: {by}) {{ id }} }}")
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}, by
        assert answer.get("data") is None
