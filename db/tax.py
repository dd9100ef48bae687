"""Kinds of goods that are taxed alike, and what is taken of them where."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id


class TaxClass(Base):
    """Products and ways of delivery that name none are of the default one. Nobody can choose an archived one anew."""

    __tablename__ = "tax_class"
    __table_args__ = (
        UniqueConstraint("code"),
        Index("uq_tax_class_default", "is_default", unique=True, postgresql_where=text("is_default")),
        CheckConstraint("code <> '' AND name <> ''", name="named"),
        CheckConstraint("archived_at IS NULL OR NOT is_default", name="archived_at"),
    )

    id: Mapped[Id]
    code: Mapped[str]
    """It stays: what is taxed by it names it."""
    name: Mapped[str]
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    archived_at: Mapped[datetime | None]


class TaxRate(Base):
    """A rate as a fraction (0.21 is 21 %), of a country or a part of it. All that fit a destination add up."""

    __tablename__ = "tax_rate"
    __table_args__ = (
        UniqueConstraint(
            "country", "tax_class_code", "subdivision", "postcode_from", "postcode_to", "name",
            name="uq_tax_rate_place", postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        CheckConstraint("subdivision ~ '^[A-Z0-9]{1,3}$'", name="subdivision"),
        CheckConstraint("(postcode_from IS NULL) = (postcode_to IS NULL)", name="postcodes"),
        CheckConstraint(
            "postcode_from ~ '^[A-Z0-9]{1,12}$' AND postcode_to ~ '^[A-Z0-9]{1,12}$'"
            " AND length(postcode_from) = length(postcode_to)"
            " AND postcode_from COLLATE \"C\" <= postcode_to COLLATE \"C\"",
            name="postcode_range",
        ),
        CheckConstraint("name <> ''", name="named"),
        CheckConstraint("rate >= 0 AND rate <= 1", name="rate"),
        CheckConstraint("NOT replaces OR subdivision IS NOT NULL OR postcode_from IS NOT NULL", name="replaces"),
    )  # fmt: skip

    id: Mapped[Id]
    country: Mapped[str]
    tax_class_code: Mapped[str] = mapped_column(ForeignKey("tax_class.code"), index=True)
    subdivision: Mapped[str | None]
    """What follows the country in ISO 3166-2: `CA` of `US-CA`."""
    postcode_from: Mapped[str | None]
    """A postcode is meant whose first characters, as many as these, lie between; the same twice is a prefix."""
    postcode_to: Mapped[str | None]
    name: Mapped[str]
    rate: Mapped[Decimal] = mapped_column(Numeric(7, 6))
    replaces: Mapped[bool] = mapped_column(server_default=text("false"))
    """It takes the place of all rates of wider areas, instead of being added to them."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
