"""Where and when products are for sale: in which sales channels, each with a window of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from db import Channel, Product, ProductChannel
from db.catalog import ProductStatus
from db.connection import Tx
from domain import audit
from domain.actor import Actor
from domain.channel import CHOSEN, DEFAULT
from domain.refusal import Gathering, NotFound, ValidationFailed

_NOW: Final = func.statement_timestamp()
"""Not `now()`: in a transaction that waited for a lock that would be the time before it waited. And stable, unlike the
clock, so that the planner may join by windows.
"""


def for_sale_in(channel: Any) -> ColumnElement[bool]:
    """Whether a row of `product` is published, in the channel, and within its window there now."""
    opened = ProductChannel.published_from.is_(None) | (ProductChannel.published_from <= _NOW)
    not_over = ProductChannel.published_until.is_(None) | (ProductChannel.published_until > _NOW)
    publication = select(ProductChannel.product_id).where(
        ProductChannel.product_id == Product.id, ProductChannel.channel_id == channel, opened, not_over
    )
    return (Product.status == ProductStatus.PUBLISHED) & publication.exists()


def for_sale_in_cart(channel: Any) -> ColumnElement[bool]:
    """The same in the channel of a cart, which may have been archived since; who asks for a channel cannot name
    an archived one.
    """
    is_open = select(Channel.id).where(Channel.id == channel, Channel.archived_at.is_(None)).exists()
    return for_sale_in(channel) & is_open


FOR_SALE: Final = for_sale_in(CHOSEN)
"""In the channel that a statement's parameter `channel` names; null: the default one."""


@dataclass(frozen=True)
class Publish:
    """Channel null: the default one. Without bounds the product is there from now on and stays."""

    product_id: UUID
    channel_id: UUID | None = None
    published_from: datetime | None = None
    published_until: datetime | None = None

    def __post_init__(self) -> None:
        if self.published_from and self.published_until and self.published_from >= self.published_until:
            raise ValidationFailed("The window ends before it begins.", path=("published_until",))


async def publish(tx: Tx, command: Publish, actor: Actor) -> ProductChannel:
    """Puts the product into the channel, or gives it another window there. As it was already changes nothing.

    It is seen there while its status is published as well.
    """
    product_id, channel_id, before = await _found(tx, command.product_id, command.channel_id)
    window = {"published_from": command.published_from, "published_until": command.published_until}
    after = await tx.one(_PUBLISH, product_id=product_id, channel_id=channel_id, **window)
    difference = audit.changed(_told(before), _told(after))
    if difference:
        await audit.record(tx, actor, "productPublish", f"product:{product_id}", difference)
    return after


async def unpublish(tx: Tx, product_id: UUID, channel_id: UUID | None, actor: Actor) -> None:
    """Takes the product out of the channel. One that is not there stays out."""
    product_id, channel_id, before = await _found(tx, product_id, channel_id, archived=True)
    if before is not None:
        await tx.run(_UNPUBLISH, product_id=product_id, channel_id=channel_id)
        await audit.record(tx, actor, "productUnpublish", f"product:{product_id}", audit.changed(_told(before), {}))


async def publish_new(tx: Tx, products: Iterable[UUID]) -> None:
    """Products that were just made are in the default channel; whether they are seen says their status."""
    if listed := list(products):
        await tx.run(_PUBLISH_NEW, products=listed)


async def _found(
    tx: Tx, product_id: UUID, channel_id: UUID | None, *, archived: bool = False
) -> tuple[UUID, UUID, ProductChannel | None]:
    """The product, the channel and the publication that there is, all locked; refuses what is not there."""
    gathering = Gathering()
    with gathering.at("product_id"):
        if await tx.scalar(_PRODUCT, product_id=product_id) is None:
            raise NotFound
    channel = await tx.first(_CHANNEL, channel=channel_id)
    with gathering.at("channel_id"):
        if channel is None or (channel.archived_at is not None and not archived):
            raise NotFound("There is no such sales channel, or it is archived.")
    gathering.raise_if_any()
    there: UUID = cast("Any", channel).id
    return product_id, there, await tx.first(_PUBLICATION, product_id=product_id, channel_id=there)


def _told(row: ProductChannel | None) -> dict[str, Any]:
    if row is None:
        return {}
    bounds = {"from": row.published_from, "until": row.published_until}
    return {"channel": row.channel_id, **{name: at and at.isoformat() for name, at in bounds.items()}}


_OF_PRODUCT: Final = ProductChannel.product_id == bindparam("product_id")
_IN_CHANNEL: Final = ProductChannel.channel_id == bindparam("channel_id")
_PRODUCT: Final = select(Product.id).where(Product.id == bindparam("product_id")).with_for_update(key_share=True)
_CHANNEL: Final = select(Channel).where(Channel.id == CHOSEN).with_for_update(key_share=True, read=True)
_PUBLICATION: Final = select(ProductChannel).where(_OF_PRODUCT, _IN_CHANNEL)
_COLUMNS: Final = ("channel_id", "product_id", "published_from", "published_until")
_INSERT: Final = insert(ProductChannel).values({name: bindparam(name) for name in _COLUMNS})
_PUBLISH: Final = _INSERT.on_conflict_do_update(
    index_elements=["channel_id", "product_id"],
    set_={name: _INSERT.excluded[name] for name in ("published_from", "published_until")},
).returning(ProductChannel)
_UNPUBLISH: Final = delete(ProductChannel).where(_OF_PRODUCT, _IN_CHANNEL)
_PUBLISH_NEW: Final = insert(ProductChannel).from_select(
    ["channel_id", "product_id"],
    select(DEFAULT, func.unnest(bindparam("products", type_=ARRAY(Uuid)))),
    include_defaults=False,
)
