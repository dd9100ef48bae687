"""Growth: the same operations in a catalogue of 1,000 products and in a larger one, one at a time and in turns.

What is compared is the time of one operation, from the request to the whole answer. The larger catalogue has those of
the smaller one and more, so the first page is the same; the other operations are spread over what there is.
"""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final

from bench import documents as d
from bench.client import reading, reading_in_turn
from bench.measure import Options, measured
from bench.processes import Server, server
from bench.workloads import ENGINES, LIMIT, PLACES, Workload, growing, seen

BASE: Final = 1_000
GOAL: Final = 1.5
OURS: Final = ENGINES[0]
VARIANTS: Final = (OURS, LIMIT)
SMALL, LARGE = "small", "large"


@contextmanager
def servers(small: str, large: str) -> Generator[dict[str, Server]]:
    """One of ours and one by hand for each of both databases, by `small` or `large` and the variant."""
    serve = ("-m", "server", "serve", "--port", "{port}", "--no-worker")
    with ExitStack() as stack:
        found: dict[str, Server] = {}
        for size, url in ((SMALL, small), (LARGE, large)):
            found[f"{size} {OURS}"] = stack.enter_context(server(f"{size} {OURS}", url, *serve))
            found[f"{size} {LIMIT}"] = stack.enter_context(server(LIMIT, url, "-m", "bench.limit", "{port}"))
        yield found


def workloads(products: int) -> list[Workload]:
    first = {"first": d.PER_PAGE}
    handles = [{"handle": handle} for handle in seen(products, PLACES)]
    detail = {
        OURS: reading_in_turn("/graphql", d.DETAIL, handles), LIMIT: reading_in_turn("/detail", d.DETAIL, handles)
    }  # fmt: skip
    page = {OURS: reading("/graphql", d.PAGE, **first), LIMIT: reading("/page", d.PAGE, **first)}
    return [
        Workload("page", "the first page", page),
        Workload("detail", "details all over the catalogue", detail),
        *growing(products),
    ]


async def measure(running: Mapping[str, Server], options: Options) -> dict[str, Any]:
    """By workload and variant what was found in both, and `ratio`: how much longer it takes in the larger one."""
    alone = replace(options, concurrency=1)
    sizes = {SMALL: workloads(BASE), LARGE: workloads(options.products)}
    results: dict[str, Any] = {}
    for small, large in zip(sizes[SMALL], sizes[LARGE], strict=True):
        variants = [variant for variant in VARIANTS if variant in small.operations]
        both = {
            f"{size} {variant}": one.operations[variant]
            for variant in variants
            for size, one in ((SMALL, small), (LARGE, large))
        }
        found = await measured(replace(small, operations=both), running, alone)
        results[small.name] = {
            variant: _compared(found[f"{SMALL} {variant}"], found[f"{LARGE} {variant}"]) for variant in variants
        }
    return results


def _compared(small: dict[str, Any], large: dict[str, Any]) -> dict[str, Any]:
    ratio = round(large["mean_ms"] / small["mean_ms"], 2)
    return {SMALL: small, LARGE: large, "ratio": ratio, "within_goal": ratio <= GOAL}
