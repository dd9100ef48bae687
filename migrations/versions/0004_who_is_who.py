"""who is who"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Any = None
depends_on: Any = None


ONLY_ADDED_TO = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to';
END $$;
"""
AUDIT_TRIGGER = """
CREATE TRIGGER audit_entry_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
"""


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("window_ends", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_window_ends"), "attempts", ["window_ends"], unique=False)
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("difference", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("request_id", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("actor_kind IN ('staff', 'customer', 'system')", name=op.f("ck_audit_entry_actor_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_entry_staff_id", "audit_entry", ["staff_id", "id"], unique=False)
    op.create_index("ix_audit_entry_subject", "audit_entry", ["subject", "id"], unique=False)
    op.create_table(
        "customer_group",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_group")),
        sa.UniqueConstraint("name", name=op.f("uq_customer_group_name")),
    )
    op.create_table(
        "single_use_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column(
            "data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('confirm_email', 'reset_password', 'confirm_old_email', 'confirm_new_email', 'staff_invitation', 'staff_reset_password', 'order_access')",
            name=op.f("ck_single_use_token_purpose"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_single_use_token")),
    )
    op.create_index("ix_single_use_token_subject", "single_use_token", ["purpose", "subject_id"], unique=False)
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("rotated_from", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("kind = 'secret' OR scopes = '{}'", name=op.f("ck_api_key_scopes")),
        sa.CheckConstraint("kind IN ('publishable', 'storefront', 'secret')", name=op.f("ck_api_key_kind")),
        sa.ForeignKeyConstraint(["created_by"], ["staff.id"], name=op.f("fk_api_key_created_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["rotated_from"], ["api_key.id"], name=op.f("fk_api_key_rotated_from"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_key_hash")),
        sa.UniqueConstraint("rotated_from", name=op.f("uq_api_key_rotated_from")),
    )
    op.create_table(
        "customer_address",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("default_shipping", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("default_billing", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_address_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_address")),
    )
    op.create_index("ix_customer_address_customer_id", "customer_address", ["customer_id", "id"], unique=False)
    op.create_index(
        "uq_customer_address_default_billing",
        "customer_address",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("default_billing"),
    )
    op.create_index(
        "uq_customer_address_default_shipping",
        "customer_address",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("default_shipping"),
    )
    op.create_table(
        "customer_group_member",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_group_member_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["customer_group.id"], name=op.f("fk_customer_group_member_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "customer_id", name=op.f("pk_customer_group_member")),
    )
    op.create_index(
        op.f("ix_customer_group_member_customer_id"), "customer_group_member", ["customer_id"], unique=False
    )
    op.create_table(
        "email_change",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("new_email", sa.Text(), nullable=False),
        sa.Column("old_confirmed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("new_confirmed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("new_email = lower(new_email)", name=op.f("ck_email_change_new_email")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_email_change_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_email_change")),
        sa.UniqueConstraint("id", name=op.f("uq_email_change_id")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_recovery_code_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("staff_id", "hash", name=op.f("pk_recovery_code")),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("device", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("num_nonnulls(customer_id, staff_id) = 1", name=op.f("ck_session_owner")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_session_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_session_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
    )
    op.create_index("ix_session_customer_id", "session", ["customer_id", "id"], unique=False)
    op.create_index("ix_session_staff_id", "session", ["staff_id", "id"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("issued_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_refresh_token_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_refresh_token")),
    )
    op.create_index(op.f("ix_refresh_token_session_id"), "refresh_token", ["session_id"], unique=False)
    op.create_index(
        "ix_order_guest_email", "order", ["email", "id"], unique=False, postgresql_where=sa.text("customer_id IS NULL")
    )
    op.add_column("customer", sa.Column("phone", sa.Text(), server_default="", nullable=False))
    op.add_column("customer", sa.Column("confirmed_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("customer", sa.Column("erased_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.add_column(
        "customer",
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.add_column("staff", sa.Column("totp_secret", sa.Text(), nullable=True))
    op.add_column("staff", sa.Column("totp_confirmed_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("staff", sa.Column("totp_last_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.alter_column("staff", "password_hash", existing_type=sa.TEXT(), nullable=True)
    op.create_check_constraint(op.f("ck_staff_totp"), "staff", "totp_confirmed_at IS NULL OR totp_secret IS NOT NULL")
    op.create_index(op.f("ix_staff_role_role_id"), "staff_role", ["role_id"], unique=False)
    op.execute(ONLY_ADDED_TO)
    op.execute(AUDIT_TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_entry_only_added_to ON audit_entry")
    op.execute("DROP FUNCTION refuse_audit_change()")
    op.drop_constraint(op.f("ck_staff_totp"), "staff")
    op.drop_index(op.f("ix_staff_role_role_id"), table_name="staff_role")
    op.execute("DELETE FROM staff_role WHERE staff_id IN (SELECT id FROM staff WHERE password_hash IS NULL)")
    op.execute("DELETE FROM staff WHERE password_hash IS NULL")  # invited, and the old version knows no invitations
    op.alter_column("staff", "password_hash", existing_type=sa.TEXT(), nullable=False)
    op.drop_column("staff", "totp_last_step")
    op.drop_column("staff", "totp_confirmed_at")
    op.drop_column("staff", "totp_secret")
    op.drop_column("customer", "updated_at")
    op.drop_column("customer", "erased_at")
    op.drop_column("customer", "confirmed_at")
    op.drop_column("customer", "phone")
    op.drop_index("ix_order_guest_email", table_name="order", postgresql_where=sa.text("customer_id IS NULL"))
    op.drop_index(op.f("ix_refresh_token_session_id"), table_name="refresh_token")
    op.drop_table("refresh_token")
    op.drop_index("ix_session_staff_id", table_name="session")
    op.drop_index("ix_session_customer_id", table_name="session")
    op.drop_table("session")
    op.drop_table("recovery_code")
    op.drop_table("email_change")
    op.drop_index(op.f("ix_customer_group_member_customer_id"), table_name="customer_group_member")
    op.drop_table("customer_group_member")
    op.drop_index(
        "uq_customer_address_default_shipping",
        table_name="customer_address",
        postgresql_where=sa.text("default_shipping"),
    )
    op.drop_index(
        "uq_customer_address_default_billing",
        table_name="customer_address",
        postgresql_where=sa.text("default_billing"),
    )
    op.drop_index("ix_customer_address_customer_id", table_name="customer_address")
    op.drop_table("customer_address")
    op.drop_table("api_key")
    op.drop_index("ix_single_use_token_subject", table_name="single_use_token")
    op.drop_table("single_use_token")
    op.drop_table("customer_group")
    op.drop_index("ix_audit_entry_subject", table_name="audit_entry")
    op.drop_index("ix_audit_entry_staff_id", table_name="audit_entry")
    op.drop_table("audit_entry")
    op.drop_index(op.f("ix_attempts_window_ends"), table_name="attempts")
    op.drop_table("attempts")
