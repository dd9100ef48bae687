"""Sales channels as tests make them, and what is seen in them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from db import Channel
from domain import channel as channels
from domain.channel import CreateChannel
from domain.processes.shop import Shop
from domain.publication import PRODUCTS
from domain.publishing import Window
from resolvers import ids
from tests import given
from tests.api import Api

HANDLES = "{ products { nodes { handle } totalCount } }"


async def default(shop: Shop) -> str:
    return ids.encode("Channel", await shop.read.one_scalar(select(Channel.id).where(Channel.is_default)))


async def made(shop: Shop, code: str = "till") -> str:
    """A new channel with nothing in it."""
    async with shop.tx() as tx:
        return ids.encode("Channel", (await channels.create(tx, CreateChannel(code, code), given.ADMINISTRATOR)).id)


async def published(
    shop: Shop, product: str, channel: str, start: datetime | None = None, end: datetime | None = None
) -> None:
    key = ids.decode("Channel", channel)
    async with shop.tx() as tx:
        await PRODUCTS.publish(tx, ids.decode("Product", product), Window(key, start, end), given.ADMINISTRATOR)


async def unpublished(shop: Shop, product: str, channel: str | None = None) -> None:
    key: UUID | None = None if channel is None else ids.decode("Channel", channel)
    async with shop.tx() as tx:
        await PRODUCTS.unpublish(tx, ids.decode("Product", product), key, given.ADMINISTRATOR)


async def archived(shop: Shop, channel: str) -> None:
    async with shop.tx() as tx:
        await channels.archive(tx, ids.decode("Channel", channel), given.ADMINISTRATOR)


def within(api: Api, channel: str) -> Api:
    return Api(api.http, {**api.headers, "x-shop-context": f"channel={channel}"}, api.database)


async def handles(api: Api) -> list[str]:
    """Of all products that are seen; as many as are counted."""
    listed: dict[str, Any] = (await api(HANDLES))["products"]
    assert listed["totalCount"] == len(listed["nodes"])
    return [node["handle"] for node in listed["nodes"]]
