"""The event log: what was announced, in the transaction that did it. Triggers place it: no way of writing can forget.

Ids and transactions commit out of order. So a stream over many entities is told an event when every transaction
below `follows` has ended, in the order of `(follows, id)`. `follows` is the event's transaction, or that of the last
event of the same entity where that is higher: a transaction that began earlier may have waited for a later one, and
what is written of one thing is to be told in the order in which it happened.
"""

from typing import Any, Final

from sqlalchemy import DDL, BigInteger, CheckConstraint, Identity, Index, func, text
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from db.base import Base, CreatedAt


class Xid8(UserDefinedType[int]):
    """A transaction id of PostgreSQL, 64 bits wide, so that it never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Event(Base):
    """Ids commit out of order, so readers go by `(follows, id)` and never by `id` alone (see server/relay.py)."""

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_follows_id", "follows", "id"),
        Index("ix_event_entity", "entity", "follows", "id", postgresql_where=text("entity IS NOT NULL")),
        Index("ix_event_tickets", "follows", "id", postgresql_where=text("name = 'TicketChanged'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    xid: Mapped[int] = mapped_column(Xid8, server_default=func.pg_current_xact_id())
    name: Mapped[str]
    topic: Mapped[str]
    """What it is about, `ticket:<uuid>` or `order:<uuid>`: live streams listen by it."""
    data: Mapped[dict[str, Any]]
    at: Mapped[CreatedAt]
    entity: Mapped[str | None]
    """What streams over several things follow: the order that it belongs to, or the customer; null: no such stream
    tells of it.
    """
    follows: Mapped[int] = mapped_column(Xid8, server_default=func.pg_current_xact_id())


class LogState(Base):
    """One row: which log this is. A cursor of another one says nothing here."""

    __tablename__ = "log_state"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    """Rises when the log was taken to another server, or to another past of this one."""
    identity: Mapped[str | None]
    """Of the server and the database when that was last looked at; null: it never was."""
    kept_from: Mapped[int] = mapped_column(Xid8, server_default=text("'0'::xid8"))
    """Events below it may be gone."""


PLACE: Final = """
CREATE FUNCTION place_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.entity := CASE WHEN NEW.data ? 'order_id' THEN 'order:' || (NEW.data ->> 'order_id') ELSE NEW.topic END;
    NEW.follows := greatest(NEW.xid, (
        SELECT follows FROM event WHERE entity = NEW.entity ORDER BY entity DESC, follows DESC, id DESC LIMIT 1));
    RETURN NEW;
END $$;
"""
PLACED: Final = """
CREATE TRIGGER event_placed BEFORE INSERT ON event FOR EACH ROW
WHEN (NEW.topic LIKE 'order:%' OR NEW.topic LIKE 'customer:%' OR NEW.data ? 'order_id')
EXECUTE FUNCTION place_event();
"""
LOG_CHANGE: Final = """
CREATE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (name, topic, data)
    VALUES (initcap(TG_TABLE_NAME) || 'Changed', TG_TABLE_NAME || ':' || OLD.id,
            jsonb_build_object(TG_TABLE_NAME || '_id', OLD.id));
    RETURN NULL;
END $$;
"""
# Nobody sees an order before it is placed, but its customer then sees it at once.
ORDER_CHANGED: Final = """
CREATE TRIGGER order_changed AFTER UPDATE ON "order" FOR EACH ROW
WHEN (NEW.status <> 'pending' AND OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION log_change();
"""
CART_CHANGED: Final = """
CREATE TRIGGER cart_changed AFTER UPDATE ON cart FOR EACH ROW
WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION log_change();
"""
CART_DELETED: Final = """
CREATE TRIGGER cart_deleted AFTER DELETE ON cart FOR EACH ROW EXECUTE FUNCTION log_change();
"""
LOG_CHANGES: Final = [PLACE, PLACED, LOG_CHANGE, ORDER_CHANGED, CART_CHANGED, CART_DELETED]
for statement in LOG_CHANGES:
    sqlalchemy_event.listen(Base.metadata, "after_create", DDL(statement.replace("%", "%%")))
