"""tickets that people live in"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Any = None
depends_on: Any = None

NOW = sa.text("now()")
ZERO = sa.text("0")
JSON = postgresql.JSONB(astext_type=sa.Text())
AT = postgresql.TIMESTAMP(timezone=True)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KINDS = (
    "'opened', 'moved', 'message', 'brief', 'proof_uploaded', 'proof_decided', 'approval_withdrawn', 'assigned', "
    "'due', 'priority', 'ranked', 'split', 'quantity', 'shipped', 'delivered', 'overdue'"
)
REQUIREMENTS = "'brief_complete', 'undecided_proof', 'approved_proof', 'changes_requested', 'note'"
ACTORS = "'staff', 'customer', 'system'"


def upgrade() -> None:
    upgrade_workflows()
    upgrade_tickets()
    create_briefs_and_proofs()
    create_readers_and_replies()
    create_fulfilments()


def upgrade_workflows() -> None:
    op.add_column("workflow_state", sa.Column("sla_minutes", sa.Integer(), nullable=True))
    op.add_column("workflow_state", sa.Column("effect", sa.Text(), server_default="none", nullable=False))
    op.add_column("workflow_state", sa.Column("brief_locked", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_check_constraint(
        op.f("ck_workflow_state_effect"), "workflow_state", "effect IN ('none', 'ship', 'deliver')"
    )
    op.create_check_constraint(
        op.f("ck_workflow_state_sla_minutes"), "workflow_state", "sla_minutes BETWEEN 1 AND 5256000"
    )
    op.add_column(
        "workflow_transition",
        sa.Column("requires", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_workflow_transition_requires"), "workflow_transition", f"requires <@ ARRAY[{REQUIREMENTS}]::text[]"
    )


def upgrade_tickets() -> None:
    for column in (
        sa.Column("shipped", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("delivered", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("state_since", AT, server_default=NOW, nullable=False),
        sa.Column("state_due_at", AT, nullable=True),
        sa.Column("state_due_told_at", AT, nullable=True),
        sa.Column("due_at", AT, nullable=True),
        sa.Column("due_told_at", AT, nullable=True),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("priority", sa.Text(), server_default="normal", nullable=False),
        sa.Column("rank", sa.Text(collation="C"), nullable=True),
        sa.Column("brief_version", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("brief_complete", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("brief_schema", JSON, nullable=True),
        sa.Column("customer_read_seq", sa.Integer(), server_default=ZERO, nullable=False),
    ):
        op.add_column("ticket", column)
    fill_tickets()
    op.alter_column("ticket", "rank", nullable=False)
    op.create_foreign_key(op.f("fk_ticket_assignee_id"), "ticket", "staff", ["assignee_id"], ["id"], ondelete="SET NULL")
    op.create_unique_constraint(op.f("uq_ticket_rank"), "ticket", ["rank"])
    for name, check in (
        ("priority", "priority IN ('low', 'normal', 'high', 'urgent')"),
        ("shipped", "0 <= delivered AND delivered <= shipped AND shipped <= quantity"),
        ("rank", "rank ~ '^[A-Za-z][0-9A-Za-z]*$'"),
    ):
        op.create_check_constraint(op.f(f"ck_ticket_{name}"), "ticket", check)
    op.create_index("ix_ticket_board", "ticket", ["state", "rank"])
    op.create_index("ix_ticket_assignee_id", "ticket", ["assignee_id", "id"])
    op.create_index("ix_ticket_due", "ticket", ["due_at"], postgresql_where=sa.text("due_told_at IS NULL"))
    op.create_index(
        "ix_ticket_state_due", "ticket", ["state_due_at"], postgresql_where=sa.text("state_due_told_at IS NULL")
    )
    op.drop_constraint(op.f("ck_ticket_event_kind"), "ticket_event")
    op.create_check_constraint(op.f("ck_ticket_event_kind"), "ticket_event", f"kind IN ({KINDS})")
    op.add_column("order_line", sa.Column("delivered", sa.Integer(), server_default=ZERO, nullable=False))
    op.create_check_constraint(op.f("ck_order_line_delivered"), "order_line", "delivered BETWEEN 0 AND shipped")


def fill_tickets() -> None:
    """What is known of running tickets: how complete their briefs are, and that they lie in the order they came."""
    connection = op.get_bind()
    connection.execute(
        sa.text(
            """
            UPDATE ticket SET state_since = ticket.updated_at, customer_read_seq = ticket.last_seq,
                brief_complete = line.brief_complete, brief_version = CASE WHEN ticket.brief IS NULL THEN 0 ELSE 1 END,
                brief_schema = nullif(product.brief_schema, 'null'::jsonb)
            FROM order_line AS line JOIN variant ON variant.id = line.variant_id
            JOIN product ON product.id = variant.product_id
            WHERE line.id = ticket.order_line_id
            """
        )
    )
    ranks = [{"id": id_, "rank": rank_of(id_)} for (id_,) in connection.execute(sa.text("SELECT id FROM ticket"))]
    if ranks:
        connection.execute(sa.text("UPDATE ticket SET rank = :rank WHERE id = :id"), ranks)


def rank_of(key: Any) -> str:
    whole = digits(key.int >> 80, 1)
    return f"{chr(ord('a') + len(whole) - 1)}{whole}{digits(key.int & (2**80 - 1), 14)}V"


def digits(number: int, least: int) -> str:
    written = ""
    while number or len(written) < least:
        number, digit = divmod(number, len(DIGITS))
        written = DIGITS[digit] + written
    return written


def create_briefs_and_proofs() -> None:
    op.create_table(
        "ticket_brief",
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("brief", JSON, nullable=True),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", AT, server_default=NOW, nullable=False),
        sa.CheckConstraint(f"actor_kind IN ({ACTORS})", name=op.f("ck_ticket_brief_actor_kind")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_ticket_brief_version")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_brief_ticket_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ticket_id", "version", name=op.f("pk_ticket_brief")),
    )
    op.execute(
        """
        INSERT INTO ticket_brief (ticket_id, version, brief, actor_kind, created_at)
        SELECT id, 1, brief, 'customer', created_at FROM ticket WHERE brief_version = 1
        """
    )
    op.create_table(
        "ticket_proof",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("brief_version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", AT, server_default=NOW, nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("decided_by_kind", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", AT, nullable=True),
        sa.CheckConstraint(
            "decision IN ('approve', 'request_changes')", name=op.f("ck_ticket_proof_decision")
        ),
        sa.CheckConstraint(f"decided_by_kind IN ({ACTORS})", name=op.f("ck_ticket_proof_decided_by_kind")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_ticket_proof_version")),
        sa.CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name=op.f("ck_ticket_proof_decided_at")),
        sa.CheckConstraint("(decision IS NULL) = (decided_by_kind IS NULL)", name=op.f("ck_ticket_proof_decided_by")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_proof_ticket_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_proof")),
        sa.UniqueConstraint("ticket_id", "version", name=op.f("uq_ticket_proof_ticket_id_version")),
    )
    op.create_index("ix_ticket_proof_file_id", "ticket_proof", ["file_id"])


def create_readers_and_replies() -> None:
    op.create_table(
        "ticket_staff_read",
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_staff_read_ticket_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_ticket_staff_read_staff_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ticket_id", "staff_id", name=op.f("pk_ticket_staff_read")),
    )
    op.create_index("ix_ticket_staff_read_staff_id", "ticket_staff_read", ["staff_id"])
    op.create_table(
        "canned_reply",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", AT, server_default=NOW, nullable=False),
        sa.Column("updated_at", AT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_reply")),
        sa.UniqueConstraint("code", name=op.f("uq_canned_reply_code")),
    )


def create_fulfilments() -> None:
    op.create_table(
        "fulfilment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("carrier", sa.Text(), server_default="", nullable=False),
        sa.Column("tracking_number", sa.Text(), server_default="", nullable=False),
        sa.Column("tracking_url", sa.Text(), server_default="", nullable=False),
        sa.Column("shipped_at", AT, server_default=NOW, nullable=False),
        sa.Column("delivered_at", AT, nullable=True),
        sa.CheckConstraint(
            "delivered_at IS NULL OR delivered_at >= shipped_at", name=op.f("ck_fulfilment_delivered_at")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_fulfilment_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fulfilment")),
        sa.UniqueConstraint("id", "order_id", name=op.f("uq_fulfilment_id_order_id")),
    )
    op.create_index("ix_fulfilment_order_id", "fulfilment", ["order_id", "id"])
    op.create_table(
        "fulfilment_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fulfilment_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("delivered_at", AT, nullable=True),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_fulfilment_line_quantity")),
        sa.ForeignKeyConstraint(
            ["fulfilment_id", "order_id"],
            ["fulfilment.id", "fulfilment.order_id"],
            name=op.f("fk_fulfilment_line_fulfilment_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["order_line_id", "order_id"],
            ["order_line.id", "order_line.order_id"],
            name=op.f("fk_fulfilment_line_order_line_id_order_id"),
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_fulfilment_line_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fulfilment_line")),
    )
    for column in ("fulfilment_id", "order_line_id", "ticket_id"):
        op.create_index(f"ix_fulfilment_line_{column}", "fulfilment_line", [column])


def downgrade() -> None:
    for table in ("fulfilment_line", "fulfilment", "canned_reply", "ticket_staff_read", "ticket_proof", "ticket_brief"):
        op.drop_table(table)
    op.drop_column("order_line", "delivered")
    op.execute("DELETE FROM ticket_event WHERE kind NOT IN ('opened', 'moved', 'message')")
    op.drop_constraint(op.f("ck_ticket_event_kind"), "ticket_event")
    op.create_check_constraint(
        op.f("ck_ticket_event_kind"), "ticket_event", "kind IN ('opened', 'moved', 'message')"
    )
    for column in (
        "shipped",
        "delivered",
        "state_since",
        "state_due_at",
        "state_due_told_at",
        "due_at",
        "due_told_at",
        "assignee_id",
        "priority",
        "rank",
        "brief_version",
        "brief_complete",
        "brief_schema",
        "customer_read_seq",
    ):
        op.drop_column("ticket", column)
    op.drop_column("workflow_transition", "requires")
    for column in ("brief_locked", "effect", "sla_minutes"):
        op.drop_column("workflow_state", column)
