"""Text as the search sees it: folded to small letters without marks, cut into words. Pure.

The same is done by SQL to what products say (`fold` in db/listing.py, `SEPARATORS` in domain/listing_refresh.py), so
that whatever is asked becomes plain words before PostgreSQL sees it, and no operator of its query language is left.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

SEPARATORS: Final = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff"
    r"\u3000-\u3004\u3008-\u3020\uff01-\uff0f\uff1a-\uff20]+"
)
"""What stands between words; not by classes of characters, which depend on how a database was made."""
MOST_CHARACTERS: Final = 1_000
MOST_WORDS: Final = 12
LONGEST_WORD: Final = 255
SHORTEST_MISTYPED: Final = 4
"""In shorter words a letter more or less makes another word."""
PLAIN: Final = "simple"
DEFAULT_LANGUAGE: Final = "english"
"""Of texts that were written without a locale. Where they are of another one their words still match as written."""
LANGUAGES: Final = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
    "": DEFAULT_LANGUAGE,
}
"""By language PostgreSQL's text search configuration, which cuts off endings and leaves out words that say nothing."""
_MARKS: Final = re.compile("[\u0300-\u036f]")
_BETWEEN: Final = re.compile(SEPARATORS)
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "ς": "σ", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
)


def folded(text: str) -> str:
    return _MARKS.sub("", unicodedata.normalize("NFKD", text).lower()).translate(_LETTERS)


def words(text: str) -> list[str]:
    """At most so many, in their order; of what is longer than anybody types only the beginning counts."""
    found = _BETWEEN.sub(" ", folded(text[:MOST_CHARACTERS]).replace("\0", " ")).split()
    return [word[:LONGEST_WORD] for word in found[:MOST_WORDS]]


def rests(word: str) -> list[str]:
    """The word itself and what is left of it without one of its letters; nothing of short words and of numbers."""
    if len(word) < SHORTEST_MISTYPED or word.isdecimal():
        return []
    return sorted({word, *(word[:i] + word[i + 1 :] for i in range(len(word)))})


def one_error_apart(one: str, other: str) -> bool:
    """A letter more, less or other, or two neighbours swapped."""
    if one == other:
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[1::-1] == b[:2] and a[2:] == b[2:])


def languages(locales: Sequence[str]) -> list[str]:
    """The configurations of locales, the closest first, and of texts without one."""
    found = [LANGUAGES.get(locale.partition("-")[0], PLAIN) for locale in locales]
    return list(dict.fromkeys([*found, DEFAULT_LANGUAGE]))


def lexeme(word: str) -> str:
    """As it is written in a query of PostgreSQL's: quoted, whatever it is."""
    quoted = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}'"


def all_of(choices: Iterable[Iterable[str]]) -> str:
    """A query for documents that have one of the lexemes of each."""
    return " & ".join(f"({' | '.join(dict.fromkeys(choice))})" for choice in choices)
