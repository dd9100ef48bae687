"""What all upserts of many rows have in common."""

from domain.product import Outcome
from domain.upsert import OnError
from schema.build import enum

enum(
    OnError,
    "What becomes of the other rows when one is refused.",
    ABORT="Nothing is written; `userErrors` has what is refused of all rows.",
    SKIP="They are written; what is refused stands in the results.",
)
enum(
    Outcome,
    "What became of a row.",
    CREATED="It was made.",
    UPDATED="It was changed.",
    UNCHANGED="It was so already.",
)
__all__ = ["OnError", "Outcome"]
