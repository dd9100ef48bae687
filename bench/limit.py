"""The hand-written limit: the same answers by asyncpg statements, dicts and orjson, and nothing else.

It knows what is asked (no GraphQL), checks nothing, and is as fast as this stack can be without caching.
`python -m bench.limit PORT` serves it over DATABASE_URL.
"""

import base64
import os
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typeid import base32

from bench.client import HOST
from bench.documents import COUNTRY, PER_PRODUCT

REGION: Final = """SELECT r.id, r.currency, r.tax_inclusive, channel.id AS channel FROM region r
    JOIN region_country c ON c.region_id = r.id JOIN channel ON channel.is_default WHERE c.country = $1"""
FIRST: Final = """SELECT id, handle, title FROM product WHERE status = 'published' AND archived_at IS NULL AND EXISTS (
    SELECT FROM product_channel WHERE product_id = id AND channel_id = $2
    AND (published_from IS NULL OR published_from <= now()) AND (published_until IS NULL OR published_until > now()))
    ORDER BY id LIMIT $1"""
AFTER: Final = """SELECT id, handle, title FROM product WHERE status = 'published' AND archived_at IS NULL
    AND id > $3 AND EXISTS (
    SELECT FROM product_channel WHERE product_id = id AND channel_id = $2
    AND (published_from IS NULL OR published_from <= now()) AND (published_until IS NULL OR published_until > now()))
    ORDER BY id LIMIT $1"""
DETAIL: Final = """SELECT id, handle, title, description, vendor, tags FROM product
    WHERE status = 'published' AND archived_at IS NULL AND handle = $1 AND EXISTS (
    SELECT FROM product_channel WHERE product_id = id AND channel_id = $2
    AND (published_from IS NULL OR published_from <= now()) AND (published_until IS NULL OR published_until > now()))"""
OPTIONS: Final = """SELECT o.product_id, o.id, o.name, v.name AS value FROM product_option o
    JOIN option_value v ON v.option_id = o.id WHERE o.product_id = ANY($1) ORDER BY o.rank, o.id, v.rank, v.id"""
MEDIA: Final = "SELECT url, alt FROM media WHERE product_id = $1 ORDER BY rank, id"
VARIANTS: Final = """SELECT v.* FROM unnest($1::uuid[]) AS p (id) CROSS JOIN LATERAL (
    SELECT product_id, id, title, sku, rank, manage_stock FROM variant WHERE product_id = p.id AND archived_at IS NULL
    ORDER BY rank, id LIMIT $2) AS v ORDER BY v.rank, v.id"""
CHOSEN: Final = """SELECT x.variant_id, o.name, v.name AS value FROM variant_option_value x
    JOIN product_option o ON o.id = x.option_id JOIN option_value v ON v.id = x.value_id
    WHERE x.variant_id = ANY($1) ORDER BY o.rank"""
PRICES: Final = """SELECT variant_id, amount, compare_at, region_id IS NULL AS anywhere, price_list_id AS list, kind,
    priority FROM price LEFT JOIN price_list AS l ON l.id = price_list_id AND l.status = 'active' AND NOT for_groups
    AND (starts_at IS NULL OR starts_at <= now()) AND (ends_at IS NULL OR ends_at > now())
    WHERE variant_id = ANY($1) AND currency = $2 AND (region_id = $3 OR region_id IS NULL) AND min_quantity = 1
    AND (price_list_id IS NULL OR l.id IS NOT NULL)"""
STOCK: Final = """SELECT variant_id, bool_and(ready >= 1) AS ready, min(free)::int AS units FROM (
    SELECT i.variant_id, sum(greatest(l.on_hand - l.reserved - l.allocated, 0)) / i.quantity AS ready,
    trunc(sum(greatest(l.on_hand + l.backorder_limit - l.reserved - l.allocated, 0)) / i.quantity) AS free
    FROM variant_stock_item i JOIN stock_level l ON l.stock_item_id = i.stock_item_id
    WHERE i.variant_id = ANY($1) GROUP BY i.variant_id, i.stock_item_id, i.quantity) AS item GROUP BY variant_id"""
FIXED: Final = orjson.dumps({"data": {"text": "x" * 40_000}})


class Shop:
    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.statements = 0

    async def fetch(self, connection: Any, sql: str, *arguments: Any) -> Any:
        self.statements += 1
        return await connection.fetch(sql, *arguments)


@asynccontextmanager
async def _running(url: str, _app: Starlette) -> AsyncGenerator[dict[str, Any]]:
    settings = {"jit": "off", "timezone": "UTC", "random_page_cost": "1.1"}
    async with cast(Any, asyncpg).create_pool(
        url, min_size=1, max_size=10, reset=_nothing, server_settings=settings
    ) as pool:
        yield {"shop": Shop(pool)}


async def _nothing(_connection: Any) -> None:
    """What is read here leaves nothing behind."""


async def page(request: Request) -> Response:
    shop: Shop = request.state.shop
    given = orjson.loads(await request.body())["variables"]
    after = given.get("after")
    async with shop.pool.acquire() as connection:
        (region,) = await shop.fetch(connection, REGION, COUNTRY)
        if after is None:
            products = await shop.fetch(connection, FIRST, given["first"] + 1, region["channel"])
        else:
            _, last = orjson.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
            products = await shop.fetch(connection, AFTER, given["first"] + 1, region["channel"], UUID(last))
        more, products = len(products) > given["first"], products[: given["first"]]
        ids = [product["id"] for product in products]
        options = await options_of(shop, connection, ids)
        variants = await variants_of(shop, connection, ids, region, PER_PRODUCT)
    nodes = [
        {
            "id": f"prod_{base32.encode(product['id'].bytes)}",
            "handle": product["handle"],
            "title": product["title"],
            "options": list(options[product["id"]].values()),
            "variants": {"nodes": variants[product["id"]]},
        }
        for product in products
    ]
    cursor = orjson.dumps(["product.id", str(ids[-1])]) if ids else b""
    end = {"hasNextPage": more, "endCursor": base64.urlsafe_b64encode(cursor).decode().rstrip("=")}
    return answer({"products": {"nodes": nodes, "pageInfo": end}}, region)


async def detail(request: Request) -> Response:
    shop: Shop = request.state.shop
    given = orjson.loads(await request.body())["variables"]
    async with shop.pool.acquire() as connection:
        (region,) = await shop.fetch(connection, REGION, COUNTRY)
        (product,) = await shop.fetch(connection, DETAIL, given["handle"], region["channel"])
        ids = [product["id"]]
        options = await options_of(shop, connection, ids)
        media = await shop.fetch(connection, MEDIA, product["id"])
        variants = await variants_of(shop, connection, ids, region, 20, stock=True)
    shown = {
        "id": f"prod_{base32.encode(product['id'].bytes)}",
        **{name: product[name] for name in ("handle", "title", "description", "vendor", "tags")},
        "options": list(options[product["id"]].values()),
        "media": [{"url": row["url"], "alt": row["alt"]} for row in media],
        "variants": {"nodes": variants[product["id"]]},
    }
    return answer({"product": shown}, region)


async def options_of(shop: Shop, connection: Any, ids: list[UUID]) -> dict[UUID, dict[UUID, Any]]:
    options: dict[UUID, dict[UUID, Any]] = defaultdict(dict)
    for row in await shop.fetch(connection, OPTIONS, ids):
        option = options[row["product_id"]].setdefault(row["id"], {"name": row["name"], "values": []})
        option["values"].append({"name": row["value"]})
    return options


async def variants_of(
    shop: Shop, connection: Any, ids: list[UUID], region: Any, most: int, *, stock: bool = False
) -> dict[UUID, list[Any]]:
    rows = await shop.fetch(connection, VARIANTS, ids, most)
    keys = [row["id"] for row in rows]
    chosen: dict[UUID, list[Any]] = defaultdict(list)
    for row in await shop.fetch(connection, CHOSEN, keys):
        chosen[row["variant_id"]].append({"name": row["name"], "value": row["value"]})
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in await shop.fetch(connection, PRICES, keys, region["currency"], region["id"]):
        found[row["variant_id"]].append(row)
    prices = {key: price(listed, region) for key, listed in found.items()}
    counted = [row["id"] for row in rows if row["manage_stock"]] if stock else []
    units = {row["variant_id"]: row for row in await shop.fetch(connection, STOCK, counted)} if stock else {}
    variants: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        variant = {
            "id": f"variant_{base32.encode(row['id'].bytes)}",
            "title": row["title"],
            "sku": row["sku"],
            "selectedOptions": chosen[row["id"]],
            "price": prices.get(row["id"]),
        }
        if stock:
            variant["availability"] = availability(row, units.get(row["id"]))
        variants[row["product_id"]].append(variant)
    return variants


def availability(variant: Any, found: Any) -> dict[str, Any]:
    if not variant["manage_stock"]:
        return {"status": "NOT_TRACKED", "quantity": None}
    if found is None or not found["units"]:
        return {"status": "OUT_OF_STOCK", "quantity": 0}
    return {"status": "IN_STOCK" if found["ready"] else "BACKORDER", "quantity": min(found["units"], 10)}


def price(rows: list[Any], region: Any) -> dict[str, Any]:
    """Of the rows of a variant in base and in the lists that are open to everybody the one that counts."""
    found = rows[0]
    crossed_out = found["compare_at"]
    if len(rows) > 1 or found["list"] is not None:
        by_list: dict[Any, Any] = {}
        for row in sorted(rows, key=lambda one: one["anywhere"], reverse=True):
            by_list[row["list"]] = row
        found = by_list.pop(None)
        if regular := [row for row in by_list.values() if row["kind"] == "override"]:
            found = min(regular, key=_first)
        crossed_out = found["compare_at"]
        sales = [row for row in by_list.values() if row["kind"] == "sale" and row["amount"] < found["amount"]]
        if sales:
            sale = min(sales, key=lambda row: (row["amount"], row["priority"], row["list"]))
            crossed_out = found["amount"] if sale["compare_at"] is None else sale["compare_at"]
            found = sale
    amount = found["amount"]
    return {
        "amount": {"amount": f"{amount // 100}.{amount % 100:02}", "currency": region["currency"]},
        "compareAt": None if crossed_out is None else {"amount": f"{crossed_out // 100}.{crossed_out % 100:02}"},
        "taxIncluded": region["tax_inclusive"],
    }


def _first(row: Any) -> tuple[Any, ...]:
    return row["priority"], row["amount"], row["list"]


def answer(data: dict[str, Any], region: Any) -> Response:
    place = {"region": f"region_{base32.encode(region['id'].bytes)}", "currency": region["currency"]}
    context = {
        **place,
        "country": COUNTRY,
        "channel": f"channel_{base32.encode(region['channel'].bytes)}",
        "locale": None,
    }
    return Response(orjson.dumps({"data": data, "extensions": {"context": context}}), media_type="application/json")


async def fixed(_request: Request) -> Response:
    return Response(FIXED, media_type="application/json")


async def ready(_request: Request) -> Response:
    return Response(b"{}")


def create_app(url: str) -> Starlette:
    routes = [Route(f"/{f.__name__}", f, methods=["GET", "POST"]) for f in (page, detail, fixed, ready)]
    return Starlette(routes=routes, lifespan=partial(_running, url))


if __name__ == "__main__":
    uvicorn.run(
        create_app(os.environ["DATABASE_URL"]), host=HOST, port=int(sys.argv[1]), log_level="warning", access_log=False
    )
