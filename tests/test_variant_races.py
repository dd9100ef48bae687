"""Whoever writes variants at the same moment as somebody else: there is one live variant of each combination and SKU,
and who came too late is told which one, whichever way either of them wrote.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from asyncpg import CheckViolationError

from domain.processes.import_shopify import ImportOptions, import_shopify
from domain.processes.shop import Shop
from domain.product import ProductDraft
from resolvers import ids
from tests import given
from tests.api import Api
from tests.test_catalog_guarantees import Rows
from tests.test_variants_upsert import crowd
from tests.variants import S_BLUE, S_RED, Shirt, key_of, options, shirt

MANY = 6
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

RAW = """
    WITH chosen AS (
        SELECT v.id, v.option_id, o.product_id FROM option_value AS v JOIN product_option AS o ON o.id = v.option_id
        WHERE o.product_id = $1 AND v.name IN ($2, $3)),
    made AS (
        INSERT INTO variant (id, product_id, title, rank, combination)
        SELECT gen_random_uuid(), $1, 'raw', 9, ARRAY(SELECT id FROM chosen ORDER BY id) RETURNING id)
    INSERT INTO variant_option_value (variant_id, option_id, product_id, value_id)
    SELECT made.id, option_id, product_id, chosen.id FROM made, chosen
"""


@pytest.fixture
async def kit(shop: Shop, api: Api):
    kit = await shirt(shop, api)
    yield kit
    assert await Rows(shop, {}).healthy()


async def at_once(*calls: Awaitable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Payloads; an answer with top-level errors fails the test."""
    return list(await asyncio.gather(*calls))


def errors(payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [error for payload in payloads for error in payload["userErrors"]]


async def variants_of(kit: Shirt, title: str) -> list[str]:
    rows = await kit.shop.database.pool.fetch(
        "SELECT id FROM variant WHERE product_id = $1 AND title = $2 AND archived_at IS NULL", key_of(kit), title
    )
    return [ids.encode("Variant", row.id) for row in rows]


async def one_wins(kit: Shirt, title: str, payloads: list[dict[str, Any]]) -> None:
    """One was done, all others were refused with the variant that is there now."""
    (winner,) = await variants_of(kit, title)
    told = [(error["__typename"], error["existingVariantId"]) for error in errors(payloads)]
    assert told == [("VariantCombinationExists", winner)] * (len(payloads) - 1)


def new(kit: Shirt, **more: Any) -> dict[str, Any]:
    return {"productId": kit.id, "options": S_BLUE, **more}


async def test_create_against_create(kit: Shirt) -> None:
    payloads = await at_once(*(kit.do("variantCreate", new(kit, sku=f"NEW-{i}")) for i in range(MANY)))
    await one_wins(kit, "S / Blue", payloads)


async def test_create_against_create_of_one_sku_in_different_products(kit: Shirt) -> None:
    shirts = [await shirt(kit.shop, kit.api, f"shirt-{i}", sku=f"{i}-") for i in range(MANY)]
    payloads = await at_once(*(one.do("variantCreate", new(one, sku="ONE", externalId="one")) for one in shirts))
    (winner,) = await kit.shop.database.pool.fetch("SELECT id FROM variant WHERE sku = 'ONE'")
    told = Counter((error["__typename"], error["variantId"]) for error in errors(payloads))
    losers = len(shirts) - 1
    variant = ids.encode("Variant", winner.id)
    assert told == {("SkuTaken", variant): losers, ("VariantExternalIdTaken", variant): losers}


async def test_create_against_set_options(kit: Shirt) -> None:
    size = {"name": "Size", "values": [{"name": "S"}, {"name": "M"}]}
    colour = {"name": "Colour", "values": [{"name": "Red"}, {"name": "Blue"}]}
    length = {"name": "Length", "values": [{"name": "Long"}], "valueForExisting": "Long"}
    created, widened = await at_once(
        kit.do("variantCreate", new(kit)),
        kit.do("productSetOptions", {"productId": kit.id, "options": [size, colour, length]}),
    )
    assert widened["userErrors"] == []
    assert [error["path"] for error in created["userErrors"]] in ([], [["options"]])
    assert all(title.endswith(" / Long") for title in await kit.live())
    assert len(await kit.live()) == 4 - len(created["userErrors"])


async def test_create_against_a_value_that_goes(kit: Shirt) -> None:
    await kit.do("variantArchive", {"variantId": kit.variants["M / Blue"]})
    narrowed = [
        {"name": "Size", "values": [{"name": "S"}, {"name": "M"}]},
        {"name": "Colour", "values": [{"name": "Red"}]},
    ]
    payloads = await at_once(
        kit.do("variantCreate", new(kit)), kit.do("productSetOptions", {"productId": kit.id, "options": narrowed})
    )
    (error,) = errors(payloads)
    assert error["__typename"] in {"NotFound", "OptionValueInUse"}
    if error["__typename"] == "OptionValueInUse":
        assert error["variantIds"] == await variants_of(kit, "S / Blue")


async def test_update_against_update(kit: Shirt) -> None:
    both = [kit.variants["S / Red"], kit.variants["M / Red"]]
    payloads = await at_once(*(kit.do("variantUpdate", {"variantId": key, "options": S_BLUE}) for key in both))
    await one_wins(kit, "S / Blue", payloads)
    assert sorted(await kit.live())[0] == "M / Blue"


async def test_of_all_who_saw_the_same_version_one_writes(kit: Shirt) -> None:
    red = {"variantId": kit.variants["S / Red"], "ifVersion": 1}
    payloads = await at_once(*(kit.do("variantUpdate", {**red, "barcode": str(i)}) for i in range(MANY)))
    told = [(error["__typename"], error["currentVersion"]) for error in errors(payloads)]
    assert told == [("VersionConflict", 2)] * (MANY - 1)


async def test_update_against_create(kit: Shirt) -> None:
    red = kit.variants["S / Red"]
    payloads = await at_once(
        kit.do("variantUpdate", {"variantId": red, "options": S_BLUE}), kit.do("variantCreate", new(kit))
    )
    await one_wins(kit, "S / Blue", payloads)


async def test_upsert_against_create(kit: Shirt) -> None:
    payloads = await at_once(
        *(kit.do("variantCreate", new(kit, sku=f"CREATED-{i}")) for i in range(3)),
        *(kit.do("variantsUpsert", {"rows": [new(kit, sku=f"UPSERTED-{i}")]}) for i in range(3)),
    )
    await one_wins(kit, "S / Blue", payloads)


async def test_upsert_against_upsert_of_the_same_sku_makes_it_once(kit: Shirt) -> None:
    rows = {"rows": [new(kit, sku="S-BLUE"), {"sku": "S-RED", "barcode": "1"}]}
    payloads = await at_once(*(kit.do("variantsUpsert", rows, "results { outcome }") for _ in range(MANY)))
    assert errors(payloads) == []
    assert Counter(result["outcome"] for payload in payloads for result in payload["results"]) == {
        "CREATED": 1,
        "UPDATED": 1,
        "UNCHANGED": 2 * MANY - 2,
    }


async def test_generate_against_generate(kit: Shirt) -> None:
    payloads = await at_once(
        *(kit.do("variantsGenerate", {"productId": kit.id}, "variantsCreated") for _ in range(MANY))
    )
    assert errors(payloads) == []
    assert sum(payload["variantsCreated"] for payload in payloads) == 1
    assert len(await kit.live()) == 4


async def test_restore_against_create(kit: Shirt) -> None:
    red = kit.variants["S / Red"]
    await kit.do("variantArchive", {"variantId": red})
    payloads = await at_once(
        kit.do("variantRestore", {"variantId": red}),
        *(kit.do("variantCreate", {"productId": kit.id, "options": S_RED}) for _ in range(3)),
    )
    await one_wins(kit, "S / Red", payloads)


async def test_import_against_upsert(kit: Shirt, tmp_path: Path) -> None:
    """What was written last is what there is, of products too; nobody is told of the database."""
    await given.regions(kit.shop)
    lines = ["Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Price"]
    pairs = [("S", "Red"), ("M", "Red"), ("M", "Blue"), ("S", "Blue")]
    lines += [f"shirt,Shirt,Size,{size},Colour,{colour},{size}-{colour}-NEW,1.00" for size, colour in pairs]
    file = tmp_path / "shirt.csv"
    file.write_text("\n".join(lines) + "\n")
    product = {
        "handle": "shirt",
        "variants": [{"sku": f"{s}-{c}", "options": options(Size=s, Colour=c)} for s, c in pairs],
    }
    report, *payloads = await asyncio.gather(
        import_shopify(kit.shop, [file], ImportOptions("EUR")),
        kit.do("productsUpsert", {"rows": [product]}),
        kit.do("variantsUpsert", {"rows": [new(kit, sku="UPSERTED")]}),
        kit.do("variantCreate", new(kit, sku="CREATED")),
    )
    assert report.problems == []
    assert len(await variants_of(kit, "S / Blue")) == 1
    assert {error["__typename"] for error in errors(payloads)} <= {"VariantCombinationExists"}
    assert sorted(await kit.live()) == ["M / Blue", "M / Red", "S / Blue", "S / Red"]


async def test_the_last_place_among_two_thousand_is_given_once(kit: Shirt) -> None:
    await crowd(kit, 1999)
    pairs = [("S", "Blue"), ("L", "Red"), ("L", "Blue"), ("S", "c5")]
    payloads = await at_once(
        *(kit.do("variantCreate", new(kit, options=options(Size=size, Colour=colour))) for size, colour in pairs)
    )
    assert [error["__typename"] for error in errors(payloads)] == ["TooManyVariants"] * 3
    assert len(await kit.live()) == 2000


async def test_the_database_itself_counts_to_two_thousand(kit: Shirt) -> None:
    """Also for who looks at nothing, and in two transactions that do not see each other's rows."""
    await crowd(kit, 1999)

    async def side(size: str, colour: str) -> None:
        async with kit.shop.tx() as tx:
            await tx._connection.execute(RAW, key_of(kit), size, colour)
            await asyncio.sleep(0.2)

    results = await asyncio.gather(side("S", "Blue"), side("L", "Red"), return_exceptions=True)
    assert [getattr(result, "constraint_name", None) for result in results if result] == ["variant_limit"]
    await kit.shop.database.pool.execute("UPDATE variant SET archived_at = now() WHERE title = 'c5'")
    await kit.do("variantCreate", {"productId": kit.id, "options": options(Size="L", Colour="Blue")})
    with pytest.raises(CheckViolationError, match="more than 2000"):
        await kit.shop.database.pool.execute("UPDATE variant SET archived_at = NULL WHERE title = 'c5'")


async def test_an_sku_that_somebody_takes_at_this_moment_is_refused_with_its_variant(kit: Shirt) -> None:
    """It is written when it is looked up, but not committed: the unique index refuses, not the look-up."""
    (mug,) = await given.products(kit.shop, ProductDraft(handle="mug", title="Mug"))
    async with kit.shop.tx() as tx:
        await tx._connection.execute("UPDATE variant SET sku = 'X', external_id = 'x' WHERE title = 'Default Title'")
        call = asyncio.create_task(kit.do("variantCreate", new(kit, sku="X", externalId="x")))
        await given.until(lambda: _waits(kit))
    payload = await call
    told = [(error["__typename"], error["variantId"], error["path"]) for error in payload["userErrors"]]
    assert sorted(told) == [
        ("SkuTaken", mug.variant, ["sku"]),
        ("VariantExternalIdTaken", mug.variant, ["externalId"]),
    ]
    assert await kit.live() == ["S / Red", "M / Red", "M / Blue"]


async def _waits(kit: Shirt) -> bool:
    return await kit.shop.database.pool.fetchval(WAITING) > 0
