"""Places in an order as text: between any two there is always room for another, so a move changes one row.

David Greenspan's fractional indexing: an integer part, whose first letter says how long it is, then a fraction.
Keys compare as bytes. At either end they grow by the logarithm of how often something was put there.
"""

from typing import Final

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE: Final = len(DIGITS)
SMALLEST: Final = "A" + "0" * 26
"""The integer part below which there is none; no key is this alone."""


def of_number(number: int) -> str:
    """The place of what is numbered, up to 999,999,999: in the order of the numbers."""
    return f"i{number:09d}"


def spread(before: str | None, after: str | None, count: int) -> list[str]:
    """So many keys between two, in their order, and none longer than it has to be."""
    if count == 0:
        return []
    if after is None:
        keys = [between(before, None)]
        while len(keys) < count:
            keys.append(between(keys[-1], None))
        return keys
    middle = between(before, after)
    left = spread(before, middle, count // 2)
    return [*left, middle, *spread(middle, after, count - 1 - len(left))]


def between(before: str | None, after: str | None) -> str:
    """A key above `before` and below `after`; None: there is nothing on that side."""
    if before is not None and after is not None and before >= after:
        raise ValueError(f"{before} is not before {after}")
    if before is None:
        return "a0" if after is None else _below(after)
    whole, fraction = _parts(before)
    if after is None:
        return _next(whole) or whole + _middle(fraction, None)
    if whole == _parts(after)[0]:
        return whole + _middle(fraction, _parts(after)[1])
    following = _next(whole)
    return following if following is not None and following < after else whole + _middle(fraction, None)


def _below(key: str) -> str:
    whole, fraction = _parts(key)
    if whole == SMALLEST:
        return whole + _middle("", fraction)
    return whole if fraction else _previous(whole)


def digits(number: int, least: int) -> str:
    """A number to the base 62, with zeros in front up to `least` digits."""
    written = ""
    while number or len(written) < least:
        number, digit = divmod(number, BASE)
        written = DIGITS[digit] + written
    return written


def _parts(key: str) -> tuple[str, str]:
    """The integer part and the fraction."""
    head = key[0]
    length = ord(head) - ord("a") + 2 if head >= "a" else ord("Z") - ord(head) + 2
    if length > len(key):
        raise ValueError(key)
    return key[:length], key[length:]


def _middle(low: str, high: str | None) -> str:
    """A fraction between two, without trailing zeros; None is 1."""
    if high is not None:
        shared = 0
        while shared < len(high) and (low[shared : shared + 1] or "0") == high[shared]:
            shared += 1
        if shared:
            return high[:shared] + _middle(low[shared:], high[shared:])
    first = DIGITS.index(low[0]) if low else 0
    last = DIGITS.index(high[0]) if high else BASE
    if last - first > 1:
        return DIGITS[(first + last + 1) // 2]
    if high and len(high) > 1:
        return high[0]
    return DIGITS[first] + _middle(low[1:], None)


def _next(whole: str) -> str | None:
    """The integer part after this one; None after the largest."""
    head, digits = whole[0], whole[1:]
    stripped = digits.rstrip(DIGITS[-1])
    zeros = DIGITS[0] * (len(digits) - len(stripped))
    if stripped:
        return head + stripped[:-1] + DIGITS[DIGITS.index(stripped[-1]) + 1] + zeros
    if head == "Z":
        return "a" + DIGITS[0]
    if head == "z":
        return None
    return chr(ord(head) + 1) + (zeros + DIGITS[0] if head >= "a" else zeros[:-1])


def _previous(whole: str) -> str:
    """The integer part before this one, which is not the smallest."""
    head, digits = whole[0], whole[1:]
    stripped = digits.rstrip(DIGITS[0])
    nines = DIGITS[-1] * (len(digits) - len(stripped))
    if stripped:
        return head + stripped[:-1] + DIGITS[DIGITS.index(stripped[-1]) - 1] + nines
    if head == "a":
        return "Z" + DIGITS[-1]
    return chr(ord(head) - 1) + (nines + DIGITS[-1] if head < "a" else nines[:-1])
