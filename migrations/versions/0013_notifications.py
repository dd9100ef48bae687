"""notifications"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: Any = None
depends_on: Any = None

NOW = sa.text("now()")
AT = postgresql.TIMESTAMP(timezone=True)
KINDS = (
    "'order_placed', 'tickets_opened', 'action_required', 'proof_ready', 'message_posted', 'delivered', "
    "'payment_returned', 'overdue'"
)
LOCALE = "locale ~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$'"
RECIPIENT = "recipient ~ '^(customer|order|staff|erased):[0-9a-f-]{36}$'"
WITH_LOCALE = ("customer", "staff", "cart", "order")


def upgrade() -> None:
    for table in WITH_LOCALE:
        op.add_column(table, sa.Column("locale", sa.Text(), nullable=True))
        op.create_check_constraint(op.f(f"ck_{table}_locale"), table, LOCALE)
    create_notifications()
    op.create_table(
        "notification_opt_out",
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("created_at", AT, server_default=NOW, nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_notification_opt_out_kind")),
        sa.CheckConstraint("kind NOT IN ('order_placed', 'payment_returned')", name=op.f("ck_notification_opt_out_required")),
        sa.CheckConstraint(RECIPIENT, name=op.f("ck_notification_opt_out_recipient")),
        sa.PrimaryKeyConstraint("recipient", "kind", "channel", name=op.f("pk_notification_opt_out")),
    )


def create_notifications() -> None:
    op.create_table(
        "notification",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=True),
        sa.Column("token_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("claimed_until", AT, nullable=True),
        sa.Column("created_at", AT, server_default=NOW, nullable=False),
        sa.Column("sent_at", AT, nullable=True),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_notification_kind")),
        sa.CheckConstraint("state IN ('queued', 'sent', 'failed', 'suppressed')", name=op.f("ck_notification_state")),
        sa.CheckConstraint(RECIPIENT, name=op.f("ck_notification_recipient")),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_notification_sent_at")),
        sa.CheckConstraint("state IN ('queued', 'sent') OR reason <> ''", name=op.f("ck_notification_reason")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_notification_order_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_notification_ticket_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("event", "kind", "recipient", "channel", name=op.f("uq_notification_event_kind_recipient_channel")),
    )
    op.create_index("ix_notification_state", "notification", ["state", "id"])
    op.create_index("ix_notification_order_id", "notification", ["order_id", "id"])
    op.create_index("ix_notification_ticket_id", "notification", ["ticket_id"])
    op.create_index("ix_notification_recipient", "notification", ["recipient"])


def downgrade() -> None:
    op.drop_table("notification_opt_out")
    op.drop_table("notification")
    for table in WITH_LOCALE:
        op.drop_column(table, "locale")
