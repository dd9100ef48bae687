"""What clients write of a filter, as the domain wants it."""

from typing import Any
from uuid import UUID

from domain.listing import MOST_IDS, ListingAvailability, ListingFilter, OptionChoice
from domain.money import minor_units
from domain.refusal import Gathering, Refusal, ValidationFailed
from resolvers import ids


def filter_of(given: Any) -> ListingFilter:
    """Refuses, with its path, everything that is wrong with it; in which currency prices are is not known yet."""
    if given is None:
        return ListingFilter()
    gathering = Gathering()
    keys: dict[str, tuple[UUID, ...]] = {}
    for name, kind in (("ids", "Product"), ("categories", "Category"), ("collections", "Collection")):
        with gathering.at("filter", name):
            keys[name] = _decoded(kind, getattr(given, name) or ())
    bounds: dict[str, Any] = {}
    for name, side in (("price_from", "minimum"), ("price_to", "maximum")):
        with gathering.at("filter", "price", side, "amount"):
            bounds[name] = _minor(given.price and getattr(given.price, side))
    gathering.raise_if_any()
    times: dict[str, Any] = {
        f"{name}_{end}": getattr(getattr(given, name), side)
        for name in ("created", "updated")
        for end, side in (("from", "since"), ("until", "until"))
        if getattr(given, name) is not None
    }
    words: dict[str, Any] = {
        name: tuple(dict.fromkeys(getattr(given, name) or ())) for name in ("types", "vendors", "tags")
    }
    return ListingFilter(
        **keys,
        **bounds,
        **times,
        **words,
        price_in=_currencies(given.price),
        options=_options(given.options or ()),
        metadata=tuple((pair.key, pair.value) for pair in given.metadata or ()),
        availability=given.availability and ListingAvailability(given.availability),
    )


def _options(given: Any) -> tuple[OptionChoice, ...]:
    return tuple(OptionChoice(option.name, tuple(dict.fromkeys(option.values))) for option in given)


def _currencies(price: Any) -> tuple[tuple[str, str], ...]:
    sides = ("minimum", "maximum") if price is not None else ()
    return tuple((side, getattr(price, side).currency) for side in sides if getattr(price, side) is not None)


def _decoded(kind: str, given: Any) -> tuple[UUID, ...]:
    if len(given) > MOST_IDS:
        raise ValidationFailed(f"There are at most {MOST_IDS} of these.")
    gathering = Gathering()
    found: list[UUID] = []
    for i, public in enumerate(given):
        with gathering.at(str(i)):
            found.append(ids.decode(kind, public))
    gathering.raise_if_any()
    return tuple(dict.fromkeys(found))


def _minor(given: Any) -> int | None:
    if given is None:
        return None
    try:
        return minor_units(given.amount, given.currency)
    except Refusal as refusal:
        raise ValidationFailed(refusal.message) from None
