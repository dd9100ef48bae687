"""Clients of the API: in this process, and of a server process over real HTTP and SSE."""

import contextlib
import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from db.connection import Database
from engine.documents import Documents
from schema import Schema, build_schema
from server.answers import Answers
from server.app import create_app
from server.settings import Settings, read_settings
from tests import forked
from tests.forked import Process

ROOT = Path(__file__).resolve().parent.parent
ENGINE = {name: value for name, value in os.environ.items() if name == "COUNTERFOIL_ENGINE"}
"""Which executor the tests run with: `COUNTERFOIL_ENGINE=graphql-core make test` runs them without ours."""
SECRET = "a secret of the tests, which is long enough for production"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


HOME = str(Path(tempfile.gettempdir()) / f"counterfoil-tests-{os.getuid()}")
"""Where servers of tests put mails and files, so that those of somebody who tries the shop stay alone."""
PROVIDER_OF_THIS_PROCESS = f"http://127.0.0.1:{free_port()}"
"""Where applications in this process expect the test provider; it is started by who needs it (tests/payments.py)."""


class ApiError(AssertionError):
    """The answer has top-level errors although the test expects none."""


@dataclass
class Api:
    """Sends operations. `await api(query, variables)` is the data; `await api.raw(…)` the whole answer."""

    http: httpx.AsyncClient
    headers: dict[str, str] = field(default_factory=dict)
    database: Database | None = None
    """That of the application, when it runs in this process."""
    answers: Answers | None = None
    """Likewise."""

    def signed_in(self, token: str | None) -> "Api":
        headers = {**self.headers, **({"authorization": f"Bearer {token}"} if token else {})}
        return Api(self.http, headers, self.database)

    def in_country(self, country: str) -> "Api":
        return Api(self.http, {**self.headers, "x-shop-context": f"country={country}"}, self.database)

    async def raw(self, query: str, variables: dict[str, Any] | None = None) -> httpx.Response:
        return await self.http.post(
            "/graphql", json={"query": query, "variables": variables or {}}, headers=self.headers
        )

    async def answer(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        return (await self.raw(query, variables)).json()

    async def __call__(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await self.answer(query, variables)
        if "errors" in answer:
            raise ApiError(json.dumps(answer["errors"], indent=1))
        return answer["data"]

    async def do(self, mutation: str, given: dict[str, Any], select: str) -> dict[str, Any]:
        """Runs `mutation(input:)`; the payload has `select` and the errors' type, code, message and path."""
        input_type = mutation[0].upper() + mutation[1:] + "Input"
        document = f"""mutation Do($input: {input_type}!) {{
            payload: {mutation}(input: $input) {{
              {select}
              userErrors {{ __typename code message path }}
              warnings {{ __typename code path }}
            }}
        }}"""
        return (await self(document, {"input": given}))["payload"]

    async def done(self, mutation: str, given: dict[str, Any], select: str) -> dict[str, Any]:
        """The same, for what must succeed."""
        payload = await self.do(mutation, given, select)
        if payload["userErrors"]:
            raise ApiError(json.dumps(payload["userErrors"], indent=1))
        return payload

    async def events(self, query: str, variables: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The items of a subscription over SSE, each as the whole answer."""
        body = {"query": query, "variables": variables}
        headers = {**self.headers, "accept": "text/event-stream"}
        async with self.http.stream("POST", "/graphql", json=body, headers=headers, timeout=30) as response:
            assert response.status_code == 200, await response.aread()
            kind = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind == "next":
                    yield json.loads(line.removeprefix("data: "))
                elif kind == "complete" and not line:
                    return


@cache
def _schema(breadth_first: bool) -> Schema:
    return build_schema(breadth_first=breadth_first)


def schema_of_an_app(settings: Settings) -> Schema:
    """Built once, as that takes longer than most tests; each app has its own documents, though, and plans of them."""
    schema = copy(_schema(settings.breadth_first))
    schema.documents, schema.limits = Documents(), settings.query_limits
    return schema


@asynccontextmanager
async def running_app(database_url: str, **environment: str) -> AsyncIterator[Api]:
    """Answers are not kept unless a test asks for it: tests read right after they wrote, and count statements."""
    own = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET, "ANSWER_CACHE_MIB": "0"}
    if environment.get("COUNTERFOIL_ENV") != "production":
        own["TEST_PROVIDER_URL"] = PROVIDER_OF_THIS_PROCESS
    settings = read_settings({**ENGINE, **own, **environment})
    app: Starlette = create_app(settings, schema_of_an_app(settings))
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as http:
            yield Api(http, database=(state or {})["database"], answers=(state or {})["answers"])


@dataclass
class Server:
    process: Process
    url: str
    log: Path

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Api]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self.url, limits=limits, timeout=60) as http:
            yield Api(http)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


def environment_of_tests(**more: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL", "PORT"}}
    return {**inherited, "JWT_SECRET": SECRET, "COUNTERFOIL_HOME": HOME, **more}


def wait_until_ready(process: Process, url: str, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/ready").status_code == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the server did not get ready:\n{log.read_text()}")


@contextmanager
def running_server(database_url: str) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(*arguments: str, ready: bool = True, **environment: str) -> Server:
        port = free_port()
        log = Path("/tmp") / f"counterfoil-test-{port}.log"
        with log.open("wb") as output:
            settings = environment_of_tests(DATABASE_URL=database_url, **environment)
            process = forked.start(["serve", "--port", str(port), *arguments], settings, output)
        server = Server(process, f"http://127.0.0.1:{port}", log)
        started.append(server)
        if ready:
            wait_until_ready(process, server.url, log)
        return server

    try:
        yield start
    finally:
        for server in started:
            if server.process.poll() is None:
                server.stop()
            server.log.unlink(missing_ok=True)
