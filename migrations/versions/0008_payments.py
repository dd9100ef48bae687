"""payments, refunds and webhooks"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Any = None
depends_on: Any = None

EVENTS = (
    "'authorised', 'captured', 'voided', 'declined', 'refunded', 'refund_failed', "
    "'dispute_opened', 'dispute_won', 'dispute_lost'"
)
UNFINISHED = "state IN ('started', 'pending')"


def moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, postgresql.TIMESTAMP(timezone=True), nullable=True)


def created_at() -> sa.Column[Any]:
    return sa.Column(
        "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def upgrade() -> None:
    op.create_table(
        "payment_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=True),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cart_version", sa.Integer(), nullable=True),
        sa.Column("client_data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        created_at(),
        sa.CheckConstraint("num_nonnulls(cart_id, order_id) = 1", name=op.f("ck_payment_session_subject")),
        sa.CheckConstraint("(cart_id IS NULL) = (cart_version IS NULL)", name=op.f("ck_payment_session_cart_version")),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["cart.id"], name=op.f("fk_payment_session_cart_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_payment_session_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_session")),
        sa.UniqueConstraint("provider", "reference", name=op.f("uq_payment_session_provider_reference")),
    )
    op.create_index(op.f("ix_payment_session_cart_id"), "payment_session", ["cart_id"])
    op.create_index(op.f("ix_payment_session_order_id"), "payment_session", ["order_id"])
    op.create_table(
        "payment_operation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="started", nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        created_at(),
        moment("asked_at"),
        moment("decided_at"),
        sa.CheckConstraint("kind IN ('capture', 'void', 'refund')", name=op.f("ck_payment_operation_kind")),
        sa.CheckConstraint(
            "state IN ('started', 'pending', 'succeeded', 'failed')", name=op.f("ck_payment_operation_state")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_operation_amount")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_payment_operation_payment_id")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_payment_operation_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_operation")),
    )
    op.create_index("ix_payment_operation_payment_id", "payment_operation", ["payment_id", "id"])
    op.create_index("ix_payment_operation_order_id", "payment_operation", ["order_id", "id"])
    op.create_index(
        "ix_payment_operation_unfinished", "payment_operation", ["created_at"], postgresql_where=sa.text(UNFINISHED)
    )
    op.create_index(
        "uq_payment_operation_unfinished_void",
        "payment_operation",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text(f"kind = 'void' AND {UNFINISHED}"),
    )
    _attempts_and_payments()
    _events()


def _attempts_and_payments() -> None:
    op.alter_column("payment_attempt", "cart_version", existing_type=sa.INTEGER(), nullable=True)
    op.add_column("payment_attempt", sa.Column("session_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_payment_attempt_session_id"),
        "payment_attempt",
        "payment_session",
        ["session_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index(op.f("ix_payment_attempt_session_id"), "payment_attempt", ["session_id"])
    for name in ("next_action", "decline"):
        op.add_column("payment_attempt", sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("payment_attempt", moment("asked_at"))
    for name in ("voided", "refund_pending", "disputed"):
        op.add_column("payment", sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    for name in ("authorised_until", "expiry_announced_at"):
        op.add_column("payment", moment(name))


def _events() -> None:
    op.drop_constraint(op.f("uq_payment_event_provider_kind_reference"), "payment_event")
    op.drop_constraint(op.f("ck_payment_event_kind"), "payment_event")
    for name in ("payment_id", "operation_id"):
        op.add_column("payment_event", sa.Column(name, sa.Uuid(), nullable=True))
    op.add_column("payment_event", sa.Column("source", sa.Text(), server_default="answer", nullable=False))
    op.add_column("payment_event", sa.Column("problem", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_payment_event_kind"), "payment_event", f"kind IN ({EVENTS})")
    op.create_check_constraint(op.f("ck_payment_event_source"), "payment_event", "source IN ('answer', 'webhook')")
    op.create_check_constraint(
        op.f("ck_payment_event_problem"),
        "payment_event",
        "problem IN ('unmatched', 'amount', 'currency', 'contradiction')",
    )
    op.create_foreign_key(op.f("fk_payment_event_payment_id"), "payment_event", "payment", ["payment_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_payment_event_operation_id"), "payment_event", "payment_operation", ["operation_id"], ["id"]
    )
    op.create_index(op.f("ix_payment_event_operation_id"), "payment_event", ["operation_id"])
    op.create_index("ix_payment_event_payment_id", "payment_event", ["payment_id", "id"])
    op.create_index(
        "uq_payment_event_applied",
        "payment_event",
        ["provider", "kind", "reference"],
        unique=True,
        postgresql_where=sa.text("problem IS NULL"),
    )
    op.create_index(
        "uq_payment_event_problem",
        "payment_event",
        ["provider", "kind", "reference", "problem", "amount", "currency"],
        unique=True,
        postgresql_where=sa.text("problem IS NOT NULL"),
    )
    op.execute(
        "UPDATE payment_event AS event SET payment_id = payment.id FROM payment "
        "WHERE payment.attempt_id = event.attempt_id"
    )


def downgrade() -> None:
    """What the old version knows nothing of is lost: sessions, operations, and events that were not applied."""
    op.execute(
        "DELETE FROM payment_event WHERE problem IS NOT NULL OR kind NOT IN ('authorised', 'captured', 'voided')"
    )
    for name in ("uq_payment_event_problem", "uq_payment_event_applied", "ix_payment_event_payment_id"):
        op.drop_index(name, table_name="payment_event")
    op.drop_constraint(op.f("ck_payment_event_kind"), "payment_event")
    for name in ("problem", "source", "operation_id", "payment_id"):
        op.drop_column("payment_event", name)
    op.create_check_constraint(
        op.f("ck_payment_event_kind"), "payment_event", "kind IN ('authorised', 'captured', 'voided')"
    )
    op.create_unique_constraint(
        op.f("uq_payment_event_provider_kind_reference"), "payment_event", ["provider", "kind", "reference"]
    )
    op.drop_table("payment_operation")
    for name in ("expiry_announced_at", "authorised_until", "disputed", "refund_pending", "voided"):
        op.drop_column("payment", name)
    for name in ("asked_at", "decline", "next_action", "session_id"):
        op.drop_column("payment_attempt", name)
    op.execute("UPDATE payment_attempt SET cart_version = 0 WHERE cart_version IS NULL")
    op.alter_column("payment_attempt", "cart_version", existing_type=sa.INTEGER(), nullable=False)
    op.drop_table("payment_session")
