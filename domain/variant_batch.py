"""Variants on their way into the database, one or a thousand: what is to be is gathered, checked as a whole, written.

Whoever has locked the products (domain/catalog_lock.py) is told here of all that is in the way; what the database
refuses beyond that came from writers who do not lock.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db import Variant, VariantOptionValue
from db.connection import Tx
from domain import audit
from domain.catalog_plan import Plan
from domain.option import Choices, Chosen, made_title, made_translations, was_made
from domain.product import MOST_VARIANTS
from domain.refusal import Gathering, NotFound, Refusal, ValidationFailed
from domain.variant import DEFAULTS, SkuTaken, TooManyVariants, VariantCombinationExists, VariantExternalIdTaken


@dataclass(frozen=True)
class Wanted:
    """A variant that is to be live. `columns` are those that change, `old` the row that it was, if there was one;
    `path` is where its input stands.
    """

    choices: Choices
    columns: Mapping[str, Any]
    options: Sequence[Chosen] = ()
    old: Any = None
    path: tuple[str, ...] = ()

    def values(self) -> list[Any]:
        """The row of its value for each option. One of what it had stays unless another is wanted."""
        kept = {} if self.old is None else self.choices.value_of(self.old.combination)
        return self.choices.chosen(self.options, kept)


@dataclass(frozen=True)
class _Planned:
    """What is known of a wanted variant once it is planned."""

    wanted: Wanted
    id: UUID
    row: Mapping[str, Any]

    @property
    def is_new_among_live(self) -> bool:
        return self.wanted.old is None or self.wanted.old.archived_at is not None

    def difference(self) -> dict[str, list[Any]]:
        """For the audit log."""
        told, old = _told(self.wanted.choices, self.row), self.wanted.old
        return audit.changed({} if old is None else _told(self.wanted.choices, old), told)


@dataclass
class VariantBatch:
    plan: Plan = field(default_factory=Plan)
    planned: list[_Planned] = field(default_factory=list[_Planned])
    ranks: dict[UUID, int] = field(default_factory=dict[UUID, int])

    def put(self, wanted: Wanted) -> UUID:
        """Plans a variant and returns its id. Refuses options and values that there are not."""
        values = wanted.values()
        row = self._row(wanted, values)
        variant_id = self.plan.put(Variant, wanted.choices.product_id, wanted.old, row)
        self._move(wanted.old, row)
        if wanted.old is None or wanted.old.combination != row["combination"]:
            self.plan.relinked += [] if wanted.old is None else [variant_id]
            self.plan.inserts[VariantOptionValue] += (
                {
                    "variant_id": variant_id,
                    "option_id": value.option_id,
                    "product_id": wanted.choices.product_id,
                    "value_id": value.id,
                }
                for value in values
            )
        self.planned.append(_Planned(wanted, variant_id, row))
        return variant_id

    def _row(self, wanted: Wanted, values: Sequence[Any]) -> dict[str, Any]:
        choices, old = wanted.choices, wanted.old
        before = DEFAULTS if old is None else {name: old[name] for name in DEFAULTS}
        row = {**before, "title": None if old is None else old["title"], **wanted.columns}
        if old is not None and "title" not in wanted.columns and _was_made(old, choices):
            row["title"] = None
        if row["title"] is None:
            row["title"] = made_title(values)
            row["translations"] = made_translations(values)
        row |= {"product_id": choices.product_id, "combination": sorted(value.id for value in values)}
        row |= {"rank": self._next_rank(choices) if old is None else old.rank, "archived_at": None}
        return row

    def _next_rank(self, choices: Choices) -> int:
        rank = self.ranks.get(choices.product_id, choices.last_rank) + 1
        self.ranks[choices.product_id] = rank
        return rank

    def _move(self, old: Any, row: Mapping[str, Any]) -> None:
        """What has another SKU or combination steps out of the unique indexes before it is written."""
        if old is None:
            return
        if old.archived_at is None and (old.sku, old.combination) != (row["sku"], row["combination"]):
            self.plan.archived.add(old.id)

    async def check(self, tx: Tx) -> None:
        """Refuses, each under its path, what others have or what there is too much of."""
        gathering = Gathering()
        self._check_limit(gathering)
        await self._check_media(tx, gathering)
        await self._check_taken(tx, gathering)
        gathering.raise_if_any()

    def _check_limit(self, gathering: Gathering) -> None:
        """The row that is too many is refused, and those behind it."""
        live = {p.wanted.choices.product_id: p.wanted.choices.live for p in self.planned}
        for one in (p for p in self.planned if p.is_new_among_live):
            product_id = one.wanted.choices.product_id
            live[product_id] += 1
            with gathering.at(*one.wanted.path):
                if live[product_id] > MOST_VARIANTS:
                    raise TooManyVariants(count=live[product_id])

    async def _check_media(self, tx: Tx, gathering: Gathering) -> None:
        named = [p for p in self.planned if p.row["media_id"] is not None and "media_id" in p.wanted.columns]
        if not named:
            return
        rows = await tx.records(_MEDIA, media=[p.row["media_id"] for p in named])
        owners = {row.id: row.product_id for row in rows}
        for one in named:
            with gathering.at(*one.wanted.path, "media_id"):
                if owners.get(one.row["media_id"]) != one.wanted.choices.product_id:
                    raise NotFound("The product has no such picture.")

    async def _check_taken(self, tx: Tx, gathering: Gathering) -> None:
        """Of a stored variant that is in the batch itself counts what it is to be."""
        mine = {planned.id for planned in self.planned}
        holders: dict[tuple[str, Any], Any] = {}
        for row in await tx.records(_HOLDERS, **_claims(self.planned)):
            if row.id not in mine:
                holders[row.kind, _HELD[row.kind](row)] = row.id
        seen: dict[tuple[str, Any], int] = {}
        for i, one in enumerate(self.planned):
            for kind, key in _keys(one):
                with gathering.at(*one.wanted.path, _PATHS[kind]):
                    if (kind, key) in holders:
                        raise _taken(kind, holders[kind, key], one)
                    if seen.setdefault((kind, key), i) != i:
                        raise ValidationFailed("Another row is to have it, too.")

    async def write(self, tx: Tx) -> None:
        await self.plan.write(tx)

    @property
    def changed(self) -> set[UUID]:
        """The variants of which anything is written."""
        return {row["id"] for rows in (self.plan.inserts, self.plan.updates) for row in rows[Variant]}

    def differences(self) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """For the audit log: of each variant that is written what changes."""
        changed = self.changed
        return [(f"variant:{p.id}", p.difference()) for p in self.planned if p.id in changed]


def _was_made(old: Any, choices: Choices) -> bool:
    """Whether a stored title is that of the values; of values that are gone nobody knows."""
    there = choices.value_of(old.combination)
    values = [there[option.row.id] for option in choices.options if option.row.id in there]
    return not values or was_made(old.title, values)


def _told(choices: Choices, row: Mapping[str, Any]) -> dict[str, Any]:
    archived_at = row["archived_at"]
    told = {name: row[name] for name in ("title", *DEFAULTS)}
    told |= {"options": choices.told(row["combination"])}
    return told | {"archived_at": archived_at and archived_at.isoformat()}


def _keys(planned: _Planned) -> list[tuple[str, Any]]:
    """What no two live variants have together; of external ids none at all."""
    row = planned.row
    keys = [("combination", (planned.wanted.choices.product_id, tuple(row["combination"])))]
    keys += [(kind, row[kind]) for kind in ("sku", "external_id") if row[kind] is not None]
    return keys


def _claims(planned: Sequence[_Planned]) -> dict[str, list[Any]]:
    return {
        "products": list({p.wanted.choices.product_id for p in planned}),
        "combinations": [f"{{{','.join(map(str, p.row['combination']))}}}" for p in planned],
        "skus": [p.row["sku"] for p in planned if p.row["sku"] is not None],
        "external_ids": [p.row["external_id"] for p in planned if p.row["external_id"] is not None],
    }


def _taken(kind: str, holder: UUID, planned: _Planned) -> Refusal:
    if kind == "sku":
        return SkuTaken(variant_id=holder, sku=planned.row["sku"])
    if kind == "external_id":
        return VariantExternalIdTaken(variant_id=holder, external_id=planned.row["external_id"])
    return VariantCombinationExists(existing_variant_id=holder)


_PATHS: Final = {"combination": "options", "sku": "sku", "external_id": "external_id"}
_MEDIA: Final = text("SELECT id, product_id FROM media WHERE id = ANY(:media)")
_HELD: Final[Mapping[str, Callable[[Any], Any]]] = {
    "combination": lambda row: (row.product_id, tuple(row.combination)),
    "sku": lambda row: row.sku,
    "external_id": lambda row: row.external_id,
}
# A union, as each part has an index of its own. A combination is compared as text: there are no arrays of arrays.
_HOLDERS: Final = text(
    """
    SELECT 'combination' AS kind, id, product_id, combination, sku, external_id FROM variant
    WHERE archived_at IS NULL AND product_id = ANY(CAST(:products AS uuid[]))
      AND CAST(combination AS text) = ANY(CAST(:combinations AS text[]))
    UNION ALL
    SELECT 'sku', id, product_id, combination, sku, external_id FROM variant
    WHERE archived_at IS NULL AND sku = ANY(CAST(:skus AS text[]))
    UNION ALL
    SELECT 'external_id', id, product_id, combination, sku, external_id FROM variant
    WHERE external_id = ANY(CAST(:external_ids AS text[]))
    """
)
