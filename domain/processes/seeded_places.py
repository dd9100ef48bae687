"""What made-up products hang on: categories, collections, price lists, a second channel, a reduced tax class."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from db.collection import CollectionOrder
from db.price import PriceListKind, PriceListStatus
from domain.collection_rule import Condition, InRegion, RuleField, RuleMatch, RuleOperator, Rules, stored
from domain.processes import seeded_words as words
from domain.processes.seeded_rows import BY_HAND, EPOCH, Maker, maker, prefix

_GROUPED: Final = 2
"""So many kinds are in one group of their department."""
_PER_DEPARTMENT: Final = len(words.KINDS) // len(words.DEPARTMENTS)


def category_rows(seed: int) -> Iterator[dict[str, Any]]:
    """A tree of 360: departments, groups of them, kinds, and of each kind those for a use. Parents come first, the
    leaves, four of each kind, last.
    """
    make = maker(seed, 0)
    above: dict[Any, UUID] = {}
    spread = range(len(words.KINDS))
    nodes = [
        *((None, ("department", i), word, None) for i, word in enumerate(words.DEPARTMENTS)),
        *((("department", i // _PER_DEPARTMENT), ("group", i // _GROUPED), words.KINDS[i], words.KINDS[i + 1])
          for i in spread[::_GROUPED]),
        *((("group", i // _GROUPED), ("kind", i), words.KINDS[i], None) for i in spread),
        *((("kind", i), ("use", i, j), words.KINDS[i], use) for i in spread for j, use in enumerate(words.USES)),
    ]  # fmt: skip
    for rank, (parent, key, word, beside) in enumerate(nodes, 1):
        above[key] = make.id()
        joined = "for" if key[0] == "use" else "&"
        row = _named(word, beside, joined, is_department=key[0] == "department")
        parts = "-".join(map(str, key))
        yield {"id": above[key], "parent_id": above.get(parent), "handle": prefix(seed) + parts, "rank": rank, **row}


LEAVES: Final = len(words.KINDS) * len(words.USES)


def _named(word: words.Word, beside: words.Word | None, joined: str, *, is_department: bool) -> dict[str, Any]:
    name = word.text if is_department else words.plural(word.text).capitalize()
    told = {
        locale: {"name": " · ".join([text, *([beside.told[i]] if beside else [])])}
        for i, (locale, text) in enumerate(zip(words.LOCALES, word.told, strict=True))
    }
    other = "" if beside is None else f" {joined} {beside.text if joined == 'for' else words.plural(beside.text)}"
    return {"name": name + other, "translations": told}


def collection_rows(seed: int) -> Iterator[dict[str, Any]]:
    """Those by hand, in the order of the merchant."""
    make = maker(seed, -1)
    for number in range(BY_HAND):
        title = f"{words.NAMES[number]} favourites"
        told = {"de": {"title": f"Beliebt von {words.NAMES[number]}"}}
        handle = f"{prefix(seed)}hand-{number}"
        yield {"id": make.id(), "handle": handle, "title": title, "product_order": "manual", "translations": told}


def rule_rows(seed: int, leaves: list[UUID], region: tuple[UUID, str]) -> Iterator[dict[str, Any]]:
    """Collections by rule, one for each field that rules ask of and some of several."""
    make = maker(seed, -2)
    field, is_ = RuleField, RuleOperator.EQUALS
    cheap = Condition(field.PRICE, RuleOperator.LESS_THAN, InRegion(*region, 1_500))
    rules: dict[str, tuple[Condition, ...]] = {
        "new": (Condition(field.TAG, is_, words.TAGS[0]),),
        "recycled-or-organic": (Condition(field.TAG, is_, words.TAGS[1]), Condition(field.TAG, is_, words.TAGS[8])),
        "first-vendor": (Condition(field.VENDOR, is_, words.VENDORS[0]),),
        "cheap-cups": (Condition(field.TYPE, is_, "Cup"), cheap),
        "red": (Condition(field.OPTION, is_, "Red", "Colour"),),
        "in-a-category": (Condition(field.CATEGORY, is_, leaves[0]),),
        "spring": (Condition(field.METADATA, is_, "spring", "season"),),
        "wool": (Condition(field.TITLE, RuleOperator.CONTAINS, "wool"), Condition(field.AVAILABLE, is_, value=True)),
        "first-month": (Condition(field.CREATED_AT, RuleOperator.LESS_THAN, EPOCH + timedelta(hours=2)),),
    }
    orders = [order for order in CollectionOrder if order != CollectionOrder.MANUAL]
    for number, (name, conditions) in enumerate(rules.items()):
        match = RuleMatch.ANY if "-or-" in name else RuleMatch.ALL
        yield {
            "id": make.id(), "handle": prefix(seed) + name, "title": name.replace("-", " ").capitalize(),
            "product_order": orders[number % len(orders)].value, "rules": stored(Rules(match, conditions)),
        }  # fmt: skip


def _day(number: int) -> str:
    return (EPOCH + timedelta(days=number)).isoformat()


def list_rows(seed: int) -> dict[str, dict[str, Any]]:
    """Price lists by name: sales that are on, over, still to come, and for a group; and one that replaces prices."""
    make = maker(seed, -3)
    windows = {
        "summer": (_day(0), _day(36_500)),
        "winter": (_day(0), _day(90)),
        "next": (_day(26_000), None),
    }
    kinds = {"wholesale": PriceListKind.OVERRIDE}
    return {
        name: {
            **_list_row(make, prefix(seed), name, kinds.get(name, PriceListKind.SALE)),
            "name": f"{name.capitalize()} of seed {seed}",
            **dict(zip(("starts_at", "ends_at"), windows.get(name, (None, None)), strict=True)),
        }
        for name in ("summer", "clearance", "winter", "next", "club", "wholesale")
    }


GROUPS: Final = ("club", "wholesale")
"""The lists that are for a group of customers."""


def _list_row(make: Maker, before: str, name: str, kind: PriceListKind) -> dict[str, Any]:
    return {
        "id": make.id(),
        "kind": kind.value,
        "status": PriceListStatus.ACTIVE.value,
        "priority": 1 if name == "summer" else 2,
        "for_groups": name in GROUPS,
        "external_id": before + name,
    }


def group_rows(seed: int) -> dict[str, dict[str, Any]]:
    """Groups of customers by the list that is theirs."""
    make = maker(seed, -4)
    return {name: {"id": make.id(), "name": f"{name.capitalize()} of seed {seed}"} for name in GROUPS}
