"""The event log: what was announced, in the transaction that did it."""

from typing import Any

from sqlalchemy import BigInteger, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from db.base import Base, CreatedAt


class Xid8(UserDefinedType[int]):
    """A transaction id of PostgreSQL, 64 bits wide, so that it never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Event(Base):
    """Ids commit out of order, so readers go by `(xid, id)` and never by `id` alone (see server/relay.py)."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_xid_id", "xid", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    xid: Mapped[int] = mapped_column(Xid8, server_default=func.pg_current_xact_id())
    name: Mapped[str]
    topic: Mapped[str]
    """What it is about, `ticket:<uuid>` or `order:<uuid>`: live streams listen by it."""
    data: Mapped[dict[str, Any]]
    at: Mapped[CreatedAt]
