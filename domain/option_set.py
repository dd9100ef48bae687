"""Setting the options of a product as a whole: what is added, renamed, moved and taken away, and what that means for
the variants that there are.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from db.connection import new_id
from domain.option import Choices, Option
from domain.product import MOST_OPTIONS, MOST_VARIANTS
from domain.refusal import Gathering, NotFound, ValidationFailed, gathered
from domain.variant import OptionValueInUse, VariantsWouldBeEqual, check_text, translations_of

_COLOUR: Final = "0123456789abcdef"


@dataclass(frozen=True)
class ValueDraft:
    """`fields` are what was given besides the name: swatch_color, swatch_media_id, translations; null empties."""

    name: str
    id: UUID | None = None
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        gathering, fields = Gathering(), dict(self.fields)
        with gathering.at("name"):
            object.__setattr__(self, "name", check_text(self.name))
        with gathering.at("swatch_color"):
            if fields.get("swatch_color") is not None:
                fields["swatch_color"] = _colour(fields["swatch_color"])
        with gathering.at("swatch_media_id"):
            if fields.get("swatch_color") is not None and fields.get("swatch_media_id") is not None:
                raise ValidationFailed("A value has a colour or a picture, not both.")
        _check_translations(gathering, fields)
        gathering.raise_if_any()
        object.__setattr__(self, "fields", fields)


@dataclass(frozen=True)
class OptionDraft:
    """Found by id, else by name; its values likewise. Of an option that is added `value_for_existing` names the value
    that variants take which are there already.
    """

    name: str
    values: tuple[ValueDraft, ...]
    id: UUID | None = None
    value_for_existing: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Translations, if they were given."""

    def __post_init__(self) -> None:
        gathering, fields = Gathering(), dict(self.fields)
        with gathering.at("name"):
            object.__setattr__(self, "name", check_text(self.name))
        with gathering.at("values"):
            if not 1 <= len(self.values) <= MOST_VARIANTS:
                raise ValidationFailed(f"An option has 1 to {MOST_VARIANTS:,} values.")
            _check_unique(self.values)
        _check_translations(gathering, fields)
        gathering.raise_if_any()
        object.__setattr__(self, "fields", fields)


@dataclass(frozen=True)
class SetOptions:
    product_id: UUID
    options: tuple[OptionDraft, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.options) <= MOST_OPTIONS:
            message = f"A product has 1 to {MOST_OPTIONS} options: Title with Default Title if there is no choice."
            raise ValidationFailed(message, path=("options",))
        gathering = Gathering()
        with gathering.at("options"):
            _check_unique(self.options)
        gathering.raise_if_any()


def _check_unique(drafts: Sequence[ValueDraft | OptionDraft]) -> None:
    gathering, names, ids = Gathering(), set[str](), set[UUID]()
    for i, draft in enumerate(drafts):
        with gathering.at(str(i), "name"):
            if draft.name in names:
                raise ValidationFailed("Another one has this name, too.")
        with gathering.at(str(i), "id"):
            if draft.id is not None and draft.id in ids:
                raise ValidationFailed("This one is in the list already.")
        names.add(draft.name)
        ids |= {draft.id} if draft.id else set()
    gathering.raise_if_any()


def _check_translations(gathering: Gathering, fields: dict[str, Any]) -> None:
    with gathering.at("translations"):
        if "translations" in fields:
            if fields["translations"] is None:
                raise ValidationFailed("This cannot be empty: give an object without locales.")
            fields["translations"] = translations_of(fields["translations"], "name")


def _colour(value: str) -> str:
    digits = value.lower().removeprefix("#")
    if len(digits) != 6 or not set(digits) <= set(_COLOUR):
        raise ValidationFailed("Write a colour as #rrggbb, such as #b5651d.")
    return f"#{digits}"


@dataclass
class OptionPlan:
    """What the options and values of a product are to be: rows with ids, those that stand for new ones among them."""

    product_id: UUID
    options: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    values: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    added: dict[UUID, UUID] = field(default_factory=dict[UUID, UUID])
    """By the id of an added option the value that existing variants take."""
    gone_options: set[UUID] = field(default_factory=set[UUID])
    gone_values: set[UUID] = field(default_factory=set[UUID])
    """Of options that stay."""

    def combination_after(self, of_option: Mapping[UUID, UUID]) -> list[UUID]:
        """Of a variant that has these values by option."""
        kept = [value for option, value in of_option.items() if option not in self.gone_options]
        return sorted([*kept, *self.added.values()])


def planned(command: SetOptions, choices: Choices) -> OptionPlan:
    """Refuses ids that are not of the product, and an option that is added without a value for existing variants."""
    plan = OptionPlan(command.product_id)
    matched = _matched_options(command, choices)
    parts = [
        (("options", str(i)), lambda i=i, draft=draft: _plan_option(plan, choices, draft, (i, matched[i])))
        for i, draft in enumerate(command.options)
    ]
    gathered(parts)
    plan.gone_options = {o.row.id for o in choices.options} - {option["id"] for option in plan.options}
    return plan


def _matched_options(command: SetOptions, choices: Choices) -> list[Option | None]:
    """An option that is named by id is not found by its former name as well."""
    by_id = {option.row.id: option for option in choices.options}
    named = {draft.id for draft in command.options if draft.id}
    by_name = {option.row.name: option for option in choices.options if option.row.id not in named}
    gathering = Gathering()
    for i, draft in enumerate(command.options):
        with gathering.at("options", str(i), "id"):
            if draft.id is not None and draft.id not in by_id:
                raise NotFound("The product has no such option.")
    gathering.raise_if_any()
    return [by_id[draft.id] if draft.id else by_name.get(draft.name) for draft in command.options]


def _plan_option(plan: OptionPlan, choices: Choices, draft: OptionDraft, place: tuple[int, Option | None]) -> None:
    rank, old = place[0] + 1, place[1]
    option_id = new_id() if old is None else old.row.id
    translations = draft.fields.get("translations", {} if old is None else old.row.translations)
    row = {"id": option_id, "product_id": plan.product_id, "name": draft.name, "rank": rank}
    plan.options.append({**row, "translations": translations})
    ids = _plan_values(plan, draft, option_id, old)
    if old is not None:
        plan.gone_values |= {value.id for value in old.values} - set(ids.values())
    elif draft.value_for_existing in ids:
        plan.added[option_id] = ids[draft.value_for_existing]
    elif choices.live or draft.value_for_existing is not None:
        message = "Name the value of this option that the existing variants take."
        raise ValidationFailed(message, path=("value_for_existing",))


def _plan_values(plan: OptionPlan, draft: OptionDraft, option_id: UUID, old: Option | None) -> dict[str, UUID]:
    """The ids of the option's values by name."""
    by_id = {value.id: value for value in (() if old is None else old.values)}
    named = {value.id for value in draft.values if value.id}
    by_name = {value.name: value for value in by_id.values() if value.id not in named}
    gathering, ids = Gathering(), dict[str, UUID]()
    for i, value in enumerate(draft.values):
        with gathering.at("values", str(i), "id"):
            if value.id is not None and value.id not in by_id:
                raise NotFound("The option has no such value.")
            stored = by_id[value.id] if value.id else by_name.get(value.name)
            row = _value_row(plan.product_id, option_id, value, stored)
            plan.values.append({**row, "rank": i + 1})
            ids[value.name] = row["id"]
    gathering.raise_if_any()
    return ids


def _value_row(product_id: UUID, option_id: UUID, draft: ValueDraft, old: Any) -> dict[str, Any]:
    """A colour that is given takes the place of a picture, and the other way round."""
    row: dict[str, Any] = {"swatch_color": None, "swatch_media_id": None, "translations": {}}
    row |= {} if old is None else {name: old[name] for name in row}
    for given, other in (("swatch_color", "swatch_media_id"), ("swatch_media_id", "swatch_color")):
        if draft.fields.get(given) is not None:
            row[other] = None
    row |= draft.fields
    row["swatch_product_id"] = None if row["swatch_media_id"] is None else product_id
    return {"id": new_id() if old is None else old.id, "option_id": option_id, "name": draft.name, **row}


def check_variants(plan: OptionPlan, choices: Choices, variants: Sequence[Any], command: SetOptions) -> None:
    """Refuses, with the live variants concerned, what would take a value away from one or make two equal."""
    gathering = Gathering()
    equal: dict[tuple[UUID, ...], list[UUID]] = defaultdict(list)
    users: dict[UUID, list[UUID]] = defaultdict(list)
    for variant in (v for v in variants if v.archived_at is None):
        values = {option: value.id for option, value in choices.value_of(variant.combination).items()}
        equal[tuple(plan.combination_after(values))].append(variant.id)
        for value in values.values():
            users[value].append(variant.id)
    position = {option["id"]: i for i, option in enumerate(plan.options)}
    for option in choices.options:
        for value in option.values:
            if value.id in plan.gone_values and value.id in users:
                with gathering.at("options", str(position[option.row.id]), "values"):
                    raise OptionValueInUse(value=value.name, variant_ids=users[value.id])
    if twins := [variant for ids in equal.values() if len(ids) > 1 for variant in ids]:
        with gathering.at("options"):
            raise VariantsWouldBeEqual(variant_ids=twins)
    gathering.raise_if_any()
