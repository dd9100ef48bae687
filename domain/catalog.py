"""Writing products: drafts merged into what is stored, many at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

import nh3
from sqlalchemy import any_, delete, func, select, text, update

from db import Media, OptionValue, Product, ProductOption, Variant, VariantOptionValue
from db.base import Base
from db.connection import Tx, new_id
from domain.product import Outcome, ProductDraft, Upserted
from domain.publication import publish_new
from domain.refusal import Gathering, ValidationFailed, gathered


async def upsert_products(tx: Tx, drafts: Sequence[ProductDraft]) -> list[Upserted]:
    """Makes each product what its draft says; the results are in the order of the drafts.

    A product is found by handle; its variants by SKU, else by their option values, archived ones too; media by
    URL. Variants that the draft does not have any more are archived. What is equal already is not written. The
    number of statements does not depend on that of the drafts; give at most some 100 variants at a time.

    Refuses as a whole, with the path (draft, "variants", variant, "sku"), where an SKU is in use elsewhere.
    """
    # One writer at a time: what is read here stays true until the commit, and nobody waits crosswise.
    await tx.records(text("SELECT pg_advisory_xact_lock(hashtext('counterfoil.catalog'))"))
    stored = await _read(tx, drafts)
    plan = Plan()
    results = gathered([((str(i),), partial(_merge, plan, stored, d)) for i, d in enumerate(drafts)])
    _refuse_taken(plan, stored, drafts, results)
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
    sku_owners: dict[str, Any]


def _any_of(values: Iterable[Any]) -> Any:
    return any_(cast("Any", list(values)))


async def _read(tx: Tx, drafts: Sequence[ProductDraft]) -> Stored:
    handles = _any_of(draft.handle for draft in drafts)
    products = await tx.all(
        select(Product).where(Product.handle == handles).order_by(Product.id).with_for_update(key_share=True)
    )
    ids = _any_of(product.id for product in products)
    media = await tx.all(select(Media).where(Media.product_id == ids))
    options = await tx.all(select(ProductOption).where(ProductOption.product_id == ids).order_by("rank"))
    values = await tx.all(select(OptionValue).where(OptionValue.option_id == _any_of(option.id for option in options)))
    variants = await tx.all(
        select(Variant).where(Variant.product_id == ids).order_by(Variant.archived_at.desc().nulls_first(), "id")
    )
    owners = await tx.records(
        select(Variant.id, Variant.sku, Variant.product_id, Product.handle)
        .join(Product, Product.id == Variant.product_id)
        .where(Variant.archived_at.is_(None))
        .where(Variant.sku == _any_of({v.sku for draft in drafts for v in draft.variants if v.sku}))
    )
    return Stored(
        products={product.handle: product for product in products},
        media=_grouped(media, "product_id"),
        options=_grouped(options, "product_id"),
        values=_grouped(values, "option_id"),
        variants=_grouped(variants, "product_id"),
        sku_owners={owner.sku: owner for owner in owners},
    )


def _grouped(rows: Iterable[Any], key: str) -> dict[UUID, list[Any]]:
    groups: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


@dataclass
class Plan:
    """What is to be written, gathered over all products of a batch."""

    inserts: dict[type[Base], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    updates: dict[type[Base], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    touched: set[UUID] = field(default_factory=set[UUID])
    """Products of which anything is written."""
    archived: set[UUID] = field(default_factory=set[UUID])
    """Variants to archive; those that are only moving to another SKU or combination come back by an update."""
    relinked: list[UUID] = field(default_factory=list[UUID])
    """Variants whose option values are replaced."""
    gone: dict[type[Base], list[UUID]] = field(default_factory=lambda: defaultdict(list))

    def put(self, model: type[Base], product_id: UUID | None, old: Any, row: Mapping[str, Any]) -> UUID:
        """Notes the row if it is new or differs, and returns its id. All rows of a model name the same columns."""
        if old is not None and all(old[column] == value for column, value in row.items()):
            return old["id"]
        row_id: UUID = new_id() if old is None else old["id"]
        (self.inserts if old is None else self.updates)[model].append({"id": row_id, **row})
        self.touched.add(product_id or row_id)
        return row_id

    async def write(self, tx: Tx) -> None:
        """Seventeen statements at most; the order is what foreign keys and unique indexes ask for."""
        for model in (Product, Media, ProductOption, OptionValue):
            await tx.insert(model, self.inserts[model])
            await tx.update(model, self.updates[model])
        await publish_new(tx, (row["id"] for row in self.inserts[Product]))
        # Unique indexes do not wait for the end of a statement, so a variant steps out of them before it moves.
        await _run(tx, update(Variant).values(archived_at=func.now()), Variant.id, self.archived)
        await _run(tx, delete(VariantOptionValue), VariantOptionValue.variant_id, self.relinked)
        await tx.update(Variant, self.updates[Variant])
        await tx.insert(Variant, self.inserts[Variant])
        await tx.insert(VariantOptionValue, self.inserts[VariantOptionValue])
        await _run(tx, delete(VariantOptionValue), VariantOptionValue.value_id, self.gone[OptionValue])
        unpictured = update(Variant).values(media_id=None).where(Variant.product_id == _any_of(self.touched))
        await _run(tx, unpictured, Variant.media_id, self.gone[Media])
        for model in (OptionValue, ProductOption, Media):
            await _run(tx, delete(model), model.id, self.gone[model])
        new = {row["id"] for row in self.inserts[Product]}
        touch = update(Product).values(version=Product.version + 1, updated_at=func.now())
        await _run(tx, touch, Product.id, self.touched - new)


async def _run(tx: Tx, statement: Any, column: Any, ids: Iterable[UUID]) -> None:
    if listed := list(ids):
        await tx.run(statement.where(column == _any_of(listed)))


_PRODUCT_FIELDS: Final = (
    "handle", "title", "description", "status", "vendor", "type", "tags", "seo_title", "seo_description"
)  # fmt: skip
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

    def put(self, model: type[Base], old: Any, row: Mapping[str, Any]) -> UUID:
        return self.plan.put(model, self.product_id, old, row)

    def drop(self, model: type[Base], rows: Iterable[Any]) -> None:
        if gone := [row.id for row in rows]:
            self.plan.gone[model] += gone
            self.plan.touched.add(self.product_id)


def _merge(plan: Plan, stored: Stored, draft: ProductDraft) -> Upserted:
    old = stored.products.get(draft.handle)
    row = {name: getattr(draft, name) for name in _PRODUCT_FIELDS}
    row |= {"description": nh3.clean(draft.description), "tags": list(draft.tags)}
    product_id = plan.put(Product, None, old, _kept(row, old, draft))
    merge = _Merge(plan, stored, draft, product_id)
    variants = _merge_variants(merge, _merge_options(merge), _merge_media(merge))
    changed = Outcome.UPDATED if product_id in plan.touched else Outcome.UNCHANGED
    return Upserted(product_id, tuple(variants), changed if old is not None else Outcome.CREATED)


def _kept(row: dict[str, Any], old: Any, draft: ProductDraft) -> dict[str, Any]:
    """The row with the fields that an existing one keeps."""
    return row if old is None else row | {name: old[name] for name in draft.keep & row.keys()}


def _merge_media(merge: _Merge) -> dict[str, UUID]:
    """The ids of the product's media by URL."""
    old = {media.url: media for media in merge.stored.media[merge.product_id]}
    ids: dict[str, UUID] = {url: media.id for url, media in old.items()} if "media" in merge.draft.keep else {}
    for rank, media in enumerate((m for m in merge.draft.media if m.url not in ids), len(ids) + 1):
        row = {"product_id": merge.product_id, "url": media.url, "alt": media.alt, "rank": rank}
        ids[media.url] = merge.put(Media, old.get(media.url), row)
    merge.drop(Media, (media for url, media in old.items() if url not in ids))
    return ids


def _merge_options(merge: _Merge) -> list[dict[str, tuple[UUID, UUID]]]:
    """For each option in turn (option id, value id) by the value's name."""
    stored, draft = merge.stored.options[merge.product_id], merge.draft
    if "options" in draft.keep and {option.name for option in stored} - set(draft.options):
        raise ValidationFailed("Say which options the variants have: the product has some.", path=("options",))
    old = _renamed(stored, draft.options)
    merged: list[dict[str, tuple[UUID, UUID]]] = []
    for i, name in enumerate(draft.options):
        row = {"product_id": merge.product_id, "name": name, "rank": i + 1}
        option_id = merge.put(ProductOption, old.pop(name, None), row)
        values = {value.name: value for value in merge.stored.values[option_id]}
        merged.append({})
        for rank, value in enumerate(dict.fromkeys(v.values[i] for v in draft.variants), 1):
            row = {"option_id": option_id, "name": value, "rank": rank}
            merged[i][value] = option_id, merge.put(OptionValue, values.pop(value, None), row)
        merge.drop(OptionValue, values.values())
    for option in old.values():
        merge.drop(OptionValue, merge.stored.values[option.id])
    merge.drop(ProductOption, old.values())
    return merged


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
    chosen = [[ids[value] for ids, value in zip(options, v.values, strict=True)] for v in draft.variants]
    combinations = [sorted(value_id for _, value_id in pairs) for pairs in chosen]
    merged: list[UUID] = []
    for i, old in enumerate(_matched(stored, draft, combinations)):
        variant = draft.variants[i]
        row = {name: getattr(variant, name) for name in _VARIANT_FIELDS}
        row = _kept(row | {"media_id": variant.image and media[variant.image]}, old, draft)
        row |= {"product_id": merge.product_id, "title": variant.title, "rank": i + 1}
        variant_id = merge.put(Variant, old, row | {"combination": combinations[i], "archived_at": None})
        merged.append(variant_id)
        there = old is not None and old.archived_at is None
        if old is not None and there and (old.sku, old.combination) != (row["sku"], combinations[i]):
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


def _refuse_taken(plan: Plan, stored: Stored, drafts: Sequence[ProductDraft], results: Sequence[Upserted]) -> None:
    """Handles and SKUs that another live product has, in the shop or among the drafts."""
    gathering = Gathering()
    handles: set[str] = set()
    owners = {
        sku: (row.product_id, row.handle) for sku, row in stored.sku_owners.items() if row.id not in plan.archived
    }
    for i, (draft, result) in enumerate(zip(drafts, results, strict=True)):
        with gathering.at(str(i), "handle"):
            if draft.handle in handles:
                raise ValidationFailed("Another product of the batch has this handle.")
        handles.add(draft.handle)
        mine = (result.product_id, draft.handle)
        for j, sku in enumerate(variant.sku for variant in draft.variants):
            _, handle = owner = owners.setdefault(sku, mine) if sku else mine
            with gathering.at(str(i), "variants", str(j), "sku"):
                if owner != mine:
                    raise ValidationFailed(f"The SKU {sku} is in use by {handle}: give this variant its own.")
    gathering.raise_if_any()
