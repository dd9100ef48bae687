"""Files that people upload: artwork and proofs of tickets, pictures of the catalogue. The bytes lie in a storage."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import DDL, BigInteger, CheckConstraint, ForeignKey, Index, Text, event, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, one_of
from db.ticket import Visibility
from db.workflow import ActorKind

LARGEST: Final = 5 * 2**30
"""Bytes: more cannot be sent to S3 at once."""


class FilePurpose(StrEnum):
    TICKET_FILE = "ticket_file"
    PROOF = "proof"
    PRODUCT_MEDIA = "product_media"
    CATEGORY_PICTURE = "category_picture"
    COLLECTION_PICTURE = "collection_picture"


class FileState(StrEnum):
    PENDING = "pending"
    """It was announced; its bytes may be on their way."""
    READY = "ready"
    """Its bytes are there, are what was announced, and are of a type that its purpose takes."""
    REJECTED = "rejected"
    """They are not. For good."""
    REMOVED = "removed"
    """It is shown to nobody any more, and its bytes go or are gone."""


class File(Base):
    """Where its bytes lie follows from its id alone, and never from what somebody calls it."""

    __tablename__ = "file"
    __table_args__ = (
        one_of("purpose", FilePurpose),
        one_of("state", FileState),
        one_of("visibility", Visibility),
        one_of("created_by_kind", ActorKind),
        CheckConstraint(f"size BETWEEN 1 AND {LARGEST}", name="size"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint(
            "CASE WHEN purpose IN ('ticket_file', 'proof') THEN product_id IS NULL "
            "WHEN purpose = 'product_media' THEN ticket_id IS NULL "
            "ELSE ticket_id IS NULL AND product_id IS NULL END",
            name="subject",
        ),
        CheckConstraint("state <> 'ready' OR content_type IS NOT NULL", name="content_type"),
        CheckConstraint("attached_at IS NULL OR state IN ('ready', 'removed')", name="attached_at"),
        CheckConstraint("(state = 'rejected') = (reason IS NOT NULL)", name="reason"),
        Index("ix_file_ticket_id", "ticket_id", "id"),
        Index("ix_file_product_id", "product_id", "id"),
        Index("ix_file_unattached", "created_at", postgresql_where=text("attached_at IS NULL")),
        Index("ix_file_removed", "id", postgresql_where=text("state = 'removed' AND bytes_gone_at IS NULL")),
    )

    id: Mapped[Id]
    purpose: Mapped[FilePurpose] = mapped_column(Text)
    ticket_id: Mapped[UUID | None] = mapped_column(ForeignKey("ticket.id", ondelete="SET NULL"))
    """Of artwork and proofs: the ticket that they are for; null once that is gone."""
    product_id: Mapped[UUID | None] = mapped_column(ForeignKey("product.id", ondelete="SET NULL"))
    """Of product media likewise."""
    name: Mapped[str]
    """What its owner calls it: shown, offered when it is downloaded, and used for nothing else."""
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    state: Mapped[FileState] = mapped_column(Text, server_default="pending")
    content_type: Mapped[str | None]
    """Found in its bytes, whatever its name and its sender say."""
    width: Mapped[int | None]
    height: Mapped[int | None]
    """Of pictures, as they are shown."""
    thumbnails: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'::bigint[]"))
    """Widths of the smaller copies that there are."""
    reason: Mapped[str | None]
    """Why it was rejected."""
    visibility: Mapped[Visibility] = mapped_column(Text, server_default="public")
    """That of what it is attached to."""
    created_by_kind: Mapped[ActorKind] = mapped_column(Text)
    created_by: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    upload_until: Mapped[datetime]
    attached_at: Mapped[datetime | None]
    """When it became part of a message, a proof or something of the catalogue. One that never does is removed after a
    day.
    """
    bytes_gone_at: Mapped[datetime | None]


# Whatever ends that a category or collection shows it, an import among it: nothing else refers to such a file.
FREE: Final = """
CREATE FUNCTION free_picture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.image_file_id IS DISTINCT FROM OLD.image_file_id THEN
        UPDATE file SET state = 'removed' WHERE id = OLD.image_file_id AND state <> 'removed';
    END IF;
    RETURN NULL;
END $$;
"""
PICTURES: Final = [
    FREE,
    *(
        f"CREATE TRIGGER {table}_picture AFTER UPDATE OF image_file_id OR DELETE ON {table} "
        "FOR EACH ROW WHEN (OLD.image_file_id IS NOT NULL) EXECUTE FUNCTION free_picture()"
        for table in ("category", "collection")
    ),
]
for statement in PICTURES:
    event.listen(Base.metadata, "after_create", DDL(statement.replace("%", "%%")))
