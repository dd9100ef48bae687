"""Those who work here, what they may do, and what they did."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import DDL, BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, event, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, one_of
from db.notification import LOCALE
from db.workflow import ActorKind


class Staff(Base):
    __tablename__ = "staff"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email"),
        CheckConstraint(f"locale {LOCALE}", name="locale"),
        CheckConstraint("totp_confirmed_at IS NULL OR totp_secret IS NOT NULL", name="totp"),
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    """Null: invited, and has not accepted yet."""
    name: Mapped[str] = mapped_column(server_default="")
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    locale: Mapped[str | None]
    """The language that they want to be written to in."""
    totp_secret: Mapped[str | None]
    """Encrypted; counts once a code of it was shown (`totp_confirmed_at`)."""
    totp_confirmed_at: Mapped[datetime | None]
    totp_last_step: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """The time step of the last code that was taken: each is good once."""
    created_at: Mapped[CreatedAt]


class RecoveryCode(Base):
    """Stands in once for a code of the second factor."""

    __tablename__ = "recovery_code"

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    hash: Mapped[str] = mapped_column(primary_key=True)
    used_at: Mapped[datetime | None]


class Role(Base):
    __tablename__ = "role"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    permissions: Mapped[list[str]]
    """`resource:action`, for example `tickets:write`."""


class StaffRole(Base):
    __tablename__ = "staff_role"

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[UUID] = mapped_column(ForeignKey("role.id"), primary_key=True, index=True)


class AuditEntry(Base):
    """A write that somebody with a permission made. Only ever added to: a trigger refuses anything else."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        one_of("actor_kind", ActorKind),
        Index("ix_audit_entry_subject", "subject", "id"),
        Index("ix_audit_entry_staff_id", "staff_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[CreatedAt]
    actor_kind: Mapped[ActorKind] = mapped_column(Text)
    staff_id: Mapped[UUID | None]
    """No foreign keys: what was done stays, whoever goes."""
    api_key_id: Mapped[UUID | None]
    action: Mapped[str]
    """The mutation, or the command: `ticketMove`."""
    subject: Mapped[str]
    """What it was done to: `ticket:<uuid>`."""
    difference: Mapped[dict[str, Any]]
    """By field `[before, after]`; secrets are never in it."""
    request_id: Mapped[str] = mapped_column(server_default="")


ONLY_ADDED_TO: Final = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to';
END $$;
"""
AUDIT_TRIGGER: Final = """
CREATE TRIGGER audit_entry_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
"""
for statement in (ONLY_ADDED_TO, AUDIT_TRIGGER):
    event.listen(Base.metadata, "after_create", DDL(statement))
