"""The ledger of the test provider: an SQLite file that survives being killed. Each answer is kept under its key."""

import sqlite3
import time
from dataclasses import dataclass
from typing import Any, Final

import orjson

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS session (
    key TEXT PRIMARY KEY, reference TEXT UNIQUE NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    card TEXT NOT NULL, return_url TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempt (
    key TEXT PRIMARY KEY, card TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL,
    return_url TEXT NOT NULL DEFAULT '', calls INTEGER NOT NULL DEFAULT 0, at REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS operation (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, kind TEXT NOT NULL, attempt TEXT NOT NULL,
    amount INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL, UNIQUE (key, kind));
CREATE TABLE IF NOT EXISTS webhook (
    number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, delivered INTEGER NOT NULL DEFAULT 0);
"""
MOVE: Final = "UPDATE attempt SET state = ? WHERE key = ? AND state IN (SELECT value FROM json_each(?))"
OPEN: Final = ("asked", "acting")
"""An attempt of which no money has come yet, and may."""


@dataclass(frozen=True)
class Attempt:
    key: str
    card: str
    amount: int
    currency: str
    state: str
    """asked, acting, authorised (whatever was done with it later), captured at once, declined or cancelled."""
    return_url: str
    calls: int
    at: float
    """When it was first heard of, in seconds since 1970."""


class Ledger:
    """One statement after another, each on disk before it is answered."""

    def __init__(self, file: str) -> None:
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self._db.execute(statement, values)]

    def session(self, key: str, amount: int, currency: str, card: str, return_url: str) -> str:
        """Its reference; the same key is the same session."""
        self._db.execute(
            "INSERT OR IGNORE INTO session VALUES (?, ?, ?, ?, ?, ?)",
            (key, f"ts_{key}", amount, currency, card, return_url),
        )
        return self.rows("SELECT reference FROM session WHERE key = ?", key)[0]["reference"]

    def begin(self, key: str, session: str, amount: int, currency: str) -> Attempt:
        """The attempt of this key, begun if it is new. One that was cancelled before that stays cancelled."""
        found = self.rows("SELECT * FROM session WHERE reference = ?", session)
        card, back = (found[0]["card"], found[0]["return_url"]) if found else ("success", "")
        self._db.execute(
            "INSERT OR IGNORE INTO attempt (key, card, amount, currency, state, return_url, at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, card, amount, currency, "asked", back, time.time()),
        )
        self._db.execute("UPDATE attempt SET calls = calls + 1 WHERE key = ?", (key,))
        attempt = self.attempt(key)
        assert attempt is not None
        return attempt

    def attempt(self, key: str) -> Attempt | None:
        found = self.rows("SELECT * FROM attempt WHERE key = ?", key)
        return Attempt(**found[0]) if found else None

    def move(self, key: str, state: str, *before: str) -> bool:
        """Moves an attempt that is in one of the states; with money, it is written down as an operation as well."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            moved = self._db.execute(MOVE, (state, key, orjson.dumps(before).decode())).rowcount == 1
            if moved and state in {"authorised", "captured"}:
                kind = "authorise" if state == "authorised" else "capture"
                self._db.execute(
                    "INSERT OR IGNORE INTO operation (key, kind, attempt, amount, currency, state) "
                    "SELECT key, ?, key, amount, currency, 'done' FROM attempt WHERE key = ?",
                    (kind, key),
                )
        return moved

    def cancel(self, key: str) -> Attempt:
        """Cancelled for good, even if nobody had heard of it; unless its money has come."""
        self._db.execute(
            "INSERT OR IGNORE INTO attempt (key, card, amount, currency, state) VALUES (?, '', 0, '', 'cancelled')",
            (key,),
        )
        self._db.execute(
            "UPDATE attempt SET state = 'cancelled' WHERE key = ? AND state IN ('asked', 'acting')", (key,)
        )
        attempt = self.attempt(key)
        assert attempt is not None
        return attempt

    def operate(self, kind: str, key: str, attempt: str, amount: int, state: str) -> dict[str, Any] | None:
        """The operation of this key, done if there is enough money for it; None if there is not."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            known = self.rows("SELECT * FROM operation WHERE key = ? AND kind = ?", key, kind)
            if known:
                return known[0]
            if amount > self._left(kind, attempt):
                return None
            self._db.execute(
                "INSERT INTO operation (key, kind, attempt, amount, currency, state) "
                "SELECT ?, ?, key, ?, currency, ? FROM attempt WHERE key = ?",
                (key, kind, amount, state, attempt),
            )
            return self.rows("SELECT * FROM operation WHERE key = ? AND kind = ?", key, kind)[0]

    def _left(self, kind: str, attempt: str) -> int:
        sums = {
            row["kind"]: row["amount"]
            for row in self.rows(
                "SELECT kind, sum(amount) AS amount FROM operation "
                "WHERE attempt = ? AND state <> 'failed' GROUP BY kind",
                attempt,
            )
        }
        if kind == "refund":
            return sums.get("capture", 0) - sums.get("refund", 0)
        return sums.get("authorise", 0) - sums.get("capture", 0) - sums.get("void", 0)

    def finish(self, key: str, state: str) -> None:
        self._db.execute("UPDATE operation SET state = ? WHERE key = ? AND state = 'pending'", (state, key))

    def keep_webhook(self, body: dict[str, Any]) -> int:
        cursor = self._db.execute("INSERT INTO webhook (body) VALUES (?)", (orjson.dumps(body).decode(),))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def delivered(self, number: int) -> None:
        self._db.execute("UPDATE webhook SET delivered = 1 WHERE number = ?", (number,))

    def undelivered(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM webhook WHERE delivered = 0 ORDER BY number")
