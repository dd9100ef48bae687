"""Measuring one workload: its variants in turns, and the statements of one operation."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette

from bench import documents as d
from bench import limit
from bench.client import Asks, Operation, WrongAnswer, load
from bench.processes import Server, database_cpu, environment
from bench.workloads import ENGINES, LIMIT, SEED, Workload, deep_cursor
from domain.processes.seeded_rows import handle, is_seen
from server.app import create_app
from server.settings import read_settings


@dataclass(frozen=True)
class Options:
    products: int
    seconds: float
    """Per variant of a workload, over all rounds."""
    rounds: int
    concurrency: int
    subscribers: int
    idle: int


@dataclass(frozen=True)
class InProcess:
    """A client of an application in this process."""

    http: httpx.AsyncClient

    async def post(self, path: str, body: bytes) -> bytes:
        return (await self.http.post(path, content=body, headers={"content-type": "application/json"})).content


async def measured(workload: Workload, servers: Mapping[str, Server], options: Options) -> dict[str, Any]:
    """By variant: the median of its rounds. Variants take turns, so what disturbs one round disturbs all."""
    rounds: dict[str, list[dict[str, float]]] = {variant: [] for variant in workload.operations}
    for variant, operation in workload.operations.items():
        await load(servers[variant].port, operation, min(0.5, options.seconds), options.concurrency)
    for _ in range(options.rounds):
        for variant in workload.operations:
            rounds[variant].append(await _round(workload.operations[variant], servers[variant], options))
    return {variant: _summary(listed) for variant, listed in rounds.items()}


async def _round(operation: Operation, server: Server, options: Options) -> dict[str, float]:
    cpu, sql = server.cpu(), database_cpu(server.url)
    done = await load(server.port, operation, options.seconds / options.rounds, options.concurrency)
    used, after = server.cpu() - cpu, database_cpu(server.url)
    times, n = sorted(done.times), len(done.times)
    found = {
        "per_second": n / done.seconds,
        "mean_ms": sum(times) / n * 1e3,
        "p50_ms": times[n // 2] * 1e3,
        "p99_ms": times[n * 99 // 100] * 1e3,
        "cpu_ms": used / n * 1e3,
        "rss_mib": server.rss(),
    }
    return found | ({} if sql is None or after is None else {"sql_cpu_ms": (after - sql) / n * 1e3})


def _summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    names = [name for name in rounds[0] if all(name in one for one in rounds)]
    middle = {name: round(median(one[name] for one in rounds), 3) for name in names}
    return {**middle, "rounds_per_second": [round(one["per_second"], 1) for one in rounds]}


@asynccontextmanager
async def in_process(app: Starlette) -> AsyncGenerator[tuple[InProcess, dict[str, Any]]]:
    """A client of the application, and what its lifespan made."""
    async with app.router.lifespan_context(app) as made:
        state: dict[str, Any] = dict(made or {})

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://bench") as http:
            yield InProcess(http), state


async def statements(workloads: list[Workload], url: str) -> dict[str, dict[str, float]]:
    """By workload and variant: how many statements one operation sends (without BEGIN and COMMIT), on average."""
    counts: dict[str, dict[str, float]] = {workload.name: {} for workload in workloads}
    for engine in ENGINES:
        app = create_app(read_settings(environment(url, COUNTERFOIL_ENGINE=engine)))
        async with in_process(app) as (client, state):
            await _count(workloads, engine, client, lambda made=state: made["database"].statements, counts)
    async with in_process(limit.create_app(url)) as (client, state):
        await _count(workloads, LIMIT, client, lambda: state["shop"].statements, counts)
    return counts


async def _count(
    workloads: list[Workload],
    variant: str,
    client: InProcess,
    sent: Callable[[], int],
    counts: dict[str, dict[str, float]],
) -> None:
    for workload in workloads:
        if variant in workload.operations:
            before = sent()
            for _ in range(workload.turns):
                await workload.operations[variant](client)
            counts[workload.name][variant] = round((sent() - before) / workload.turns, 1)


def compared(products: int) -> list[tuple[str, bytes]]:
    """Requests that the hand-written limit answers too, with the path that it has for them."""
    first = {"first": d.PER_PAGE}
    asked = [
        ("/page", d.request(d.PAGE, **first)),
        ("/page", d.request(d.PAGE, **first, after=deep_cursor(products))),
        *(("/detail", d.request(d.DETAIL, handle=handle(SEED, n))) for n in range(1, 61) if is_seen(n)),
    ]
    return [(path, orjson.dumps(body)) for path, body in asked]


async def same_answers(clients: Mapping[str, Asks], products: int) -> None:
    """The limit must answer byte for byte what we answer, else it would be the limit of something else."""
    for path, body in compared(products):
        answers = {name: await c.post(path if name == LIMIT else "/graphql", body) for name, c in clients.items()}
        if len(set(answers.values())) != 1:
            started = {name: answer[:300] for name, answer in answers.items()}
            raise WrongAnswer(f"{path}: the variants answer differently: {started}")
