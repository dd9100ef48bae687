"""What every mapped class shares: the declarative base, naming of constraints, column types."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Integer, MetaData, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, mapped_column

Id = Annotated[UUID, mapped_column(primary_key=True)]
Minor = Annotated[int, mapped_column(BigInteger)]
"""An amount of money in minor units (cents, yen, fils)."""
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]
Metadata = Annotated[dict[str, Any], mapped_column(server_default=text("'{}'::jsonb"))]
MOST_METADATA = 16_384
"""Bytes of the metadata of one thing of the catalogue, as PostgreSQL writes it."""
Translations = Annotated[dict[str, Any], mapped_column(server_default=text("'{}'::jsonb"))]
"""By locale the text of each field: `{"de": {"title": "Becher"}}`."""


class Base(DeclarativeBase):
    """Columns only: relations are batches in `resolvers`, so there is no `relationship()` anywhere."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as a plain class attribute
        str: Text,
        int: Integer,
        UUID: Uuid,
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
        list[UUID]: ARRAY(Uuid),
    }


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """The CHECK that keeps a text column within an enum; adding a value is a plain migration."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
