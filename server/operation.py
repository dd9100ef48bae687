"""What every transport does with an operation: find out who asks and where, and write its answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from strawberry.types import ExecutionResult

from domain.processes.shop import Shop
from engine.shared import Written
from resolvers import ids
from resolvers.context import ContextChoice, Ctx, Live, Passwords
from resolvers.request_error import RequestError
from resolvers.trace import Trace
from server.authentication import Authentication
from server.cookies import CookieRules, SessionCookies
from server.errors import public_error
from server.tokens import SignedTokens


@dataclass(frozen=True)
class Asked:
    """By whom, as far as the transport knows: the headers, where the connection comes from, its cookies."""

    headers: Mapping[str, str]
    peer: str
    cookies: SessionCookies
    request_id: str
    sets_cookies: bool
    """The answer can carry cookies."""


@dataclass(frozen=True)
class Contexts:
    """Makes what an operation knows; each one anew, so that nothing of an earlier one is believed or reused."""

    shop: Shop
    live: Live
    tokens: SignedTokens
    passwords: Passwords
    authentication: Authentication
    cookies: CookieRules
    debug: bool = False

    async def make(self, asked: Asked) -> Ctx:
        """Refuses whoever proves what is not good, or writes a header that cannot be."""
        headers = asked.headers
        trace = trace_asked_for(headers.get("x-debug")) if self.debug else None
        shop = self.shop if trace is None else trace.of(self.shop)
        caller = await self.authentication.establish(shop.read, headers, asked.peer, asked.cookies)
        return Ctx(
            shop=shop,
            tokens=self.tokens,
            passwords=self.passwords,
            live=self.live,
            actor=replace(caller.actor, request_id=asked.request_id),
            request_id=asked.request_id,
            choice=context_choice(headers.get("x-shop-context", "")),
            cart_token=headers.get("x-cart-token"),
            access_token=headers.get("x-access-token"),
            subscribes_only=caller.live is not None,
            live_order=caller.live.order if caller.live is not None else None,
            buyer_address=caller.buyer_address,
            bound=caller.bound,
            device=caller.device,
            cookies=asked.cookies if asked.sets_cookies else None,
            trace=trace,
        )

    async def may_write_much(self, headers: Mapping[str, str]) -> bool:
        """Of whom a body of many rows is read: who proves in its headers that they were given permissions here."""
        return bool((await self.authentication.bearer(self.shop.read, headers.get("authorization"))).permissions)


def trace_asked_for(header: str | None) -> Trace | None:
    """`X-Debug: execution` asks for `extensions.execution`."""
    if header is None:
        return None
    if header.strip() != "execution":
        raise RequestError("X-Debug is written like this: execution")
    return Trace()


def context_choice(header: str) -> ContextChoice:
    """`X-Shop-Context: country=DE, locale=de-DE`: the arguments of `@inContext`, by commas."""
    given: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = part.partition("=")
        known = name.strip() in ContextChoice.__dataclass_fields__
        if not known or not value.strip() or not value.isprintable():
            raise RequestError("X-Shop-Context is written like this: country=DE, locale=de-DE")
        given[name.strip()] = value.strip()
    return ContextChoice(**given)


def check_parameters(given: Mapping[str, object]) -> None:
    """Those of a message, by their kinds; in the words that Strawberry has for those of a request over HTTP."""
    for name, kind, what in (
        ("query", str, "a string"),
        ("variables", dict, "an object"),
        ("extensions", dict, "an object"),
    ):
        if not isinstance(given.get(name), kind | None):
            raise RequestError(f"The GraphQL operation's `{name}` must be {what} or null, if provided.")
    check_operation_name(given.get("operationName"))


def check_operation_name(given: object) -> None:
    if not isinstance(given, str | None):
        raise RequestError("operationName must be a string.")


def _told_once(errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A wrong country or locale is met at every price of a page: it is told where it was met first, and not again."""
    told: dict[tuple[Any, ...], dict[str, Any]] = {}
    for number, error in enumerate(errors):
        argument = error["extensions"].get("argument")
        of_context = argument in ContextChoice.__dataclass_fields__
        told.setdefault((argument, error["message"]) if of_context else (number,), error)
    return list(told.values())


def answer_of(ctx: Ctx, result: ExecutionResult) -> dict[str, Any]:
    """An answer, or one item of a stream, as a client sees it."""
    data = result.data
    answer: dict[str, Any] = {"data": orjson.Fragment(data.json) if isinstance(data, Written) else data}
    if result.errors:
        answer["errors"] = _told_once([public_error(error, ctx.request_id) for error in result.errors])
    extensions: dict[str, Any] = {}
    region, channel = ctx.resolved_region, ctx.resolved_channel
    if region is not None or channel is not None:
        extensions["context"] = {
            "region": region and ids.encode("Region", region.id),
            "currency": region and region.currency,
            "country": ctx.choice.country,
            "channel": channel and ids.encode("Channel", channel),
            "locale": ctx.choice.locale,
        }
    if ctx.trace is not None:
        extensions["execution"] = ctx.trace.told()
    if extensions:
        answer["extensions"] = extensions
    return answer
