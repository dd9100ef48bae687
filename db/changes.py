"""Which changes of the catalogue the event log is told of, by triggers: no way of writing can forget it.

One event per statement names what kept answers may have shown of the changed rows: `product:<id>` for each product,
`products` and `variants` when a list or a look-up may now find others, `category`, `collection`, `region`, `listing`
for what lists are filtered and ordered by, or `catalogue` for all.
server/kept.py drops by these names, resolvers say by them what they have read.
"""

from typing import Final

from sqlalchemy import DDL, event

from db.base import Base

LOG: Final = """
CREATE FUNCTION log_catalogue_change(tags text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO event (name, topic, data)
    SELECT 'CatalogueChanged', 'catalogue',
           jsonb_build_object('tags', CASE WHEN cardinality(tags) > 500 THEN '{catalogue}' ELSE tags END)
    WHERE cardinality(tags) > 0
$$;
"""
# Dynamic, because the tables have different columns; a row that moves to another product concerns both.
ANNOUNCE: Final = """
CREATE FUNCTION announce_catalogue_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tags text[] := ARRAY['catalogue'];
BEGIN
    IF TG_OP <> 'TRUNCATE' THEN
        EXECUTE format('SELECT ARRAY(SELECT DISTINCT %s FROM %s AS c %s LIMIT 501)', TG_ARGV[0],
            CASE TG_OP WHEN 'UPDATE' THEN '(TABLE changed UNION ALL TABLE former)' ELSE 'changed' END,
            TG_ARGV[1]) INTO tags;
        IF TG_TABLE_NAME IN ('product', 'product_channel') AND cardinality(tags) > 0 THEN
            tags := array_append(tags, 'products');
        ELSIF TG_TABLE_NAME = 'variant_stock_item' THEN
            -- Sales that cannot see the new link yet do not name its product: they are to commit before it does.
            PERFORM FROM stock_level WHERE stock_item_id IN (SELECT stock_item_id FROM changed)
            ORDER BY id FOR NO KEY UPDATE;
        END IF;
    END IF;
    PERFORM log_catalogue_change(tags);
    RETURN NULL;
END $$;
"""
# What is shown of stock is capped: sales of what there is plenty of change nothing that anybody saw. Each level is
# looked at alone, as what others lie at may change at this moment: where the shown sum changes, so does one level's.
ANNOUNCE_STOCK: Final = """
CREATE FUNCTION announce_stock_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tags text[] := ARRAY['catalogue'];
    shown bigint := coalesce((SELECT shown_quantity FROM stock_setting), 10);
BEGIN
    IF TG_OP = 'UPDATE' THEN
        tags := ARRAY(
            SELECT DISTINCT 'product:' || v.product_id
            FROM (SELECT id, stock_item_id, greatest(on_hand - reserved - allocated, 0) AS ready,
                         greatest(on_hand + backorder_limit - reserved - allocated, 0) AS free FROM former) AS f
            FULL JOIN (SELECT id, stock_item_id, greatest(on_hand - reserved - allocated, 0) AS ready,
                         greatest(on_hand + backorder_limit - reserved - allocated, 0) AS free FROM changed) AS c
              ON c.id = f.id AND c.stock_item_id = f.stock_item_id
            JOIN variant_stock_item AS s ON s.stock_item_id = coalesce(c.stock_item_id, f.stock_item_id)
            JOIN variant AS v ON v.id = s.variant_id
            WHERE least(coalesce(c.free, 0), shown * s.quantity) <> least(coalesce(f.free, 0), shown * s.quantity)
               OR least(coalesce(c.ready, 0), s.quantity) <> least(coalesce(f.ready, 0), s.quantity)
            LIMIT 501);
    ELSIF TG_OP <> 'TRUNCATE' THEN
        tags := ARRAY(
            SELECT DISTINCT 'product:' || v.product_id
            FROM changed AS c
            JOIN variant_stock_item AS s ON s.stock_item_id = c.stock_item_id
            JOIN variant AS v ON v.id = s.variant_id
            WHERE c.on_hand + c.backorder_limit - c.reserved - c.allocated > 0
            LIMIT 501);
    END IF;
    PERFORM log_catalogue_change(tags);
    RETURN NULL;
END $$;
"""
OF_PRODUCT: Final = ("'product:' || c.product_id", "")
LISTED: Final = ("unnest(ARRAY['product:' || c.product_id, 'products'])", "")
"""Lists that were asked for by it may find others now."""
SOLD: Final = ("unnest(ARRAY['product:' || c.product_id, 'variants'])", "")
"""Who found no variant by its SKU or its id may find one now."""
OF_VARIANT: Final = ("'product:' || v.product_id", "JOIN variant AS v ON v.id = c.variant_id")
TAGS: Final[dict[str, tuple[str, str]]] = {
    "product": ("'product:' || c.id", ""),
    "media": OF_PRODUCT,
    "product_option": OF_PRODUCT,
    "option_value": ("'product:' || o.product_id", "JOIN product_option AS o ON o.id = c.option_id"),
    "variant": SOLD,
    "variant_option_value": OF_PRODUCT,
    "variant_stock_item": OF_VARIANT,
    "price": OF_VARIANT,
    "price_list": (
        "'product:' || v.product_id",
        "JOIN price AS p ON p.price_list_id = c.id JOIN variant AS v ON v.id = p.variant_id",
    ),
    "product_category": LISTED,
    "product_channel": OF_PRODUCT,
    "product_collection": LISTED,
    "handle_history": ("CASE c.kind WHEN 'product' THEN 'products' ELSE c.kind END", ""),
    "category": ("'category'", ""),
    "channel": ("'catalogue'", ""),
    "collection": ("'collection'", ""),
    "collection_channel": ("'collection'", ""),
    "region": ("'region'", ""),
    "region_country": ("'region'", ""),
    "product_listing": ("'listing'", ""),
    "product_facet": ("'listing'", ""),
    "search_document": ("'listing'", ""),
    "stock_setting": ("'catalogue'", ""),
}
"""By table: the tag of a changed row `c` in SQL, and what has to be joined for it."""
ROWS: Final = {
    "INSERT": "REFERENCING NEW TABLE AS changed ",
    "UPDATE": "REFERENCING OLD TABLE AS former NEW TABLE AS changed ",
    "DELETE": "REFERENCING OLD TABLE AS changed ",
    "TRUNCATE": "",
}


def triggers(table: str, call: str) -> list[str]:
    """PostgreSQL wants one trigger per kind of statement where the changed rows are looked at."""
    return [
        f"CREATE TRIGGER {table}_changed_{kind.lower()} AFTER {kind} ON {table} {rows}"
        f"FOR EACH STATEMENT EXECUTE FUNCTION {call}"
        for kind, rows in ROWS.items()
    ]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


CHANGES: Final = [
    LOG,
    ANNOUNCE,
    ANNOUNCE_STOCK,
    *(
        trigger
        for table, (tag, joined) in TAGS.items()
        for trigger in triggers(table, f"announce_catalogue_change({quoted(tag)}, {quoted(joined)})")
    ),
    *triggers("stock_level", "announce_stock_change()"),
]
for statement in CHANGES:
    event.listen(Base.metadata, "after_create", DDL(statement.replace("%", "%%")))
