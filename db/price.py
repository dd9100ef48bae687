"""One table of prices: a variant's amounts by currency, region and quantity."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, Minor


class Price(Base):
    """Gross or net as the region that reads it says; `region_id` null: any region of the currency."""

    __tablename__ = "price"
    __table_args__ = (
        UniqueConstraint("variant_id", "currency", "region_id", "min_quantity", postgresql_nulls_not_distinct=True),
        CheckConstraint("amount >= 0 AND compare_at >= 0", name="amount"),
        CheckConstraint("min_quantity >= 1", name="min_quantity"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )

    id: Mapped[Id]
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"))
    currency: Mapped[str]
    region_id: Mapped[UUID | None] = mapped_column(ForeignKey("region.id"))
    min_quantity: Mapped[int] = mapped_column(server_default=text("1"))
    amount: Mapped[Minor]
    compare_at: Mapped[Minor | None]
    created_at: Mapped[CreatedAt]
