"""Regions: a currency, the countries sold to, and how tax is shown there."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id


class Region(Base):
    __tablename__ = "region"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("uq_region_default", "is_default", unique=True, postgresql_where=text("is_default")),
    )

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    currency: Mapped[str]
    tax_inclusive: Mapped[bool]
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]


class RegionCountry(Base):
    """A country belongs to one region: the country code is the key."""

    __tablename__ = "region_country"
    __table_args__ = (CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),)

    country: Mapped[str] = mapped_column(primary_key=True)
    region_id: Mapped[UUID] = mapped_column(ForeignKey("region.id"), index=True)


class TaxRate(Base):
    """A rate as a fraction (0.21 is 21 %); several rates of a region add up."""

    __tablename__ = "tax_rate"
    __table_args__ = (CheckConstraint("rate >= 0 AND rate <= 1", name="rate"),)

    region_id: Mapped[UUID] = mapped_column(ForeignKey("region.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    rate: Mapped[Decimal] = mapped_column(Numeric(7, 6))
