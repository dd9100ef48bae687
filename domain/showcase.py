"""What categories and collections tell of themselves: texts, picture, metadata; checked and written in one place."""

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

import nh3
from asyncpg import UniqueViolationError
from sqlalchemy import bindparam, func, select, update

from db import Category, Collection
from db.base import MOST_METADATA
from db.connection import Tx
from domain import handle as handles
from domain import metadata, translation
from domain.refusal import Gathering, NotFound, Refusal, ValidationFailed, VersionConflict

Shown = TypeVar("Shown", Category, Collection)
LONGEST_NAME: Final = 255
LONGEST_TEXT: Final = 65_536
LONGEST_SEO: Final = 1_000
LONGEST_ALT: Final = 500
_ADDRESS: Final = re.compile(r"https?://\S{1,2000}")
_MAY_BE_NULL: Final = frozenset({"external_id", "seo_title", "seo_description", "image"})


@dataclass(frozen=True)
class Image:
    """A picture that lies elsewhere, at `url`, or was uploaded here (domain/showcase_picture.py says where it is)."""

    url: str | None
    alt: str
    file_id: UUID | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("url"):
            if self.file_id is None and (self.url is None or not _ADDRESS.fullmatch(self.url)):
                raise ValidationFailed("Write the address of an image, such as https://example.com/a.jpg.")
        with gathering.at("alt"):
            if len(self.alt) > LONGEST_ALT or not self.alt.isprintable():
                raise ValidationFailed(f"A description has at most {LONGEST_ALT} characters on one line.")
        gathering.raise_if_any()

    @property
    def columns(self) -> dict[str, Any]:
        return {"image_url": self.url, "image_alt": self.alt.strip(), "image_file_id": self.file_id}


NO_IMAGE: Final = {"image_url": None, "image_alt": "", "image_file_id": None}


def columns(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The columns of what was given, null being given too; refuses all that cannot be, each by its path.

    `name` is what the thing calls its own name. What is not told of here is passed on as it is.
    """
    gathering = Gathering()
    made: dict[str, Any] = {}
    for field, value in given.items():
        with gathering.at(field):
            if value is None and field not in _MAY_BE_NULL:
                raise ValidationFailed("This cannot be null: leave it out to keep it.")
            made |= _columns_of(field, value, name)
    gathering.raise_if_any()
    return made


def _columns_of(field: str, value: Any, name: str) -> dict[str, Any]:
    if field == "image":
        return NO_IMAGE if value is None else value.columns
    check = _line if field == name else _CHECKS.get(field)
    if value is None or check is None:
        return {field: value}
    if field == "translations":
        return {field: _translations(value, name)}
    return {field: check(value)}


def _line(value: str) -> str:
    if not 1 <= len(value.strip()) <= LONGEST_NAME or not value.isprintable():
        raise ValidationFailed(f"This has 1 to {LONGEST_NAME} characters on one line.")
    return value.strip()


def _handle(value: str) -> str:
    if not handles.is_handle(value):
        raise ValidationFailed("Write a handle of letters, digits and hyphens, such as blue-shirts.")
    return value


def _seo(value: str) -> str:
    if len(value) > LONGEST_SEO:
        raise ValidationFailed(f"This has at most {LONGEST_SEO:,} characters.")
    return value


def _html(value: str) -> str:
    if len(value) > LONGEST_TEXT:
        raise ValidationFailed(f"This has at most {LONGEST_TEXT:,} characters.")
    return nh3.clean(value)


def _metadata(value: Any) -> Any:
    given: Any = value
    if not isinstance(value, dict):
        raise ValidationFailed("Metadata is a JSON object.")
    if metadata.size_of(given) > MOST_METADATA:
        raise ValidationFailed(f"Metadata has at most {MOST_METADATA:,} bytes.")
    return given


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "handle": _handle,
    "description": _html,
    "external_id": _line,
    "seo_title": _seo,
    "seo_description": _seo,
    "metadata": _metadata,
    "translations": lambda value: value,
}


def _translations(value: Any, name: str) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict) or not all(isinstance(texts, dict) for texts in value.values()):  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        raise ValidationFailed('Translations are texts by locale and field: {"de": {"description": "…"}}.')
    fields = {name: LONGEST_NAME, "description": LONGEST_TEXT, "seo_title": LONGEST_SEO, "seo_description": LONGEST_SEO}
    kept = translation.checked(value, fields)  # pyright: ignore[reportUnknownArgumentType] - JSON
    for texts in kept.values():
        if "description" in texts:
            texts["description"] = nh3.clean(texts["description"])
    return kept


def new_columns(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The same of a new thing: null is as good as left out."""
    return columns({field: value for field, value in given.items() if value is not None}, name)


async def make(tx: Tx, model: type[Shown], row: Mapping[str, Any], name: str) -> Shown:
    """Inserts a row with the handle that it names, else with one made of its name."""
    handle = row.get("handle")
    rest = {column: value for column, value in row.items() if column != "handle"}
    with unique():
        return await handles.made(tx, model, rest, handle, row[name])


async def locked(tx: Tx, model: type[Shown], key: UUID, if_version: int | None, *path: str) -> Shown:
    """The row, which nobody else changes until the commit; refuses another version."""
    row: Any = await tx.first(_locked(model), id=key)
    if row is None:
        raise NotFound(path=path or ("id",))
    if if_version is not None and row.version != if_version:
        message = f"It has changed since it was read: it is at version {row.version}."
        raise VersionConflict(message, path=("if_version",), current_version=row.version)
    return row


async def write(tx: Tx, model: type[Shown], row: Shown, changes: Mapping[str, Any]) -> Shown:
    """A row that is `locked`, with these columns and the next version. As it was already changes nothing."""
    old: Any = row
    differing = {name: value for name, value in changes.items() if old[name] != value}
    if not differing:
        return row
    with unique():
        return await tx.one(_change(model, tuple(sorted(differing))), id=old.id, **differing)


async def touch(tx: Tx, model: type[Shown], key: UUID) -> Shown:
    """The next version of a row whose surroundings have changed."""
    return await tx.one(_change(model, ()), id=key)


@contextmanager
def unique() -> Generator[None]:
    """What the unique indexes of both tables say, as refusals."""
    try:
        yield
    except UniqueViolationError as error:
        raise _taken(str(getattr(error, "constraint_name", ""))) from None


def _taken(constraint: str) -> Refusal:
    if constraint.endswith("_external_id"):
        return ValidationFailed("Something else has this external id.", path=("external_id",))
    if constraint.endswith("_image_file_id"):
        return ValidationFailed("This file is a picture of something else.", path=("image", "file_id"))
    return handles.taken()


@cache
def _locked(model: type[Any]) -> Any:
    named: Any = model.id == bindparam("id")
    return select(model).where(named).with_for_update(key_share=True)


@cache
def _change(model: type[Any], names: tuple[str, ...]) -> Any:
    table: Any = model.__table__
    values = {table.c[name]: bindparam(name, type_=table.c[name].type) for name in names}
    raised = {table.c.version: table.c.version + 1, table.c.updated_at: func.now()}
    changed: Any = update(table).where(table.c.id == bindparam("id")).values(values | raised)
    return changed.returning(*table.c)
