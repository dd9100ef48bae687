"""docs/stock.md is tried: its queries and writes run as they are written, its commands do what it says."""

import re
from typing import Any

import orjson

from domain.processes.shop import Shop
from tests import given
from tests.api import ROOT, Api
from tests.invariants import levels
from tests.stocked import keeper, shelf
from tests.test_readme import blocks
from tests.test_stock import buy

PAGE = (ROOT / "docs" / "stock.md").read_text()
DOCUMENTS = {found[1]: text for text in blocks("graphql", PAGE) if (found := re.search(r"\w+ (\w+)", text))}


async def test_the_queries_and_writes_of_the_guide_run(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=40)
    await given.counted(shop, cup.keys[0], "van", 0, priority=2)
    here, there = await shelf(shop, "CUP-1"), await shelf(shop, "CUP-1", "van")
    staff = await keeper(shop, api)
    ran: set[str] = set()

    async def run(name: str, **variables: Any) -> Any:
        ran.add(name)
        ((_, payload),) = list((await staff(DOCUMENTS[name], variables)).items())[:1]
        assert payload.get("userErrors", []) == []
        return payload

    assert (await run("Shelves", title="CUP"))["nodes"][0]["levels"][0]["onHand"] == 40
    (example,) = blocks("json", PAGE)
    counted = orjson.loads(example)["input"]
    counted["rows"][0] |= here.named
    assert (await run("Count", input=counted))["stockLevels"] == [{"onHand": 37, "available": 37, "shortage": 0}]
    again = await staff(DOCUMENTS["Count"], {"input": {**counted, "idempotencyKey": "later"}})
    (error,) = again["stockSet"]["userErrors"]
    assert (error["code"], error["currentOnHand"]) == ("STOCK_CHANGED", 37)
    arrived = {"rows": [{**here.named, "delta": 3}], "reason": "RECEIPT", "idempotencyKey": "a"}
    assert (await run("Arrived", input=arrived))["stockLevels"] == [{"onHand": 40, "available": 40}]
    row = {"stockItemId": here.named["stockItemId"], "quantity": 5}
    places = {"fromLocationId": here.named["stockLocationId"], "toLocationId": there.named["stockLocationId"]}
    await run("Move", input={"rows": [{**row, **places}], "idempotencyKey": "a"})
    assert [level[2] for level in await levels(shop.read)] == [35, 5]
    await run("Bundle", input={"variantId": cup.variant, "items": [{**row, "quantity": 2}], "idempotencyKey": "a"})
    assert (await buy(api, cup, 17))["userErrors"] == []
    lost = {"rows": [{**here.named, "onHand": 30, "changeFrom": 35}], "idempotencyKey": "b"}
    await run("Count", input=lost)
    (short,) = (await run("Short"))["nodes"]
    assert (short["shortage"], short["promises"]["nodes"][0]["quantity"]) == (4, 34)
    from_here = await staff("{ stockShortages { nodes { id } } }")
    moves = (await run("Ledger", levelId=from_here["stockShortages"]["nodes"][0]["id"]))["nodes"]
    assert [(move["delta"], move["reason"]) for move in moves] == [
        (-5, "COUNT"),
        (-5, "TRANSFER"),
        (3, "RECEIPT"),
        (-3, "COUNT"),
        (40, "IMPORT"),
    ]
    assert await run("Seen", sku="CUP-1") == {"shownQuantity": 10}
    assert ran == DOCUMENTS.keys()
