"""The options of a product as variants are made of them: what there is to choose, and what was chosen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from db import OptionValue, ProductOption, Variant
from db.connection import Read
from domain.product import LONGEST_NAME
from domain.refusal import Gathering, NotFound, ValidationFailed
from domain.translation import fallbacks, text
from domain.variant import JOINED


class Chosen(NamedTuple):
    """A value of an option, by their names."""

    name: str
    value: str


@dataclass(frozen=True)
class Option:
    """A row of `product_option` with those of its values, both in the merchant's order."""

    row: Any
    values: tuple[Any, ...]

    def named(self, name: str) -> Any:
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Any]:
        return {value.name: value for value in self.values}


@dataclass(frozen=True)
class Choices:
    """What there is to choose about a product, how many live variants it has, and the last rank of any."""

    product_id: UUID
    options: tuple[Option, ...]
    live: int = 0
    last_rank: int = 0

    def value_of(self, combination: Iterable[UUID]) -> dict[UUID, Any]:
        """The values of a variant by the option's id; what is not there any more is left out."""
        return dict(self._by_id[key] for key in combination if key in self._by_id)

    @cached_property
    def _by_id(self) -> dict[UUID, tuple[UUID, Any]]:
        """Each value with its option, known once: of 2,000 variants with as many values each is looked up."""
        return {value.id: (option.row.id, value) for option in self.options for value in option.values}

    def told(self, combination: Iterable[UUID]) -> dict[str, str]:
        """The values of a variant by name, for people."""
        values = self.value_of(combination)
        return {o.row.name: values[o.row.id].name for o in self.options if o.row.id in values}

    def chosen(self, wanted: Sequence[Chosen], kept: Mapping[UUID, Any]) -> list[Any]:
        """The value of each option in turn: what is wanted, else what is kept. Refuses by position what is not there,
        and at the options as a whole what is missing.
        """
        gathering, taken = Gathering(), dict(kept)
        named = {option.row.name: option for option in self.options}
        for i, (name, value) in enumerate(wanted):
            with gathering.at("options", str(i)):
                taken |= _resolved(named.pop(name, None), name, value)
        gathering.raise_if_any()
        if missing := [o.row.name for o in self.options if o.row.id not in taken]:
            raise ValidationFailed(f"Give a value for {', '.join(missing)}.", path=("options",))
        return [taken[option.row.id] for option in self.options]


def _resolved(option: Option | None, name: str, value: str) -> dict[UUID, Any]:
    if option is None:
        raise NotFound(f"The product has no option {name!r}, or it is named twice.", path=("name",))
    found = option.named(value)
    if found is None:
        raise NotFound(f"{name} has no value {value!r}: productSetOptions adds values.", path=("value",))
    return {option.row.id: found}


def made_title(values: Sequence[Any]) -> str:
    """The title of a variant that has none of its own; values are rows in the order of their options."""
    return JOINED.join(value["name"] for value in values)[:LONGEST_NAME]


def was_made(title: str, values: Sequence[Any]) -> bool:
    """Whether a stored title is that of the values. In any order: what is archived keeps that of its time."""
    names = tuple(sorted(value["name"] for value in values))
    return len(title) == len(made_title(values)) and _goes_on(title, 0, names, set())


def _goes_on(title: str, at: int, names: tuple[str, ...], failed: set[tuple[str, ...]]) -> bool:
    """Whether a title has these names from there on, in some order. Ten names have 3,628,800 orders, but only 1,024
    sets of them can be left over, and each is looked at once.
    """
    if not names or at >= LONGEST_NAME:
        return True
    if names in failed:
        return False
    for i, name in enumerate(names):
        left = names[:i] + names[i + 1 :]
        part = name + JOINED if left else name
        if title.startswith(part[: LONGEST_NAME - at], at) and _goes_on(title, at + len(part), left, failed):
            return True
    failed.add(names)
    return False


def made_translations(values: Sequence[Any]) -> dict[str, dict[str, str]]:
    """The same in every locale that one of the values is translated to."""
    locales = {locale for value in values for locale in value["translations"]}
    return {
        locale: {"title": JOINED.join(text(value, fallbacks(locale), "name") for value in values)[:LONGEST_NAME]}
        for locale in sorted(locales)
    }


async def choices_of(read: Read, products: Iterable[UUID]) -> dict[UUID, Choices]:
    """By product, in two statements; whoever writes has locked the products before."""
    ids = list(products)
    found: dict[UUID, dict[UUID, Any]] = {product: {} for product in ids}
    values: dict[UUID, list[Any]] = {}
    for row in await read.all(_OPTIONS, products=ids):
        found[row.product_id][row.id], values[row.id] = row, []
    for row in await read.all(_VALUES, options=list(values)):
        values[row.option_id].append(row)
    counts = {row.product_id: row for row in await read.records(_COUNTS, products=ids)}
    return {
        product: Choices(
            product,
            tuple(Option(row, tuple(values[row.id])) for row in options.values()),
            counts[product].live if product in counts else 0,
            counts[product].last_rank if product in counts else 0,
        )
        for product, options in found.items()
    }


_PRODUCTS: Final = bindparam("products", type_=ARRAY(Uuid))
_OPTIONS: Final = (
    select(ProductOption)
    .where(ProductOption.product_id == any_(_PRODUCTS))
    .order_by(ProductOption.rank, ProductOption.id)
)
_VALUES: Final = (
    select(OptionValue)
    .where(OptionValue.option_id == any_(bindparam("options", type_=ARRAY(Uuid))))
    .order_by(OptionValue.rank, OptionValue.id)
)
_COUNTS: Final = (
    select(
        Variant.product_id,
        func.count().filter(Variant.archived_at.is_(None)).label("live"),
        func.max(Variant.rank).label("last_rank"),
    )
    .where(Variant.product_id == any_(_PRODUCTS))
    .group_by(Variant.product_id)
)
