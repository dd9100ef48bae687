"""live streams of many entities"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: Any = None
depends_on: Any = None

PLACE = """
CREATE FUNCTION place_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.entity := CASE WHEN NEW.data ? 'order_id' THEN 'order:' || (NEW.data ->> 'order_id') ELSE NEW.topic END;
    NEW.follows := greatest(NEW.xid, (
        SELECT follows FROM event WHERE entity = NEW.entity ORDER BY entity DESC, follows DESC, id DESC LIMIT 1));
    RETURN NEW;
END $$;
"""
PLACED = """
CREATE TRIGGER event_placed BEFORE INSERT ON event FOR EACH ROW
WHEN (NEW.topic LIKE 'order:%' OR NEW.topic LIKE 'customer:%' OR NEW.data ? 'order_id')
EXECUTE FUNCTION place_event();
"""
LOG_CHANGE = """
CREATE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (name, topic, data)
    VALUES (initcap(TG_TABLE_NAME) || 'Changed', TG_TABLE_NAME || ':' || OLD.id,
            jsonb_build_object(TG_TABLE_NAME || '_id', OLD.id));
    RETURN NULL;
END $$;
"""
TRIGGERS = [
    """
CREATE TRIGGER order_changed AFTER UPDATE ON "order" FOR EACH ROW
WHEN (NEW.status <> 'pending' AND OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION log_change();
""",
    """
CREATE TRIGGER cart_changed AFTER UPDATE ON cart FOR EACH ROW
WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION log_change();
""",
    """
CREATE TRIGGER cart_deleted AFTER DELETE ON cart FOR EACH ROW EXECUTE FUNCTION log_change();
""",
]
COMPLETE = """
CREATE FUNCTION complete_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.work_status = 'done' OR NOT EXISTS (
        SELECT FROM order_line WHERE order_id = NEW.id AND workflow_id IS NOT NULL AND cancelled < quantity
    ) THEN
        NEW.status := 'completed';
    END IF;
    RETURN NEW;
END $$;
"""
COMPLETED = """
CREATE TRIGGER order_completed BEFORE UPDATE ON "order" FOR EACH ROW
WHEN (NEW.status = 'placed' AND NEW.amount_due = 0 AND NEW.payment_status <> 'disputed'
    AND NEW.fulfillment_status IN ('fulfilled', 'delivered') AND NEW.work_status IN ('none', 'done'))
EXECUTE FUNCTION complete_order();
"""
# Old events are told in the order of their ids; nobody can have a cursor among them yet.
ENTITIES = """
UPDATE event SET follows = xid, entity = CASE
    WHEN data ? 'order_id' THEN 'order:' || (data ->> 'order_id')
    WHEN topic LIKE 'order:%' OR topic LIKE 'customer:%' THEN topic END
"""


class Xid8(sa.types.UserDefinedType[int]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


def upgrade() -> None:
    op.add_column("event", sa.Column("entity", sa.Text(), nullable=True))
    op.add_column(
        "event", sa.Column("follows", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False)
    )
    op.execute(ENTITIES)
    op.drop_index("ix_event_xid_id", table_name="event")
    op.create_index("ix_event_follows_id", "event", ["follows", "id"], unique=False)
    op.create_index(
        "ix_event_entity",
        "event",
        ["entity", "follows", "id"],
        unique=False,
        postgresql_where=sa.text("entity IS NOT NULL"),
    )
    op.create_index(
        "ix_event_tickets",
        "event",
        ["follows", "id"],
        unique=False,
        postgresql_where=sa.text("name = 'TicketChanged'"),
    )
    op.create_table(
        "log_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("kept_from", Xid8(), server_default=sa.text("'0'::xid8"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_log_state_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_state")),
    )
    op.execute("INSERT INTO log_state (id) VALUES (1)")
    for statement in (PLACE, PLACED, LOG_CHANGE, *TRIGGERS, COMPLETE, COMPLETED):
        op.execute(statement)


def downgrade() -> None:
    op.execute('DROP TRIGGER order_completed ON "order"')
    op.execute("DROP FUNCTION complete_order()")
    op.execute("DROP TRIGGER cart_deleted ON cart")
    op.execute("DROP TRIGGER cart_changed ON cart")
    op.execute('DROP TRIGGER order_changed ON "order"')
    op.execute("DROP FUNCTION log_change()")
    op.execute("DROP TRIGGER event_placed ON event")
    op.execute("DROP FUNCTION place_event()")
    op.drop_table("log_state")
    op.drop_index("ix_event_tickets", table_name="event")
    op.drop_index("ix_event_entity", table_name="event")
    op.drop_index("ix_event_follows_id", table_name="event")
    op.create_index("ix_event_xid_id", "event", ["xid", "id"], unique=False)
    op.drop_column("event", "follows")
    op.drop_column("event", "entity")
