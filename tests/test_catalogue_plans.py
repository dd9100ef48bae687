"""What the planner makes of whole operations over a seeded catalogue: no statement of a page, a detail or a filtered
list reads a table whole that grows with the catalogue. Of the search see tests/test_listing_plans.py.

The operations are those of `make bench`, so what is measured there at 100,000 products is looked at here.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import asyncpg
import pytest

from bench import documents as d
from bench.workloads import deep_cursor, department_ids, seen
from domain.processes.seed_catalogue import SeedCatalogue, seed_catalogue
from domain.processes.shop import Shop
from tests.api import Api

PRODUCTS = 1_000
SMALL = 64
"""Tables of fewer pages may be read whole at this size: that takes as long as a few look-ups."""
NEARLY_ALL = {"product_option", "option_value"}
"""Of these a page wants so many at this size that the planner may take them all."""
FIRST = {"first": d.PER_PAGE}
SORTED = """query ($first: Int!, $sort: ListingSort!) { products(first: $first, sort: $sort) {
    nodes { handle } pageInfo { endCursor } } }"""
OPERATIONS: dict[str, tuple[str, list[Mapping[str, Any]]]] = {
    "page": (d.PAGE, [FIRST]),
    "deep page": (d.PAGE, [{**FIRST, "after": deep_cursor(PRODUCTS)}]),
    "other page": (d.OTHER_PAGE, [FIRST]),
    "detail": (d.DETAIL, [{"handle": handle} for handle in seen(PRODUCTS, 2)]),
    "a handle that nothing has": (d.DETAIL, [{"handle": "nothing"}]),
    "sorted": (SORTED, [{**FIRST, "sort": sort} for sort in ("NEWEST", "TITLE", "PRICE_ASC", "PRICE_DESC")]),
    "category": (d.CATEGORY, [{**FIRST, "id": department_ids()[-1]}]),
}


def whole_tables(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from whole_tables(child)


async def tables_read_whole(shop: Shop, sql: str, arguments: Any) -> set[str]:
    row: Any = (await shop.database.pool.fetch("EXPLAIN (FORMAT JSON) " + sql, *arguments))[0]
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return set(whole_tables(plan[0]["Plan"]))


async def test_no_statement_of_a_page_reads_a_table_that_grows(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed_catalogue(shop, SeedCatalogue(PRODUCTS))
    counted = await shop.database.pool.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relpages >= $1", SMALL
    )
    large = {row[0] for row in counted} - NEARLY_ALL
    assert {"product", "variant", "variant_option_value", "price", "stock_level"} <= large
    sent: list[tuple[str, Any]] = []
    fetch = cast(Any, asyncpg.connection.Connection).fetch

    async def recorded(self: Any, sql: str, *arguments: Any, **more: Any) -> Any:
        sent.append((sql, arguments))
        return await fetch(self, sql, *arguments, **more)

    for name, (document, listed) in OPERATIONS.items():
        for variables in listed:
            with monkeypatch.context() as patch:
                patch.setattr(asyncpg.connection.Connection, "fetch", recorded)
                await api(document, dict(variables))
            assert sent, name
            for sql, arguments in sent:
                assert not await tables_read_whole(shop, sql, arguments) & large, (name, variables, sql)
            sent.clear()
