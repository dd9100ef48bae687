"""Staff set what there is to choose about a product, and its variants follow: none is lost, none becomes another."""

from itertools import permutations, product
from time import process_time
from typing import Any

import pytest

from db.connection import new_id
from domain.option import made_title, was_made
from domain.processes.shop import Shop
from domain.variant import JOINED
from resolvers import ids
from tests.api import Api
from tests.variants import IMAGE, OPTIONS, S_BLUE, Shirt, media_of, shirt

SIZE = {"name": "Size", "values": [{"name": "S"}, {"name": "M"}]}
COLOUR = {"name": "Colour", "values": [{"name": "Red"}, {"name": "Blue"}]}
LENGTH = {"name": "Length", "values": [{"name": "Short"}, {"name": "Long"}], "valueForExisting": "Long"}


@pytest.fixture
async def kit(shop: Shop, api: Api) -> Shirt:
    return await shirt(shop, api)


async def put(kit: Shirt, *drafts: dict[str, Any], **more: Any) -> dict[str, Any]:
    payload = await kit.do(
        "productSetOptions", {"productId": kit.id, "options": list(drafts), **more}, f"product {{ {OPTIONS} }}"
    )
    assert payload["userErrors"] == []
    return payload["product"]


async def refused(kit: Shirt, *drafts: dict[str, Any]) -> list[dict[str, Any]]:
    return await kit.refused("productSetOptions", {"productId": kit.id, "options": list(drafts)})


def names(product: dict[str, Any]) -> dict[str, list[str]]:
    return {option["name"]: [value["name"] for value in option["values"]] for option in product["options"]}


async def test_an_added_option_gives_existing_variants_the_value_that_is_named(kit: Shirt) -> None:
    await kit.do("variantArchive", {"variantId": kit.variants["S / Red"]})
    product = await put(kit, LENGTH, SIZE, COLOUR)
    assert names(product) == {"Length": ["Short", "Long"], "Size": ["S", "M"], "Colour": ["Red", "Blue"]}
    assert await kit.live() == ["Long / M / Red", "Long / M / Blue"]
    await kit.do("variantRestore", {"variantId": kit.variants["S / Red"]})
    assert await kit.live() == ["Long / S / Red", "Long / M / Red", "Long / M / Blue"]


async def test_an_option_cannot_be_added_without_saying_what_existing_variants_take(kit: Shirt) -> None:
    for draft in ({**LENGTH, "valueForExisting": None}, {**LENGTH, "valueForExisting": "Huge"}):
        (error,) = await refused(kit, SIZE, COLOUR, draft)
        assert error["path"] == ["options", "2", "valueForExisting"]


async def test_options_and_values_are_renamed_and_moved_by_their_ids(kit: Shirt) -> None:
    """Names are exchanged, which no row could do before the other one."""
    size, colour = (await put(kit, SIZE, COLOUR))["options"]
    small, medium = size["values"]
    exchanged = [
        {"id": colour["id"], "name": "Size", "values": COLOUR["values"]},
        {
            "id": size["id"],
            "name": "Colour",
            "values": [{"id": medium["id"], "name": "S"}, {"id": small["id"], "name": "M"}, {"name": "L"}],
        },
    ]
    product = await put(kit, *exchanged)
    assert names(product) == {"Size": ["Red", "Blue"], "Colour": ["S", "M", "L"]}
    assert await kit.live() == ["Red / M", "Red / S", "Blue / S"], "made titles follow"
    entry = await kit.shop.database.pool.fetchrow("SELECT * FROM audit_entry WHERE action = 'productSetOptions'")
    before, after = entry.difference["options"]
    assert [[option["name"] for option in told] for told in (before, after)] == [["Size", "Colour"]] * 2
    assert [value["name"] for value in after[1]["values"]] == ["S", "M", "L"]


async def test_a_title_of_its_own_stays_when_values_are_renamed(kit: Shirt) -> None:
    await kit.do("variantUpdate", {"variantId": kit.variants["S / Red"], "title": "Little Red"})
    size = (await put(kit, SIZE, COLOUR))["options"][0]
    values = [{"id": size["values"][0]["id"], "name": "Small"}, {"name": "M"}]
    await put(kit, {"name": "Size", "values": values}, COLOUR)
    assert await kit.live() == ["Little Red", "M / Red", "M / Blue"]


async def test_an_option_goes_unless_variants_would_be_equal_without_it(kit: Shirt) -> None:
    red = [kit.variants["S / Red"], kit.variants["M / Red"]]
    assert await refused(kit, COLOUR) == [
        {"__typename": "VariantsWouldBeEqual", "path": ["options"], "variantIds": red}
    ]
    await kit.do("variantArchive", {"variantId": red[0]})
    assert names(await put(kit, COLOUR)) == {"Colour": ["Red", "Blue"]}
    assert await kit.live() == ["Red", "Blue"]
    (error,) = await kit.refused("variantRestore", {"variantId": red[0]})
    assert (error["__typename"], error["existingVariantId"]) == ("VariantCombinationExists", red[1])


async def test_a_value_goes_unless_variants_have_it(kit: Shirt) -> None:
    only_red = {"name": "Colour", "values": [{"name": "Red"}]}
    concerned = {"path": ["options", "1", "values"], "value": "Blue", "variantIds": [kit.variants["M / Blue"]]}
    assert await refused(kit, SIZE, only_red) == [{"__typename": "OptionValueInUse", **concerned}]
    await kit.do("variantArchive", {"variantId": kit.variants["M / Blue"]})
    assert names(await put(kit, SIZE, only_red)) == {"Size": ["S", "M"], "Colour": ["Red"]}
    (error,) = await kit.refused("variantRestore", {"variantId": kit.variants["M / Blue"]})
    assert (error["__typename"], error["path"]) == ("ValidationFailed", ["options"]), "its colour is gone"


async def test_one_option_can_take_the_place_of_another(kit: Shirt) -> None:
    for title in ("M / Red", "M / Blue"):
        await kit.do("variantArchive", {"variantId": kit.variants[title]})
    await put(kit, {"name": "Title", "values": [{"name": "Default Title"}], "valueForExisting": "Default Title"})
    assert await kit.live() == ["Default Title"]


async def test_swatches_are_a_colour_or_a_picture_of_the_product(kit: Shirt) -> None:
    media = await media_of(kit)

    async def swatches(*values: dict[str, Any]) -> list[Any]:
        product = await put(kit, SIZE, {"name": "Colour", "values": list(values)})
        return [value["swatch"] for value in product["options"][1]["values"]]

    red, blue = {"name": "Red", "swatchColor": "#FF0000"}, {"name": "Blue", "swatchMediaId": media}
    both = [{"color": "#ff0000", "image": None}, {"color": None, "image": {"url": IMAGE}}]
    assert await swatches(red, blue) == both
    assert await swatches({"name": "Red"}, {"name": "Blue"}) == both, "what is left out stays"
    assert await swatches({"name": "Red", "swatchMediaId": media}, {"name": "Blue", "swatchMediaId": None}) == [
        {"color": None, "image": {"url": IMAGE}},
        None,
    ]
    other = await shirt(kit.shop, kit.api, "other", sku="OTHER-")
    for wrong, path in (
        ({"swatchColor": "red"}, "swatchColor"),
        ({"swatchColor": "#ff0000", "swatchMediaId": media}, "swatchMediaId"),
        ({"swatchMediaId": await media_of(other)}, "swatchMediaId"),
        ({"swatchMediaId": ids.encode("Media", new_id())}, "swatchMediaId"),
    ):
        (error,) = await refused(kit, SIZE, {"name": "Colour", "values": [{"name": "Red", **wrong}, {"name": "Blue"}]})
        assert error["path"] == ["options", "1", "values", "0", path]
    await kit.shop.database.pool.execute("DELETE FROM media WHERE product_id = $1", ids.decode("Product", kit.id))
    assert await swatches({"name": "Red"}, {"name": "Blue"}) == [None, None]


async def test_options_values_and_titles_are_read_in_the_language_of_the_operation(kit: Shirt, api: Api) -> None:
    german = {"translations": {"de": {"name": "Größe"}}, "name": "Size"}
    values = [{"name": "S", "translations": {"de": {"name": "Klein"}, "de-AT": {"name": "Kloa"}}}, {"name": "M"}]
    colours = [{"name": "Red", "translations": {"de": {"name": "Rot"}}}, {"name": "Blue"}]
    await put(kit, {**german, "values": values}, {"name": "Colour", "values": colours})
    query = """query @inContext(locale: "%s") { product(by: {handle: "shirt"}) { options { name values { name } }
        variants { nodes { title selectedOptions { name value } } } } }"""

    async def read(locale: str) -> tuple[Any, ...]:
        product = (await api(query % locale))["product"]
        first = product["variants"]["nodes"][0]
        return product["options"][0], first["title"], first["selectedOptions"][0]

    assert await read("de-AT") == (
        {"name": "Größe", "values": [{"name": "Kloa"}, {"name": "M"}]},
        "Kloa / Rot",
        {"name": "Größe", "value": "Kloa"},
    )
    assert (await read("de-CH"))[1:] == ("Klein / Rot", {"name": "Größe", "value": "Klein"})
    assert (await read("fr"))[1:] == ("S / Red", {"name": "Size", "value": "S"})


@pytest.mark.parametrize(
    ("drafts", "paths"),
    [
        ([], [["options"]]),
        ([{"name": "A", "values": []}], [["options", "0", "values"]]),
        ([{**LENGTH, "name": " "}], [["options", "0", "name"]]),
        ([SIZE, SIZE], [["options", "1", "name"]]),
        ([{"name": "A", "values": [{"name": "x"}, {"name": "x"}]}], [["options", "0", "values", "1", "name"]]),
        ([{**SIZE, "id": ids.encode("ProductOption", new_id())}, COLOUR], [["options", "0", "id"]]),
        ([{**SIZE, "translations": None}, COLOUR], [["options", "0", "translations"]]),
        ([{**SIZE, "translations": {"xx-??": {"name": "x"}}}, COLOUR], [["options", "0", "translations", "xx-??"]]),
        ([{"name": str(i), "values": [{"name": "x"}]} for i in range(11)], [["options"]]),
    ],
)
async def test_options_that_make_no_sense_are_refused(kit: Shirt, drafts: list[Any], paths: list[list[str]]) -> None:
    assert [error["path"] for error in await refused(kit, *drafts)] == paths


async def test_options_as_they_are_already_change_nothing(kit: Shirt) -> None:
    product = await put(kit, SIZE, COLOUR, ifVersion=1)
    assert product["version"] == 1
    assert (await kit.refused("productSetOptions", {"productId": kit.id, "options": [LENGTH], "ifVersion": 2}))[0] == {
        "__typename": "VersionConflict",
        "path": ["ifVersion"],
        "currentVersion": 1,
    }


def test_whether_a_title_was_made_is_known_of_ten_options_as_of_three() -> None:
    """Of ten names there are 3,628,800 orders: to go through them took as long as a request may take."""
    names = ["S", "S / M", "M", "x" * 120, "y" * 200]
    for some in (some for length in range(4) for some in product(names, repeat=length)):
        values = [{"name": name} for name in some]
        made = {JOINED.join(order)[:255] for order in permutations(some)}
        for title in {*made, "S", "S / M", "M / S", "S / S / M", "x" * 120 + " / " + "y" * 132}:
            assert was_made(title, values) == (title in made), (title, some)
    ten = [{"name": f"value {i}"} for i in range(10)]
    began = process_time()
    assert was_made(made_title(ten[::-1]), ten)
    assert not was_made(made_title([*ten[1:], ten[1]]), ten)
    alike = [{"name": "a"}] * 5 + [{"name": "a / a"}] * 5
    assert not was_made(made_title(alike)[:-1] + "b", alike)
    assert process_time() - began < 1


async def test_as_many_values_as_a_product_may_have_variants_are_set_while_others_are_served(kit: Shirt) -> None:
    """Each variant among all values once: nobody else was answered for as long as that took, and the database gave up
    before.
    """
    values = [{"name": f"{i:04}"} for i in range(1_998)]
    colour, *_ = (await put(kit, COLOUR, SIZE, {"name": "Number", "values": values, "valueForExisting": "0000"}))[
        "options"
    ]
    assert colour["name"] == "Colour"
    numbers = [
        {"productId": kit.id, "sku": value["name"], "options": [*S_BLUE, {"name": "Number", "value": value["name"]}]}
        for value in values[1:]
    ]
    for some in (numbers[:1_000], numbers[1_000:]):
        assert (await kit.do("variantsUpsert", {"rows": some}))["userErrors"] == []
    began = process_time()
    await put(kit, SIZE, {"name": "Number", "values": values[::-1]}, COLOUR)
    assert process_time() - began < 4
    assert (await kit.live())[3:6] == ["S / 0001 / Blue", "S / 0002 / Blue", "S / 0003 / Blue"]
