"""The processes of `counterfoil serve`: one listening socket, web processes, one worker, all ended together."""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Final, NoReturn

import uvicorn
from starlette.types import ASGIApp

from db.connection import connect
from domain.durable import by_event
from domain.processes.overdue_tickets import tell_of_overdue
from domain.processes.prune import prune
from domain.processes.refresh_collections import refresh_collections
from domain.processes.refresh_listing import refresh_listing
from domain.processes.shop import Shop
from domain.processes.sweep_payments import sweep
from domain.reactions import REACTIONS
from server.app import close_providers, make_shop
from server.children import Command, Nursery
from server.embedded import embedded_postgres
from server.http_connection import HttpConnection
from server.settings import Settings, WrongSetting, read_settings
from server.wake import waking
from server.websocket_frames import LARGEST_MESSAGE, WebSocketFrames
from server.worker import run_worker

_log = logging.getLogger(__name__)
GRACE_SECONDS: Final = 5
SLOW_CLIENT_SECONDS: Final = 18
PRUNE_EVERY: Final = 3_600.0
YOUNG_OBJECTS: Final = 50_000
"""So many objects more than before are made until Python looks for cycles among them: more than what requests hold."""


@dataclass(frozen=True)
class ServeOptions:
    host: str
    port: int
    workers: int = 1
    with_worker: bool = True
    trusted_proxies: tuple[str, ...] = ()


@contextmanager
def database_of(settings: Settings) -> Generator[str]:
    """The address of the database: the one that is set, or that of the embedded PostgreSQL while this lasts."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded_postgres(settings.home) as url:
        yield url


def end_on_sigterm() -> None:
    """SIGTERM unwinds the stack, so that everything that was opened is closed."""

    def end(_signal: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)


@contextmanager
def serving(options: ServeOptions) -> Generator[Callable[[str], None]]:
    """Takes the port, and yields what serves a database there until a signal ends it. Enter it before all else."""
    with _listen(options.host, options.port) as listening, Nursery(partial(_child, listening, options)) as children:
        yield partial(_serve, listening, options, children)


def _serve(listening: socket.socket, options: ServeOptions, children: Nursery, url: str) -> None:
    os.environ["DATABASE_URL"] = url
    several = options.workers > 1
    commands = [["worker"]] if options.with_worker else []
    commands += [["web"]] * (options.workers if several else 0)
    with children.kept_running(commands):
        if several:
            _wait_for_signal()
        else:
            _web(listening, options)


def _child(listening: socket.socket, options: ServeOptions, command: Command) -> None:
    """The life of a child; it gets its settings from the environment, as this process did."""
    if command[0] == "web":
        _web(listening, options)
    else:
        settings = read_settings(os.environ)
        work(os.environ["DATABASE_URL"], settings)


def _web(listening: socket.socket, options: ServeOptions) -> None:
    WebServer(web_config("server.app:create_app", options.trusted_proxies)).run(sockets=[listening])


def web_config(factory: str | Callable[[], ASGIApp], trusted_proxies: Sequence[str] = ()) -> uvicorn.Config:
    return uvicorn.Config(
        factory,
        factory=True,
        log_level="warning",
        timeout_graceful_shutdown=GRACE_SECONDS,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(trusted_proxies),
        http=HttpConnection,
        ws=WebSocketFrames,
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,  # it would double the memory of a socket, and small messages gain nothing
    )


class WebServer(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """What was built for the whole life of the process is left out of every later garbage collection.

        The schema and its types are some 200,000 objects; walking them took a third of a product page's time.
        Rows and answers of requests under way are freed when they end, so walking them finds nothing either.
        """
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams would last for the whole grace. WebSockets are closed by uvicorn (1012)."""
        self.lifespan.state["endpoint"].end_streams()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends in order. Not as in uvicorn, the signal is not raised again afterwards: that is a traceback."""
        del frame
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def _wait_for_signal() -> None:
    """Until Ctrl-C or SIGTERM."""
    over = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _signal, _frame: over.set())
    over.wait()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # A client that no longer reads is let go, and its stream with it.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SLOW_CLIENT_SECONDS * 1000)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise WrongSetting(f"Port {port} of {host} cannot be used ({error.strerror}); choose another: --port") from None
    listening.set_inheritable(True)
    return listening


def work(url: str, settings: Settings) -> None:
    """Runs reactions and the sweeper until a signal ends it."""
    asyncio.run(_work(url, settings))


async def _work(url: str, settings: Settings) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    if settings.production and settings.mail_url is None:
        _log.warning("MAIL_URL is not set: mails cannot be sent, so nobody can confirm an address or reset a password.")
    database = await connect(url, reactions=by_event(REACTIONS))
    shop = make_shop(database, settings)
    try:
        async with waking(database, settings.redis_url):
            await run_worker(url, shop, REACTIONS, stop, _Sweep(), keep_up=_keep_up)
    finally:
        await close_providers(shop)
        await database.close()


async def _keep_up(shop: Shop) -> None:
    """What is derived from the catalogue follows it."""
    await asyncio.gather(refresh_collections(shop), refresh_listing(shop))


class _Sweep:
    """Ends abandoned payments and tells of late tickets each time, and takes away what is over now and then."""

    def __init__(self) -> None:
        self._prune_at = 0.0

    async def __call__(self, shop: Shop) -> None:
        await sweep(shop)
        await tell_of_overdue(shop)
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + PRUNE_EVERY
            await prune(shop)
