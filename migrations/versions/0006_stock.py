"""stock, administered"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Any = None
depends_on: Any = None

REASONS = "'import', 'count', 'adjustment', 'receipt', 'loss', 'transfer', 'shipment', 'return', 'repair'"
ANNOUNCE_STOCK = """
CREATE OR REPLACE FUNCTION announce_stock_change() RETURNS trigger LANGUAGE plpgsql AS $$
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
FORMER_ANNOUNCE_STOCK = """
CREATE OR REPLACE FUNCTION announce_stock_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tags text[] := ARRAY['catalogue'];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        tags := ARRAY(
            SELECT DISTINCT 'product:' || v.product_id
            FROM (SELECT id, stock_item_id,
                         greatest(on_hand + backorder_limit - reserved - allocated, 0) AS free FROM former) AS f
            FULL JOIN (SELECT id, stock_item_id,
                         greatest(on_hand + backorder_limit - reserved - allocated, 0) AS free FROM changed) AS c
              ON c.id = f.id AND c.stock_item_id = f.stock_item_id
            JOIN variant_stock_item AS s ON s.stock_item_id = coalesce(c.stock_item_id, f.stock_item_id)
            JOIN variant AS v ON v.id = s.variant_id
            WHERE coalesce(c.free, 0) <> coalesce(f.free, 0)
              AND least(coalesce(c.free, 0), coalesce(f.free, 0)) < 100 * s.quantity
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
SETTING_TRIGGERS = [
    f"CREATE TRIGGER stock_setting_changed_{kind.lower()} AFTER {kind} ON stock_setting {rows}"
    "FOR EACH STATEMENT EXECUTE FUNCTION announce_catalogue_change('''catalogue''', '')"
    for kind, rows in {
        "INSERT": "REFERENCING NEW TABLE AS changed ",
        "UPDATE": "REFERENCING OLD TABLE AS former NEW TABLE AS changed ",
        "DELETE": "REFERENCING OLD TABLE AS changed ",
        "TRUNCATE": "",
    }.items()
]
ONLY_ADDED_TO = """
CREATE FUNCTION refuse_movement_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'stock movements are only ever added to';
END $$;
"""
MOVEMENT_TRIGGER = """
CREATE TRIGGER stock_movement_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_movement
FOR EACH STATEMENT EXECUTE FUNCTION refuse_movement_change()
"""
REFUSE_SHORTAGE = """
CREATE FUNCTION refuse_shortage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'only a count, a loss or a lowered limit makes stock short' USING ERRCODE = 'check_violation';
END $$;
"""
SHORTAGE_TRIGGER = """
CREATE TRIGGER stock_level_shortage BEFORE UPDATE ON stock_level FOR EACH ROW
WHEN (NEW.shortage > OLD.shortage AND (NEW.reserved + NEW.allocated > OLD.reserved + OLD.allocated
    OR NEW.on_hand + NEW.backorder_limit >= OLD.on_hand + OLD.backorder_limit))
EXECUTE FUNCTION refuse_shortage()
"""
REFUSE_ARCHIVED = """
CREATE FUNCTION refuse_archived_location() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM stock_location WHERE id = NEW.location_id AND archived_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the stock location is archived' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""
ARCHIVED_TRIGGERS = (
    """
CREATE TRIGGER stock_level_new_location BEFORE INSERT ON stock_level FOR EACH ROW
WHEN (NEW.on_hand + NEW.backorder_limit > 0) EXECUTE FUNCTION refuse_archived_location()
""",
    """
CREATE TRIGGER stock_level_location BEFORE UPDATE ON stock_level FOR EACH ROW
WHEN (NEW.on_hand > OLD.on_hand OR NEW.backorder_limit > OLD.backorder_limit OR NEW.location_id <> OLD.location_id)
EXECUTE FUNCTION refuse_archived_location()
""",
)
PER_UNIT = """
UPDATE stock_reservation AS taken SET per_unit = sums.quantity / line.quantity
FROM order_line AS line,
    (SELECT r.order_line_id, level.stock_item_id, sum(r.quantity) AS quantity
     FROM stock_reservation AS r JOIN stock_level AS level ON level.id = r.stock_level_id GROUP BY 1, 2) AS sums,
    stock_level AS level
WHERE line.id = taken.order_line_id AND sums.order_line_id = line.id AND level.id = taken.stock_level_id
    AND sums.stock_item_id = level.stock_item_id AND sums.quantity > line.quantity
"""


def upgrade() -> None:
    op.create_table(
        "stock_setting",
        sa.Column("id", sa.Integer(), server_default=sa.text("1"), autoincrement=False, nullable=False),
        sa.Column("shown_quantity", sa.Integer(), server_default=sa.text("10"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_stock_setting_one")),
        sa.CheckConstraint("shown_quantity BETWEEN 1 AND 1000000", name=op.f("ck_stock_setting_shown_quantity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_setting")),
    )
    op.add_column("stock_location", sa.Column("archived_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("stock_item", sa.Column("sku", sa.Text(), nullable=True))
    op.add_column(
        "stock_item",
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.create_unique_constraint(op.f("uq_stock_item_sku"), "stock_item", ["sku"])
    _upgrade_levels()
    _upgrade_reservations()
    _upgrade_movements()
    for statement in (
        ANNOUNCE_STOCK,
        *SETTING_TRIGGERS,
        ONLY_ADDED_TO,
        MOVEMENT_TRIGGER,
        REFUSE_SHORTAGE,
        SHORTAGE_TRIGGER,
        REFUSE_ARCHIVED,
        *ARCHIVED_TRIGGERS,
    ):
        op.execute(statement)


def _upgrade_levels() -> None:
    # What was given back did not lower the shortage until now.
    op.execute(
        "UPDATE stock_level SET shortage = greatest(reserved + allocated - on_hand - backorder_limit, 0)"
        " WHERE shortage > 0"
    )
    op.create_check_constraint(
        op.f("ck_stock_level_owed"),
        "stock_level",
        "shortage = 0 OR shortage = reserved + allocated - on_hand - backorder_limit",
    )
    op.create_check_constraint(
        op.f("ck_stock_level_most"), "stock_level", "on_hand <= 1000000000 AND backorder_limit <= 1000000000"
    )
    op.create_index("ix_stock_level_short", "stock_level", ["id"], postgresql_where=sa.text("shortage > 0"))


def _upgrade_reservations() -> None:
    op.add_column("stock_reservation", sa.Column("per_unit", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column(
        "stock_reservation", sa.Column("restocked", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.execute(PER_UNIT)
    for name, condition in (
        ("per_unit", "per_unit >= 1"),
        ("restocked", "restocked BETWEEN 0 AND quantity"),
        ("restocked_shipped", "restocked = 0 OR state = 'shipped'"),
    ):
        op.create_check_constraint(op.f(f"ck_stock_reservation_{name}"), "stock_reservation", condition)
    op.create_index("ix_stock_reservation_order_line_id", "stock_reservation", ["order_line_id"])


def _upgrade_movements() -> None:
    op.add_column("stock_movement", sa.Column("actor_kind", sa.Text(), server_default="system", nullable=False))
    op.add_column("stock_movement", sa.Column("staff_id", sa.Uuid(), nullable=True))
    op.add_column("stock_movement", sa.Column("api_key_id", sa.Uuid(), nullable=True))
    op.add_column("stock_movement", sa.Column("order_id", sa.Uuid(), nullable=True))
    op.add_column("stock_movement", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.execute(
        f"UPDATE stock_movement SET note = reason, reason = 'import' WHERE reason NOT IN ({REASONS})"  # noqa: S608
    )
    op.create_check_constraint(op.f("ck_stock_movement_reason"), "stock_movement", f"reason IN ({REASONS})")
    op.create_check_constraint(
        op.f("ck_stock_movement_actor_kind"), "stock_movement", "actor_kind IN ('staff', 'customer', 'system')"
    )
    op.drop_index(op.f("ix_stock_movement_stock_level_id"), table_name="stock_movement")
    op.create_index("ix_stock_movement_stock_level_id", "stock_movement", ["stock_level_id", "id"])


def downgrade() -> None:
    for name, table in (
        ("stock_level_location", "stock_level"),
        ("stock_level_new_location", "stock_level"),
        ("stock_level_shortage", "stock_level"),
        ("stock_movement_only_added_to", "stock_movement"),
    ):
        op.execute(f"DROP TRIGGER {name} ON {table}")
    for name in ("refuse_archived_location", "refuse_shortage", "refuse_movement_change"):
        op.execute(f"DROP FUNCTION {name}()")
    op.execute(FORMER_ANNOUNCE_STOCK)
    op.drop_index("ix_stock_movement_stock_level_id", table_name="stock_movement")
    op.create_index(op.f("ix_stock_movement_stock_level_id"), "stock_movement", ["stock_level_id"])
    for name in ("actor_kind", "reason"):
        op.drop_constraint(op.f(f"ck_stock_movement_{name}"), "stock_movement")
    for name in ("note", "order_id", "api_key_id", "staff_id", "actor_kind"):
        op.drop_column("stock_movement", name)
    op.drop_index("ix_stock_reservation_order_line_id", table_name="stock_reservation")
    for name in ("restocked_shipped", "restocked", "per_unit"):
        op.drop_constraint(op.f(f"ck_stock_reservation_{name}"), "stock_reservation")
    op.drop_column("stock_reservation", "restocked")
    op.drop_column("stock_reservation", "per_unit")
    op.drop_index("ix_stock_level_short", table_name="stock_level", postgresql_where=sa.text("shortage > 0"))
    for name in ("most", "owed"):
        op.drop_constraint(op.f(f"ck_stock_level_{name}"), "stock_level")
    op.drop_constraint(op.f("uq_stock_item_sku"), "stock_item")
    op.drop_column("stock_item", "created_at")
    op.drop_column("stock_item", "sku")
    op.drop_column("stock_location", "archived_at")
    op.drop_table("stock_setting")
