"""Sales channels, and in which of them a product is published from when until when."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id


class Channel(Base):
    """A way in which the shop sells: its own site, a marketplace, a till. One is the default."""

    __tablename__ = "channel"
    __table_args__ = (
        CheckConstraint("code ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="code"),
        CheckConstraint("archived_at IS NULL OR NOT is_default", name="archived_at"),
        Index("uq_channel_default", "is_default", unique=True, postgresql_where=text("is_default")),
    )

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    archived_at: Mapped[datetime | None]


class ProductChannel(Base):
    """A product is for sale in the channel from `published_from` on and before `published_until`; null: no bound."""

    __tablename__ = "product_channel"
    __table_args__ = (
        CheckConstraint("published_from < published_until", name="window"),
        Index("ix_product_channel_product_id", "product_id"),
        Index(
            "ix_product_channel_published_from",
            "published_from",
            postgresql_where=text("published_from IS NOT NULL"),
        ),
        Index(
            "ix_product_channel_published_until",
            "published_until",
            postgresql_where=text("published_until IS NOT NULL"),
        ),
    )

    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    published_from: Mapped[datetime | None]
    published_until: Mapped[datetime | None]
