"""What staff write of options and variants."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from db.connection import Tx
from domain import option_write, product_upsert, variant_matrix, variant_upsert, variant_write
from domain.money import Money, minor_units
from domain.offer import offer
from domain.option import Chosen
from domain.option_set import OptionDraft, SetOptions, ValueDraft
from domain.processes.write_catalogue import write_catalogue
from domain.product import MediaDraft
from domain.product_media import MOST_MEDIA, check_alt
from domain.product_upsert import ProductRow, VariantPart
from domain.refusal import Gathering, ValidationFailed, gathered, under
from domain.upsert import MOST_ROWS
from domain.variant import FIELDS, check_text
from domain.variant_upsert import VariantRow
from domain.variant_write import VariantChange
from resolvers import catalog, ids
from resolvers.context import Ctx
from resolvers.product import any_product
from resolvers.upsert import refuse_all, rows_of

T = TypeVar("T")


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    product, change = _with_product(given, lambda: _change(given))
    version = given.if_version
    made = await _written(ctx, lambda tx: variant_write.create(tx, product, change, ctx.actor, if_version=version))
    return await _variant(ctx, made)


async def change(ctx: Ctx, given: Any) -> dict[str, Any]:
    key, wanted = _with_variant(given, lambda: _change(given))
    version = given.if_version
    await _written(ctx, lambda tx: variant_write.change(tx, key, wanted, ctx.actor, if_version=version))
    return await _variant(ctx, key)


async def archive(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Variant", given.variant_id, "variant_id")
    await _written(ctx, lambda tx: variant_write.archive(tx, key, ctx.actor, if_version=given.if_version))
    return await _variant(ctx, key)


async def restore(ctx: Ctx, given: Any) -> dict[str, Any]:
    key, options = ids.decode("Variant", given.variant_id, "variant_id"), _options(given.options)
    await _written(ctx, lambda tx: variant_write.restore(tx, key, options, ctx.actor, if_version=given.if_version))
    return await _variant(ctx, key)


async def reorder(ctx: Ctx, given: Any) -> dict[str, Any]:
    product = ids.decode("Product", given.product_id, "product_id")
    named = [
        (("variant_ids", str(i)), lambda public=public: ids.decode("Variant", public))
        for i, public in enumerate(given.variant_ids)
    ]
    keys, version = gathered(named), given.if_version
    await _written(ctx, lambda tx: variant_write.reorder(tx, product, keys, ctx.actor, if_version=version))
    return await _product(ctx, product)


async def generate(ctx: Ctx, given: Any) -> dict[str, Any]:
    product, price = _with_product(given, lambda: _price(given.price))
    version = given.if_version
    made = await _written(ctx, lambda tx: variant_matrix.generate(tx, product, price, ctx.actor, if_version=version))
    return {**await _product(ctx, product), "variants_created": len(made)}


async def set_options(ctx: Ctx, given: Any) -> dict[str, Any]:
    product, drafts = _with_product(given, lambda: _built("options", given.options, _option))
    command, version = SetOptions(product, tuple(drafts)), given.if_version
    await _written(ctx, lambda tx: option_write.set_options(tx, command, ctx.actor, if_version=version))
    return await _product(ctx, product)


async def upsert(ctx: Ctx, given: Any) -> dict[str, Any]:
    rows = rows_of(given, _variant_row)

    async def write(tx: Tx) -> list[Any]:
        results = await variant_upsert.upsert_variants(tx, rows, ctx.actor)
        refuse_all(results, given.on_error)
        return results

    return {"results": await _written(ctx, write)}


async def upsert_products(ctx: Ctx, given: Any) -> dict[str, Any]:
    rows = rows_of(given, _product_row)
    if sum(row.size for row in rows.built.values()) > MOST_ROWS:
        raise ValidationFailed(f"Give at most {MOST_ROWS:,} variants at once.", path=("rows",))

    async def write(tx: Tx) -> list[Any]:
        results = await product_upsert.upsert(tx, rows, ctx.actor)
        refuse_all(results, given.on_error)
        return results

    return {"results": await _written(ctx, write)}


def _variant_row(row: Any) -> VariantRow:
    gathering = Gathering()
    product = change = None
    offers: list[Any] = []
    with gathering.at("product_id"):
        product = None if row.product_id is None else ids.decode("Product", row.product_id)
    with gathering.at():
        change = _change(row)
    with gathering.at():
        offers = _built("prices", row.prices or (), _offer)
    gathering.raise_if_any()
    return VariantRow(change or VariantChange({}), product, tuple(offers))


def _product_row(row: Any) -> ProductRow:
    gathering = Gathering()
    variants: list[VariantPart] = []
    names: list[str] = []
    for i, name in enumerate(row.options or ()):
        with gathering.at("options", str(i)):
            names.append(check_text(name))
    with gathering.at():
        variants = _built("variants", row.variants or (), _part)
    with gathering.at("media"):
        _check_pictures(row.media or ())
    fields = {name: value for name, value in row.given.items() if name not in _PARTS}
    with gathering.at():
        made = ProductRow(
            fields,
            None if row.options is None else tuple(names),
            None if row.variants is None else tuple(variants),
            None if row.media is None else tuple(MediaDraft(one.url, (one.alt or "").strip()) for one in row.media),
        )
    gathering.raise_if_any()
    return made  # pyright: ignore[reportPossiblyUnbound] - or it was refused


def _check_pictures(media: Sequence[Any]) -> None:
    if len(media) > MOST_MEDIA:
        raise ValidationFailed(f"A product has at most {MOST_MEDIA} pictures.")
    gathered([((str(i), "alt"), lambda one=one: check_alt(one.alt or "")) for i, one in enumerate(media)])


def _part(row: Any) -> VariantPart:
    parts: list[tuple[tuple[str, ...], Callable[[], Any]]] = [
        ((), lambda: _change(row)),
        ((), lambda: _built("prices", row.prices or (), _offer)),
    ]
    change, offers = gathered(parts)
    return VariantPart(change, tuple(offers), row.image)


def _offer(price: Any) -> Any:
    region = None if price.region_id is None else ids.decode("Region", price.region_id, "region_id")
    return offer(price, region)


def _change(given: Any) -> VariantChange:
    fields = {name: value for name, value in given.given.items() if name in FIELDS}
    if fields.get("media_id") is not None:
        fields["media_id"] = ids.decode("Media", fields["media_id"], "media_id")
    return VariantChange(fields, _options(given.options))


def _options(options: Sequence[Any] | None) -> tuple[Chosen, ...]:
    return tuple(Chosen(option.name, option.value) for option in options or ())


def _option(option: Any) -> OptionDraft:
    values = _built("values", option.values, _value)
    key = None if option.id is None else ids.decode("ProductOption", option.id, "id")
    fields = {name: option.given[name] for name in ("translations",) if name in option.given}
    return OptionDraft(option.name, tuple(values), key, option.value_for_existing, fields)


def _value(value: Any) -> ValueDraft:
    key = None if value.id is None else ids.decode("OptionValue", value.id, "id")
    fields = {name: part for name, part in value.given.items() if name in _VALUE_FIELDS}
    if fields.get("swatch_media_id") is not None:
        fields["swatch_media_id"] = ids.decode("Media", fields["swatch_media_id"], "swatch_media_id")
    return ValueDraft(value.name, key, fields)


def _price(given: Any) -> Money | None:
    with under("price"):
        if given is None:
            return None
        minor = minor_units(given.amount, given.currency)
        if minor < 0:
            raise ValidationFailed("A price is 0 or more.", path=("amount",))
    return Money(minor, given.currency)


def _built(name: str, rows: Sequence[Any], build: Callable[[Any], T]) -> list[T]:
    return gathered([((name, str(i)), lambda row=row: build(row)) for i, row in enumerate(rows)])


def _with_product(given: Any, build: Callable[[], T]) -> tuple[UUID, T]:
    return _both("Product", given.product_id, "product_id", build)


def _with_variant(given: Any, build: Callable[[], T]) -> tuple[UUID, T]:
    return _both("Variant", given.variant_id, "variant_id", build)


def _both(kind: str, public: str, name: str, build: Callable[[], T]) -> tuple[UUID, T]:
    """The id and what else is given, refused with all that is wrong with either."""
    parts: list[tuple[tuple[str, ...], Callable[[], Any]]] = [
        ((name,), lambda: ids.decode(kind, public)),
        ((), build),
    ]
    key, built = gathered(parts)
    return key, built


async def _written(ctx: Ctx, write: Callable[[Tx], Awaitable[T]]) -> T:
    return await write_catalogue(ctx.shop, write)


async def _variant(ctx: Ctx, key: UUID) -> dict[str, Any]:
    row = await ctx.load(catalog.variant_by_id, key)
    return {"variant": row, **await _product(ctx, row["product_id"])}


async def _product(ctx: Ctx, key: UUID) -> dict[str, Any]:
    return {"product": await ctx.load(any_product, key)}


_PARTS: Final = ("options", "variants", "media")
_VALUE_FIELDS: Final = ("swatch_color", "swatch_media_id", "translations")
