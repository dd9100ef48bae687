"""Where tickets stand on the board: keys of domain/rank.py, the first one made of the ticket's id."""

from uuid import UUID

from domain.rank import DIGITS as DIGITS
from domain.rank import between as between
from domain.rank import digits
from domain.rank import spread as spread


def of_id(key: UUID) -> str:
    """Where a new ticket begins: behind all earlier ones, as its id rises with time. Nobody else can get the same."""
    whole = digits(key.int >> 80, 1)
    return f"{chr(ord('a') + len(whole) - 1)}{whole}{digits(key.int & (2**80 - 1), 14)}V"
