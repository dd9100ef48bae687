"""Briefs as forms show them."""

from domain.brief_field import BriefField as FieldOfBrief
from domain.brief_field import BriefFieldKind
from schema.build import column, enum, view
from schema.scalars import Json

enum(
    BriefFieldKind,
    "What a form asks for.",
    TEXT="Any text.",
    INTEGER="A whole number.",
    NUMBER="A number.",
    BOOLEAN="Yes or no.",
    DATE="A day, `2026-05-17`.",
    TIME="A moment, `2026-05-17T10:00:00Z`.",
    EMAIL="An e-mail address.",
    URL="An address of the web.",
    CHOICE="One of `choices`.",
    CHOICES="Some of `choices`, as a list.",
    OTHER="Something that `briefSchema` alone describes.",
)


@view(FieldOfBrief)
class BriefField:
    """A field of the form for a brief: a property of its JSON Schema, which says the rest."""

    name: str = column("The property of the brief.")
    kind: BriefFieldKind = column("What is asked for.")
    label: str = column("What to write beside it.")
    required: bool = column("The brief is not complete without it.")
    description: str | None = column("What helps to fill it in.")
    choices: list[str] = column("What there is to choose from.")
    minimum: float | None = column("Of a number, itself allowed.")
    maximum: float | None = column("Of a number, itself allowed.")
    min_length: int | None = column("Of a text, in characters.")
    max_length: int | None = column("Of a text, in characters.")
    pattern: str | None = column("A regular expression that is found in the text.")
    default: Json | None = column("What to begin with.")
