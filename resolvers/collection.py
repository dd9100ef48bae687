"""Collections, their products in their order, and what staff do with them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from db import Channel, Collection, CollectionChannel, ProductCollection, Region
from domain import collection as collections
from domain import (
    collection_membership,
    collection_products,
    collection_publication,
    collection_rule,
    handle,
    showcase_picture,
)
from domain.collection import TRANSLATED, CreateCollection, UpdateCollection
from domain.collection_products import OfCollection
from domain.collection_publication import SHOWN
from domain.collection_rule import Condition, InRegion, RuleField, RuleMatch, Rules
from domain.listing import OF_ORDER, ListingFilter, ListingSort
from domain.money import minor_units
from domain.publishing import Window
from domain.refusal import NotFound, Refusal, ValidationFailed, gathered, under
from domain.translation import translated
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import grouped, itself, one, shared
from resolvers.context import Ctx
from resolvers.listing import Wanted
from resolvers.listing_within import COLLECTION, count_within, products_within
from resolvers.page import Listed, Page, PageArgs, Sort
from resolvers.showcase import given_columns, showing

WRITE: Final = "collections:write"
UNSEEN: Final = frozenset({"translations", "created_at", "updated_at", "rules"})
COLUMNS: Final = tuple(
    translated(Collection, column.key) if column.key in TRANSLATED else column
    for column in Collection.__table__.c
    if column.key not in UNSEEN
)
COLLECTIONS: Final[Select[Any]] = select(*COLUMNS)
_BY_ID: Final = Sort("collection.id", (Collection.id,))
_KEYS: Final = bindparam("keys", type_=ARRAY(Collection.__table__.c["id"].type))
_shown: Final = Listed(COLLECTIONS.where(SHOWN), _BY_ID)
_every: Final = Listed(COLLECTIONS, _BY_ID)
_BY_HANDLE: Final = COLLECTIONS.where(Collection.handle == bindparam("handle"))
_SHOWN_BY_HANDLE: Final = _BY_HANDLE.where(SHOWN)
_FORMERLY: Final = handle.formerly(Collection, COLLECTIONS.where(SHOWN))
_SHOWN_BY_ID: Final = COLLECTIONS.where(SHOWN, Collection.id == any_(_KEYS))
_OF_PRODUCT: Final = (
    select(ProductCollection.product_id, *COLUMNS)
    .join(Collection, Collection.id == ProductCollection.collection_id)
    .where(SHOWN, ProductCollection.product_id == any_(_KEYS))
    .order_by(Collection.title, Collection.id)
)


async def _load_shown(ctx: Ctx, keys: list[UUID]) -> list[Any]:
    given = {"keys": keys, "channel": await ctx.channel(), "locales": ctx.locales}
    by_id = {row["id"]: row for row in await ctx.read.records(_SHOWN_BY_ID, **given)}
    return [by_id.get(key) for key in keys]


async def _load_of_product(ctx: Ctx, products: list[UUID]) -> list[Any]:
    given = {"keys": products, "channel": await ctx.channel(), "locales": ctx.locales}
    return grouped(await ctx.read.records(_OF_PRODUCT, **given), "product_id", products)


collection_by_id: Final = shared(Batch("collection by id", _load_shown), "collection")
"""That are shown in the operation's channel."""
any_collection_by_id: Final = one(COLLECTIONS, Collection.id)
collections_of_product: Final = shared(Batch("collections of product", _load_of_product), "collection", product=itself)
_said_of_collection: Final = one(select(Collection.id, Collection.translations, Collection.rules), Collection.id)
products_of_collection: Final = products_within(COLLECTION)
product_count: Final = count_within(COLLECTION)


def products_keys(
    rows: Sequence[Any], args: PageArgs, given: ListingFilter | None, sort: ListingSort | None
) -> list[Any]:
    """Of `products_of_collection`. By rank, and if nothing was said, in the order of each."""
    chosen = given or ListingFilter()
    other = None if sort is ListingSort.RANK else sort
    return [(row["id"], Wanted(chosen, other or OF_ORDER[row["product_order"]]), args) for row in rows]


async def list_collections(ctx: Ctx, args: PageArgs) -> Page:
    ctx.reads.add("collection")
    return await _shown.page(ctx, args, channel=await ctx.channel())


async def list_all(ctx: Ctx, args: PageArgs) -> Page:
    """Also those that nobody is shown."""
    return await _every.page(ctx, args)


async def find(ctx: Ctx, by: Any) -> Collection | None:
    """By id, by its handle, or by one that it had; only what is shown in the channel."""
    ctx.reads.add("collection")
    if by.handle is None:
        return await ctx.load(collection_by_id, ids.decode("Collection", by.id, "by", "id"))
    named = {"handle": by.handle, "channel": await ctx.channel(), "locales": ctx.locales}
    found = await ctx.read.first(_SHOWN_BY_HANDLE, **named)
    return found if found is not None else await ctx.read.first(_FORMERLY, **named)


async def find_node(ctx: Ctx, key: UUID) -> Any:
    """Staff who may change it see it in any state."""
    return await ctx.load(any_collection_by_id if ctx.actor.may(WRITE) else collection_by_id, key)


async def external_id(ctx: Ctx, row: Any) -> str | None:
    return row["external_id"] if ctx.actor.may(WRITE) else None


async def translations(ctx: Ctx, row: Any) -> Any:
    return (await ctx.load(_said_of_collection, row["id"]))["translations"] if ctx.actor.may(WRITE) else None


async def rules(ctx: Ctx, row: Any) -> Any:
    """As clients gave them; null without the permission, and of what is chosen by hand."""
    kept = (await ctx.load(_said_of_collection, row["id"]))["rules"] if ctx.actor.may(WRITE) else None
    if kept is None:
        return None
    told = collection_rule.read(kept)
    return {"match": told.match, "conditions": [_public(condition) for condition in told.conditions]}


def _public(condition: Condition) -> dict[str, Any]:
    value, region = condition.value, None
    if isinstance(value, InRegion):
        value, region = value.amount, ids.encode("Region", value.region_id)
    elif isinstance(value, UUID):
        value = ids.encode("Category", value)
    elif isinstance(value, datetime):
        value = value.isoformat()
    elif isinstance(value, bool):
        value = "true" if value else "false"
    told = {"field": condition.field, "operator": condition.operator, "key": condition.key}
    return {**told, "value": value, "region_id": region}


async def _rules(ctx: Ctx, given: Any) -> Rules:
    """What was given, with ids as keys and amounts in minor units; refuses each part by its path."""
    regions = await _regions(ctx, given.conditions)
    with under("rules"), under("conditions"):
        parts = [((str(i),), _builder(condition, regions)) for i, condition in enumerate(given.conditions)]
        conditions = gathered(parts)
    with under("rules"):
        return Rules(RuleMatch(given.match), tuple(conditions))


def _builder(given: Any, regions: Mapping[str | None, Any]) -> Any:
    def build() -> Condition:
        field = RuleField(given.field)
        value = given.value
        if given.region_id is not None and field != RuleField.PRICE:
            raise ValidationFailed("Only a condition on the price names a region.", path=("region_id",))
        if field == RuleField.CATEGORY and value is not None:
            value = ids.decode("Category", value, "value")
        elif field == RuleField.PRICE and value is not None:
            region = regions.get(given.region_id)
            if region is None:
                raise NotFound(path=("region_id",))
            value = _amount(value, region)
        elif field == RuleField.CREATED_AT and value is not None:
            value = _time(value)
        elif field == RuleField.AVAILABLE:
            value = _TRUTHS.get(value, value)
        return Condition(field, given.operator, value, given.key)

    return build


_TRUTHS: Final[Mapping[Any, Any]] = {"true": True, "false": False}


def _amount(value: str, region: Any) -> InRegion:
    try:
        return InRegion(region.id, region.currency, minor_units(value, region.currency))
    except Refusal as refusal:
        raise ValidationFailed(refusal.message, path=("value",)) from None


def _time(value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValidationFailed("Give a time with its zone, such as 2030-01-01T00:00:00Z.", path=("value",))
    return time


async def _regions(ctx: Ctx, conditions: Sequence[Any]) -> dict[str | None, Any]:
    """The regions that conditions name, by public id; null: the default one."""
    asked = {c.region_id for c in conditions if c.field == RuleField.PRICE}
    if not asked:
        return {}
    found: dict[str | None, Any] = {}
    for row in await ctx.read.all(select(Region).where(Region.archived_at.is_(None))):
        found[ids.encode("Region", row.id)] = row
        if row.is_default:
            found[None] = row
    return found


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    told = None if given.rules is None else await _rules(ctx, given.rules)
    command = CreateCollection(given_columns(given, "rules"), told)
    async with ctx.shop.tx() as tx:
        row = await showcase_picture.placed(tx, command.given, showing(ctx, Collection), ctx.actor)
        made = await collections.create(tx, replace(command, given=row), ctx.actor)
        await collection_publication.publish_new(tx, [made.id])
    return await _told(ctx, made.id)


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Collection", given.id, "id")
    row = given_columns(given, "id", "if_version", "rules")
    if "rules" in given.given and given.rules is None:
        raise ValidationFailed("A collection by rule keeps having one.", path=("rules",))
    told = None if given.rules is None else await _rules(ctx, given.rules)
    command = UpdateCollection(key, row, told, given.if_version)
    async with ctx.shop.tx() as tx:
        row = await showcase_picture.placed(tx, command.given, showing(ctx, Collection, key), ctx.actor)
        await collections.change(tx, replace(command, given=row), ctx.actor)
    return await _told(ctx, key)


async def _told(ctx: Ctx, key: UUID) -> dict[str, Any]:
    return {"collection": await ctx.load(any_collection_by_id, key)}


async def preview(ctx: Ctx, rules: Any, first: int) -> dict[str, Any]:
    if not 0 <= first <= 100:
        raise ValidationFailed("Ask for 0 to 100 products.", path=("first",))
    told = await _rules(ctx, rules)
    await collections.check_named(ctx.read, told)
    count, rows = await collection_membership.preview(ctx.read, told, first)
    return {"count": count, "products": rows}


def _of(given: Any, before: str | None = None) -> OfCollection:
    key = ids.decode("Collection", given.collection_id, "collection_id")
    products = ids.decode_all("Product", given.product_ids, "product_ids")
    place = None if before is None else ids.decode("Product", before, "before_id")
    return OfCollection(key, products, place, given.if_version)


async def add_products(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = _of(given, given.before_id)
    async with ctx.shop.tx() as tx:
        await collection_products.add(tx, command, ctx.actor)
    return await _told(ctx, command.collection_id)


async def remove_products(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = _of(given)
    async with ctx.shop.tx() as tx:
        await collection_products.remove(tx, command, ctx.actor)
    return await _told(ctx, command.collection_id)


async def reorder(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = _of(given, given.before_id)
    async with ctx.shop.tx() as tx:
        await collection_products.reorder(tx, command, ctx.actor)
    return await _told(ctx, command.collection_id)


_PUBLICATIONS: Final = (
    select(CollectionChannel)
    .join(Channel, Channel.id == CollectionChannel.channel_id)
    .where(CollectionChannel.collection_id == bindparam("collection_id"))
    .order_by(Channel.is_default.desc(), Channel.id)
)


async def publications(ctx: Ctx, collection_id: str) -> list[CollectionChannel]:
    key = ids.decode("Collection", collection_id, "collection_id")
    return await ctx.read.all(_PUBLICATIONS, collection_id=key)


async def publish(ctx: Ctx, given: Any) -> dict[str, Any]:
    key, channel = _named(given)
    window = Window(channel, given.published_from, given.published_until)
    async with ctx.shop.tx() as tx:
        return {"publication": await collection_publication.COLLECTIONS.publish(tx, key, window, ctx.actor)}


async def unpublish(ctx: Ctx, given: Any) -> dict[str, Any]:
    key, channel = _named(given)
    async with ctx.shop.tx() as tx:
        await collection_publication.COLLECTIONS.unpublish(tx, key, channel, ctx.actor)
    return {"collection_id": given.collection_id}


def _named(given: Any) -> tuple[UUID, UUID | None]:
    """The collection, and the channel; null: the default one."""
    channel = None if given.channel_id is None else ids.decode("Channel", given.channel_id, "channel_id")
    return ids.decode("Collection", given.collection_id, "collection_id"), channel
