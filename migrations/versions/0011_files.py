"""files"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Any = None
depends_on: Any = None


def upgrade() -> None:
    op.create_table(
        "file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column(
            "thumbnails", postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'::bigint[]"), nullable=False
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("visibility", sa.Text(), server_default="public", nullable=False),
        sa.Column("created_by_kind", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("upload_until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("attached_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("bytes_gone_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('ticket_file', 'proof', 'product_media')", name=op.f("ck_file_purpose")
        ),
        sa.CheckConstraint("state IN ('pending', 'ready', 'rejected', 'removed')", name=op.f("ck_file_state")),
        sa.CheckConstraint("visibility IN ('public', 'internal')", name=op.f("ck_file_visibility")),
        sa.CheckConstraint(
            "created_by_kind IN ('staff', 'customer', 'system')", name=op.f("ck_file_created_by_kind")
        ),
        sa.CheckConstraint("size BETWEEN 1 AND 5368709120", name=op.f("ck_file_size")),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_file_sha256")),
        sa.CheckConstraint(
            "CASE WHEN purpose = 'product_media' THEN ticket_id IS NULL ELSE product_id IS NULL END",
            name=op.f("ck_file_subject"),
        ),
        sa.CheckConstraint("state <> 'ready' OR content_type IS NOT NULL", name=op.f("ck_file_content_type")),
        sa.CheckConstraint(
            "attached_at IS NULL OR state IN ('ready', 'removed')", name=op.f("ck_file_attached_at")
        ),
        sa.CheckConstraint("(state = 'rejected') = (reason IS NOT NULL)", name=op.f("ck_file_reason")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_file_ticket_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_file_product_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file")),
    )
    op.create_index("ix_file_ticket_id", "file", ["ticket_id", "id"], unique=False)
    op.create_index("ix_file_product_id", "file", ["product_id", "id"], unique=False)
    op.create_index(
        "ix_file_unattached", "file", ["created_at"], unique=False, postgresql_where=sa.text("attached_at IS NULL")
    )
    op.create_index(
        "ix_file_removed",
        "file",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'removed' AND bytes_gone_at IS NULL"),
    )
    op.add_column("media", sa.Column("file_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_media_file_id"), "media", "file", ["file_id"], ["id"])
    op.create_unique_constraint(op.f("uq_media_file_id"), "media", ["file_id"])
    op.create_foreign_key(op.f("fk_ticket_proof_file_id"), "ticket_proof", "file", ["file_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint(op.f("fk_ticket_proof_file_id"), "ticket_proof")
    op.drop_constraint(op.f("uq_media_file_id"), "media")
    op.drop_constraint(op.f("fk_media_file_id"), "media")
    op.drop_column("media", "file_id")
    op.drop_index("ix_file_removed", table_name="file")
    op.drop_index("ix_file_unattached", table_name="file")
    op.drop_index("ix_file_product_id", table_name="file")
    op.drop_index("ix_file_ticket_id", table_name="file")
    op.drop_table("file")
