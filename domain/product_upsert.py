"""Many products at once, each found by external id or handle and made what its row says, with options, variants and
prices inside.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx, new_id
from domain import audit, catalog_lock
from domain.actor import Actor
from domain.catalog import upsert_products
from domain.handle import handle_of, is_handle
from domain.offer import Offer, check_regions, set_offers
from domain.option import Choices, Chosen, choices_of
from domain.product import (
    DEFAULT_OPTION,
    DEFAULT_VALUE,
    LONGEST_NAME,
    MediaDraft,
    Outcome,
    ProductDraft,
    Upserted,
    VariantDraft,
)
from domain.product_details import check_details, check_texts
from domain.refusal import Gathering, Key, Refusal, ValidationFailed, refusals_of
from domain.translation import MOST_LOCALES, canonical
from domain.upsert import RowResult, Rows, Written, by_policy
from domain.variant_write import VariantChange


@dataclass(frozen=True)
class VariantPart:
    """A variant of a product's row; `image` is the address of one of the product's pictures."""

    change: VariantChange
    offers: tuple[Offer, ...] = ()
    image: str | None = None


@dataclass(frozen=True)
class ProductRow:
    """`given` is by the names of `DETAILS`, and `translations`. What is null was not given, so it stays."""

    given: Mapping[str, Any]
    options: tuple[str, ...] | None = None
    variants: tuple[VariantPart, ...] | None = None
    media: tuple[MediaDraft, ...] | None = None
    columns: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        gathering, columns = Gathering(), dict[str, Any]()
        named: Mapping[str, Any] = self.given
        with gathering.at():
            named = columns = check_details(self.given)
        with gathering.at("translations"):
            if "translations" in self.given:
                columns["translations"] = _translations(self.given["translations"])
        with gathering.at("external_id"):
            if named.get("external_id") is None and named.get("handle") is None:
                raise ValidationFailed("Give an external id or a handle: the product is found by it.")
        with gathering.at("variants"):
            if self.options is not None and self.variants is None:
                raise ValidationFailed("Give the variants of these options.")
        gathering.raise_if_any()
        object.__setattr__(self, "columns", columns)

    @property
    def size(self) -> int:
        """How much of what may be written at once it is."""
        return max(1, len(self.variants or ()))


def _translations(given: Mapping[str, Any] | None) -> dict[str, Any]:
    gathering, kept = Gathering(), dict[str, Any]()
    if len(given or ()) > MOST_LOCALES:
        raise ValidationFailed(f"There are at most {MOST_LOCALES} locales.")
    for locale, texts in (given or {}).items():
        with gathering.at(Key(locale)):
            if not isinstance(texts, Mapping):
                raise ValidationFailed('Write an object such as {"de": {"title": "…"}}.')
            if (name := canonical(locale)) in kept:
                raise ValidationFailed("Name each locale once.")
            kept[name] = check_texts(texts)  # pyright: ignore[reportUnknownArgumentType]
    gathering.raise_if_any()
    return {locale: texts for locale, texts in kept.items() if texts}


async def upsert(tx: Tx, rows: Rows[ProductRow], actor: Actor) -> list[RowResult]:
    """What a row does not give stays; options and variants are given as a whole, so those that a row that has any does
    not name are taken away and archived. Its prices are added to those that there are.
    """
    await catalog_lock.alone(tx)

    async def attempt(left: Mapping[int, ProductRow]) -> Mapping[int, Written]:
        return await _write(tx, left, actor)

    return await by_policy(rows, attempt)


async def _write(tx: Tx, rows: Mapping[int, ProductRow], actor: Actor) -> Mapping[int, Written]:
    found = await _found(tx, rows)
    choices = await choices_of(tx, [product.id for product in found.values()])
    handles = await _handles(tx, rows, found)
    drafts: dict[int, ProductDraft] = {}
    gathering = Gathering()
    for i, row in rows.items():
        with gathering.at(str(i)):
            old = found.get(i)
            drafts[i] = _draft(row, old, None if old is None else choices[old.id], handles.get(i))
    for refusal in gathering.refusals:  # a draft has values where the input has options
        refusal.path = tuple("options" if part == "values" else part for part in refusal.path)
    gathering.raise_if_any()
    offers = [
        ((str(i), "variants", str(j), "prices", str(k)), one)
        for i, row in rows.items()
        for j, variant in enumerate(row.variants or ())
        for k, one in enumerate(variant.offers)
    ]
    await check_regions(tx, offers)
    results = await _upserted(tx, drafts)
    made = dict(zip(drafts, results, strict=True))
    priced = await set_offers(tx, _offers(rows, made))
    written = {i: Written(one.product_id, _outcome(one, priced)) for i, one in made.items()}
    entries = [
        (f"product:{one.id}", _difference(rows[i], found.get(i), made[i]))
        for i, one in written.items()
        if one.outcome != Outcome.UNCHANGED
    ]
    await audit.record_all(tx, actor, "productsUpsert", entries)
    return written


async def _upserted(tx: Tx, drafts: Mapping[int, ProductDraft]) -> list[Upserted]:
    """Refused with the index of the row, not with that among the drafts."""
    indexes = list(drafts)
    try:
        return await upsert_products(tx, list(drafts.values()))
    except (Refusal, ExceptionGroup) as error:
        for refusal in refusals_of(error):
            position, *rest = refusal.path
            refusal.path = (str(indexes[int(position)]), *rest)
        raise


def _outcome(made: Upserted, priced: set[UUID]) -> Outcome:
    unchanged = made.outcome == Outcome.UNCHANGED
    return Outcome.UPDATED if unchanged and not priced.isdisjoint(made.variant_ids) else made.outcome


def _difference(row: ProductRow, old: Any, made: Upserted) -> dict[str, Any]:
    before = {} if old is None else {name: old[name] for name in row.columns}
    variants = {} if row.variants is None else {"variants": [None, [str(key) for key in made.variant_ids]]}
    return audit.changed(before, row.columns) | variants


def _offers(rows: Mapping[int, ProductRow], made: Mapping[int, Upserted]) -> Iterable[tuple[UUID, Offer]]:
    for i, row in rows.items():
        for variant, key in zip(row.variants or (), made[i].variant_ids if row.variants else (), strict=True):
            for one in variant.offers:
                yield key, one


async def _found(tx: Tx, rows: Mapping[int, ProductRow]) -> dict[int, Any]:
    """The product of each row that there is one for; refuses a second row about it, and one that is archived."""
    columns = [row.columns for row in rows.values()]
    named = {name + "s": [one[name] for one in columns if one.get(name)] for name in ("external_id", "handle")}
    products = await tx.records(_NAMED, **named)
    by_external = {product.external_id: product for product in products if product.external_id is not None}
    by_handle = {product.handle: product for product in products}
    gathering, found, seen = Gathering(), dict[int, Any](), set[UUID]()
    for i, row in rows.items():
        product = by_external.get(row.columns.get("external_id")) or by_handle.get(row.columns.get("handle"))
        if product is None:
            continue
        with gathering.at(str(i)):
            if product.id in seen:
                raise ValidationFailed("Another row is about this product, too.")
            if product.archived_at is not None:
                raise ValidationFailed("The product is archived: restore it first.")
        seen.add(product.id)
        found[i] = product
    gathering.raise_if_any()
    return found


async def _handles(tx: Tx, rows: Mapping[int, ProductRow], found: Mapping[int, Any]) -> dict[int, str]:
    """Of rows that make a product and give it no handle: made of the title, and where something else has or had that,
    of the external id besides, or else of what nothing has.
    """
    nameless = [i for i, row in rows.items() if i not in found and not row.columns.get("handle")]
    of_title = {i: handle_of(str(rows[i].columns.get("title") or "")) for i in nameless}
    of_both = {i: f"{title}-{handle_of(str(rows[i].columns['external_id']))}" for i, title in of_title.items()}
    asked = [*of_title.values(), *of_both.values()]
    taken = {row.handle for row in await tx.records(_TAKEN, handles=asked)} if asked else set[str]()
    taken |= {str(row.columns["handle"]) for row in rows.values() if row.columns.get("handle")}
    made: dict[int, str] = {}
    for i, title in of_title.items():
        good = (one for one in (title, of_both[i]) if one not in taken and is_handle(one))
        made[i] = next(good, f"{title}-{new_id().hex}")
        taken.add(made[i])
    return made


def _draft(row: ProductRow, old: Any, choices: Choices | None, handle: str | None) -> ProductDraft:
    columns = row.columns
    if not (columns.get("title") or old):
        raise ValidationFailed("Write the product's title.", path=("title",))
    names = _option_names(row, choices)
    variants = tuple(_variant(part, names, j) for j, part in enumerate(row.variants or ()))
    given = {name: columns[name] for name in _FIELDS if name in columns and name not in {"handle", "title", "tags"}}
    kept = {name for name in _FIELDS if name not in columns} | {"status"}
    kept |= {"media"} if row.media is None else set()
    kept |= {"variants"} if row.variants is None else set()
    return ProductDraft(
        id=None if old is None else old.id,
        handle=columns.get("handle") or handle or cast("Any", old).handle,
        title=columns.get("title") or cast("Any", old).title,
        tags=tuple(columns.get("tags", ())),
        options=names,
        variants=variants if row.variants is not None else (VariantDraft(values=_unsaid(names)),),
        media=row.media or (),
        more={name: value for name, value in columns.items() if name not in _FIELDS},
        keep=frozenset(kept),
        **given,
    )


def _unsaid(names: Sequence[str]) -> tuple[str, ...]:
    """Of a row without variants: what the one of a new product has. Those of one that there is are not looked at."""
    return (DEFAULT_VALUE,) * len(names)


def _option_names(row: ProductRow, choices: Choices | None) -> tuple[str, ...]:
    if row.options:
        return row.options
    if choices is not None and row.options is None:
        return tuple(option.row.name for option in choices.options)
    return (DEFAULT_OPTION,)


def _variant(part: VariantPart, names: Sequence[str], position: int) -> VariantDraft:
    gathering, columns = Gathering(), part.change.columns
    values: tuple[str, ...] = ()
    with gathering.at("variants", str(position), "options"):
        values = _values(part.change.options, names)
    gathering.raise_if_any()
    fields = {name: columns[name] for name in _VARIANT_FIELDS if name in columns}
    kept = {name for name in _VARIANT_FIELDS if name not in columns}
    return VariantDraft(
        values=values,
        image=part.image,
        own_title=columns.get("title"),
        more={name: value for name, value in columns.items() if name not in _VARIANT_FIELDS},
        keep=frozenset(kept if part.image is not None else {*kept, "media_id"}),
        **fields,
    )


def _values(options: Sequence[Chosen], names: Sequence[str]) -> tuple[str, ...]:
    if not options and tuple(names) == (DEFAULT_OPTION,):
        return (DEFAULT_VALUE,)
    chosen = dict(options)
    if len(chosen) < len(options) or chosen.keys() != set(names):
        raise ValidationFailed(f"Give one value for each of {', '.join(names)}.")
    if not all(1 <= len(value.strip()) <= LONGEST_NAME and value.isprintable() for value in chosen.values()):
        raise ValidationFailed(f"A value has 1 to {LONGEST_NAME} characters on one line.")
    return tuple(chosen[name].strip() for name in names)


_FIELDS: Final = ("handle", "title", "description", "vendor", "type", "tags", "seo_title", "seo_description")
_VARIANT_FIELDS: Final = (
    "sku", "barcode", "manage_stock", "allow_backorder", "requires_shipping", "taxable", "weight_grams", "weight_unit"
)  # fmt: skip
_NAMED: Final = text(
    """
    SELECT * FROM product
    WHERE external_id = ANY(CAST(:external_ids AS text[])) OR handle = ANY(CAST(:handles AS text[]))
    """
)
_TAKEN: Final = text(
    """
    SELECT handle FROM product WHERE handle = ANY(CAST(:handles AS text[]))
    UNION SELECT handle FROM handle_history WHERE kind = 'product' AND handle = ANY(CAST(:handles AS text[]))
    """
)
