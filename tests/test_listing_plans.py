"""What the planner makes of lists and the search in a catalogue that is not tiny.

Asserted is what stays true whatever the costs of a machine: with some thousand products and fresh statistics a page in
any order walks that order's index and sorts nothing, deep down too, a rare choice and a rare word are found by their
index, and no statement reads the whole of a table. Nothing is switched off for it.
"""

import json
from typing import Any

from db.connection import compiled, new_id
from domain.listing import ListingFilter, ListingSort
from domain.processes.refresh_listing import rebuild_listing
from domain.processes.shop import Shop
from domain.search import Asked, PostgresSearch
from resolvers import listing
from resolvers.page import PageArgs, paged
from tests import carts, given

MANY = 6_000
INDEXES = {
    ListingSort.NEWEST: "ix_product_newest",
    ListingSort.TITLE: "ix_product_title",
    ListingSort.PRICE_ASC: "ix_product_listing_rising",
    ListingSort.PRICE_DESC: "ix_product_listing_falling",
}
NARROW = {
    "tags": (ListingFilter(tags=("rare",)), "ix_product_tags"),
    "metadata": (ListingFilter(metadata=(("a", "b"),)), "ix_product_metadata"),
}


async def many(shop: Shop) -> None:
    await given.regions(shop)
    columns = ("id", "handle", "title", "status", "vendor", "tags")
    rows = [
        (new_id(), f"p-{n}", f"{('Paper', 'Glass', 'Wood')[n % 3]} cup {n * 7919 % MANY}", "published", f"V{n % 9}",
         [f"t{n % 40}", *(["rare"] if n % 2000 == 0 else [])])
        for n in range(MANY)
    ]  # fmt: skip
    async with shop.database.pool.acquire() as connection:
        await connection.copy_records_to_table("product", records=rows, columns=columns)
        await connection.execute(
            "INSERT INTO product_channel (channel_id, product_id) SELECT c.id, p.id FROM channel c, product p"
        )
    await rebuild_listing(shop)
    await carts.execute(shop, "UPDATE product_listing SET minimum = hashtext(product_id::text) & 65535")
    async with shop.database.pool.acquire() as connection:
        await connection.execute("VACUUM ANALYZE")


async def plan(shop: Shop, statement: Any, **given_: Any) -> tuple[set[str], set[str]]:
    """Indexes that are used, and the kinds of nodes; but for tables that have a few rows whatever there is for sale."""
    sql, arguments = compiled(statement, {"channel": None, "locales": [], "rows": 25, **given_})
    async with shop.database.pool.acquire() as connection:
        (row,) = await connection.fetch("EXPLAIN (FORMAT JSON) " + sql, *arguments)
    found = row[0] if isinstance(row[0], list) else json.loads(row[0])
    indexes: set[str] = set()
    others: set[str] = set()

    def walk(node: dict[str, Any]) -> None:
        indexes.update({node["Index Name"]} if "Index Name" in node else ())
        small = node.get("Relation Name") in {"channel", "region"}
        others.update(() if small else {node["Node Type"]})
        for child in node.get("Plans", ()):
            walk(child)

    walk(found[0]["Plan"])
    return indexes, others


async def test_lists_deep_pages_and_the_search_use_their_indexes(shop: Shop) -> None:
    await many(shop)
    region = (await shop.read.records(carts.text("SELECT id FROM region WHERE is_default")))[0].id
    for sort, index in INDEXES.items():
        within = region if "price" in sort else None
        list_ = listing._listed(sort, frozenset(), within)
        price = {"region": region} if within else {}
        first = await plan(shop, paged(list_._statement, list_._sort, PageArgs()), **price)
        row = (
            await shop.read.records(
                paged(list_._statement, list_._sort, PageArgs()), channel=None, locales=[], rows=5_000, **price
            )
        )[-1]
        keys = {f"after_{i}": row[column.key] for i, column in enumerate(list_._sort.columns)}
        deep = await plan(shop, paged(list_._statement, list_._sort, PageArgs(after="x")), **price, **keys)
        for indexes, others in (first, deep):
            assert index in indexes, (sort, indexes, others)
            assert not others & {"Sort", "Incremental Sort", "Seq Scan"}, (sort, others)
    for name, (filter_, index) in NARROW.items():
        list_ = listing._listed(ListingSort.NEWEST, filter_.names, None)
        indexes, others = await plan(shop, paged(list_._statement, list_._sort, PageArgs()), **filter_.parameters)
        assert index in indexes, (name, indexes, others)
    rare = await PostgresSearch().find(shop.read, Asked("cup 4321"))
    for tier, index in ((0, "ix_search_document_codes"), (1, "ix_search_title_title")):
        given_ = {**rare.parameters, "code": [rare.code]}
        indexes, others = await plan(shop, listing._tier(tier, frozenset({"words"}), False), **given_)
        assert index in indexes, (tier, indexes, others)
        assert "Seq Scan" not in others, (tier, others)
