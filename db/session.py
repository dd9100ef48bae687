"""Sign-ins that last, tokens that are good once, keys of programs, and attempts that are counted."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, one_of


class Session(Base):
    """One sign-in of a customer or of staff on one device; every access token names it."""

    __tablename__ = "session"
    __table_args__ = (
        CheckConstraint("num_nonnulls(customer_id, staff_id) = 1", name="owner"),
        Index("ix_session_customer_id", "customer_id", "id"),
        Index("ix_session_staff_id", "staff_id", "id"),
    )

    id: Mapped[Id]
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"))
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    device: Mapped[str] = mapped_column(server_default="")
    """What the client calls itself (User-Agent), at most 200 characters."""
    address: Mapped[str] = mapped_column(server_default="")
    """The buyer's network address when it began."""
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[CreatedAt]
    """When a token of it was last refreshed."""
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class RefreshToken(Base):
    """Good once; the next one is given for it. One that comes back a second time ends its session."""

    __tablename__ = "refresh_token"

    hash: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of the token."""
    session_id: Mapped[UUID] = mapped_column(ForeignKey("session.id", ondelete="CASCADE"), index=True)
    issued_at: Mapped[CreatedAt]
    used_at: Mapped[datetime | None]


class Purpose(StrEnum):
    """What a single-use token is good for, and nothing else."""

    CONFIRM_EMAIL = "confirm_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose
    CONFIRM_OLD_EMAIL = "confirm_old_email"
    CONFIRM_NEW_EMAIL = "confirm_new_email"
    STAFF_INVITATION = "staff_invitation"
    STAFF_RESET_PASSWORD = "staff_reset_password"  # noqa: S105 - a purpose
    ORDER_ACCESS = "order_access"


class SingleUseToken(Base):
    """The row behind a signed token that was sent by e-mail. The token itself is stored nowhere."""

    __tablename__ = "single_use_token"
    __table_args__ = (one_of("purpose", Purpose), Index("ix_single_use_token_subject", "purpose", "subject_id"))

    id: Mapped[Id]
    """`jti` of the signed token."""
    purpose: Mapped[Purpose] = mapped_column(Text)
    subject_id: Mapped[UUID]
    """The customer, member of staff, e-mail change or order that it is about."""
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ApiKeyKind(StrEnum):
    PUBLISHABLE = "publishable"
    STOREFRONT = "storefront"
    SECRET = "secret"  # noqa: S105 - a kind of key


class ApiKey(Base):
    """What a program proves itself with; the key is shown once and kept as a hash."""

    __tablename__ = "api_key"
    __table_args__ = (
        one_of("kind", ApiKeyKind),
        CheckConstraint("kind = 'secret' OR scopes = '{}'", name="scopes"),
        CheckConstraint("(kind = 'publishable') = (channel_ids <> '{}')", name="channel_ids"),
        UniqueConstraint("rotated_from"),
    )

    id: Mapped[Id]
    kind: Mapped[ApiKeyKind] = mapped_column(Text)
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    hint: Mapped[str]
    """Its last four characters, for people."""
    scopes: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    """Permissions (`resource:action`) of a secret key."""
    channel_ids: Mapped[list[UUID]] = mapped_column(server_default=text("'{}'::uuid[]"))
    """Sales channels of a publishable key. An array, as no table of pairs could hold that there is at least one;
    channels are archived and never deleted.
    """
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="SET NULL"))
    rotated_from: Mapped[UUID | None] = mapped_column(ForeignKey("api_key.id", ondelete="SET NULL"))
    """The key that this one replaces; each is replaced by one at most."""
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    """As it was made with; of one that was rotated no later than the end of the overlap."""
    revoked_at: Mapped[datetime | None]


class Attempts(Base):
    """How often something was tried in a window of time: sign-ins of an account, codes from an address."""

    __tablename__ = "attempts"

    key: Mapped[str] = mapped_column(primary_key=True)
    """What is counted, as a hash: neither addresses nor accounts stand here."""
    window_ends: Mapped[datetime] = mapped_column(index=True)
    count: Mapped[int]
