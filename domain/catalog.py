"""Writing products: drafts merged into what is stored, many at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Final, Self
from uuid import UUID

import nh3
from sqlalchemy import func, select

from db import Media, OptionValue, Product, ProductOption, Variant, VariantOptionValue
from db.base import Base
from db.connection import Tx
from domain import catalog_lock
from domain.catalog_claims import Owners, owners_of, refuse_taken
from domain.catalog_plan import Plan, any_of
from domain.option import made_translations, was_made
from domain.product import Outcome, ProductDraft, Upserted, ValueDraft, VariantDraft
from domain.refusal import ValidationFailed, gathered
from domain.variant import DEFAULTS


async def upsert_products(tx: Tx, drafts: Sequence[ProductDraft]) -> list[Upserted]:
    """Makes each product what its draft says; the results are in the order of the drafts.

    A product is found by id or handle; its variants by SKU, else by their option values, archived ones too; media by
    URL. Variants that the draft does not have any more are archived. What is equal already is not written. The
    number of statements does not depend on that of the drafts; give at most some 100 variants at a time.

    A product that is archived is refused, unless its draft says whether it is to be.

    Refuses as a whole, with the path (draft, "variants", variant, "sku"), where an SKU is in use elsewhere.
    """
    await catalog_lock.alone(tx)
    stored = await _read(tx, drafts)
    plan = Plan()
    results = gathered([((str(i),), partial(_merge, plan, stored, d)) for i, d in enumerate(drafts)])
    refuse_taken(stored.products, stored.owners, list(zip(drafts, results, strict=True)), plan.archived)
    await plan.write(tx)
    return results


@dataclass
class Stored:
    """What there is of the products of a batch; lists are by the id of what they belong to."""

    products: dict[str, Any]
    media: dict[UUID, list[Any]]
    options: dict[UUID, list[Any]]
    values: dict[UUID, list[Any]]
    variants: dict[UUID, list[Any]]
    """Live ones first, then the latest archived."""
    owners: Owners
    now: datetime | None = None
    """Read where a draft archives a product from now on."""

    def archived_at(self, old: Any, draft: ProductDraft) -> datetime | None:
        was = None if old is None else old.archived_at
        if draft.archived is None and was is not None:
            raise ValidationFailed("The product is archived: restore it first.", path=("handle",))
        return (draft.archived_at or was or self.now) if draft.archived else None

    def product(self, draft: ProductDraft) -> Any:
        return self.products.get(draft.handle) if draft.id is None else self._by_id.get(draft.id)

    @cached_property
    def _by_id(self) -> dict[UUID, Any]:
        return {row.id: row for row in self.products.values()}


async def _read(tx: Tx, drafts: Sequence[ProductDraft]) -> Stored:
    named = (Product.handle == any_of(draft.handle for draft in drafts)) | (
        Product.id == any_of(draft.id for draft in drafts if draft.id)
    )
    products = await tx.all(select(Product).where(named).order_by(Product.id).with_for_update(key_share=True))
    ids = any_of(product.id for product in products)
    media = await tx.all(select(Media).where(Media.product_id == ids))
    options = await tx.all(select(ProductOption).where(ProductOption.product_id == ids).order_by("rank"))
    values = await tx.all(select(OptionValue).where(OptionValue.option_id == any_of(option.id for option in options)))
    variants = await tx.all(
        select(Variant).where(Variant.product_id == ids).order_by(Variant.archived_at.desc().nulls_first(), "id")
    )
    return Stored(
        products={product.handle: product for product in products},
        media=_grouped(media, "product_id"),
        options=_grouped(options, "product_id"),
        values=_grouped(values, "option_id"),
        variants=_grouped(variants, "product_id"),
        owners=await owners_of(tx, drafts),
        now=await tx.one_scalar(_NOW) if any(draft.archived for draft in drafts) else None,
    )


_NOW: Final = select(func.now())


def _grouped(rows: Iterable[Any], key: str) -> dict[UUID, list[Any]]:
    groups: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


_PRODUCT_FIELDS: Final = (
    "handle", "title", "description", "status", "vendor", "type", "tags", "seo_title", "seo_description"
)  # fmt: skip
_PRODUCT_MORE: Final[Mapping[str, Any]] = {
    "external_id": None, "subtitle": None, "origin_country": None, "hs_code": None, "material": None,
    "tax_class_code": None,
    "weight_grams": None, "length_mm": None, "width_mm": None, "height_mm": None, "discountable": True,
    "workflow_code": "default", "brief_schema": None, "brief_due": "after_order", "price_quantity": "line",
    "metadata": {}, "translations": {},
}  # fmt: skip
_VARIANT_FIELDS: Final = (
    "sku", "barcode", "manage_stock", "allow_backorder", "requires_shipping", "taxable", "weight_grams", "weight_unit"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Merge:
    """One product on its way into the plan."""

    plan: Plan
    stored: Stored
    draft: ProductDraft
    product_id: UUID
    archived_at: datetime | None

    def put(self, model: type[Base], old: Any, row: Mapping[str, Any]) -> UUID:
        return self.plan.put(model, self.product_id, old, row)

    def drop(self, model: type[Base], rows: Iterable[Any]) -> None:
        if gone := [row.id for row in rows]:
            self.plan.gone[model] += gone
            self.plan.touched.add(self.product_id)


def _merge(plan: Plan, stored: Stored, draft: ProductDraft) -> Upserted:
    old = stored.product(draft)
    row = {name: getattr(draft, name) for name in _PRODUCT_FIELDS}
    row |= {"description": nh3.clean(draft.description), "tags": list(draft.tags)}
    row = _kept(row, old, draft.keep) | _with_more(_PRODUCT_MORE, old, draft.more)
    row["archived_at"] = stored.archived_at(old, draft)
    product_id = plan.put(Product, None, old, row)
    merge = _Merge(plan, stored, draft, product_id, row["archived_at"])
    media = _merge_media(merge)
    if old is not None and "variants" in draft.keep:
        variants = [variant.id for variant in stored.variants[product_id] if variant.archived_at is None]
    else:
        variants = _merge_variants(merge, _merge_options(merge, media), media)
    changed = Outcome.UPDATED if product_id in plan.touched else Outcome.UNCHANGED
    return Upserted(product_id, tuple(variants), changed if old is not None else Outcome.CREATED)


def _kept(row: dict[str, Any], old: Any, keep: frozenset[str]) -> dict[str, Any]:
    """The row with the fields that an existing one keeps."""
    return row if old is None else row | {name: old[name] for name in keep & row.keys()}


def _with_more(defaults: Mapping[str, Any], old: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that drafts name now and then: as they were, or as those of a new row, unless they are named."""
    return {name: more.get(name, default if old is None else old[name]) for name, default in defaults.items()}


def _merge_media(merge: _Merge) -> dict[str, UUID]:
    """The ids of the product's media by URL."""
    old = {media.url: media for media in merge.stored.media[merge.product_id]}
    ids: dict[str, UUID] = {url: media.id for url, media in old.items()} if "media" in merge.draft.keep else {}
    for rank, media in enumerate((m for m in merge.draft.media if m.url not in ids), len(ids) + 1):
        row = {"product_id": merge.product_id, "url": media.url, "alt": media.alt, "rank": rank}
        ids[media.url] = merge.put(Media, old.get(media.url), row)
    merge.drop(Media, (media for url, media in old.items() if url not in ids))
    return ids


def _merge_options(merge: _Merge, media: Mapping[str, UUID]) -> list[dict[str, tuple[UUID, UUID]]]:
    """For each option in turn (option id, value id) by the value's name."""
    stored, draft = merge.stored.options[merge.product_id], merge.draft
    if "options" in draft.keep and {option.name for option in stored} - set(draft.options):
        raise ValidationFailed("Say which options the variants have: the product has some.", path=("options",))
    old = _renamed(stored, draft.options)
    merged: list[dict[str, tuple[UUID, UUID]]] = []
    for i, name in enumerate(draft.options):
        there, choice = old.pop(name, None), draft.choices[i] if draft.choices else None
        kept: Mapping[str, Any] = {} if there is None else there.translations
        row: dict[str, Any] = {"product_id": merge.product_id, "name": name, "rank": i + 1}
        row["translations"] = kept if choice is None else choice.translations
        option_id = merge.put(ProductOption, there, row)
        values = {value.name: value for value in merge.stored.values[option_id]}
        merged.append({})
        for rank, value in enumerate(_values(draft, i), 1):
            there = values.pop(value.name, None)
            row = {"option_id": option_id, "name": value.name, "rank": rank}
            row |= _shown(merge, None if choice is None else value, there, media)
            merged[i][value.name] = option_id, merge.put(OptionValue, there, row)
        merge.drop(OptionValue, values.values())
    for option in old.values():
        merge.drop(OptionValue, merge.stored.values[option.id])
    merge.drop(ProductOption, old.values())
    return merged


def _values(draft: ProductDraft, i: int) -> list[ValueDraft]:
    """Those that are given for the option, then those that only variants name."""
    given = {value.name: value for value in draft.choices[i].values} if draft.choices else {}
    used = {name: ValueDraft(name) for name in dict.fromkeys(variant.values[i] for variant in draft.variants)}
    return list((given | {name: value for name, value in used.items() if name not in given}).values())


def _shown(merge: _Merge, value: ValueDraft | None, old: Any, media: Mapping[str, UUID]) -> dict[str, Any]:
    """How a value is shown; null: as it was."""
    names = ("translations", "swatch_color", "swatch_media_id", "swatch_product_id")
    if value is None:
        return {name: old[name] if old is not None else {} if name == "translations" else None for name in names}
    picture = None if value.image is None else media[value.image]
    shown = value.translations, value.color, picture, None if picture is None else merge.product_id
    return dict(zip(names, shown, strict=True))


def _renamed(stored: list[Any], wanted: tuple[str, ...]) -> dict[str, Any]:
    """Stored options by the name they are to have: one that stands where another stood is that one renamed."""
    by_name = {option.name: option for option in stored}
    if len(stored) == len(wanted):
        for option, name in zip(stored, wanted, strict=True):
            if option.name not in wanted and all(name != other.name for other in stored):
                by_name[name] = by_name.pop(option.name)
    return by_name


def _merge_variants(merge: _Merge, options: list[dict[str, tuple[UUID, UUID]]], media: dict[str, UUID]) -> list[UUID]:
    plan, draft, stored = merge.plan, merge.draft, merge.stored.variants[merge.product_id]
    titles = _Titles.of(merge)
    chosen = [[ids[value] for ids, value in zip(options, v.values, strict=True)] for v in draft.variants]
    combinations = [sorted(value_id for _, value_id in pairs) for pairs in chosen]
    merged: list[UUID] = []
    for i, old in enumerate(_matched(stored, draft, combinations)):
        variant = draft.variants[i]
        row = {name: getattr(variant, name) for name in _VARIANT_FIELDS}
        row = _kept(row | {"media_id": variant.image and media[variant.image]}, old, draft.keep | variant.keep)
        row |= _with_more(_VARIANT_MORE, old, variant.more) | titles.of_variant(variant, old, chosen[i])
        row |= {"product_id": merge.product_id, "rank": i + 1}
        variant_id = merge.put(Variant, old, row | {"combination": combinations[i], "archived_at": merge.archived_at})
        merged.append(variant_id)
        there = old is not None and (old.archived_at is None or merge.archived_at is not None)
        if old is not None and old.archived_at is None and (old.sku, old.combination) != (row["sku"], combinations[i]):
            plan.archived.add(variant_id)
        if old is None or not there or old.combination != combinations[i]:
            plan.relinked += [] if old is None else [variant_id]
            plan.inserts[VariantOptionValue] += (
                {"variant_id": variant_id, "option_id": option, "product_id": merge.product_id, "value_id": value}
                for option, value in chosen[i]
            )
    if gone := {v.id for v in stored if v.archived_at is None} - set(merged):
        plan.archived |= gone
        plan.touched.add(merge.product_id)
    return merged


@dataclass(frozen=True)
class _Titles:
    """The titles of variants: made of their values, in every language that these have, or their own."""

    values: Mapping[UUID, Any]
    """Stored rows by id, in the order of their options."""

    @classmethod
    def of(cls, merge: _Merge) -> Self:
        options = merge.stored.options[merge.product_id]
        return cls({value.id: value for option in options for value in merge.stored.values[option.id]})

    def of_variant(self, draft: VariantDraft, old: Any, chosen: Sequence[tuple[UUID, UUID]]) -> dict[str, Any]:
        if draft.own_title is not None or (old is not None and "title" not in draft.more and not self._was_made(old)):
            title = old.title if draft.own_title is None else draft.own_title
            translations = draft.more.get("translations", {} if old is None else old.translations)
            return {"title": title, "translations": translations}
        values = [
            self.values.get(value_id, {"name": name, "translations": {}})
            for (_, value_id), name in zip(chosen, draft.values, strict=True)
        ]
        return {"title": draft.title, "translations": made_translations(values)}

    def _was_made(self, old: Any) -> bool:
        """Of values that are gone nobody knows."""
        there = [self.values[key] for key in old.combination if key in self.values]
        return len(there) < len(old.combination) or was_made(old.title, there)


def _matched(stored: list[Any], draft: ProductDraft, combinations: list[list[UUID]]) -> list[Any]:
    """For each variant of the draft the stored one that it is, by SKU, else by combination, or None."""
    skus = [None if "sku" in draft.keep else variant.sku for variant in draft.variants]
    matches: list[Any] = [None for _ in skus]
    taken: set[UUID] = set()
    for archived in (False, True):
        free = [row for row in reversed(stored) if (row.archived_at is not None) == archived]
        for name, keys in (("sku", skus), ("combination", [tuple(ids) for ids in combinations])):
            pairs = ((row[name], row) for row in free if row.id not in taken)
            candidates = {tuple(key) if name == "combination" else key: row for key, row in pairs}
            for i, key in enumerate(keys):
                if matches[i] is None and key and (found := candidates.get(key)):
                    matches[i] = found
                    taken.add(found.id)
    return matches


_VARIANT_MORE: Final = {
    name: default for name, default in DEFAULTS.items() if name not in {*_VARIANT_FIELDS, "media_id", "translations"}
}
