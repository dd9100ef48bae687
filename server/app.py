"""The ASGI application of one process, put together."""

import logging
import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from email.utils import parseaddr
from functools import partial
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from db.connection import Database, connect
from db.workflow import ActorKind
from domain.cart import Keeping
from domain.durable import by_event
from domain.failpoint import arm
from domain.mail import Mailer, Post
from domain.payment_provider import PaymentProvider
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from plugins.mail import ConsoleMailer, MailServer, NoMailer, SmtpMailer
from plugins.manual_payment import ManualPayment
from plugins.test_payment.adapter import TestPayment
from resolvers.live import Live
from schema import Schema, build_schema
from server import dev_mail
from server.answers import Answers, AnswersFirst
from server.api_keys import ApiKeys
from server.authentication import Authentication
from server.channels import make_channels
from server.cookies import CookieRules
from server.document import RequestedDocuments
from server.files import FileServer
from server.kept import KeptAnswers
from server.lasting import Lasting
from server.migrate import current_revision, head_revision
from server.operation import Contexts
from server.places import SocketLimits
from server.relay import Relay
from server.settings import Settings, read_settings
from server.shared_answers import SharedAnswers
from server.storages import make_files
from server.tokens import Argon2Passwords, SignedTokens
from server.unsubscribe import unsubscribe_page
from server.view import GraphQLEndpoint
from server.wake import waking
from server.webhooks import payment_webhook
from server.websocket import Sockets
from server.websocket_operations import Runs

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
_ANSWERS: Final = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
_log = logging.getLogger(__name__)


class RequestId:
    """Gives every request an id, or keeps a reasonable one that a proxy gave; every answer carries it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if GIVEN_REQUEST_ID.fullmatch(given) else str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] in _ANSWERS:
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        await self._app(scope, receive, send_with_id)


def make_shop(database: Database, settings: Settings) -> Shop:
    arm(dict(settings.payments.failpoints))
    patience = min(20.0, settings.sweep_after * 0.9)  # whoever is still waiting must not be swept
    post, files = make_post(settings), make_files(settings)
    keeping = Keeping(timedelta(days=settings.cart_days), timedelta(days=settings.customer_cart_days))
    shop = Shop(database, make_providers(settings), settings.sweep_after, patience, post, files=files, keeping=keeping)
    return replace(shop, channels=make_channels(post, os.environ))


def make_providers(settings: Settings) -> dict[str, PaymentProvider]:
    providers: list[PaymentProvider] = [ManualPayment()]
    test = settings.payments
    if test.test_provider_url is not None:
        providers.append(TestPayment(test.test_provider_url, test.test_provider_secret, test.test_provider_captures))
    return {provider.name: provider for provider in providers}


async def close_providers(shop: Shop) -> None:
    for provider in shop.providers.values():
        await provider.close()


def make_post(settings: Settings) -> Post:
    mailer: Mailer = NoMailer() if settings.production else ConsoleMailer(settings.mail_from, settings.mail_folder)
    if settings.mail_url is not None:
        mailer = SmtpMailer(MailServer.read(settings.mail_url), settings.mail_from)
    here = None if settings.production else f"http://localhost:{settings.port}"
    sites = (settings.storefront_url, settings.admin_url, settings.api_url or here)
    return Post(mailer, signed_tokens(settings), *sites, shop=parseaddr(settings.mail_from)[0])


def create_app(settings: Settings | None = None, schema: Schema | None = None) -> Starlette:
    """Also what the processes of `serve --workers` begin with, each for itself."""
    settings = settings or read_settings(os.environ)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=[*settings.store_cors, *settings.admin_cors],
        allow_methods=["GET", "POST", "PUT"],
        allow_credentials=True,
        allow_headers=[*ALLOWED_HEADERS, *(["X-Debug"] if settings.debug else [])],
        expose_headers=["X-Request-Id"],
    )
    routes = [
        Route("/", _home),
        Route("/health", _health),
        Route("/ready", _ready),
        Route("/webhooks/payments/{provider}", payment_webhook, methods=["POST"]),
        Route("/graphql", _Running("endpoint")),
        WebSocketRoute("/graphql", _Running("sockets")),
        Route("/uploads/{token}", _Running("files"), methods=["PUT"]),
        Route("/files/{token}", _Running("files"), methods=["GET"]),
        Route("/media/{file_id}/{hash}", _Running("files"), methods=["GET"]),
        Route("/media/{file_id}/{hash}/{width:int}", _Running("files"), methods=["GET"]),
        Route("/notifications/{token}", unsubscribe_page, methods=["GET", "POST"]),
        *([] if settings.production else dev_mail.routes(settings.mail_folder)),
    ]
    schema = schema or build_schema(breadth_first=settings.breadth_first, limits=settings.query_limits)
    lifespan = partial(_running, settings, schema, Argon2Passwords())
    middleware = [Middleware(RequestId), cors, Middleware(AnswersFirst)]
    app = Lasting(routes=routes, middleware=middleware, lifespan=lifespan)
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
            by, cookies = Authentication(tokens, api_keys, settings.staff_second_factor), cookie_rules(settings)
            live = Live(relay, database, watched)
            contexts = Contexts(shop, live, tokens, passwords, by, cookies, settings.debug)
            documents = RequestedDocuments(shop.read, schema.documents, trusted_only=settings.trusted_only)
            limits = SocketLimits(settings.socket_operations, settings.socket_connections)
            endpoint = GraphQLEndpoint(schema, contexts, documents, limits)
            sockets = Sockets(contexts, Runs(schema, documents), limits)
            parts = {"endpoint": endpoint, "sockets": sockets, "files": FileServer(shop, tokens)}
            yield {**parts, "database": database, "answers": answers, "shop": shop, "tokens": tokens}
            await live.close()
            await close_providers(shop)
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


class _Running:
    """A part of the running application (it exists only once the database is connected)."""

    def __init__(self, part: str) -> None:
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["state"][self._part](scope, receive, send)


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
