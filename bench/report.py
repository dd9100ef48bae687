"""What a run found: a table for people, a JSON file for comparing runs. Neither names the machine or its paths."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson
import psutil
from rich.console import Console
from rich.table import Table

from bench import live_run
from bench.measure import Options
from bench.processes import CPUS
from bench.workloads import CACHED, LIMIT, Workload

RESULTS: Final = Path(__file__).resolve().parent / "results"
PACKAGES: Final = ("strawberry-graphql", "graphql-core", "sqlalchemy", "asyncpg", "uvicorn", "uvloop", "orjson")
OURS: Final = "breadth-first"


def machine() -> dict[str, Any]:
    return {
        "cores": len(CPUS) or psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_average_at_start": round(psutil.getloadavg()[0], 1),
    }


def versions(postgres: str) -> dict[str, str]:
    return {"postgresql": postgres, **{name: version(name) for name in PACKAGES}}


def write(results: dict[str, Any], options: Options) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-{options.products}.json"
    path.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2) + b"\n")
    return path


def tell(out: Console, results: dict[str, Any], listed: list[Workload]) -> None:
    out.print(_operations(results, listed))
    for table in live_run.tables(results["live"]):
        out.print(table)
    out.print(_processes(results["processes"]))
    if "where" in results:
        out.print(_where(results["where"]))


def _table(title: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in words:
        table.add_column(column, no_wrap=True)
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _operations(results: dict[str, Any], listed: list[Workload]) -> Table:
    names = (
        "per second",
        "of the limit",
        "of stock",
        "of fixed",
        "p50 ms",
        "p99 ms",
        "CPU ms",
        "SQL CPU ms",
        "statements",
    )
    table = _table("Operations", ("workload", "variant"), names)
    fixed = results["workloads"].get("fixed", {}).get(LIMIT, {}).get("per_second")
    for workload in listed:
        found = results["workloads"][workload.name]
        stock, limit = (found.get(name, {}).get("per_second") for name in ("graphql-core", LIMIT))
        for variant, one in found.items():
            rate = one["per_second"]
            table.add_row(
                workload.title,
                variant,
                f"{rate:,.1f}",
                f"{rate / limit:.0%}" if limit and variant != LIMIT else "",
                f"{rate / stock:.1f} x" if stock and variant == OURS else "",
                f"{rate / fixed:.0%}" if fixed and variant == CACHED else "",
                f"{one['p50_ms']:.1f}",
                f"{one['p99_ms']:.1f}",
                f"{one['cpu_ms']:.2f}",
                f"{one['sql_cpu_ms']:.2f}" if "sql_cpu_ms" in one else "",
                str(one["statements"]),
            )
        table.add_section()
    return table


def growth(found: dict[str, Any], products: int) -> Table:
    """Milliseconds of one operation at a time: the whole, of the server's processor, of PostgreSQL's."""
    names = ("at 1,000: ms", "CPU", "SQL", f"at {products:,}: ms", "CPU", "SQL", "ratio")
    table = _table("Growth", ("workload", "variant"), names)
    for workload, variants in found.items():
        for variant, one in variants.items():
            numbers = [
                f"{one[size].get(name, 0):.2f}"
                for size in ("small", "large")
                for name in ("mean_ms", "cpu_ms", "sql_cpu_ms")
            ]
            table.add_row(workload, variant, *numbers, f"{one['ratio']:.2f}")
    return table


def _processes(processes: dict[str, Any]) -> Table:
    table = _table("Processes", ("variant",), ("start to first answer s", "idle MiB", "after the load MiB"))
    for variant, one in processes.items():
        table.add_row(variant, str(one["start_s"]), str(one["idle_mib"]), str(one["loaded_mib"]))
    return table


def _where(where: dict[str, Any]) -> Table:
    table = _table("Where the time of one product page goes", ("layer", "where it runs"), ("CPU ms",))
    for layer, spent in where["layers_ms"].items():
        table.add_row(layer, "PostgreSQL" if layer == "SQL" else "server", "" if spent is None else f"{spent:.2f}")
    return table
