"""Keys of programs, as tests make and send them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from db import Channel
from db.session import ApiKeyKind
from domain import api_key as api_keys
from domain.api_key import CreateApiKey, Made
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api

TICKETS = "{ tickets { nodes { id } } }"


async def made(shop: Shop, *scopes: str, kind: ApiKeyKind | None = None, expires_at: datetime | None = None) -> Made:
    """A key that somebody who may do everything made; a publishable one is for the default channel."""
    channels = await default_channel(shop) if kind == ApiKeyKind.PUBLISHABLE else ()
    command = CreateApiKey(kind or ApiKeyKind.SECRET, "Till", scopes, expires_at, channels)
    async with shop.tx() as tx:
        return await api_keys.create(tx, command, given.ADMINISTRATOR)


async def default_channel(shop: Shop) -> tuple[UUID]:
    return (await shop.read.one_scalar(select(Channel.id).where(Channel.is_default)),)


def of(key: Made) -> str:
    return ids.encode("ApiKey", key.row.id)


def holding(api: Api, key: str) -> Api:
    return api.signed_in(key)


def beside(api: Api, key: str, **more: str) -> Api:
    return Api(api.http, {**api.headers, "x-api-key": key, **more}, api.database)
