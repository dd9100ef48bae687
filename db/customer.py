"""Those who buy and those who work here."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id


class Customer(Base):
    __tablename__ = "customer"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email"),)

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    """Normalised: lower case."""
    password_hash: Mapped[str | None]
    first_name: Mapped[str] = mapped_column(server_default="")
    last_name: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]


class Staff(Base):
    __tablename__ = "staff"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email"),)

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[CreatedAt]


class Role(Base):
    __tablename__ = "role"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    permissions: Mapped[list[str]]
    """`resource:action`, for example `tickets:write`."""


class StaffRole(Base):
    __tablename__ = "staff_role"

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[UUID] = mapped_column(ForeignKey("role.id"), primary_key=True)
