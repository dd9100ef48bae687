"""What one operation knows: who asks, in which region, and what was loaded already."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Select, bindparam, select

from db import Order, Region, RegionCountry
from db.connection import PooledRead, Read
from db.operation import OperationRead
from db.session import Purpose
from db.workflow import ActorKind
from domain import channel as channels
from domain.actor import Actor, OrderAccess
from domain.channel import Bound
from domain.processes.shop import Shop
from domain.refusal import Refusal
from domain.session import Begun
from domain.translation import conventions, fallbacks
from engine.batch import Batch, Loaded
from engine.plan import Selection
from resolvers import ids
from resolvers.place import find_channel
from resolvers.request_error import BadUserInput, Forbidden, Unauthenticated
from resolvers.trace import Trace, TracedLoaded

QUERY = "Query"
"""The type of the root of queries; of other operations only payloads and items are planned."""
PUBLIC = "public"
"""Anybody may ask; whose rows they get is decided in the query itself."""
SIGNED_IN = "signed_in"
"""Whoever has signed in, as a customer or as staff; no program with a key."""
SIGNED_IN_CUSTOMER = "signed_in:customer"
SIGNED_IN_STAFF = "signed_in:staff"
_SIGNED_IN = {
    SIGNED_IN: (ActorKind.CUSTOMER, ActorKind.STAFF),
    SIGNED_IN_CUSTOMER: (ActorKind.CUSTOMER,),
    SIGNED_IN_STAFF: (ActorKind.STAFF,),
}
NO_LOCALE = "This is not a locale such as de-DE."
WITHOUT_PERMISSION = {PUBLIC, *_SIGNED_IN}
"""What a field can need besides permissions."""


class Tokens(Protocol):
    """Signs and reads what callers prove themselves with."""

    def access_token(self, kind: ActorKind, subject_id: UUID, session_id: UUID) -> tuple[str, int]:
        """A session's token and for how many seconds it is good."""
        ...

    def single_use_token(self, purpose: Purpose, token_id: UUID) -> str: ...

    def read_single_use_token(self, purpose: Purpose, token: str) -> UUID | None: ...

    def order_token(self, access: OrderAccess, seconds: int | None = None) -> str: ...

    def read_order_token(self, token: str) -> OrderAccess | None: ...

    def upload_token(self, file_id: UUID, until: datetime) -> str:
        """Lets put the bytes of a file that was announced."""
        ...

    def file_token(self, file_id: UUID, width: int | None, seconds: int) -> str:
        """Lets read a file, or its thumbnail of this width."""
        ...

    def seal(self, plain: str) -> str: ...

    def unseal(self, sealed: str) -> str | None: ...

    def live_token(self, customer: Actor, order: OrderAccess | None) -> tuple[str, int]:
        """A token that lets subscribe and nothing else, and for how many seconds it is good."""
        ...


class Cookies(Protocol):
    """The cookies of sessions, those of the request and those that its answer sets."""

    def may_use(self, kind: ActorKind) -> bool:
        """Whether the request has proved to come from where sessions of this kind may live in cookies."""
        ...

    def refresh_token(self, kind: ActorKind) -> str | None:
        """That of the request, if it may use it."""
        ...

    def give(self, begun: Begun) -> int:
        """Sets the cookies of a session; for how many seconds its access token is good."""
        ...

    def clear(self, kind: ActorKind) -> None: ...


class Live(Protocol):
    """What streams of a process share; see resolvers/live.py."""

    feed: Any
    watches: Any

    def listen(self, topic: str, listener: Any) -> AbstractAsyncContextManager[Any]:
        """Wakes it whenever something about the topic may have changed."""
        ...

    def asked(self, what: str, load: Callable[[Read, list[Any]], Awaitable[Any]]) -> Any:
        """Asks for what many streams want to know at the same moment by one call."""
        ...


class Passwords(Protocol):
    async def hashed(self, password: str) -> str:
        """What is stored of a new password."""
        ...

    async def verify(self, stored: str | None, given: str) -> bool:
        """Takes as long without a stored hash as with one, so that time does not tell who has an account."""
        ...


@dataclass(frozen=True)
class ContextChoice:
    """What the client asked for by `@inContext` or `X-Shop-Context`; every part is optional."""

    region: str | None = None
    country: str | None = None
    channel: str | None = None
    locale: str | None = None


@dataclass
class Ctx:
    shop: Shop
    tokens: Tokens
    passwords: Passwords
    live: Live
    actor: Actor
    request_id: str
    choice: ContextChoice = ContextChoice()
    cart_token: str | None = None
    access_token: str | None = None
    subscribes_only: bool = False
    """The caller has a live token: it lets subscribe, and nothing else."""
    live_order: OrderAccess | None = None
    """The order that it opens."""
    buyer_address: str = ""
    """The network address of whoever buys, as far as it is known from somebody who is trusted."""
    bound: Bound | None = None
    """The sales channels of the publishable key that was sent; null: none was."""
    device: str = ""
    """What the client calls itself."""
    cookies: Cookies | None = None
    """Null where none can be set."""
    document: Any = None
    """What the engine knows of the document that is being run."""
    refused: Exception | None = None
    """Why the plan of the operation was given up."""
    trace: Trace | None = None
    """For developers who asked what ran where; the shop is then the one that the trace made."""
    reads: set[Any] = field(default_factory=set[Any])
    """What was read of the catalogue: ids of products, and the names of kinds (see db/changes.py)."""
    shared: bool = False
    """All of the answer is the same for everybody who asks the same in the same context."""
    _region: "asyncio.Future[Region] | None" = None
    _channel: "asyncio.Future[UUID] | None" = None
    loaded: Loaded = field(init=False)
    read: Read = field(init=False)

    def __post_init__(self) -> None:
        self.loaded = Loaded(self) if self.trace is None else TracedLoaded(self, self.trace)
        self.read = self.shop.read

    def read_on_one_connection(self) -> None:
        """For queries, which end soon: a stream would keep the connection while it waits, and a mutation would wait
        for a second one to write on.
        """
        if isinstance(self.read, PooledRead):
            self.read = OperationRead(self.shop.database)

    async def close(self) -> None:
        """The operation is over. graphql-core's executor is part of a cycle, which would keep all rows until the
        garbage is collected.
        """
        self.loaded.clear()
        await self.read.close()

    async def load(self, batch: Batch, key: Hashable) -> Any:
        return await self.loaded.load(batch, key)

    def executing(self) -> None:
        """The operation, or the next item of its stream, is known and is executed from now on."""
        if self.trace is not None:
            self.trace.executing()

    def planned(self, selection: Selection) -> None:
        """The engine ran this selection by its plan. Only what says what it read may be shared."""
        self.shared = selection.shared and selection.type_name == QUERY and bool(self.reads) and self.trace is None
        if self.trace is not None:
            self.trace.planned(selection)

    def handed_over(self, error: Exception) -> None:
        """The engine leaves this selection to graphql-core, because of the error."""
        if self.trace is not None:
            self.trace.handed_over(error, self.request_id)

    def require(self, needs: str) -> None:
        """Lets through who has the permission; `PUBLIC` is everybody, `SIGNED_IN…` are people with a session."""
        kinds = _SIGNED_IN.get(needs)
        allowed = self.actor.may(needs) if kinds is None else self.actor.session_id and self.actor.kind in kinds
        if needs == PUBLIC or allowed:
            return
        if self.actor.id is None and self.actor.api_key_id is None:
            raise Unauthenticated("Sign in first.")
        advice = f"This needs the permission {needs}."
        if self.actor.factor_demanded and not self.actor.permissions:
            advice += " Staff here have none before they have a second factor: staffTotpBegin sets one up."
        raise Forbidden(advice, needs=needs)

    def order_access(self, given: str | None) -> OrderAccess | None:
        """What the access token in the input, or else in the header, proves; nothing if it is not one of ours."""
        token = given if given is not None else self.access_token
        if token is None:
            return self.live_order
        return self.tokens.read_order_token(token) if token else None

    @property
    def locales(self) -> tuple[str, ...]:
        """Where the texts of this operation are looked for, the closest locale first (`translated`)."""
        return fallbacks(self.choice.locale)

    async def check_choice(self) -> None:
        """Refuses an operation that is to take place nowhere, or in no language, before anything of it is done."""
        chosen = self.choice
        if chosen.locale is not None and conventions(chosen.locale) is None:
            raise BadUserInput(NO_LOCALE, "locale")
        if chosen.region is not None or chosen.country is not None:
            await self._found_region()
        if chosen.channel is not None:
            await self.channel()

    async def region(self) -> Region:
        """The region of this operation, found once however many fields ask."""
        self.reads.add("region")
        return await self._found_region()

    async def _found_region(self) -> Region:
        if self._region is None:
            self._region = asyncio.ensure_future(find_region(self.read, self.choice))
        return await self._region

    async def channel(self) -> UUID | None:
        """The sales channel of this operation; null is the default one, which statements find by themselves."""
        if self.choice.channel is None and self.bound is None:
            return None
        if self._channel is None:
            self._channel = asyncio.ensure_future(find_channel(self.read, self.choice.channel, self.bound))
        return await self._channel

    def adopt_place(self, other: "Ctx") -> None:
        """Where another operation found that it takes place, which was asked for in the same words."""
        self._region, self._channel = other._region, other._channel

    @property
    def resolved_region(self) -> Any:
        """The region, if anything asked for it; it knows the default channel as well."""
        return _done(self._region)

    @property
    def resolved_channel(self) -> UUID | None:
        """The channel, as far as it is known: if anything asked for one that is not the default, or for the region."""
        if self.choice.channel is not None or self.bound is not None:
            return _done(self._channel)
        region = self.resolved_region
        return None if region is None else region.default_channel_id


def _done(asked: "asyncio.Future[Any] | None") -> Any:
    """What was found, if anything asked for it and it was found."""
    done = asked is not None and asked.done() and not asked.cancelled()
    return asked.result() if asked and done and not asked.exception() else None


async def find_region(read: Read, choice: ContextChoice) -> Region:
    """By id, else by country, else the default one."""
    given: dict[str, Any] = {}
    if choice.region is not None:
        try:
            given["region"] = ids.decode("Region", choice.region)
        except Refusal as refusal:
            raise BadUserInput(refusal.message, "region") from None
    if choice.country is not None:
        given["country"] = choice.country
    region: Any = await read.first(_REGIONS["region" in given, "country" in given], **given)
    if region is None:
        argument = "region" if choice.region is not None else "country"
        raise BadUserInput("There is no such region in this shop.", argument)
    return region


_BY_ID = Region.id == bindparam("region")
_BY_COUNTRY = Region.id == (
    select(RegionCountry.region_id).where(RegionCountry.country == bindparam("country")).scalar_subquery()
)
_REGION: Select[Any] = select(*Region.__table__.c, channels.DEFAULT.label("default_channel_id")).where(
    Region.archived_at.is_(None)
)
_REGIONS = {
    (False, False): _REGION.order_by(Region.is_default.desc(), Region.id).limit(1),
    (True, False): _REGION.where(_BY_ID),
    (False, True): _REGION.where(_BY_COUNTRY),
    (True, True): _REGION.where(_BY_ID, _BY_COUNTRY),
}
"""By whether a region and whether a country was chosen."""


def order_token(ctx: Ctx, order: Order) -> str:
    return ctx.tokens.order_token(OrderAccess(order.id, order.access_version))
