"""Trusted documents: GraphQL texts that the shop's own clients ask for by an id."""

from typing import Final

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt

LARGEST: Final = 100 * 1024
"""Bytes of a text, as many as a request may have."""
IDENTIFIER: Final = r"^[A-Za-z0-9._~:-]{1,200}$"
"""What GraphQL over HTTP allows in the identifier of a document; the length is ours."""


class TrustedDocument(Base):
    """Never changed: other text is another document, under another id. Several ids may stand for the same text."""

    __tablename__ = "trusted_document"
    __table_args__ = (
        CheckConstraint(f"id ~ '{IDENTIFIER}'", name="id"),
        CheckConstraint("left(id, 7) <> 'sha256:' OR id = 'sha256:' || sha256", name="id_of_text"),
        CheckConstraint("sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex')", name="sha256"),
        CheckConstraint(f"octet_length(text) BETWEEN 1 AND {LARGEST}", name="text"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]
    sha256: Mapped[str] = mapped_column(index=True)
    operations: Mapped[list[str]]
    """What is in it, for people: `query Browse`."""
    registered_at: Mapped[CreatedAt]
