"""listing and search"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: Any = None
depends_on: Any = None

FOLD = r"""
CREATE FUNCTION fold(written text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT replace(replace(replace(replace(translate(
        regexp_replace(lower(normalize(written, NFKD)), '[\u0300-\u036f]', '', 'g'),
        'øłđıς', 'oldiσ'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')
$$;
"""
TITLE_KEY = """
CREATE FUNCTION title_key(title text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(public.fold(title), 200)
$$;
"""
QUEUE = """
CREATE FUNCTION queue_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO listing_due (product_id) SELECT DISTINCT %s FROM %s AS c %s', TG_ARGV[0],
        CASE TG_OP WHEN 'UPDATE' THEN '(TABLE changed UNION ALL TABLE former)' ELSE 'changed' END, TG_ARGV[1]);
    RETURN NULL;
END $$;
"""
QUEUE_STOCK = """
CREATE FUNCTION queue_listing_of_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO listing_due (product_id)
        SELECT DISTINCT v.product_id
        FROM former AS f JOIN changed AS c ON c.id = f.id
        JOIN variant_stock_item AS s ON s.stock_item_id IN (c.stock_item_id, f.stock_item_id)
        JOIN variant AS v ON v.id = s.variant_id
        WHERE c.stock_item_id <> f.stock_item_id
           OR least(greatest(c.on_hand + c.backorder_limit - c.reserved - c.allocated, 0), s.quantity)
           <> least(greatest(f.on_hand + f.backorder_limit - f.reserved - f.allocated, 0), s.quantity)
           OR least(greatest(c.on_hand - c.reserved - c.allocated, 0), s.quantity)
           <> least(greatest(f.on_hand - f.reserved - f.allocated, 0), s.quantity);
    ELSE
        INSERT INTO listing_due (product_id)
        SELECT DISTINCT v.product_id
        FROM changed AS c
        JOIN variant_stock_item AS s ON s.stock_item_id = c.stock_item_id
        JOIN variant AS v ON v.id = s.variant_id;
    END IF;
    RETURN NULL;
END $$;
"""
OPEN = """
CREATE FUNCTION open_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'product' THEN
        INSERT INTO product_listing (product_id, region_id)
        SELECT c.id, region.id FROM changed AS c CROSS JOIN region ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO product_listing (product_id, region_id)
        SELECT product.id, c.id FROM changed AS c CROSS JOIN product ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
"""
OF_PRODUCT = ("c.product_id", "")
OF_VARIANT = ("v.product_id", "JOIN variant AS v ON v.id = c.variant_id")
WATCHED = {
    "product": ("c.id", ""),
    "product_option": OF_PRODUCT,
    "option_value": ("o.product_id", "JOIN product_option AS o ON o.id = c.option_id"),
    "variant": OF_PRODUCT,
    "variant_option_value": OF_PRODUCT,
    "variant_stock_item": OF_VARIANT,
    "price": OF_VARIANT,
    "price_list": (
        "v.product_id",
        "JOIN price AS p ON p.price_list_id = c.id JOIN variant AS v ON v.id = p.variant_id",
    ),
    "region": ("NULL::uuid", ""),
}
ROWS = {
    "INSERT": "REFERENCING NEW TABLE AS changed ",
    "UPDATE": "REFERENCING OLD TABLE AS former NEW TABLE AS changed ",
    "DELETE": "REFERENCING OLD TABLE AS changed ",
}
CHANGED = {**ROWS, "TRUNCATE": ""}
ANNOUNCED = ("product_listing", "product_facet", "search_document")
PUBLISHED = sa.text("status = 'published'")


def upgrade() -> None:
    op.execute(FOLD)
    op.execute(TITLE_KEY)
    create_rows()
    create_search()
    create_indexes()
    for statement in (QUEUE, QUEUE_STOCK, OPEN):
        op.execute(statement)
    for kind, rows in ROWS.items():
        for table, (of, joined) in WATCHED.items():
            op.execute(
                f"CREATE TRIGGER {table}_listed_{kind.lower()} AFTER {kind} ON {table} {rows}"
                f"FOR EACH STATEMENT EXECUTE FUNCTION queue_listing('{of}', '{joined}')"
            )
        op.execute(
            f"CREATE TRIGGER stock_level_listed_{kind.lower()} AFTER {kind} ON stock_level {rows}"
            "FOR EACH STATEMENT EXECUTE FUNCTION queue_listing_of_stock()"
        )
    for table in ("product", "region"):
        op.execute(
            f"CREATE TRIGGER {table}_listing_opened AFTER INSERT ON {table} {ROWS['INSERT']}"
            "FOR EACH STATEMENT EXECUTE FUNCTION open_listing()"
        )
    for table in ANNOUNCED:
        for kind, rows in CHANGED.items():
            op.execute(
                f"CREATE TRIGGER {table}_changed_{kind.lower()} AFTER {kind} ON {table} {rows}"
                "FOR EACH STATEMENT EXECUTE FUNCTION announce_catalogue_change('''listing''', '')"
            )
    # What there is already is looked at once, by the first worker.
    op.execute("INSERT INTO product_listing (product_id, region_id) SELECT product.id, region.id FROM product, region")
    op.execute("INSERT INTO listing_due (product_id) SELECT id FROM product")


def create_rows() -> None:
    op.create_table(
        "product_listing",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("region_id", sa.Uuid(), nullable=False),
        sa.Column("minimum", sa.BigInteger(), nullable=True),
        sa.Column("maximum", sa.BigInteger(), nullable=True),
        sa.Column(
            "amounts", postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'::bigint[]"), nullable=False
        ),
        sa.Column("in_stock", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("buyable", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "rising",
            sa.BigInteger(),
            sa.Computed("coalesce(minimum, 9223372036854775807)", persisted=True),
            nullable=False,
        ),
        sa.Column(
            "falling", sa.BigInteger(), sa.Computed("coalesce(minimum, '-1'::bigint)", persisted=True), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_listing_product_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["region_id"], ["region.id"], name=op.f("fk_product_listing_region_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "region_id", name=op.f("pk_product_listing")),
    )
    op.create_index("ix_product_listing_rising", "product_listing", ["region_id", "rising", "product_id"])
    op.create_index("ix_product_listing_falling", "product_listing", ["region_id", "falling", "product_id"])
    op.create_table(
        "product_facet",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("options", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_facet_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_product_facet")),
    )
    op.create_index("ix_product_facet_options", "product_facet", ["options"], postgresql_using="gin")
    op.create_table(
        "listing_due",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing_due")),
    )
    op.create_table(
        "listing_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("looked_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_listing_clock_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing_clock")),
    )


def create_search() -> None:
    op.create_table(
        "search_document",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("locales", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("codes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("title", postgresql.TSVECTOR(), nullable=False),
        sa.Column("terms", postgresql.TSVECTOR(), nullable=False),
        sa.Column("document", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_search_document_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "locale", name=op.f("pk_search_document")),
    )
    for column in ("codes", "terms", "document"):
        op.create_index(f"ix_search_document_{column}", "search_document", [column], postgresql_using="gin")
    op.create_index("ix_search_document_length", "search_document", ["length", "product_id"])
    op.create_table(
        "search_title",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("locales", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("title", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id", "locale"],
            ["search_document.product_id", "search_document.locale"],
            name=op.f("fk_search_title_product_id_locale"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", "locale", name=op.f("pk_search_title")),
    )
    op.create_index("ix_search_title_title", "search_title", ["title"], postgresql_using="gin")
    op.create_index("ix_search_title_length", "search_title", ["length", "product_id"])
    op.create_table(
        "search_word",
        sa.Column("rest", sa.Text(collation="C"), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rest", "word", name=op.f("pk_search_word")),
    )


def create_indexes() -> None:
    op.create_index("ix_product_newest", "product", ["created_at", "id"], postgresql_where=PUBLISHED)
    op.create_index("ix_product_title", "product", [sa.text("title_key(title)"), "id"], postgresql_where=PUBLISHED)
    op.create_index("ix_product_tags", "product", ["tags"], postgresql_using="gin")
    op.create_index("ix_product_type", "product", ["type", "id"])
    op.create_index("ix_product_vendor", "product", ["vendor", "id"])
    op.create_index("ix_product_updated", "product", ["updated_at", "id"])
    op.create_index(
        "ix_product_metadata",
        "product",
        ["metadata"],
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
    )
    op.create_index(
        "ix_product_collection_listed",
        "product_collection",
        ["collection_id", sa.text("coalesce(rank, ''::text)"), "product_id"],
    )


def downgrade() -> None:
    for table in ("search_word", "search_title", "search_document", "listing_clock", "product_facet", "product_listing"):
        op.drop_table(table)
    for kind in ROWS:
        for table in (*WATCHED, "stock_level"):
            op.execute(f"DROP TRIGGER {table}_listed_{kind.lower()} ON {table}")
    for table in ("product", "region"):
        op.execute(f"DROP TRIGGER {table}_listing_opened ON {table}")
    for function in ("queue_listing", "queue_listing_of_stock", "open_listing"):
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_table("listing_due")
    op.drop_index("ix_product_collection_listed", "product_collection")
    for name in ("newest", "title", "tags", "type", "vendor", "updated", "metadata"):
        op.drop_index(f"ix_product_{name}", "product")
    op.execute("DROP FUNCTION title_key(text)")
    op.execute("DROP FUNCTION fold(text)")
