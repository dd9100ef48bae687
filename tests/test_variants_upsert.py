"""Many variants, or whole products, are written at once: found by what another system calls them, or made. What is
refused of a row keeps all of them from being written, or that row alone, as was asked for.
"""

from typing import Any

import pytest

from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api
from tests.variants import S_BLUE, Shirt, key_of, options, shirt

RESULTS = """results { index outcome variant { id title sku staffDetails { archivedAt } }
    errors { __typename path ... on SkuTaken { variantId } } }"""
PRODUCTS = """results { index outcome product { id handle title version vendor metadata options { name values { name } }
    variants { nodes { title sku ean } } media { url } } errors { __typename path } }"""


@pytest.fixture
async def kit(shop: Shop, api: Api) -> Shirt:
    return await shirt(shop, api)


async def upsert(kit: Shirt, *rows: dict[str, Any], on_error: str = "ABORT") -> list[dict[str, Any]]:
    payload = await kit.do("variantsUpsert", {"rows": list(rows), "onError": on_error}, RESULTS)
    assert payload["userErrors"] == []
    return payload["results"]


async def put(kit: Shirt, *rows: dict[str, Any], on_error: str = "ABORT") -> list[dict[str, Any]]:
    payload = await kit.do("productsUpsert", {"rows": list(rows), "onError": on_error}, PRODUCTS)
    assert payload["userErrors"] == []
    return payload["results"]


async def test_variants_are_found_by_external_id_or_sku_changed_and_made(kit: Shirt) -> None:
    """Numbers that two of them exchange are no obstacle."""
    await given.regions(kit.shop)
    await kit.do("variantUpdate", {"variantId": kit.variants["M / Blue"], "externalId": "erp-3"})
    rows = [
        {"sku": "S-RED", "externalId": "erp-1", "barcode": "1"},
        {"sku": "M-RED"},
        {"externalId": "erp-3", "sku": "NEW-BLUE", "prices": [{"amount": "5", "currency": "JPY"}]},
        {"sku": "S-BLUE", "productId": kit.id, "options": S_BLUE, "weightGrams": 9},
    ]
    results = await upsert(kit, *rows)
    assert [(r["index"], r["outcome"], r["variant"]["title"], r["variant"]["sku"]) for r in results] == [
        (0, "UPDATED", "S / Red", "S-RED"),
        (1, "UNCHANGED", "M / Red", "M-RED"),
        (2, "UPDATED", "M / Blue", "NEW-BLUE"),
        (3, "CREATED", "S / Blue", "S-BLUE"),
    ]
    assert await kit.shop.database.pool.fetchval("SELECT amount FROM price WHERE currency = 'JPY'") == 5
    assert [r["outcome"] for r in await upsert(kit, *rows)] == ["UNCHANGED"] * 4
    exchanged = [{"externalId": "erp-1", "sku": "NEW-BLUE"}, {"externalId": "erp-3", "sku": "S-RED"}]
    assert [r["variant"]["sku"] for r in await upsert(kit, *exchanged)] == ["NEW-BLUE", "S-RED"]
    other_way = [{"sku": "NEW-BLUE", "options": options(Size="M", Colour="Blue")}]
    other_way += [{"sku": "S-RED", "options": options(Size="S", Colour="Red")}]
    assert [r["variant"]["title"] for r in await upsert(kit, *other_way)] == ["M / Blue", "S / Red"]
    audited = await kit.shop.database.pool.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'variantsUpsert'")
    assert audited == 3 + 2 + 2


async def test_an_archived_variant_that_is_upserted_is_live_again(kit: Shirt) -> None:
    await kit.do("variantArchive", {"variantId": kit.variants["S / Red"]})
    (result,) = await upsert(kit, {"sku": "S-RED"})
    assert (result["outcome"], result["variant"]["id"]) == ("UPDATED", kit.variants["S / Red"])
    assert "S / Red" in await kit.live()


async def test_what_is_refused_of_a_row_stops_all_rows_or_that_one(kit: Shirt) -> None:
    other = await shirt(kit.shop, kit.api, "other", sku="OTHER-")
    await kit.do("variantUpdate", {"variantId": kit.variants["S / Red"], "externalId": "erp-1"})
    new = {"productId": kit.id, "options": S_BLUE}
    rows = [
        {"sku": "M-RED", "ean": "1"},
        {"externalId": "erp-1", "sku": "OTHER-S-RED"},
        {"sku": "NOBODY"},
        {**new, "sku": "S-BLUE"},
        {**new, "sku": "S-BLUE-2"},
        {"sku": "M-BLUE", "productId": other.id},
        {"barcode": "1"},
        {"sku": "M-BLUE", "prices": [{"amount": "1.234", "currency": "EUR"}]},
    ]
    paths = {
        0: ("ValidationFailed", ["ean"]),
        1: ("SkuTaken", ["sku"]),
        2: ("NotFound", ["sku"]),
        4: ("ValidationFailed", ["options"]),
        5: ("ValidationFailed", ["productId"]),
        6: ("ValidationFailed", ["sku"]),
        7: ("ValidationFailed", ["prices", "0", "amount"]),
    }
    errors = await kit.refused("variantsUpsert", {"rows": rows})
    assert all(error["path"][0] == "rows" for error in errors)
    assert {int(error["path"][1]) for error in errors} <= paths.keys()
    results = await upsert(kit, *rows, on_error="SKIP")
    assert {r["index"]: (r["errors"][0]["__typename"], r["errors"][0]["path"]) for r in results if r["errors"]} == paths
    assert results[1]["errors"][0]["variantId"] == other.sold.variant
    assert [(r["index"], r["outcome"]) for r in results if r["outcome"]] == [(3, "CREATED")]
    assert await kit.live() == ["S / Red", "M / Red", "M / Blue", "S / Blue"]


async def test_at_most_a_thousand_rows_and_two_thousand_variants(kit: Shirt) -> None:
    for rows in ([], [{"sku": str(i)} for i in range(1001)]):
        (error,) = await kit.refused("variantsUpsert", {"rows": rows})
        assert error["path"] == ["rows"]
    await crowd(kit, 1999)
    new = {"productId": kit.id}
    rows = [
        {**new, "sku": "A", "options": options(Size="S", Colour="Blue")},
        {**new, "sku": "B", "options": options(Size="L", Colour="Red")},
    ]
    (error,) = await kit.refused("variantsUpsert", {"rows": rows})
    assert error == {"__typename": "TooManyVariants", "path": ["rows", "1"], "count": 2001, "limit": 2000}
    results = await upsert(kit, *rows, on_error="SKIP")
    assert [r["outcome"] for r in results] == ["CREATED", None]
    (error,) = await kit.refused("variantCreate", {**new, "options": options(Size="L", Colour="Red")})
    assert error["__typename"] == "TooManyVariants"


async def crowd(kit: Shirt, count: int) -> None:
    """So many live variants in all, those beyond the first three in colours of their own; and a size L."""
    async with kit.shop.tx() as tx:
        await tx._connection.execute(
            f"""
            WITH o AS (SELECT * FROM product_option WHERE product_id = '{key_of(kit)}'),
            colours AS (INSERT INTO option_value (id, option_id, name, rank)
                SELECT gen_random_uuid(), o.id, 'c' || i, i FROM o, generate_series(4, {count}) i WHERE name = 'Colour'
                RETURNING id, option_id, name),
            large AS (INSERT INTO option_value (id, option_id, name, rank)
                SELECT gen_random_uuid(), id, 'L', 9 FROM o WHERE name = 'Size' RETURNING id, option_id),
            made AS (INSERT INTO variant (id, product_id, title, rank, combination)
                SELECT gen_random_uuid(), '{key_of(kit)}', c.name, 9,
                    ARRAY(SELECT unnest(ARRAY[c.id, large.id]) AS v ORDER BY v)
                FROM colours AS c, large RETURNING id, combination)
            INSERT INTO variant_option_value (variant_id, option_id, product_id, value_id)
            SELECT made.id, v.option_id, '{key_of(kit)}', v.id
            FROM made CROSS JOIN LATERAL unnest(combination) AS value
            JOIN (TABLE large UNION ALL SELECT id, option_id FROM colours) AS v ON v.id = value
            """
        )


async def test_products_are_made_and_changed_with_all_that_is_inside(kit: Shirt) -> None:
    await given.regions(kit.shop)
    price = {"amount": "9.90", "currency": "EUR"}
    mug = {
        "externalId": "erp-mug",
        "title": "Big Mug",
        "vendor": "Acme",
        "metadata": {"bin": 1},
        "options": ["Size"],
        "media": [{"url": "https://img.example/mug.jpg"}],
        "variants": [
            {"sku": "MUG-S", "options": options(Size="S"), "prices": [price], "ean": "4006381333931"},
            {"sku": "MUG-L", "options": options(Size="L"), "image": "https://img.example/mug.jpg"},
        ],
    }
    results = await put(kit, mug, {"handle": "shirt", "vendor": "Weaver"}, {"externalId": "plain", "title": "Big mug"})
    assert [(r["outcome"], r["product"]["handle"]) for r in results] == [
        ("CREATED", "big-mug"),
        ("UPDATED", "shirt"),
        ("CREATED", "big-mug-plain"),
    ]
    made, changed, plain = (r["product"] for r in results)
    assert (made["vendor"], made["metadata"], changed["vendor"]) == ("Acme", {"bin": 1}, "Weaver")
    assert made["options"] == [{"name": "Size", "values": [{"name": "S"}, {"name": "L"}]}]
    assert made["variants"]["nodes"] == [
        {"title": "S", "sku": "MUG-S", "ean": "4006381333931"},
        {"title": "L", "sku": "MUG-L", "ean": None},
    ]
    assert plain["variants"]["nodes"] == [{"title": "Default Title", "sku": None, "ean": None}]
    assert await kit.live() == ["S / Red", "M / Red", "M / Blue"], "variants that are not given stay"
    assert await kit.shop.database.pool.fetchval("SELECT array_agg(amount) FROM price") == [990]
    again = [{**mug, "handle": "mug", "variants": [{"sku": "MUG-L", "options": options(Size="L")}]}]
    (result,) = await put(kit, *again)
    assert (result["outcome"], result["product"]["id"], result["product"]["handle"]) == ("UPDATED", made["id"], "mug")
    assert [variant["sku"] for variant in result["product"]["variants"]["nodes"]] == ["MUG-L"]
    assert [r["outcome"] for r in await put(kit, *again)] == ["UNCHANGED"]
    unsaid = {"externalId": "erp-mug", "variants": [{"sku": "MUG-L", "options": options(Size="L")}]}
    assert [r["outcome"] for r in await put(kit, unsaid)] == ["UNCHANGED"], "what a row does not give stays"


async def test_a_title_of_its_own_and_numbers_survive_what_does_not_know_them(kit: Shirt) -> None:
    red = kit.variants["S / Red"]
    await kit.do("variantUpdate", {"variantId": red, "title": "Little Red", "upc": "036000291452", "externalId": "e"})
    await put(kit, {"handle": "shirt", "variants": [{"sku": "S-RED", "options": options(Size="S", Colour="Red")}]})
    row = await kit.shop.database.pool.fetchrow("SELECT * FROM variant WHERE id = $1", ids.decode("Variant", red))
    assert (row.title, row.upc, row.external_id, row.sku) == ("Little Red", "036000291452", "e", "S-RED")


async def test_what_is_refused_of_a_product_stops_all_or_that_one(kit: Shirt) -> None:
    await kit.do("variantUpdate", {"variantId": kit.variants["S / Red"], "externalId": "erp-1"})
    size = {"options": ["Size"], "title": "Hat"}
    rows = [
        {"externalId": "a"},
        {"title": "Nameless"},
        {**size, "externalId": "b", "variants": [{"options": options(Colour="S")}]},
        {**size, "externalId": "c", "variants": [{"options": options(Size="S")}] * 2},
        {**size, "externalId": "d", "variants": [{"options": options(Size="S"), "sku": "S-RED"}]},
        {**size, "externalId": "e", "variants": [{"options": options(Size="S"), "externalId": "erp-1"}]},
        {**size, "externalId": "f", "variants": [{"options": options(Size="S"), "image": "https://e.example/1"}]},
        {**size, "externalId": "g"},
        {"externalId": "h", "handle": "shirt", "title": "Hat"},
        {"handle": "shirt", "title": "Hat"},
        {"externalId": "i", "title": "Hat", "variants": [{"sku": "HAT"}]},
        {**size, "externalId": "j", "options": ["Size", " "], "variants": []},
    ]
    paths = {
        0: ("ValidationFailed", ["title"]),
        1: ("ValidationFailed", ["externalId"]),
        2: ("ValidationFailed", ["variants", "0", "options"]),
        3: ("ValidationFailed", ["variants", "1", "options"]),
        4: ("SkuTaken", ["variants", "0", "sku"]),
        5: ("VariantExternalIdTaken", ["variants", "0", "externalId"]),
        6: ("ValidationFailed", ["variants", "0", "image"]),
        7: ("ValidationFailed", ["variants"]),
        9: ("ValidationFailed", []),
        11: ("ValidationFailed", ["options", "1"]),
    }
    errors = await kit.refused("productsUpsert", {"rows": rows})
    assert all(error["path"][0] == "rows" for error in errors)
    results = await put(kit, *rows, on_error="SKIP")
    assert {r["index"]: (r["errors"][0]["__typename"], r["errors"][0]["path"]) for r in results if r["errors"]} == paths
    assert [(r["index"], r["outcome"]) for r in results if r["outcome"]] == [(8, "UPDATED"), (10, "CREATED")]
    many = [{"externalId": str(i), "title": "x", "variants": [{"sku": f"{i}"}]} for i in range(1001)]
    (error,) = await kit.refused("productsUpsert", {"rows": many})
    assert error["path"] == ["rows"]


async def test_what_is_wrong_with_a_price_inside_a_row_is_named_by_its_own_field(kit: Shirt) -> None:
    await given.regions(kit.shop)
    japan = await kit.shop.database.pool.fetchval(
        "UPDATE region SET archived_at = now() WHERE code = 'jp' RETURNING id"
    )
    yen = {"currency": "JPY", "amount": "5"}
    for price, names in (
        ({**yen, "minQuantity": 0}, ["minQuantity"]),
        ({**yen, "compareAt": "9.5"}, ["compareAt"]),
        ({**yen, "amount": "5.5", "compareAt": "9.5"}, ["amount", "compareAt"]),
        ({**yen, "regionId": ids.encode("Region", japan)}, ["regionId"]),
    ):
        errors = await kit.refused("variantsUpsert", {"rows": [{"sku": "S-RED", "prices": [price]}]})
        assert [error["path"] for error in errors] == [["rows", "0", "prices", "0", name] for name in names]


async def test_a_product_of_a_row_is_held_to_what_holds_for_any_other(kit: Shirt) -> None:
    eleven = [f"Option {i}" for i in range(11)]
    picture = {"url": "https://img.example/1.jpg"}
    hat = {"handle": "hat", "title": "Hat"}
    for row, path in (
        ({**hat, "options": eleven, "variants": [{"options": options(**dict.fromkeys(eleven, "x"))}]}, ["options"]),
        ({**hat, "media": [{**picture, "alt": "x" * 501}]}, ["media", "0", "alt"]),
        ({**hat, "media": [{"url": f"https://img.example/{i}"} for i in range(251)]}, ["media"]),
        ({**hat, "translations": {"de-AT": {"title": "Hut"}, "de_at": {"title": "Kappe"}}}, ["translations", "de_at"]),
        ({**hat, "vendor": "x" * 256}, ["vendor"]),
    ):
        assert [error["path"] for error in await kit.refused("productsUpsert", {"rows": [row]})] == [
            ["rows", "0", *path]
        ]


async def test_products_of_one_title_get_handles_however_alike_their_external_ids_are(kit: Shirt) -> None:
    same = [{"externalId": name, "title": "Hat"} for name in ("A.1", "A-1", "a_1")]
    long = [{"externalId": name * 200, "title": "x" * 250} for name in "ab"]
    handles = [result["product"]["handle"] for result in await put(kit, *same, *long)]
    assert handles[:2] == ["hat", "hat-a-1"]
    assert handles[2].startswith("hat-")
    assert handles[4].startswith("x" * 200 + "-")
    assert len(set(handles)) == 5
    assert [result["outcome"] for result in await put(kit, *same, *long)] == ["UNCHANGED"] * 5
