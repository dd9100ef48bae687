"""gift cards and store credit"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Any = None
depends_on: Any = None


ONLY_ADDED_TO = """
CREATE FUNCTION refuse_balance_entry_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.note IS NULL AND to_jsonb(NEW) - 'note' = to_jsonb(OLD) - 'note' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the ledger of balances is only ever added to';
END $$;
"""
ENTRY_TRIGGER = """
CREATE TRIGGER balance_entry_only_added_to BEFORE UPDATE OR DELETE ON balance_entry
FOR EACH ROW EXECUTE FUNCTION refuse_balance_entry_change()
"""
EMPTYING_TRIGGER = """
CREATE TRIGGER balance_entry_never_emptied BEFORE TRUNCATE ON balance_entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse_balance_entry_change()
"""


def upgrade() -> None:
    _create_balance()
    _create_entries_and_holds()
    for statement in (ONLY_ADDED_TO, ENTRY_TRIGGER, EMPTYING_TRIGGER):
        op.execute(statement)
    op.add_column(
        "cart",
        sa.Column("gift_card_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'::uuid[]"), nullable=False),
    )
    op.add_column("cart", sa.Column("store_credit_customer_id", sa.Uuid(), nullable=True))


def _create_balance() -> None:
    op.create_table(
        "balance",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("code_hash", sa.Text(), nullable=True),
        sa.Column("last_characters", sa.Text(), nullable=True),
        sa.Column("initial_amount", sa.BigInteger(), nullable=True),
        sa.Column("recipient_email", sa.Text(), nullable=True),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("disabled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('gift_card', 'store_credit')", name=op.f("ck_balance_kind")),
        sa.CheckConstraint("0 <= held AND held <= amount", name=op.f("ck_balance_held")),
        sa.CheckConstraint("(kind = 'store_credit') = (customer_id IS NOT NULL)", name=op.f("ck_balance_customer")),
        sa.CheckConstraint(
            "num_nonnulls(code_hash, last_characters, initial_amount) = CASE kind WHEN 'gift_card' THEN 3 ELSE 0 END",
            name=op.f("ck_balance_gift_card"),
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_balance_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_balance_code_hash")),
        sa.UniqueConstraint("customer_id", "currency", name=op.f("uq_balance_customer_id_currency")),
    )
    cards = sa.text("kind = 'gift_card'")
    op.create_index("ix_balance_gift_cards", "balance", ["id"], unique=False, postgresql_where=cards)
    op.create_index(
        "ix_balance_last_characters", "balance", ["last_characters", "id"], unique=False, postgresql_where=cards
    )


def _create_entries_and_holds() -> None:
    op.create_table(
        "balance_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("balance_id", sa.Uuid(), nullable=False),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "reason IN ('issued', 'spent', 'refunded', 'adjusted', 'expired')", name=op.f("ck_balance_entry_reason")
        ),
        sa.CheckConstraint("actor_kind IN ('staff', 'customer', 'system')", name=op.f("ck_balance_entry_actor_kind")),
        sa.CheckConstraint("delta <> 0", name=op.f("ck_balance_entry_delta")),
        sa.CheckConstraint(
            "order_id IS NOT NULL OR reason NOT IN ('spent', 'refunded')", name=op.f("ck_balance_entry_order_id")
        ),
        sa.ForeignKeyConstraint(["balance_id"], ["balance.id"], name=op.f("fk_balance_entry_balance_id")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_balance_entry_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_entry")),
    )
    op.create_index("ix_balance_entry_balance_id", "balance_entry", ["balance_id", "id"], unique=False)
    op.create_index(
        "ix_balance_entry_order_id",
        "balance_entry",
        ["order_id"],
        unique=False,
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_table(
        "balance_hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("balance_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="held", nullable=False),
        sa.Column("given_back", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('held', 'spent', 'released')", name=op.f("ck_balance_hold_state")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_balance_hold_amount")),
        sa.CheckConstraint("0 <= given_back AND given_back <= amount", name=op.f("ck_balance_hold_given_back")),
        sa.CheckConstraint("given_back = 0 OR state = 'spent'", name=op.f("ck_balance_hold_spent")),
        sa.ForeignKeyConstraint(["balance_id"], ["balance.id"], name=op.f("fk_balance_hold_balance_id")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_balance_hold_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_hold")),
    )
    op.create_index(
        "uq_balance_hold_active",
        "balance_hold",
        ["order_id", "balance_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'released'"),
    )
    op.create_index(
        "ix_balance_hold_held", "balance_hold", ["balance_id"], unique=False, postgresql_where=sa.text("state = 'held'")
    )


def downgrade() -> None:
    op.drop_column("cart", "store_credit_customer_id")
    op.drop_column("cart", "gift_card_ids")
    op.drop_table("balance_hold")
    op.drop_table("balance_entry")
    op.execute("DROP FUNCTION refuse_balance_entry_change()")
    op.drop_table("balance")
