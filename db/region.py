"""Regions: a currency, the countries sold to, how tax is shown there, and who is paid through there."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import MOST_METADATA, Base, CreatedAt, Id, Metadata, Translations, one_of


class Rounding(StrEnum):
    """Of tax to minor units; negative amounts mirror positive ones."""

    HALF_UP = "half_up"
    """Halves away from zero."""
    HALF_EVEN = "half_even"
    """Halves to the even neighbour."""


class Region(Base):
    __tablename__ = "region"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("archived_at IS NULL OR NOT is_default", name="archived_at"),
        CheckConstraint("tax_provider <> ''", name="tax_provider"),
        one_of("rounding", Rounding),
        CheckConstraint("jsonb_typeof(translations) = 'object'", name="translations"),
        CheckConstraint(
            f"jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= {MOST_METADATA}", name="metadata"
        ),
        Index("uq_region_external_id", "external_id", unique=True),
        Index("uq_region_default", "is_default", unique=True, postgresql_where=text("is_default")),
    )

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    currency: Mapped[str]
    tax_inclusive: Mapped[bool]
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    rounding: Mapped[Rounding] = mapped_column(Text, server_default="half_up")
    payment_providers: Mapped[list[str] | None]
    """Through which carts of it are paid; null: through any that the shop has."""
    translations: Mapped[Translations]
    metadata_: Mapped[Metadata] = mapped_column("metadata")
    external_id: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[CreatedAt]
    archived_at: Mapped[datetime | None]
    """Since when nothing is sold there any more."""
    tax_provider: Mapped[str] = mapped_column(server_default="local")
    """Who counts taxes where the shipping address is known; `local`: the rates that are stored here."""


class RegionCountry(Base):
    """A country belongs to one region: the country code is the key."""

    __tablename__ = "region_country"
    __table_args__ = (
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        Index("uq_region_country_home", "region_id", unique=True, postgresql_where=text("is_home")),
    )

    country: Mapped[str] = mapped_column(primary_key=True)
    region_id: Mapped[UUID] = mapped_column(ForeignKey("region.id"), index=True)
    is_home: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whose taxes count while nobody has said where something goes; where no country is, the first one's do."""
