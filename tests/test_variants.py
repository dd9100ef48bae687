"""Staff make, change, archive and restore variants; what is in the way is named, and then nothing has changed."""

from typing import Any

import pytest

from domain.processes.shop import Shop
from domain.product import ProductDraft
from resolvers import ids
from tests import given
from tests.api import Api
from tests.variants import IMAGE, S_BLUE, S_RED, SHOWN, Shirt, key_of, media_of, options, shirt

FULL = {
    "title": "The blue one",
    "sku": " BLUE-S ",
    "barcode": "anything 1",
    "ean": "4006381-333931",
    "upc": "036000291452",
    "externalId": "erp-17",
    "manageStock": False,
    "allowBackorder": True,
    "quantityRule": {"minimum": 6, "maximum": 60, "increment": 3},
    "weightGrams": 250,
    "weightUnit": "kg",
    "lengthMm": 10,
    "widthMm": 20,
    "heightMm": 0,
    "requiresShipping": False,
    "taxable": False,
    "translations": {"de": {"title": "Das blaue"}},
    "metadata": {"erp": {"bin": 4}},
}


@pytest.fixture
async def kit(shop: Shop, api: Api) -> Shirt:
    return await shirt(shop, api)


async def test_a_variant_has_everything_that_was_said_of_it(kit: Shirt) -> None:
    wanted = {"productId": kit.id, "options": S_BLUE, "mediaId": await media_of(kit), **FULL}
    payload = await kit.do("variantCreate", wanted, f"variant {{ {SHOWN} }} product {{ version }}")
    variant = payload["variant"]
    assert payload["userErrors"] == []
    assert payload["product"]["version"] == 2
    assert {name: variant[name] for name in ("title", "sku", "barcode", "ean", "upc", "taxable", "metadata")} == {
        "title": "The blue one",
        "sku": "BLUE-S",
        "barcode": "anything 1",
        "ean": "4006381333931",
        "upc": "036000291452",
        "taxable": False,
        "metadata": {"erp": {"bin": 4}},
    }
    assert [variant[name] for name in ("weightGrams", "lengthMm", "widthMm", "heightMm")] == [250, 10, 20, 0]
    assert variant["quantityRule"] == {"minimum": 6, "maximum": 60, "increment": 3}
    assert (variant["image"]["url"], variant["requiresShipping"]) == (IMAGE, False)
    assert variant["selectedOptions"] == [{"name": "Size", "value": "S"}, {"name": "Colour", "value": "Blue"}]
    assert variant["staffDetails"] == {
        "externalId": "erp-17",
        "manageStock": False,
        "allowBackorder": True,
        "weightUnit": "kg",
        "translations": {"de": {"title": "Das blaue"}},
        "archivedAt": None,
    }
    assert await kit.live() == ["S / Red", "M / Red", "M / Blue", "The blue one"]
    (entry,) = await kit.shop.database.pool.fetch("SELECT * FROM audit_entry WHERE action = 'variantCreate'")
    assert entry.subject == f"variant:{ids.decode('Variant', variant['id'])}"
    assert entry.difference["ean"] == [None, "4006381333931"]
    assert entry.difference["options"] == [None, {"Size": "S", "Colour": "Blue"}]


async def test_a_change_leaves_what_it_does_not_name_and_null_empties(kit: Shirt) -> None:
    wanted = {"productId": kit.id, "options": S_BLUE, "mediaId": await media_of(kit), **FULL}
    made = (await kit.do("variantCreate", wanted, f"variant {{ {SHOWN} }}"))["variant"]
    key = {"variantId": made["id"]}
    changed = await kit.do("variantUpdate", {**key, "sku": "NEW", "ean": None}, f"variant {{ {SHOWN} }}")
    assert changed["variant"] == {**made, "sku": "NEW", "ean": None}
    emptied = dict.fromkeys(("sku", "barcode", "upc", "externalId", "lengthMm", "widthMm", "heightMm", "mediaId"))
    bare = (await kit.do("variantUpdate", {**key, **emptied, "title": None}, f"variant {{ {SHOWN} }}"))["variant"]
    assert (bare["title"], bare["sku"], bare["image"], bare["lengthMm"]) == ("S / Blue", None, None, None)
    version = await kit.version()
    again = await kit.do("variantUpdate", {**key, "sku": None}, "product { version }")
    assert again["product"]["version"] == version, "as it was already changes nothing"
    for name in ("manageStock", "weightGrams", "weightUnit", "taxable", "metadata", "quantityRule", "translations"):
        assert await kit.refused("variantUpdate", {**key, name: None}) == [
            {"__typename": "ValidationFailed", "path": [name]}
        ]


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("title", " ", ["title"]),
        ("title", "x" * 256, ["title"]),
        ("sku", "a\nb", ["sku"]),
        ("sku", "", ["sku"]),
        ("ean", "4006381333932", ["ean"]),
        ("ean", "036000291452", ["ean"]),
        ("ean", "٤٠٠٦٣٨١٣٣٣٩٣١", ["ean"]),
        ("upc", "036000291453", ["upc"]),
        ("upc", "4006381333931", ["upc"]),
        ("externalId", "", ["externalId"]),
        ("weightGrams", -1, ["weightGrams"]),
        ("weightUnit", "stone", ["weightUnit"]),
        ("lengthMm", 1_000_001, ["lengthMm"]),
        ("quantityRule", {"increment": 0}, ["quantityRule", "increment"]),
        ("quantityRule", {"minimum": 5, "increment": 2}, ["quantityRule", "minimum"]),
        ("quantityRule", {"minimum": 4, "maximum": 2}, ["quantityRule", "maximum"]),
        ("metadata", {"x": "y" * 17_000}, ["metadata"]),
        ("translations", {"de": {"subtitle": "x"}}, ["translations", "de", "subtitle"]),
        ("translations", {"de": "x"}, ["translations"]),
        ("translations", {"german!": {"title": "x"}}, ["translations", "german!"]),
        ("mediaId", "prod_01h2xcejqtf2nbrexx3vqjhp41", ["mediaId"]),
        ("options", [{"name": "Size", "value": "XL"}, {"name": "Colour", "value": "Blue"}], ["options", "0", "value"]),
        ("options", [{"name": "Length", "value": "XL"}], ["options", "0", "name"]),
        ("options", [{"name": "Size", "value": "S"}, {"name": "Size", "value": "M"}], ["options", "1", "name"]),
        ("options", [{"name": "Size", "value": "S"}], ["options"]),
        ("productId", "prod_01h2xcejqtf2nbrexx3vqjhp41", ["productId"]),
        ("ifVersion", 7, ["ifVersion"]),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(kit: Shirt, field: str, value: Any, path: list[str]) -> None:
    (error,) = await kit.refused("variantCreate", {"productId": kit.id, "options": S_BLUE, field: value})
    assert error["path"] == path
    if field == "ifVersion":
        assert error == {"__typename": "VersionConflict", "path": path, "currentVersion": 1}


async def test_everything_wrong_is_told_at_once(kit: Shirt) -> None:
    errors = await kit.refused("variantCreate", {"productId": "x", "ean": "1", "weightGrams": -1, "options": []})
    assert sorted(error["path"][0] for error in errors) == ["ean", "productId", "weightGrams"]


async def test_what_another_variant_has_is_refused_with_its_name(kit: Shirt) -> None:
    other = await shirt(kit.shop, kit.api, "other", sku="OTHER-")
    first, second = kit.variants["S / Red"], kit.variants["M / Red"]
    await kit.do("variantUpdate", {"variantId": other.sold.variant, "externalId": "erp-1"})
    own = {"productId": kit.id, "options": S_BLUE}
    combination = {"__typename": "VariantCombinationExists", "path": ["options"], "existingVariantId": first}
    taken = {"__typename": "SkuTaken", "path": ["sku"], "variantId": other.sold.variant, "sku": "OTHER-S-RED"}
    external = {"__typename": "VariantExternalIdTaken", "path": ["externalId"], "variantId": other.sold.variant}
    external |= {"externalId": "erp-1"}
    assert await kit.refused("variantCreate", {**own, "options": S_RED}) == [combination]
    assert await kit.refused("variantUpdate", {"variantId": second, "options": options(Size="S")}) == [combination]
    assert await kit.refused("variantCreate", {**own, "sku": "OTHER-S-RED"}) == [taken]
    assert await kit.refused("variantUpdate", {"variantId": second, "externalId": "erp-1"}) == [external]
    everything = {"variantId": second, "options": options(Size="S"), "sku": "OTHER-S-RED", "externalId": "erp-1"}
    assert sorted(map(str, await kit.refused("variantUpdate", everything))) == sorted(
        map(str, [combination, taken, external])
    )


async def test_an_archived_variant_is_in_nobodys_way_until_it_is_restored(kit: Shirt) -> None:
    red = kit.variants["S / Red"]
    payload = await kit.do("variantArchive", {"variantId": red}, "variant { staffDetails { archivedAt } }")
    assert payload["variant"]["staffDetails"]["archivedAt"] is not None
    assert await kit.live() == ["M / Red", "M / Blue"]
    assert (await kit.refused("variantUpdate", {"variantId": red, "sku": "X"}))[0]["path"] == ["variantId"]
    version = await kit.version()
    assert (await kit.do("variantArchive", {"variantId": red}))["userErrors"] == []
    assert await kit.version() == version, "it was archived already"
    made = await kit.do("variantCreate", {"productId": kit.id, "options": S_RED, "sku": "S-RED"}, "variant { id }")
    twin = made["variant"]["id"]
    assert sorted(map(str, await kit.refused("variantRestore", {"variantId": red}))) == sorted(
        map(
            str,
            [
                {"__typename": "VariantCombinationExists", "path": ["options"], "existingVariantId": twin},
                {"__typename": "SkuTaken", "path": ["sku"], "variantId": twin, "sku": "S-RED"},
            ],
        )
    )
    await kit.do("variantUpdate", {"variantId": twin, "sku": "S-RED-2"})
    restored = await kit.do("variantRestore", {"variantId": red, "options": S_BLUE}, f"variant {{ {SHOWN} }}")
    assert (restored["userErrors"], restored["variant"]["title"], restored["variant"]["sku"]) == (
        [],
        "S / Blue",
        "S-RED",
    )
    assert await kit.live() == ["S / Blue", "M / Red", "M / Blue", "S / Red"]


async def test_variants_stand_in_the_order_that_staff_give_them(kit: Shirt) -> None:
    wanted = [kit.variants["M / Blue"], kit.variants["S / Red"]]
    payload = await kit.do(
        "variantsReorder", {"productId": kit.id, "variantIds": wanted}, "product { variants { nodes { title } } }"
    )
    titles = [node["title"] for node in payload["product"]["variants"]["nodes"]]
    assert titles == ["M / Blue", "S / Red", "M / Red"]
    await kit.do("variantArchive", {"variantId": kit.variants["M / Blue"]})
    other = await shirt(kit.shop, kit.api, "other", sku="OTHER-")
    for wrong, path in (
        ([kit.variants["M / Blue"]], ["variantIds", "0"]),
        ([kit.variants["S / Red"], other.sold.variant], ["variantIds", "1"]),
        ([kit.variants["S / Red"]] * 2, ["variantIds"]),
        ([], ["variantIds"]),
    ):
        (error,) = await kit.refused("variantsReorder", {"productId": kit.id, "variantIds": wrong})
        assert error["path"] == path


async def test_what_a_product_lacks_of_its_matrix_is_made_at_once(kit: Shirt) -> None:
    await kit.do("variantArchive", {"variantId": kit.variants["M / Red"]})
    wanted = {"productId": kit.id, "price": {"amount": "12.50", "currency": "EUR"}}
    payload = await kit.do("variantsGenerate", wanted, "variantsCreated product { variants { nodes { title } } }")
    assert (payload["userErrors"], payload["variantsCreated"]) == ([], 2)
    titles = [node["title"] for node in payload["product"]["variants"]["nodes"]]
    assert titles == ["S / Red", "M / Blue", "S / Blue", "M / Red"]
    prices = await kit.shop.database.pool.fetch(
        "SELECT v.title, p.amount FROM price p JOIN variant v ON v.id = variant_id ORDER BY v.rank"
    )
    assert [(row.title, row.amount) for row in prices] == [("S / Blue", 1250), ("M / Red", 1250)]
    version = await kit.version()
    assert (await kit.do("variantsGenerate", wanted, "variantsCreated"))["variantsCreated"] == 0
    assert await kit.version() == version
    (error,) = await kit.refused("variantsGenerate", {**wanted, "price": {"amount": "-1", "currency": "EUR"}})
    assert error["path"] == ["price", "amount"]


async def test_a_matrix_that_would_be_too_large_is_told_before_anything_is_made(kit: Shirt) -> None:
    numbers = [{"name": str(i)} for i in range(45)]
    payload = await kit.do(
        "productSetOptions",
        {
            "productId": kit.id,
            "options": [
                {"name": "Size", "values": [{"name": "S"}, {"name": "M"}, *numbers]},
                {"name": "Colour", "values": [{"name": "Red"}, {"name": "Blue"}, *numbers]},
            ],
        },
    )
    assert payload["userErrors"] == []
    assert await kit.refused("variantsGenerate", {"productId": kit.id}) == [
        {"__typename": "TooManyVariants", "path": ["productId"], "count": 2209, "limit": 2000}
    ]
    further = [{"name": f"No. {i}", "values": numbers, "valueForExisting": "0"} for i in range(4)]
    sizes = [{"name": "S"}, {"name": "M"}, *numbers]
    colours = [{"name": "Red"}, {"name": "Blue"}, *numbers]
    all_ = [{"name": "Size", "values": sizes}, {"name": "Colour", "values": colours}, *further]
    assert (await kit.do("productSetOptions", {"productId": kit.id, "options": all_}))["userErrors"] == []
    (error,) = await kit.refused("variantsGenerate", {"productId": kit.id})
    assert error["count"] == 2**31 - 1, "of 9,058,370,625 as many as clients can count"


async def test_who_may_not_write_products_changes_no_variant(kit: Shirt, api: Api) -> None:
    commands = {
        "variantCreate": {"productId": kit.id, "options": S_BLUE},
        "variantUpdate": {"variantId": kit.sold.variant, "sku": "MINE"},
        "variantArchive": {"variantId": kit.sold.variant},
        "variantRestore": {"variantId": kit.sold.variant},
        "variantsGenerate": {"productId": kit.id},
        "variantsReorder": {"productId": kit.id, "variantIds": [kit.variants["M / Red"]]},
        "variantsUpsert": {"rows": [{"sku": "S-RED", "barcode": "1"}]},
        "productSetOptions": {"productId": kit.id, "options": [{"name": "Size", "values": [{"name": "S"}]}]},
    }
    for who, codes in (("nobody", "UNAUTHENTICATED"), ("customer", "FORBIDDEN"), ("staff", "FORBIDDEN")):
        caller = await given.caller(kit.shop, api, who, "products:read", "orders:write")
        for mutation, input_ in commands.items():
            kind = mutation[0].upper() + mutation[1:]
            document = f"mutation ($input: {kind}Input!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}"
            answer = await caller.answer(document, {"input": input_})
            assert [error["extensions"]["code"] for error in answer["errors"]] == [codes]
    assert await kit.live() == ["S / Red", "M / Red", "M / Blue"]
    assert await kit.version() == 1


async def test_shoppers_see_nothing_of_what_is_for_staff(kit: Shirt, api: Api) -> None:
    query = f'{{ node(id: "{kit.sold.variant}") {{ ... on Variant {{ title staffDetails {{ externalId }} }} }} }}'
    assert (await api(query))["node"] == {"title": "S / Red", "staffDetails": None}
    assert (await kit.api(query))["node"]["staffDetails"] == {"externalId": None}


async def test_an_archived_product_is_not_worked_on(kit: Shirt) -> None:
    await kit.shop.database.pool.execute("UPDATE product SET archived_at = now() WHERE id = $1", key_of(kit))
    for mutation, input_, path in (
        ("variantCreate", {"productId": kit.id, "options": S_BLUE}, ["productId"]),
        ("variantArchive", {"variantId": kit.sold.variant}, ["variantId"]),
        ("variantsGenerate", {"productId": kit.id}, ["productId"]),
    ):
        assert [error["path"] for error in await kit.refused(mutation, input_)] == [path]


async def test_a_product_without_choices_has_one_variant_alone(shop: Shop, api: Api) -> None:
    (mug,) = await given.products(shop, ProductDraft(handle="mug", title="Mug"))
    staff = Shirt(await given.caller(shop, api, "staff", "products:write"), shop, mug)
    wanted = {"productId": mug.product, "options": options(Title="Default Title")}
    (error,) = await staff.refused("variantCreate", wanted)
    assert error["existingVariantId"] == mug.variant
    assert ids.decode("Variant", mug.variant) == mug.keys[0]
