"""Handles that were given up, so that old addresses lead on: written by triggers, whoever changes a handle."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import DDL, CheckConstraint, Index, event, func
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base

HANDLED: Final = ("product", "category", "collection")


class HandleHistory(Base):
    """A handle that something had before. Several may have had it one after the other."""

    __tablename__ = "handle_history"
    __table_args__ = (
        CheckConstraint("kind IN ('product', 'category', 'collection')", name="kind"),
        Index("ix_handle_history_entity_id", "kind", "entity_id"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    """The table of what had it."""
    handle: Mapped[str] = mapped_column(primary_key=True)
    entity_id: Mapped[UUID] = mapped_column(primary_key=True)
    given_up_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


# What has a handle again does not have it formerly; what is deleted had nothing that leads anywhere.
KEEP_HANDLES: Final = """
CREATE FUNCTION keep_handle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM handle_history WHERE kind = TG_TABLE_NAME AND entity_id = OLD.id;
    ELSE
        DELETE FROM handle_history WHERE kind = TG_TABLE_NAME AND entity_id = NEW.id AND handle = NEW.handle;
        INSERT INTO handle_history (kind, handle, entity_id) VALUES (TG_TABLE_NAME, OLD.handle, OLD.id)
        ON CONFLICT (kind, handle, entity_id) DO UPDATE SET given_up_at = clock_timestamp();
    END IF;
    RETURN NULL;
END $$;
"""
HANDLE_TRIGGERS: Final = [
    trigger
    for table in HANDLED
    for trigger in (
        f"CREATE TRIGGER {table}_handle_kept AFTER UPDATE OF handle ON {table} FOR EACH ROW "
        "WHEN (OLD.handle IS DISTINCT FROM NEW.handle) EXECUTE FUNCTION keep_handle()",
        f"CREATE TRIGGER {table}_handle_gone AFTER DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION keep_handle()",
    )
]
for statement in (KEEP_HANDLES, *HANDLE_TRIGGERS):
    event.listen(Base.metadata, "after_create", DDL(statement.replace("%", "%%")))
