"""The ASGI application of one process, put together."""

import logging
import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from db.connection import Database, connect
from db.workflow import ActorKind
from domain.durable import by_event
from domain.mail import Mailer, Post
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from plugins.mail import ConsoleMailer, MailServer, NoMailer, SmtpMailer
from plugins.manual_payment import ManualPayment
from schema import Schema, build_schema
from server.answers import Answers, AnswersFirst
from server.api_keys import ApiKeys
from server.cookies import CookieRules
from server.kept import KeptAnswers
from server.migrate import current_revision, head_revision
from server.parent import die_with_parent
from server.relay import Relay
from server.settings import Settings, read_settings
from server.shared_answers import SharedAnswers
from server.tokens import Argon2Passwords, SignedTokens
from server.view import GraphQLEndpoint
from server.wake import waking

ALLOWED_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "X-Access-Token",
    "X-Api-Key",
    "X-Cart-Token",
    "X-Request-Id",
    "X-Shop-Context",
)
GIVEN_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger(__name__)


class RequestId:
    """Gives every request an id, or keeps a reasonable one that a proxy gave; every answer carries it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if GIVEN_REQUEST_ID.fullmatch(given) else str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        await self._app(scope, receive, send_with_id)


def make_shop(database: Database, settings: Settings) -> Shop:
    provider = ManualPayment()
    patience = min(20.0, settings.sweep_after * 0.9)  # whoever is still waiting must not be swept
    return Shop(database, {provider.name: provider}, settings.sweep_after, patience, make_post(settings))


def make_post(settings: Settings) -> Post:
    mailer: Mailer = NoMailer() if settings.production else ConsoleMailer(settings.mail_from)
    if settings.mail_url is not None:
        mailer = SmtpMailer(MailServer.read(settings.mail_url), settings.mail_from)
    return Post(mailer, signed_tokens(settings), settings.storefront_url, settings.admin_url)


def create_app(settings: Settings | None = None, schema: Schema | None = None) -> Starlette:
    """Also what the processes of `serve --workers` begin with, each for itself."""
    settings = settings or read_settings(os.environ)
    die_with_parent()
    cors = Middleware(
        CORSMiddleware,
        allow_origins=[*settings.store_cors, *settings.admin_cors],
        allow_methods=["GET", "POST"],
        allow_credentials=True,
        allow_headers=[*ALLOWED_HEADERS, *(["X-Debug"] if settings.debug else [])],
        expose_headers=["X-Request-Id"],
    )
    routes = [
        Route("/", _home),
        Route("/health", _health),
        Route("/ready", _ready),
        Route("/graphql", _Graphql()),
    ]
    schema = schema or build_schema(breadth_first=settings.breadth_first)
    lifespan = partial(_running, settings, schema, Argon2Passwords())
    middleware = [Middleware(RequestId), cors, Middleware(AnswersFirst)]
    app = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    app.router.redirect_slashes = False  # it would send clients to whatever their Host header says
    return app


def signed_tokens(settings: Settings) -> SignedTokens:
    cookies = (settings.cookie_secret, *settings.cookie_secrets_old)
    return SignedTokens(settings.jwt_secret, *settings.jwt_secrets_old, cookies=cookies)


def cookie_rules(settings: Settings) -> CookieRules:
    store, admin = frozenset(settings.store_cors), frozenset(settings.admin_cors)
    return CookieRules(settings.production, {ActorKind.CUSTOMER: store, ActorKind.STAFF: admin})


@asynccontextmanager
async def _running(
    settings: Settings, schema: Schema, passwords: Argon2Passwords, _app: Starlette
) -> AsyncGenerator[dict[str, Any]]:
    """What lives as long as the process serves."""
    database = await connect(settings.database_url or "", reactions=by_event(REACTIONS))
    # Of its own, so that news do not wait behind the requests of a shop that has more than it can do.
    watched = await connect(settings.database_url or "", min_size=0, max_size=1)
    relay = Relay(watched)
    answers, api_keys = _answers(settings, database, relay), ApiKeys(database)
    try:
        async with waking(database, settings.redis_url, relay.poke):
            tokens = signed_tokens(settings)
            shop = make_shop(database, settings)
            modes = {"debug": settings.debug, "trusted_only": settings.trusted_only}
            endpoint = GraphQLEndpoint(
                schema, shop, relay, tokens, passwords, api_keys=api_keys, cookies=cookie_rules(settings), **modes
            )
            yield {"endpoint": endpoint, "database": database, "answers": answers}
    finally:
        await api_keys.close()
        await answers.close()
        await relay.close()
        await watched.close()
        await database.close()


def _answers(settings: Settings, database: Database, relay: Relay) -> Answers:
    if settings.answer_cache_mib == 0:
        return Answers(relay, None, None, settings.cache_max_age)
    shared = SharedAnswers(settings.redis_url, database) if settings.redis_url else None
    kept = KeptAnswers(settings.answer_cache_mib * 2**20)
    return Answers(relay, kept, shared, settings.cache_max_age, trusted_only=settings.trusted_only)


class _Graphql:
    """The endpoint of the running application (it exists only once the database is connected)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["state"]["endpoint"](scope, receive, send)


async def _home(_request: Request) -> Response:
    return RedirectResponse("/graphql")


async def _health(_request: Request) -> Response:
    """The process runs. What it depends on is the business of `/ready`."""
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    """The process can serve: it reaches the database, and the database is at this version."""
    database: Database = request.state.database
    try:
        revision = await current_revision(database)
    except Exception:
        _log.warning("not ready: the database does not answer", exc_info=True)
        return JSONResponse({"status": "unavailable", "reason": "the database does not answer"}, 503)
    if revision != head_revision():
        reason = "the database is at another version: run counterfoil migrate"
        return JSONResponse({"status": "unavailable", "reason": reason}, 503)
    return JSONResponse({"status": "ready"})
