"""Trusted documents"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Any = None
depends_on: Any = None


def upgrade() -> None:
    op.create_table(
        "trusted_document",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("operations", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("registered_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id ~ '^[A-Za-z0-9._~:-]{1,200}$'", name=op.f("ck_trusted_document_id")),
        sa.CheckConstraint(
            "left(id, 7) <> 'sha256:' OR id = 'sha256:' || sha256", name=op.f("ck_trusted_document_id_of_text")
        ),
        sa.CheckConstraint(
            "sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex')", name=op.f("ck_trusted_document_sha256")
        ),
        sa.CheckConstraint("octet_length(text) BETWEEN 1 AND 102400", name=op.f("ck_trusted_document_text")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trusted_document")),
    )
    op.create_index(op.f("ix_trusted_document_sha256"), "trusted_document", ["sha256"])


def downgrade() -> None:
    op.drop_index(op.f("ix_trusted_document_sha256"), table_name="trusted_document")
    op.drop_table("trusted_document")
