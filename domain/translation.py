"""Translations: texts of a thing by locale and field, shown in the operation's locale and else as they were written.

`{"de": {"title": "Becher"}}` lies in the column `translations` beside the texts themselves. `de-AT` falls back to `de`,
and that to the text that was written without a locale.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, cast

from babel import Locale, UnknownLocaleError
from sqlalchemy import ColumnElement, Integer, Text, bindparam, case, func, literal_column
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.sql.elements import Grouping

from db.base import Base
from domain.refusal import Gathering, Key, ValidationFailed

Translations = Mapping[str, Mapping[str, str]]
MOST_LOCALES: Final = 50
ON_ONE_LINE: Final = frozenset({"name", "title", "subtitle", "seo_title"})
_TAG: Final = re.compile(
    r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?(?:[-_][A-Za-z0-9]{4,8})*"
)
LOCALES: Final = bindparam("locales", type_=ARRAY(Text))
"""The parameter of statements that show texts: the locales to look in, the closest first (`fallbacks`)."""
NO_LOCALES: Final[tuple[str, ...]] = ()


@lru_cache(maxsize=512)
def fallbacks(locale: str | None) -> tuple[str, ...]:
    """`zh-Hant-TW` looks in itself, in `zh-Hant` and in `zh`; what is no locale looks nowhere."""
    found = _TAG.fullmatch(locale) if locale and len(locale) <= 35 else None
    if found is None:
        return NO_LOCALES
    language, script, territory = found.groups()
    parts = [language.lower(), *([script.title()] if script else []), *([territory.upper()] if territory else [])]
    return tuple("-".join(parts[:length]) for length in range(len(parts), 0, -1))


@lru_cache(maxsize=512)
def conventions(locale: str) -> Locale | None:
    """How numbers and dates are written there, which is known of the language and not of every place: `de-US` writes as
    `de`. Null: it is no locale, or one of a language that nobody knows.
    """
    for name in (locale, *fallbacks(locale)) if fallbacks(locale) else ():
        with suppress(UnknownLocaleError, ValueError):
            return Locale.parse(name, sep="-" if "-" in name else "_")
    return None


def canonical(locale: str) -> str:
    """`de_at` is `de-AT`; refuses what is no locale that texts are kept in."""
    chain = fallbacks(locale)
    try:
        if not chain or len(chain[0]) != len(locale):
            raise ValueError(locale)
        Locale.parse(chain[0], sep="-")
    except (UnknownLocaleError, ValueError):
        raise ValidationFailed("This is not a locale such as de or de-AT.") from None
    return chain[0]


def checked(translations: Translations, fields: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """The translations of a thing as they are stored, empty texts and locales left out.

    `fields` are those that the thing has texts in, with the most characters of each. Refuses, by locale and field,
    what is no locale, what there is no such field for, and what is too long.
    """
    if len(translations) > MOST_LOCALES:
        raise ValidationFailed(f"There are at most {MOST_LOCALES} locales.")
    gathering = Gathering()
    kept: dict[str, dict[str, str]] = {}
    for locale, texts in translations.items():
        with gathering.at(Key(locale)):
            name = canonical(locale)
            if name in kept:
                raise ValidationFailed("Name each locale once.")
            kept[name] = checked_texts(texts, fields)
    gathering.raise_if_any()
    return {locale: texts for locale, texts in kept.items() if texts}


def checked_texts(texts: Mapping[str, str | None], fields: Mapping[str, int]) -> dict[str, str]:
    """The same of one locale; null and empty texts are left out, and fall back."""
    gathering = Gathering()
    for field, text in texts.items():
        with gathering.at(Key(field)):
            if field not in fields:
                raise ValidationFailed(f"Texts are translated in {', '.join(fields)}.")
            if text is not None and not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - of JSON
                raise ValidationFailed("A translation is a text.")
            if text is not None and len(text) > fields[field]:
                raise ValidationFailed(f"It has at most {fields[field]:,} characters.")
            if text is not None and field in ON_ONE_LINE and not text.strip().isprintable():
                raise ValidationFailed("Write it on one line.")
    gathering.raise_if_any()
    return {field: kept for field, text in texts.items() if (kept := (text or "").strip())}


def translated(model: type[Base], field: str, name: str | None = None) -> ColumnElement[Any]:
    """The text `field` of a model that has `translations`, in the locales of the statement's parameter `locales`, under
    its own name or another. For null or no locales it is as it was written.
    """
    column, translations = model.__table__.c[field], model.__table__.c["translations"]
    texts = (translations.op("#>>", return_type=Text())(array([_locale(i), _constant(field)])) for i in (1, 2, 3))
    # Long lists have many texts: without locales they are not looked up in vain.
    return case(
        (func.cardinality(LOCALES) > literal_column("0", Integer), func.coalesce(*texts, column)), else_=column
    ).label(name or field)


def translated_in(model: type[Base], field: str, locale: ColumnElement[Any], name: str | None = None) -> Any:
    """The same in a locale that is a column or an expression, as `canonical` and `fallbacks` write it."""
    column, translations = model.__table__.c[field], model.__table__.c["translations"]
    chain = (locale, func.regexp_replace(locale, "-[^-]*$", ""), func.split_part(locale, "-", 1))
    texts = (translations.op("#>>", return_type=Text())(array([one, _constant(field)])) for one in chain)
    return func.coalesce(*texts, column).label(name or field)


def _locale(i: int) -> ColumnElement[str]:
    """`($1::text[])[1]`; without the brackets PostgreSQL takes the index for a part of the type."""
    return cast("Any", Grouping(LOCALES))[literal_column(str(i), Integer)]


def _constant(field: str) -> ColumnElement[str]:
    """The name of a mapped column, as a text in SQL: no parameter, so that long lists do not send it for each text."""
    return literal_column(repr(field), Text)


def translated_row(row: Mapping[str, Any], locales: tuple[str, ...], *fields: str) -> dict[str, Any]:
    """A row that was read with its `translations`, in the locales of `fallbacks`."""
    return {**row, **{field: text(row, locales, field) for field in fields}}


def text(row: Mapping[str, Any], locales: tuple[str, ...], field: str) -> Any:
    """One text of such a row."""
    of = row["translations"]
    return next((found for locale in locales if (found := of.get(locale, {}).get(field))), row[field])
