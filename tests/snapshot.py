"""What lies in every table: compared after what must change nothing, and brought back after what changed something."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import text

from domain.processes.shop import Shop

COUNTERS = frozenset({"attempts"})
"""Counting attempts is the one thing that a refusal does."""
NOTED = "last_used_at"
"""When a key or a session was last used is written down whatever it was used for."""
TABLES = text(
    f"""
    SELECT c.relname AS name, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns,
        bool_or(a.attname = '{NOTED}') AS noted
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND a.attgenerated = '' AND c.relname <> 'alembic_version'
    GROUP BY c.relname ORDER BY c.relname
    """
)
WRITING = text("SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)")
"""The number of the next transaction that writes, anywhere on this server."""
WRITTEN = "coalesce(sum(xmin::text::bigint), 0)"
"""Every row says which transaction wrote it, so this tells even what was written as it was."""
CONTENTS = f"coalesce(sum(hashtextextended((to_jsonb(t) - '{NOTED}')::text, 0)::numeric), 0)"

Prints = dict[str, str]
"""By table a fingerprint of its rows."""


@dataclass
class Snapshot:
    """A copy of all tables. `theirs` are the keys of what is looked at apart, as text."""

    shop: Shop
    columns: dict[str, str]
    noted: frozenset[str]
    theirs: str
    prints: Prints
    prints_of_theirs: Prints
    seen: tuple[int, Prints] = (0, {})
    """What was found last, and how many transactions had written by then."""

    async def now(self) -> Prints:
        """One statement over all tables; they are small. None if nobody has written since the last time."""
        written = await self.shop.read.value(WRITING)
        if written != self.seen[0]:
            self.seen = written, await self._now(self.columns)
        return self.seen[1]

    async def _now(self, tables: Iterable[str]) -> Prints:
        kinds = {name: CONTENTS if name in self.noted else WRITTEN for name in tables}
        return await self._prints({name: f"count(*) || ' ' || {kind}" for name, kind in kinds.items()})

    async def now_of_theirs(self, tables: Iterable[str] | None = None) -> Prints:
        """Of the rows that name one of their things."""
        filtered = CONTENTS.replace("::numeric)", f"::numeric) FILTER (WHERE t::text ~ '{self.theirs}')")
        return await self._prints(dict.fromkeys(self.columns if tables is None else tables, f"{filtered}::text"))

    async def _prints(self, expressions: Mapping[str, str]) -> Prints:
        parts = (f"SELECT '{n}' AS name, {e} AS print FROM public.\"{n}\" AS t" for n, e in expressions.items())
        statement = " UNION ALL ".join(parts)
        return {row.name: row.print for row in await self.shop.read.records(text(statement))} if statement else {}

    async def bring_back(self, now: Prints) -> None:
        """All is as it was, without the triggers that see to it that nobody does this."""
        different = [name for name in now if now[name] != self.prints[name]]
        if not different:
            return
        async with self.shop.tx() as tx:
            await tx.run(text("SET LOCAL session_replication_role = replica"))
            for name in different:
                columns = self.columns[name]
                await tx.run(text(f'DELETE FROM "{name}"'))
                insert = f'INSERT INTO "{name}" ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM kept."{name}"'
                await tx.run(text(insert))
        self.prints = self.prints | await self._now(different)


async def taken(shop: Shop, theirs: Iterable[object] = ()) -> Snapshot:
    tables = await shop.read.records(TABLES)
    async with shop.tx() as tx:
        await tx.run(text("DROP SCHEMA IF EXISTS kept CASCADE"))
        await tx.run(text("CREATE SCHEMA kept"))
        for table in tables:
            await tx.run(text(f'CREATE TABLE kept."{table.name}" AS TABLE public."{table.name}"'))
    noted = frozenset(table.name for table in tables if table.noted)
    pattern = "|".join(str(key) for key in theirs) or "of nobody"
    snapshot = Snapshot(shop, {table.name: table.columns for table in tables}, noted, pattern, {}, {})
    snapshot.prints, snapshot.prints_of_theirs = await snapshot.now(), await snapshot.now_of_theirs()
    return snapshot


def changed(before: Prints, after: Prints) -> set[str]:
    """The tables that are not as they were, but for counters."""
    return {name for name in after if after[name] != before[name]} - COUNTERS
