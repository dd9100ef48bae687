"""What staff write of stock: counted, adjusted, moved, all of it or nothing, once for each key, and written down."""

from typing import Any

import pytest
from asyncpg import PostgresError
from sqlalchemy import text

from db.connection import new_id
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api
from tests.completion import refusal
from tests.invariants import levels, violations
from tests.people import audited
from tests.stocked import LEVEL, Shelf, keeper, movements, refused, shelf, shortages, stored
from tests.test_stock import buy

LEVELS = f"stockLevels {{ {LEVEL} }}"
NUMBERS = ["onHand", "reserved", "allocated", "available", "backorderLimit", "shortage"]


async def two_places(shop: Shop) -> tuple[given.Sold, Shelf, Shelf]:
    """Ten cups here, none there."""
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=10)
    await given.counted(shop, cup.keys[0], "other", 0, priority=2)
    return cup, await shelf(shop, "CUP-1"), await shelf(shop, "CUP-1", "other")


def moved(from_: Shelf, to: Shelf, quantity: int) -> dict[str, Any]:
    place = {"fromLocationId": from_.named["stockLocationId"], "toLocationId": to.named["stockLocationId"]}
    return {"stockItemId": from_.named["stockItemId"], **place, "quantity": quantity}


def numbers(payload: dict[str, Any]) -> list[tuple[int, ...]]:
    return [tuple(level[name] for name in NUMBERS) for level in payload["stockLevels"]]


async def test_what_arrives_and_goes_is_added_and_written_down(shop: Shop, api: Api) -> None:
    _, here, there = await two_places(shop)
    staff = await keeper(shop, api)
    rows = [{**there.named, "delta": 7}, {**here.named, "delta": 3}]
    change = {"rows": rows, "reason": "RECEIPT", "note": " From the mill ", "idempotencyKey": "a"}
    payload = await staff.done("stockAdjust", change, LEVELS)
    assert numbers(payload) == [(7, 0, 0, 7, 0, 0), (13, 0, 0, 13, 0, 0)]
    assert [level["location"]["code"] for level in payload["stockLevels"]] == ["other", "main"]
    loss = {"rows": [{**here.named, "delta": -4}], "reason": "LOSS", "idempotencyKey": "b"}
    assert numbers(await staff.done("stockAdjust", loss, LEVELS)) == [(9, 0, 0, 9, 0, 0)]
    assert await movements(shop) == [
        ("CUP-1", "main", 10, "import"),
        *sorted([("CUP-1", "main", 3, "receipt"), ("CUP-1", "other", 7, "receipt")], key=lambda m: m[1] == "main"),
        ("CUP-1", "main", -4, "loss"),
    ]
    by = "SELECT actor_kind, staff_id IS NOT NULL, note FROM stock_movement ORDER BY id"
    noted = [tuple(row) for row in await shop.read.records(text(by))]
    assert noted == [("system", False, ""), *[("staff", True, "From the mill")] * 2, ("staff", True, "")]
    assert await audited(shop) == [
        ("stockAdjust", f"stock_level:{there.level}", {"on_hand": [0, 7]}),
        ("stockAdjust", f"stock_level:{here.level}", {"on_hand": [10, 13]}),
        ("stockAdjust", f"stock_level:{here.level}", {"on_hand": [13, 9]}),
    ]
    assert await violations(shop.read) == []


async def test_an_item_that_never_lay_there_gets_a_level(shop: Shop, api: Api) -> None:
    await given.product(shop, "cup", stock=10)
    staff = await keeper(shop, api)
    new = {"code": "shop", "name": "The shop", "priority": 2, "idempotencyKey": "a"}
    made = await staff.done("stockLocationCreate", new, "stockLocation { id code name priority archivedAt }")
    place = made["stockLocation"]
    assert place == {"id": place["id"], "code": "shop", "name": "The shop", "priority": 2, "archivedAt": None}
    lid = await staff.done("stockItemCreate", {"title": "Lid", "sku": "L-1", "idempotencyKey": "a"}, "stockItem { id }")
    row = {"stockItemId": lid["stockItem"]["id"], "stockLocationId": place["id"], "onHand": 5, "changeFrom": 0}
    payload = await staff.done("stockSet", {"rows": [row], "idempotencyKey": "a"}, LEVELS)
    assert numbers(payload) == [(5, 0, 0, 5, 0, 0)]
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 0), ("Lid", "shop", 5, 0, 0)]
    assert (await movements(shop))[-1] == ("Lid", "shop", 5, "count")


async def test_a_count_is_written_only_over_what_was_seen(shop: Shop, api: Api) -> None:
    _, here, there = await two_places(shop)
    staff = await keeper(shop, api)
    rows = [
        {**here.named, "onHand": 8, "changeFrom": 9},
        {**there.named, "onHand": 2, "changeFrom": 0},
    ]
    change = {"rows": rows, "idempotencyKey": "a"}
    assert await refused(shop, staff, "stockSet", change) == [("StockChanged", "rows.0.changeFrom", 10)]
    rows[0]["changeFrom"] = 10
    assert numbers(await staff.done("stockSet", change, LEVELS)) == [(8, 0, 0, 8, 0, 0), (2, 0, 0, 2, 0, 0)]
    assert [row[2:] for row in await levels(shop.read)] == [(8, 0, 0), (2, 0, 0)]


async def test_a_count_below_what_is_promised_is_a_shortage_with_its_orders(shop: Shop, api: Api) -> None:
    cup, here, _ = await two_places(shop)
    bought = (await buy(api, cup, 6))["order"]
    staff = await keeper(shop, api)
    change = {"rows": [{**here.named, "onHand": 4, "changeFrom": 10}], "idempotencyKey": "a"}
    assert numbers(await staff.done("stockSet", change, LEVELS)) == [(4, 0, 6, -2, 0, 2)]
    assert await shortages(shop) == [(here.level, 2)]
    shown = "item { title } shortage promises { totalCount nodes { orderId orderNumber quantity state } }"
    promise = {"orderId": bought["id"], "orderNumber": bought["number"], "quantity": 6, "state": "ALLOCATED"}
    found = await staff(f"{{ stockShortages {{ totalCount nodes {{ {shown} }} }} }}")
    level = {"item": {"title": "CUP-1"}, "shortage": 2, "promises": {"totalCount": 1, "nodes": [promise]}}
    assert found == {"stockShortages": {"totalCount": 1, "nodes": [level]}}
    lost = {"rows": [{**here.named, "delta": -1}], "reason": "LOSS", "idempotencyKey": "b"}
    assert numbers(await staff.done("stockAdjust", lost, LEVELS)) == [(3, 0, 6, -3, 0, 3)]
    assert await shortages(shop) == [(here.level, 2), (here.level, 3)]
    arrived = {"rows": [{**here.named, "delta": 1}], "reason": "RECEIPT", "idempotencyKey": "c"}
    assert numbers(await staff.done("stockAdjust", arrived, LEVELS)) == [(4, 0, 6, -2, 0, 2)]
    enough = {"rows": [{**here.named, "delta": 5}], "reason": "RECEIPT", "idempotencyKey": "d"}
    assert numbers(await staff.done("stockAdjust", enough, LEVELS)) == [(9, 0, 6, 3, 0, 0)]
    assert await shortages(shop) == [(here.level, 2), (here.level, 3)], "what shrinks is not announced"
    assert await violations(shop.read) == []


async def test_many_shortages_are_announced_by_one_statement(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sold = [await given.product(shop, f"cup-{i}", stock=3) for i in range(5)]
    for one in sold:
        await buy(api, one, 3)
    staff = await keeper(shop, api)
    costs: list[int] = []
    assert api.database is not None
    for key, chosen in (("one", sold[:1]), ("four", sold[1:])):
        shelves = [await shelf(shop, f"CUP-{sold.index(one)}-1") for one in chosen]
        rows = [{**each.named, "onHand": 1, "changeFrom": 3} for each in shelves]
        before = api.database.statements
        await staff.done("stockSet", {"rows": rows, "idempotencyKey": key}, LEVELS)
        costs.append(api.database.statements - before)
        assert (await shortages(shop))[-len(rows) :] == [(each.level, 2) for each in shelves]
    assert costs[0] == costs[1]


async def test_what_is_promised_is_neither_corrected_away_nor_moved_away(shop: Shop, api: Api) -> None:
    cup, here, there = await two_places(shop)
    assert (await buy(api, cup, 6))["userErrors"] == []
    staff = await keeper(shop, api)
    for reason, delta, expected in (
        ("ADJUSTMENT", -5, ("StockTooLow", "rows.0.delta", 10, 6)),
        ("LOSS", -11, ("StockTooLow", "rows.0.delta", 10, 6)),
        ("COUNT", -11, ("StockTooLow", "rows.0.delta", 10, 6)),
        ("LOSS", 1, ("ValidationFailed", "rows.0.delta")),
        ("RECEIPT", -1, ("ValidationFailed", "rows.0.delta")),
        ("RETURN", -1, ("ValidationFailed", "rows.0.delta")),
        ("SHIPMENT", -1, ("ValidationFailed", "reason")),
        ("ADJUSTMENT", 0, ("ValidationFailed", "rows.0.delta")),
        ("ADJUSTMENT", 1_000_000_000, ("ValidationFailed", "rows.0.delta")),
    ):
        change = {"rows": [{**here.named, "delta": delta}], "reason": reason, "idempotencyKey": "a"}
        assert await refused(shop, staff, "stockAdjust", change) == [expected], (reason, delta)
    rows = [moved(here, there, 3), moved(here, there, 2)]
    change = {"rows": rows, "idempotencyKey": "a"}
    assert await refused(shop, staff, "stockTransfer", change) == [("InsufficientStock", "rows.1.quantity", 1)]
    change["rows"] = [moved(here, there, 3), moved(here, there, 1), moved(there, here, 2)]
    payload = await staff.done("stockTransfer", change, LEVELS)
    assert numbers(payload) == [(8, 0, 6, 2, 0, 0), (2, 0, 0, 2, 0, 0)]
    assert [delta for *_, delta, reason in await movements(shop) if reason == "transfer"] == [-3, 3, -1, 1, -2, 2]
    assert await violations(shop.read) == []


async def test_a_limit_of_back_orders_may_be_lowered_below_what_is_owed(shop: Shop, api: Api) -> None:
    cup, here, _ = await two_places(shop)
    staff = await keeper(shop, api)
    limit = {"rows": [{**here.named, "backorderLimit": 5}], "idempotencyKey": "a"}
    assert numbers(await staff.done("stockSetBackorderLimit", limit, LEVELS)) == [(10, 0, 0, 10, 5, 0)]
    assert (await buy(api, cup, 14))["userErrors"] == []
    limit = {"rows": [{**here.named, "backorderLimit": 1}], "idempotencyKey": "b"}
    assert numbers(await staff.done("stockSetBackorderLimit", limit, LEVELS)) == [(10, 0, 14, -4, 1, 3)]
    assert await shortages(shop) == [(here.level, 3)]
    assert refusal(await buy(api, cup, 1))["availableQuantity"] == 0
    limit = {"rows": [{**here.named, "backorderLimit": 1_000_000_001}], "idempotencyKey": "c"}
    expected = [("ValidationFailed", "rows.0.backorderLimit")]
    assert await refused(shop, staff, "stockSetBackorderLimit", limit) == expected
    assert (await movements(shop))[1:] == []
    assert await violations(shop.read) == []


async def test_a_request_that_is_sent_again_is_done_once_and_reads_what_is_there_now(shop: Shop, api: Api) -> None:
    cup, here, there = await two_places(shop)
    staff, other = await keeper(shop, api), await keeper(shop, api)
    change = {"rows": [{**here.named, "delta": 5}], "reason": "RECEIPT", "idempotencyKey": "a"}
    assert numbers(await staff.done("stockAdjust", change, LEVELS)) == [(15, 0, 0, 15, 0, 0)]
    assert (await buy(api, cup, 2))["userErrors"] == []
    before = await stored(shop)
    assert numbers(await staff.done("stockAdjust", change, LEVELS)) == [(15, 0, 2, 13, 0, 0)]
    assert await stored(shop) == before
    changed = {**change, "reason": "ADJUSTMENT"}
    assert await refused(shop, staff, "stockAdjust", changed) == [("IdempotencyKeyReused", "idempotencyKey")]
    assert numbers(await other.done("stockAdjust", change, LEVELS)) == [(20, 0, 2, 18, 0, 0)]
    for mutation, given_ in {
        "stockTransfer": {"rows": [moved(here, there, 1)], "idempotencyKey": "a"},
        "stockSet": {"rows": [{**there.named, "onHand": 3, "changeFrom": 1}], "idempotencyKey": "a"},
        "stockSetBackorderLimit": {"rows": [{**there.named, "backorderLimit": 3}], "idempotencyKey": "a"},
        "stockItemCreate": {"title": "Lid", "sku": "L-1", "idempotencyKey": "a"},
        "stockItemUpdate": {"stockItemId": here.named["stockItemId"], "title": "Cup", "idempotencyKey": "a"},
        "stockLocationCreate": {"code": "x", "name": "X", "priority": 3, "idempotencyKey": "a"},
        "stockLocationUpdate": {
            "stockLocationId": here.named["stockLocationId"],
            "name": "Here",
            "idempotencyKey": "a",
        },
        "stockSettingsUpdate": {"shownQuantity": 4, "idempotencyKey": "a"},
        "variantSetStockItems": {
            "variantId": cup.variant,
            "items": [{"stockItemId": here.named["stockItemId"], "quantity": 2}],
            "idempotencyKey": "a",
        },
    }.items():
        await staff.done(mutation, given_, "__typename")
        before = await stored(shop)
        await staff.done(mutation, given_, "__typename")
        assert await stored(shop) == before, mutation
        bad = {**given_, "idempotencyKey": ""}
        assert await refused(shop, staff, mutation, bad) == [("ValidationFailed", "idempotencyKey")], mutation


async def test_what_is_not_there_or_written_wrongly_is_told_by_row_and_field(shop: Shop, api: Api) -> None:
    _, here, there = await two_places(shop)
    staff = await keeper(shop, api)
    nowhere = {"stockLocationId": ids.encode("StockLocation", new_id())}
    nothing = {"stockItemId": ids.encode("StockItem", new_id())}
    rows = [
        {**here.named, "delta": 1},
        {**here.named, **nowhere, "delta": 1},
        {**nothing, **nowhere, "delta": 1},
    ]
    change = {"rows": rows, "reason": "RECEIPT", "idempotencyKey": "a"}
    assert await refused(shop, staff, "stockAdjust", change) == [
        ("NotFound", "rows.1.stockLocationId"),
        ("NotFound", "rows.2.stockItemId"),
        ("NotFound", "rows.2.stockLocationId"),
    ]
    for rows, expected in (
        ([], ["rows"]),
        ([{**here.named, "delta": i + 1} for i in range(251)], ["rows"]),
        ([{**here.named, "delta": 1}, {**there.named, "delta": 1}, {**here.named, "delta": 2}], ["rows.2"]),
        ([{**here.named, "stockItemId": "cup", "delta": 1}], ["rows.0.stockItemId"]),
        ([{**here.named, "stockLocationId": here.named["stockItemId"], "delta": 1}], ["rows.0.stockLocationId"]),
    ):
        found = await refused(shop, staff, "stockAdjust", {**change, "rows": rows})
        assert found == [("ValidationFailed", path) for path in expected]
    long = {**change, "rows": [{**here.named, "delta": 1}], "note": "x" * 501}
    assert await refused(shop, staff, "stockAdjust", long) == [("ValidationFailed", "note")]
    same = {"rows": [moved(here, here, 1)], "idempotencyKey": "a"}
    assert await refused(shop, staff, "stockTransfer", same) == [("ValidationFailed", "rows.0.toLocationId")]
    none = {"rows": [moved(here, there, 0)], "idempotencyKey": "a"}
    assert await refused(shop, staff, "stockTransfer", none) == [("ValidationFailed", "rows.0.quantity")]
    below = {"rows": [{**here.named, "onHand": -1, "changeFrom": 10}], "idempotencyKey": "a"}
    assert await refused(shop, staff, "stockSet", below) == [("ValidationFailed", "rows.0.onHand")]


async def test_a_location_is_given_up_when_nothing_lies_or_may_be_owed_there(shop: Shop, api: Api) -> None:
    cup, here, there = await two_places(shop)
    staff = await keeper(shop, api)
    archive = {"stockLocationId": there.named["stockLocationId"], "idempotencyKey": "a"}
    limit = {"rows": [{**there.named, "backorderLimit": 1}], "idempotencyKey": "a"}
    await staff.done("stockSetBackorderLimit", limit, LEVELS)
    assert await refused(shop, staff, "stockLocationArchive", archive) == [
        ("StockLocationNotEmpty", "stockLocationId", 1)
    ]
    limit = {"rows": [{**there.named, "backorderLimit": 0}], "idempotencyKey": "b"}
    await staff.done("stockSetBackorderLimit", limit, LEVELS)
    payload = await staff.done("stockLocationArchive", archive, "stockLocation { code archivedAt }")
    assert payload["stockLocation"]["archivedAt"] is not None
    again = await staff.done("stockLocationArchive", {**archive, "idempotencyKey": "b"}, "stockLocation { archivedAt }")
    assert again["stockLocation"]["archivedAt"] == payload["stockLocation"]["archivedAt"]
    assert [action for action, *_ in await audited(shop)].count("stockLocationArchive") == 1
    arrives = {"rows": [{**there.named, "delta": 1}], "reason": "RECEIPT", "idempotencyKey": "c"}
    expected = [("ValidationFailed", "rows.0.stockLocationId")]
    assert await refused(shop, staff, "stockAdjust", arrives) == expected
    moves = {"rows": [moved(here, there, 1)], "idempotencyKey": "c"}
    assert await refused(shop, staff, "stockTransfer", moves) == [("ValidationFailed", "rows.0.toLocationId")]
    with pytest.raises(Exception, match="archived"):
        await given.counted(shop, cup.keys[0], "other", 1, priority=2)
    for statement in (
        f"UPDATE stock_level SET on_hand = 1 WHERE id = '{there.level}'",
        f"UPDATE stock_level SET backorder_limit = 1 WHERE id = '{there.level}'",
        f"UPDATE stock_level SET location_id = '{there.place}' WHERE id = '{here.level}'",
        f"""INSERT INTO stock_level (id, stock_item_id, location_id, on_hand)
            SELECT gen_random_uuid(), gen_random_uuid(), '{there.place}', 1""",
    ):
        with pytest.raises(PostgresError, match="the stock location is archived"):
            await shop.database.pool.execute(statement)
    assert (await buy(api, cup, 10))["userErrors"] == []
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 10), ("CUP-1", "other", 0, 0, 0)]


async def test_codes_and_numbers_are_unique_and_parts_that_are_left_out_stay(shop: Shop, api: Api) -> None:
    _, here, there = await two_places(shop)
    staff = await keeper(shop, api)
    place, item = there.named["stockLocationId"], here.named["stockItemId"]
    for mutation, given_, path in (
        ("stockLocationCreate", {"code": "main", "name": "X", "priority": 1}, "code"),
        ("stockLocationCreate", {"code": "a b", "name": "X", "priority": 1}, "code"),
        ("stockLocationCreate", {"code": "x", "name": " ", "priority": 1}, "name"),
        ("stockLocationCreate", {"code": "x", "name": "X", "priority": 0}, "priority"),
        ("stockLocationUpdate", {"stockLocationId": place, "code": "main"}, "code"),
        ("stockLocationUpdate", {"stockLocationId": place, "name": ""}, "name"),
        ("stockItemCreate", {"title": ""}, "title"),
        ("stockItemCreate", {"title": "X", "sku": "x" * 101}, "sku"),
        ("stockItemUpdate", {"stockItemId": item, "title": "\n"}, "title"),
    ):
        found = await refused(shop, staff, mutation, {**given_, "idempotencyKey": "a"})
        assert found == [("ValidationFailed", path)], (mutation, given_)
    for field, name in (("stockLocationId", "StockLocation"), ("stockItemId", "StockItem")):
        gone = {field: ids.encode(name, new_id()), "idempotencyKey": "a"}
        mutation = f"{field.removesuffix('Id')}Update"
        assert await refused(shop, staff, mutation, gone) == [("NotFound", field)]
    nulls = {"stockLocationId": place, "name": "There", "code": None, "priority": None, "idempotencyKey": "a"}
    payload = await staff.done("stockLocationUpdate", nulls, "stockLocation { code name priority }")
    assert payload["stockLocation"] == {"code": "other", "name": "There", "priority": 2}
    made = await staff.done("stockItemCreate", {"title": "Lid", "sku": "L", "idempotencyKey": "a"}, "stockItem { id }")
    lid = made["stockItem"]["id"]
    twice = {"title": "Other lid", "sku": "L", "idempotencyKey": "b"}
    assert await refused(shop, staff, "stockItemCreate", twice) == [("ValidationFailed", "sku")]
    taken = {"stockItemId": item, "sku": "L", "idempotencyKey": "b"}
    assert await refused(shop, staff, "stockItemUpdate", taken) == [("ValidationFailed", "sku")]
    for key, sku, expected in (("c", None, "L"), ("d", "", None), ("e", "L2", "L2")):
        change = {"stockItemId": lid, "sku": sku, "idempotencyKey": key}
        payload = await staff.done("stockItemUpdate", change, "stockItem { title sku }")
        assert payload["stockItem"] == {"title": "Lid", "sku": expected}


async def test_a_bundle_is_what_staff_say_and_orders_stay_as_they_were_placed(shop: Shop, api: Api) -> None:
    cup, here, _ = await two_places(shop)
    await given.product(shop, "lid", stock=10)
    lid = await shelf(shop, "LID-1")
    assert (await buy(api, cup, 2))["userErrors"] == []
    staff = await keeper(shop, api)
    parts = [{"stockItemId": s.named["stockItemId"], "quantity": q} for s, q in ((here, 2), (lid, 3))]
    change = {"variantId": cup.variant, "items": parts, "idempotencyKey": "a"}
    chosen = "variant { stockItems { quantity item { title } } }"
    payload = await staff.done("variantSetStockItems", change, chosen)
    expected = [{"quantity": 2, "item": {"title": "CUP-1"}}, {"quantity": 3, "item": {"title": "LID-1"}}]
    assert payload["variant"]["stockItems"] == expected
    assert [row[3:] for row in await levels(shop.read)] == [(0, 2), (0, 0), (0, 0)]
    assert refusal(await buy(api, cup, 4))["availableQuantity"] == 3
    assert (await buy(api, cup, 3))["userErrors"] == []
    assert [row[3:] for row in await levels(shop.read)] == [(0, 8), (0, 0), (0, 9)]
    for wrong, path in (
        ([{**parts[0], "quantity": 0}], "items.0.quantity"),
        ([{**parts[0], "quantity": 1_000_001}], "items.0.quantity"),
        ([parts[0], parts[0]], "items.1.stockItemId"),
        ([{**parts[0], "quantity": 1}] * 51, "items"),
    ):
        bad = {**change, "items": wrong, "idempotencyKey": "b"}
        assert await refused(shop, staff, "variantSetStockItems", bad) == [("ValidationFailed", path)]
    gone = {**change, "variantId": ids.encode("Variant", new_id()), "idempotencyKey": "b"}
    assert await refused(shop, staff, "variantSetStockItems", gone) == [("NotFound", "variantId")]
    nothing = [{"stockItemId": ids.encode("StockItem", new_id()), "quantity": 1}]
    missing = {**change, "items": nothing, "idempotencyKey": "b"}
    assert await refused(shop, staff, "variantSetStockItems", missing) == [("NotFound", "items.0.stockItemId")]
    await staff.done("variantSetStockItems", {**change, "items": [], "idempotencyKey": "b"}, chosen)
    assert refusal(await buy(api, cup, 1))["availableQuantity"] == 0
    subject = f"variant:{cup.keys[0]}"
    before = [{"stockItemId": str(here.item), "quantity": 1}]
    after = [{"stockItemId": str(s.item), "quantity": q} for s, q in ((here, 2), (lid, 3))]
    assert await audited(shop) == [
        ("variantSetStockItems", subject, {"stock_items": [before, after]}),
        ("variantSetStockItems", subject, {"stock_items": [after, []]}),
    ]


async def test_movements_are_never_changed_or_removed(shop: Shop) -> None:
    await given.product(shop, "cup", stock=10)
    for statement in ("UPDATE stock_movement SET delta = 1", "DELETE FROM stock_movement", "TRUNCATE stock_movement"):
        with pytest.raises(PostgresError, match="only ever added to"):
            await shop.database.pool.execute(statement)
    assert await movements(shop) == [("CUP-1", "main", 10, "import")]


async def test_the_database_lets_nothing_but_a_loss_make_stock_short(shop: Shop) -> None:
    await given.product(shop, "cup", stock=5)
    await shop.database.pool.execute("UPDATE stock_level SET allocated = 4")
    for change in (
        "allocated = 6, shortage = 1",
        "reserved = 2, shortage = 1",
        "shortage = 1",
        "on_hand = 3, shortage = 2",
        "on_hand = 3, reserved = 1, shortage = 2",
        "on_hand = 1000000001",
    ):
        with pytest.raises(PostgresError):
            await shop.database.pool.execute(f"UPDATE stock_level SET {change}")
    await shop.database.pool.execute("UPDATE stock_level SET on_hand = 3, shortage = 1")
    assert await levels(shop.read) == [("CUP-1", "main", 3, 0, 4)]
