"""categories and collections"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: Any = None
depends_on: Any = None

JSON = postgresql.JSONB(astext_type=sa.Text())
AT = postgresql.TIMESTAMP(timezone=True)
LOCK = """
CREATE FUNCTION lock_category_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO category_tree (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET version = category_tree.version + 1;
    RETURN NULL;
END $$;
"""
KEEP = """
CREATE FUNCTION keep_category_ancestors() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moved uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        moved := ARRAY(SELECT id FROM changed);
    ELSE
        moved := ARRAY(
            SELECT DISTINCT a.category_id FROM changed AS c JOIN former AS f ON f.id = c.id
            JOIN category_ancestor AS a ON a.ancestor_id = c.id
            WHERE c.parent_id IS DISTINCT FROM f.parent_id);
        IF cardinality(moved) = 0 THEN
            RETURN NULL;
        END IF;
        PERFORM FROM category WHERE id = ANY(moved) ORDER BY id FOR UPDATE;
        DELETE FROM category_ancestor WHERE category_id = ANY(moved);
    END IF;
    WITH RECURSIVE line AS (
        SELECT id AS category_id, id AS ancestor_id, 0 AS depth FROM category WHERE id = ANY(moved)
        UNION ALL
        SELECT l.category_id, c.parent_id, l.depth + 1 FROM line AS l JOIN category AS c ON c.id = l.ancestor_id
        WHERE c.parent_id IS NOT NULL AND l.depth <= 20
    )
    INSERT INTO category_ancestor (category_id, ancestor_id, depth) SELECT category_id, ancestor_id, depth FROM line;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO collection_due (product_id)
        SELECT DISTINCT product_id FROM product_category WHERE category_id = ANY(moved);
    END IF;
    RETURN NULL;
END $$;
"""
TREE = [
    'CREATE TRIGGER category_tree BEFORE INSERT OR UPDATE OF parent_id OR DELETE ON category FOR EACH STATEMENT EXECUTE FUNCTION lock_category_tree()',
    'CREATE TRIGGER category_ancestors_insert AFTER INSERT ON category REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keep_category_ancestors()',
    'CREATE TRIGGER category_ancestors_update AFTER UPDATE ON category REFERENCING OLD TABLE AS former NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keep_category_ancestors()',
]
QUEUE = """
CREATE FUNCTION queue_collection_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO collection_due (product_id) SELECT DISTINCT %s FROM %s AS c %s', TG_ARGV[0],
        CASE TG_OP WHEN 'UPDATE' THEN '(TABLE changed UNION ALL TABLE former)' ELSE 'changed' END, TG_ARGV[1]);
    RETURN NULL;
END $$;
"""
QUEUE_STOCK = """
CREATE FUNCTION queue_collection_due_of_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO collection_due (product_id)
        SELECT DISTINCT v.product_id
        FROM former AS f JOIN changed AS c ON c.id = f.id
        JOIN variant_stock_item AS s ON s.stock_item_id IN (c.stock_item_id, f.stock_item_id)
        JOIN variant AS v ON v.id = s.variant_id
        WHERE c.stock_item_id <> f.stock_item_id
           OR least(greatest(c.on_hand + c.backorder_limit - c.reserved - c.allocated, 0), s.quantity)
           <> least(greatest(f.on_hand + f.backorder_limit - f.reserved - f.allocated, 0), s.quantity);
    ELSE
        INSERT INTO collection_due (product_id)
        SELECT DISTINCT v.product_id
        FROM changed AS c
        JOIN variant_stock_item AS s ON s.stock_item_id = c.stock_item_id
        JOIN variant AS v ON v.id = s.variant_id;
    END IF;
    RETURN NULL;
END $$;
"""
QUEUE_RULES = """
CREATE FUNCTION queue_collection_due_of_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO collection_due (collection_id) SELECT id FROM changed WHERE by_rule;
    ELSE
        INSERT INTO collection_due (collection_id)
        SELECT c.id FROM changed AS c JOIN former AS f ON f.id = c.id
        WHERE c.by_rule AND c.rules IS DISTINCT FROM f.rules;
    END IF;
    RETURN NULL;
END $$;
"""
WATCHED = {
    'product': ('c.id', ''),
    'product_category': ('c.product_id', ''),
    'product_option': ('c.product_id', ''),
    'option_value': ('o.product_id', 'JOIN product_option AS o ON o.id = c.option_id'),
    'variant': ('c.product_id', ''),
    'variant_option_value': ('c.product_id', ''),
    'variant_stock_item': ('v.product_id', 'JOIN variant AS v ON v.id = c.variant_id'),
    'price': ('v.product_id', 'JOIN variant AS v ON v.id = c.variant_id'),
}
ROWS = {
    "INSERT": "REFERENCING NEW TABLE AS changed ",
    "UPDATE": "REFERENCING OLD TABLE AS former NEW TABLE AS changed ",
    "DELETE": "REFERENCING OLD TABLE AS changed ",
    "TRUNCATE": "",
}
OF_PRODUCT = "announce_catalogue_change('''product:'' || c.product_id', '')"
LISTED = "announce_catalogue_change('unnest(ARRAY[''product:'' || c.product_id, ''products''])', '')"
OF_COLLECTION = "announce_catalogue_change('''collection''', '')"
CHECKS = {
    "translations": "jsonb_typeof(translations) = 'object'",
    "metadata": "jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= 16384",
    "image_url": "image_file_id IS NULL OR image_url IS NOT NULL",
}
TEXTS = ("external_id", "seo_title", "seo_description", "image_url")
STATUSES = "status IN ('draft', 'published', 'archived')"
ORDERS = "product_order IN ('manual', 'newest', 'oldest', 'title', 'price', 'price_desc')"
FILL_ANCESTORS = """
WITH RECURSIVE line AS (
    SELECT id AS category_id, id AS ancestor_id, 0 AS depth FROM category
    UNION ALL
    SELECT l.category_id, c.parent_id, l.depth + 1 FROM line AS l JOIN category AS c ON c.id = l.ancestor_id
    WHERE c.parent_id IS NOT NULL AND l.depth <= 20
)
INSERT INTO category_ancestor (category_id, ancestor_id, depth) SELECT category_id, ancestor_id, depth FROM line
"""
FILL_CHANNELS = """
INSERT INTO collection_channel (channel_id, collection_id)
SELECT channel.id, collection.id FROM channel, collection WHERE channel.is_default
"""
RANKED = """
UPDATE product_collection AS p SET rank = 'i' || lpad(n.place::text, 9, '0')
FROM (SELECT product_id, collection_id,
             row_number() OVER (PARTITION BY collection_id ORDER BY old_rank, product_id) AS place
      FROM product_collection) AS n
WHERE n.product_id = p.product_id AND n.collection_id = p.collection_id
"""


def changes(table: str, call: str) -> None:
    for kind, rows in ROWS.items():
        op.execute(
            f"CREATE TRIGGER {table}_changed_{kind.lower()} AFTER {kind} ON {table} {rows}"
            f"FOR EACH STATEMENT EXECUTE FUNCTION {call}"
        )


def no_changes(table: str) -> None:
    for kind in ROWS:
        op.execute(f"DROP TRIGGER {table}_changed_{kind.lower()} ON {table}")


def due(table: str, call: str, *kinds: str) -> None:
    for kind in kinds or ("INSERT", "UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_due_{kind.lower()} AFTER {kind} ON {table} {ROWS[kind]}"
            f"FOR EACH STATEMENT EXECUTE FUNCTION {call}"
        )


def upgrade() -> None:
    for table in ("category", "collection"):
        describe(table)
    grow_tree()
    grow_collections()
    rank_products()
    publish_collections()
    watch()
    for table in ("product_category", "product_collection"):
        no_changes(table)
        changes(table, LISTED)


def describe(table: str) -> None:
    for name in TEXTS:
        op.add_column(table, sa.Column(name, sa.Text(), nullable=True))
    for name in ("description", "image_alt"):
        op.add_column(table, sa.Column(name, sa.Text(), server_default="", nullable=False))
    for name in ("translations", "metadata"):
        op.add_column(table, sa.Column(name, JSON, server_default=sa.text("'{}'::jsonb"), nullable=False))
    op.add_column(table, sa.Column("image_file_id", sa.Uuid(), nullable=True))
    op.add_column(table, sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    for name in ("created_at", "updated_at"):
        op.add_column(table, sa.Column(name, AT, server_default=sa.text("now()"), nullable=False))
    for name, check in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, check)
    op.create_foreign_key(op.f(f"fk_{table}_image_file_id"), table, "file", ["image_file_id"], ["id"])
    op.create_index(f"uq_{table}_image_file_id", table, ["image_file_id"], unique=True)
    op.create_index(
        f"uq_{table}_external_id",
        table,
        ["external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )


def grow_tree() -> None:
    op.drop_index("ix_category_parent_id", table_name="category")
    op.create_index("ix_category_parent_id", "category", ["parent_id", "rank", "id"], unique=False)
    op.create_table(
        "category_tree",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_category_tree_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category_tree")),
    )
    op.create_table(
        "category_ancestor",
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("ancestor_id", sa.Uuid(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.CheckConstraint("(depth = 0) = (category_id = ancestor_id)", name=op.f("ck_category_ancestor_cycle")),
        sa.CheckConstraint("depth BETWEEN 0 AND 20", name=op.f("ck_category_ancestor_depth")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["category.id"], name=op.f("fk_category_ancestor_category_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["ancestor_id"], ["category.id"], name=op.f("fk_category_ancestor_ancestor_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("category_id", "ancestor_id", name=op.f("pk_category_ancestor")),
    )
    op.create_index(
        "ix_category_ancestor_ancestor_id", "category_ancestor", ["ancestor_id", "category_id"], unique=False
    )
    op.execute(FILL_ANCESTORS)
    op.drop_constraint(op.f("fk_product_category_category_id"), "product_category")
    op.create_foreign_key(
        op.f("fk_product_category_category_id"), "product_category", "category", ["category_id"], ["id"]
    )
    op.drop_index("ix_product_category_category_id", table_name="product_category")
    op.create_index(
        "ix_product_category_category_id", "product_category", ["category_id", "product_id"], unique=False
    )


def grow_collections() -> None:
    op.add_column("collection", sa.Column("status", sa.Text(), server_default="published", nullable=False))
    op.add_column("collection", sa.Column("rules", JSON, nullable=True))
    op.add_column(
        "collection",
        sa.Column("by_rule", sa.Boolean(), sa.Computed("rules IS NOT NULL", persisted=True), nullable=False),
    )
    op.add_column("collection", sa.Column("product_order", sa.Text(), server_default="newest", nullable=False))
    op.execute("UPDATE collection SET product_order = 'manual'")
    op.create_check_constraint(op.f("ck_collection_status"), "collection", STATUSES)
    op.create_check_constraint(op.f("ck_collection_product_order"), "collection", ORDERS)
    op.create_check_constraint(op.f("ck_collection_manual"), "collection", "NOT by_rule OR product_order <> 'manual'")
    op.create_unique_constraint(op.f("uq_collection_id_by_rule"), "collection", ["id", "by_rule"])


def rank_products() -> None:
    table = "product_collection"
    op.alter_column(table, "rank", new_column_name="old_rank")
    op.add_column(table, sa.Column("rank", sa.Text(collation="C"), nullable=True))
    op.execute(RANKED)
    op.drop_column(table, "old_rank")
    op.add_column(
        table, sa.Column("by_rule", sa.Boolean(), sa.Computed("rank IS NULL", persisted=True), nullable=False)
    )
    op.create_check_constraint(op.f("ck_product_collection_rank"), table, "rank ~ '^[A-Za-z][0-9A-Za-z]*$'")
    op.drop_constraint(op.f("fk_product_collection_collection_id"), table)
    op.create_foreign_key(
        op.f("fk_product_collection_collection_id_by_rule"),
        table,
        "collection",
        ["collection_id", "by_rule"],
        ["id", "by_rule"],
        ondelete="CASCADE",
    )
    op.drop_index("ix_product_collection_collection_id", table_name=table)
    op.create_index("ix_product_collection_collection_id", table, ["collection_id", "product_id"], unique=False)
    op.create_unique_constraint("uq_product_collection_rank", table, ["collection_id", "rank"], deferrable=True)


def publish_collections() -> None:
    table = "collection_channel"
    op.create_table(
        table,
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("published_from", AT, nullable=True),
        sa.Column("published_until", AT, nullable=True),
        sa.CheckConstraint("published_from < published_until", name=op.f("ck_collection_channel_window")),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_collection_channel_channel_id")),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_collection_channel_collection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel_id", "collection_id", name=op.f("pk_collection_channel")),
    )
    op.create_index("ix_collection_channel_collection_id", table, ["collection_id"], unique=False)
    for name in ("published_from", "published_until"):
        op.create_index(
            f"ix_collection_channel_{name}", table, [name], unique=False, postgresql_where=sa.text(f"{name} IS NOT NULL")
        )
    op.execute(FILL_CHANNELS)
    changes(table, OF_COLLECTION)


def watch() -> None:
    op.create_table(
        "collection_due",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("collection_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("num_nonnulls(product_id, collection_id) = 1", name=op.f("ck_collection_due_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection_due")),
    )
    for statement in (LOCK, KEEP, *TREE, QUEUE, QUEUE_STOCK, QUEUE_RULES):
        op.execute(statement)
    for table, (product, joined) in WATCHED.items():
        kinds = ("INSERT", "UPDATE") if table == "product" else ()
        due(table, f"queue_collection_due('{product}', '{joined}')", *kinds)
    due("stock_level", "queue_collection_due_of_stock()")
    due("collection", "queue_collection_due_of_rules()", "INSERT", "UPDATE")


def downgrade() -> None:
    for table in ("product_category", "product_collection"):
        no_changes(table)
        changes(table, OF_PRODUCT)
    watch_no_more()
    op.drop_table("collection_channel")
    rank_products_by_number()
    shrink_collections()
    shrink_tree()
    for table in ("category", "collection"):
        undescribe(table)


def watch_no_more() -> None:
    for table in (*WATCHED, "stock_level", "collection"):
        for kind in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER IF EXISTS {table}_due_{kind} ON {table}")
    for name in ("category_tree", "category_ancestors_insert", "category_ancestors_update"):
        op.execute(f"DROP TRIGGER {name} ON category")
    for name in ("queue_collection_due", "queue_collection_due_of_stock", "queue_collection_due_of_rules"):
        op.execute(f"DROP FUNCTION {name}()")
    op.execute("DROP FUNCTION keep_category_ancestors()")
    op.execute("DROP FUNCTION lock_category_tree()")
    op.drop_table("collection_due")


def rank_products_by_number() -> None:
    table = "product_collection"
    op.execute("DELETE FROM product_collection WHERE rank IS NULL")
    op.drop_constraint("uq_product_collection_rank", table)
    op.drop_index("ix_product_collection_collection_id", table_name=table)
    op.drop_constraint(op.f("fk_product_collection_collection_id_by_rule"), table)
    op.drop_column(table, "by_rule")
    op.drop_constraint(op.f("ck_product_collection_rank"), table)
    op.alter_column(table, "rank", new_column_name="old_rank")
    op.add_column(table, sa.Column("rank", sa.Integer(), nullable=True))
    op.execute(
        """
        UPDATE product_collection AS p SET rank = n.place
        FROM (SELECT product_id, collection_id, row_number() OVER (PARTITION BY collection_id ORDER BY old_rank) AS place
              FROM product_collection) AS n
        WHERE n.product_id = p.product_id AND n.collection_id = p.collection_id
        """
    )
    op.alter_column(table, "rank", nullable=False)
    op.drop_column(table, "old_rank")
    op.create_foreign_key(
        op.f("fk_product_collection_collection_id"), table, "collection", ["collection_id"], ["id"], ondelete="CASCADE"
    )
    op.create_index("ix_product_collection_collection_id", table, ["collection_id"], unique=False)


def shrink_collections() -> None:
    op.drop_constraint(op.f("uq_collection_id_by_rule"), "collection")
    for name in ("manual", "product_order", "status"):
        op.drop_constraint(op.f(f"ck_collection_{name}"), "collection")
    for name in ("by_rule", "product_order", "rules", "status"):
        op.drop_column("collection", name)


def shrink_tree() -> None:
    op.drop_index("ix_product_category_category_id", table_name="product_category")
    op.create_index("ix_product_category_category_id", "product_category", ["category_id"], unique=False)
    op.drop_constraint(op.f("fk_product_category_category_id"), "product_category")
    op.create_foreign_key(
        op.f("fk_product_category_category_id"),
        "product_category",
        "category",
        ["category_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.drop_table("category_ancestor")
    op.drop_table("category_tree")
    op.drop_index("ix_category_parent_id", table_name="category")
    op.create_index("ix_category_parent_id", "category", ["parent_id"], unique=False)


def undescribe(table: str) -> None:
    for name in ("external_id", "image_file_id"):
        op.drop_index(f"uq_{table}_{name}", table_name=table)
    op.drop_constraint(op.f(f"fk_{table}_image_file_id"), table)
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    more = ("description", "image_alt", "translations", "metadata", "image_file_id", "version", "created_at", "updated_at")
    for name in (*TEXTS, *more):
        op.drop_column(table, name)
