"""Patterns of text in the schemas of briefs, by RE2: their time rises with the length of the text alone.

Staff write them, and whoever buys sends the text; what backtracks could be kept busy for hours by twenty letters. In
return RE2 neither looks ahead or back nor refers to a group.
"""

import re
from functools import lru_cache
from typing import Any, Final, cast

import re2

MOST_STEPS: Final = 10_000
"""Of all patterns of a schema: instructions of RE2's programs, with what is repeated written out."""
_RE2: Final = cast("Any", re2)
_OPTIONS: Final = _RE2.Options()
_OPTIONS.max_mem, _OPTIONS.log_errors, _OPTIONS.never_capture = 2**20, False, True
_ESCAPED: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|.)", re.DOTALL)
_ALIKE: Final = re.compile(r"(?:[^\\({]|\\.|\((?!\?)|\(\?:|\{\d{1,4}(?:,\d{0,4})?\})*", re.DOTALL)
"""What RE2 and browsers read alike."""


class Unclear(ValueError):
    """Not a pattern that can be followed; says why."""


@lru_cache(maxsize=512)
def pattern(written: str) -> Any:
    """As JSON Schema has it: found anywhere, unless `^` and `$` say otherwise. `search` and `programsize` are RE2's."""
    if not _ALIKE.fullmatch(written):
        raise Unclear("groups are ( ) or (?: ), { itself is \\{, and it cannot look ahead or back")
    try:
        return _RE2.compile(_ESCAPED.sub(_as_re2, written), options=_OPTIONS)
    except _RE2.error as error:
        raise Unclear(error.args[0].decode()) from None


def _as_re2(escaped: re.Match[str]) -> str:
    return f"\\x{{{escaped[1]}}}" if escaped[1] else escaped[0]
