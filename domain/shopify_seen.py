"""Which handles and SKUs a file has named so far, however many: kept on the disk, not in memory."""

import sqlite3
from dataclasses import dataclass, field


def _empty() -> sqlite3.Connection:
    """A nameless database in a temporary file, which is gone when it is closed."""
    database = sqlite3.connect("", isolation_level=None)
    for statement in (
        "PRAGMA cache_size = -2048",
        "PRAGMA journal_mode = OFF",
        "PRAGMA synchronous = OFF",
        "CREATE TABLE seen (kind TEXT, name TEXT, line INTEGER, PRIMARY KEY (kind, name)) WITHOUT ROWID",
        "BEGIN",
    ):
        database.execute(statement)
    return database


@dataclass(eq=False)
class Seen:
    """Names of several kinds with the line in which each was first seen. Closed when it is collected."""

    database: sqlite3.Connection = field(default_factory=_empty)

    def first(self, kind: str, name: str, line: int = 0) -> int:
        """The line in which it was first seen; this one, if it was not."""
        self.database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (kind, name, line))
        return self.database.execute("SELECT line FROM seen WHERE kind = ? AND name = ?", (kind, name)).fetchone()[0]

    def has(self, kind: str, name: str) -> bool:
        found = self.database.execute("SELECT 1 FROM seen WHERE kind = ? AND name = ?", (kind, name))
        return found.fetchone() is not None

    def forget(self, kind: str) -> None:
        self.database.execute("DELETE FROM seen WHERE kind = ?", (kind,))

    def close(self) -> None:
        self.database.close()
