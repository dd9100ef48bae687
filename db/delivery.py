"""Ways in which a region delivers, and what providers of delivery offered for carts."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, Minor, one_of


class DeliveryKind(StrEnum):
    FLAT = "flat"
    BY_WEIGHT = "by_weight"
    BY_SUBTOTAL = "by_subtotal"


class DeliveryTax(StrEnum):
    REGION = "region"
    """The rates of where it goes, for its tax class."""
    OWN = "own"
    """The rates of the option."""
    PROPORTIONAL = "proportional"
    """Those of the lines, each for its share."""


LOCAL = "local"
"""The provider whose prices stand in the option itself."""


class DeliveryOption(Base):
    """Amounts are gross or net as the region says. What carts and orders refer to is archived, not deleted."""

    __tablename__ = "delivery_option"
    __table_args__ = (
        UniqueConstraint("id", "region_id"),
        Index(
            "uq_delivery_option_code", "region_id", "code", unique=True, postgresql_where=text("archived_at IS NULL")
        ),
        one_of("kind", DeliveryKind),
        one_of("tax_treatment", DeliveryTax),
        CheckConstraint("code <> '' AND name <> '' AND provider <> ''", name="named"),
        CheckConstraint("jsonb_typeof(tiers) = 'array'", name="tiers"),
        CheckConstraint("jsonb_typeof(tax_rates) = 'array'", name="tax_rates"),
        CheckConstraint("free_from >= 0 AND fallback >= 0", name="amounts"),
        CheckConstraint("days_min >= 0 AND days_max >= days_min", name="days"),
        CheckConstraint("tax_class_code IS NULL OR tax_treatment = 'region'", name="tax_class_code"),
    )

    id: Mapped[Id]
    region_id: Mapped[UUID] = mapped_column(ForeignKey("region.id"))
    code: Mapped[str]
    """Short name, unique among those of its region; a provider's offer has it too."""
    name: Mapped[str]
    position: Mapped[int] = mapped_column(server_default=text("0"))
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    kind: Mapped[DeliveryKind] = mapped_column(Text, server_default="flat")
    tiers: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    """`[{"from", "amount"}]` rising: from so many grams or minor units on; amount null: not delivered from there on."""
    free_from: Mapped[Minor | None]
    """The subtotal from which it costs nothing."""
    tax_treatment: Mapped[DeliveryTax] = mapped_column(Text, server_default="region")
    tax_rates: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    """`[{"name", "rate"}]`, the rate as text: those of the treatment `own`."""
    tax_class_code: Mapped[str | None] = mapped_column(ForeignKey("tax_class.code"))
    """Null: the default one."""
    countries: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    """Empty: wherever the address is."""
    provider: Mapped[str] = mapped_column(server_default=LOCAL)
    fallback: Mapped[Minor | None]
    """What it costs while its provider gives no answer; null: it cannot be had then."""
    days_min: Mapped[int | None]
    days_max: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    archived_at: Mapped[datetime | None]


class QuoteKind(StrEnum):
    DELIVERY = "delivery"
    TAX = "tax"


class Quote(Base):
    """What a provider said of a cart, for as long as the cart is what it was asked about."""

    __tablename__ = "quote"
    __table_args__ = (
        UniqueConstraint("cart_id", "kind", "provider"),
        one_of("kind", QuoteKind),
        CheckConstraint("offers IS NULL OR jsonb_typeof(offers) = 'array'", name="offers"),
    )

    id: Mapped[Id]
    cart_id: Mapped[UUID] = mapped_column(ForeignKey("cart.id", ondelete="CASCADE"))
    kind: Mapped[QuoteKind] = mapped_column(Text, server_default="delivery")
    provider: Mapped[str]
    hash: Mapped[str]
    """Of everything that the answer depends on: lines, address, currency."""
    offers: Mapped[list[dict[str, Any]] | None]
    """`[{"code", "amount", "days_min", "days_max"}]` of deliveries, `[{"key", "taxes"}]` of taxes; null: the provider
    gave no answer.
    """
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]
