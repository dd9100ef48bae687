"""`make bench`, or `python -m bench --help`: starts all that it needs, measures, prints tables, writes a JSON file."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import uvloop
from rich.console import Console

from bench import growth, live_run, report
from bench.client import Client, load, reading
from bench.measure import Options, measured, same_answers, statements
from bench.processes import (
    OTHER_CPUS,
    ROOT,
    SERVER_CPUS,
    Server,
    database,
    database_beside,
    environment,
    pin,
    running,
    server,
)
from bench.where import where_the_time_goes
from bench.workloads import CACHED, ENGINES, LIMIT, SEED, Workload, plentiful, workloads
from server.serve import end_on_sigterm

out = Console(highlight=False, width=None if sys.stdout.isatty() else 150)


def main() -> None:
    options, only = _arguments()
    end_on_sigterm()
    pin(os.getpid(), OTHER_CPUS)  # PostgreSQL and the load inherit this; the measured servers move away
    began = time.perf_counter()
    with ExitStack() as stack:
        url = stack.enter_context(database())
        out.print(f"Seeding {options.products:,} products …")
        seconds = _seed(url, options.products)
        out.print(f"Seeded in {seconds:.1f} s; starting the servers …")
        with _start(url) as servers:
            results = uvloop.run(_run(url, servers, options, only))
        if (not only or "growth" in only) and options.products > growth.BASE:
            results["growth"] = _growth(stack.enter_context(database_beside(url)), url, options)
    results["seeded_in_s"] = round(seconds, 1)
    results["took_s"] = round(time.perf_counter() - began)
    path = report.write(results, options)
    out.print(f"{path.relative_to(ROOT)}, in {results['took_s']} s")


def _arguments() -> tuple[Options, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures this shop on this machine.")
    parser.add_argument("--products", type=int, default=10_000, help="size of the catalogue (10,000)")
    parser.add_argument("--seconds", type=float, default=5.0, help="per variant of each workload (5)")
    parser.add_argument("--rounds", type=int, default=3, help="turns into which these seconds are divided (3)")
    parser.add_argument("--concurrency", type=int, default=8, help="operations at the same time (8)")
    parser.add_argument("--subscribers", type=int, default=1_000, help="readers of one update (1,000)")
    parser.add_argument("--idle", type=int, default=10_000, help="streams on which nothing happens (10,000)")
    parser.add_argument("--only", nargs="*", default=[], metavar="WORKLOAD", help="for example: page detail live")
    given = parser.parse_args()
    options = Options(given.products, given.seconds, given.rounds, given.concurrency, given.subscribers, given.idle)
    if min(options.products - 100, options.seconds, options.rounds, options.concurrency, options.subscribers) <= 0:
        parser.error("the catalogue has more than 100 products, and nothing else is 0 or less")
    return options, given.only


def _seed(url: str, products: int) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "server", "seed", "--products", str(products), "--seed", str(SEED)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(url)) as process:
        pin(process.pid, SERVER_CPUS)
    if process.returncode != 0:
        raise RuntimeError("Seeding failed.")
    return time.perf_counter() - began


@contextmanager
def _start(url: str) -> Generator[dict[str, Server]]:
    serve = ("-m", "server", "serve", "--port", "{port}", "--no-worker")
    with ExitStack() as stack:
        servers = {
            engine: stack.enter_context(server(engine, url, *serve, COUNTERFOIL_ENGINE=engine)) for engine in ENGINES
        }
        servers[CACHED] = stack.enter_context(server(CACHED, url, *serve, ANSWER_CACHE_MIB="64"))
        yield servers | {LIMIT: stack.enter_context(server(LIMIT, url, "-m", "bench.limit", "{port}"))}


def _growth(small: str, large: str, options: Options) -> dict[str, Any]:
    out.print(f"growth: {growth.BASE:,} → {options.products:,} products …")
    _seed(small, growth.BASE)
    with growth.servers(small, large) as servers:
        found = uvloop.run(growth.measure(servers, options))
    out.print(report.growth(found, options.products))
    return found


async def _run(url: str, servers: dict[str, Server], options: Options, only: list[str]) -> dict[str, Any]:
    idle = {name: one.rss() for name, one in servers.items()}
    clients = {name: await Client.connect(one.port) for name, one in servers.items()}
    await same_answers(clients, options.products)
    variants = await plentiful(clients[ENGINES[0]])
    for client in clients.values():
        await client.close()
    listed = [one for one in workloads(options.products, variants) if not only or one.name in only]
    results: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": report.machine(),
        "versions": report.versions(_postgres(url)),
        "options": vars(options),
        "workloads": {one.name: await _measure(one, servers, url, options) for one in listed},
    }
    counts = await statements(listed, url)
    for name, found in results["workloads"].items():
        for variant, one in found.items():
            one["statements"] = counts[name].get(variant, 0)  # a kept answer costs none
    results["live"] = await live_run.measure(url, options, variants, out) if not only or "live" in only else {}
    results["processes"] = {name: _used(one, idle[name]) for name, one in servers.items()}
    if "page" in results["workloads"]:
        empty_ms = await _empty(servers[ENGINES[0]], options)
        page_ms = results["workloads"]["page"][ENGINES[0]]["cpu_ms"]
        results["where"] = await where_the_time_goes(url, page_ms=page_ms, empty_ms=empty_ms)
    report.tell(out, results, listed)
    return results


async def _measure(workload: Workload, servers: dict[str, Server], url: str, options: Options) -> dict[str, Any]:
    out.print(f"{workload.title} …")
    with ExitStack() as stack:
        if workload.worker:
            stack.enter_context(running("the worker", url, OTHER_CPUS, "-m", "server", "worker"))
        return await measured(workload, servers, options)


async def _empty(server: Server, options: Options) -> float:
    """What a request costs that asks for nothing: milliseconds of the server's processor time."""
    operation = reading("/graphql", "{ __typename }")
    await load(server.port, operation, 0.2, options.concurrency)
    cpu = server.cpu()
    done = await load(server.port, operation, min(1.0, options.seconds), options.concurrency)
    return (server.cpu() - cpu) / len(done.times) * 1e3


def _used(one: Server, idle: float) -> dict[str, float]:
    return {"start_s": round(one.started_in, 2), "idle_mib": round(idle, 1), "loaded_mib": round(one.rss(), 1)}


def _postgres(url: str) -> str:
    with psycopg.connect(url) as connection:
        return str(connection.execute("SHOW server_version").fetchone()[0]).split()[0]  # type: ignore[index]


if __name__ == "__main__":
    main()
