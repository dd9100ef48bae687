"""Where the time of one product page goes: layers are taken away one by one, and what is missed is theirs.

No profiler runs while it is measured (it would make Python calls look dearer than they are); processor time
of this process is measured, over many pages one after another.
"""

import cProfile
import gc
import pstats
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Final, cast

import orjson

from bench import documents as d
from bench.processes import database_cpu
from db.connection import Database, Read, connect
from domain.actor import GUEST
from domain.durable import by_event
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from engine.batch import Batch, Loaded
from resolvers.context import Ctx
from schema import Schema, build_schema
from server.app import make_shop
from server.settings import read_settings
from server.tokens import Argon2Passwords, SignedTokens

PAGES: Final = 150
VARIABLES: Final = {"first": d.PER_PAGE}


@dataclass
class Recorded(Read):
    """Notes what is read, or (`replay`) answers from the notes: the same page sends each statement once."""

    read: Read
    rows: dict[str, tuple[Sequence[Any], list[Any]]] = field(default_factory=dict[str, tuple[Any, list[Any]]])
    replay: bool = False

    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        if self.replay:
            return self.rows[sql][1]
        rows = await self.read._fetch(sql, arguments)
        self.rows[sql] = arguments, rows
        return rows


@dataclass
class RecordedDatabase:
    """All of a database that a page needs."""

    read: Read


class Remembering(Loaded):
    """Batches that answer from `memory`, once they have been loaded."""

    def __init__(self, context: Any, memory: dict[Batch, dict[Any, Any]]) -> None:
        super().__init__(context)
        self.memory = memory

    async def load_many(self, batch: Batch, keys: Any) -> list[Any]:
        listed = list(keys)
        known = self.memory.setdefault(batch, {})
        if any(key not in known for key in listed):
            known.update(zip(listed, await super().load_many(batch, listed), strict=True))
        return [known[key] for key in listed]


@dataclass
class Page:
    """One product page, executed in this process."""

    schema: Schema
    shop: Shop
    tokens: SignedTokens
    passwords: Argon2Passwords
    memory: dict[Batch, dict[Any, Any]] | None = None

    async def __call__(self) -> Any:
        nothing: Any = None
        ctx = Ctx(self.shop, self.tokens, self.passwords, nothing, GUEST, request_id="")
        if self.memory is not None:
            ctx.loaded = Remembering(ctx, self.memory)
        result = await self.schema.execute(d.PAGE, VARIABLES, context_value=ctx)
        if result.errors:
            raise ValueError(result.errors)
        return result.data


async def cpu_ms(do: Callable[[], Awaitable[Any]], times: int = PAGES) -> float:
    for _ in range(10):
        await do()
    began = time.process_time()
    for _ in range(times):
        await do()
    return (time.process_time() - began) / times * 1e3


async def where_the_time_goes(url: str, *, page_ms: float, empty_ms: float) -> dict[str, Any]:
    """Milliseconds of processor time per page, by layer; given those of the server process under load, per page and
    per query that asks for nothing.
    """
    settings = read_settings({})
    schema = build_schema(breadth_first=True)
    database = await connect(url, reactions=by_event(REACTIONS))
    try:
        ours = SignedTokens(settings.jwt_secret), Argon2Passwords()
        real = Page(schema, make_shop(database, settings), *ours)
        recorded = Recorded(database.read)
        in_memory = Page(schema, Shop(cast(Any, RecordedDatabase(recorded)), {}), *ours)
        data = await in_memory()
        recorded.replay = True
        planned = Page(schema, in_memory.shop, *ours, memory={})
        sql = database_cpu(url)
        whole = await cpu_ms(real)
        after = database_cpu(url)
        gc.disable()  # else the collector's work falls on whichever layer happens to allocate when it is due
        uncollected = await cpu_ms(real)
        without_driver, without_loading = await cpu_ms(in_memory), await cpu_ms(planned)
        serialising = await cpu_ms(_serialise(data))
        bare = await cpu_ms(_bare(database, recorded))
        profile = await _profiled(in_memory)
    finally:
        gc.enable()
        await database.close()
    return {
        "layers_ms": {
            "SQL": None if sql is None or after is None else round((after - sql) / (PAGES + 10) * 1e3, 3),
            "driver": round(uncollected - without_driver, 3),
            "loading": round(without_driver - without_loading, 3),
            "executing": round(without_loading, 3),
            "serialising": round(serialising, 3),
            "collecting garbage": round(whole - uncollected, 3),
            "HTTP": round(empty_ms, 3),
            "under load": round(page_ms - whole - serialising - empty_ms, 3),
        },
        "server_process_ms": round(page_ms, 3),
        "bare_asyncpg_ms": round(bare, 3),
        "statements": len(recorded.rows),
        "bytes": len(orjson.dumps(data)),
        "profile": profile,
    }


def _serialise(data: Any) -> Callable[[], Awaitable[Any]]:
    async def serialise() -> bytes:
        return orjson.dumps(data)

    return serialise


def _bare(database: Database, recorded: Recorded) -> Callable[[], Awaitable[Any]]:
    """The statements of the page by asyncpg alone, for comparison."""

    async def fetch() -> None:
        async with database.pool.acquire() as connection:
            for sql, (arguments, _) in recorded.rows.items():
                await connection.fetch(sql, *arguments)

    return fetch


async def _profiled(page: Page) -> list[str]:
    """What Python calls cost most in executing and loading, as cProfile sees it: trust the order alone."""
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(PAGES):
        await page()
    profile.disable()
    shown = StringIO()
    pstats.Stats(profile, stream=shown).strip_dirs().sort_stats("tottime").print_stats(25)
    return [line for line in shown.getvalue().splitlines() if line.strip()][4:]
