"""Which rows a statement locks, in the order of its text, and which transactions of the application locked what."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from db.connection import Database, Tx

KINDS: Final = {
    "customer": "customer",
    "notification_opt_out": "choices",
    "counterfoil.catalog": "catalogue",
    "product": "product",
    "product_option": "product",
    "option_value": "product",
    "media": "product",
    "product_channel": "product",
    "product_category": "product",
    "variant": "variant",
    "variant_option_value": "variant",
    "variant_stock_item": "variant",
    "category_tree": "category",
    "category": "category",
    "collection": "collection",
    "collection_channel": "collection",
    "product_collection": "collection",
    "price_list": "price list",
    "price": "price list",
    "counterfoil.regions": "regions",
    "region": "regions",
    "region_country": "regions",
    "stock_location": "stock location",
    "cart": "cart",
    "cart_line": "cart",
    "order": "order",
    "order_line": "order",
    "payment_session": "payment",
    "payment_attempt": "payment",
    "payment": "payment",
    "refund": "payment",
    "balance": "balance",
    "balance_hold": "balance",
    "stock_level": "stock level",
    "ticket": "ticket",
}
CATALOGUE: Final = ("catalogue", "product", "variant", "category", "collection", "price list", "regions")
"""What is sold, before anything that is bought: first the advisory lock of who writes many products, alone or shared
with who writes one. Categories have a lock of the whole tree, regions one of all regions, which come first too.
"""
BOUGHT: Final = ("cart", "order", "payment", "balance", "promotion", "stock location", "stock level", "ticket")
ORDER: Final = ("customer", *CATALOGUE, *BOUGHT, "choices")
"""In which kinds of rows are locked, by every transaction (domain.md, "Stock"). Where there are more names of one kind
they stand together: the parts of a product, for example, are locked after it, by who has it.
"""

_LOCK: Final = re.compile(r"advisory_xact_lock(?:_shared)?\(((?:hashtext\((?:'[\w.]+'|\$\d+(?:::\w+)?)\)(?:, )?)+)")
_WORD: Final = re.compile(r"'([\w.]+)'|\$(\d+)")
_NAME: Final = r'"?(\w+)"?'
_WRITTEN: Final = re.compile(
    rf"\b(?:UPDATE\s+{_NAME}\s+(?:AS\s+\w+\s+)?SET"
    rf"|DELETE\s+FROM\s+{_NAME}"
    rf"|INSERT\s+INTO\s+{_NAME}(?=.*ON CONFLICT.*DO UPDATE)"
    r"|FOR\s+(?:NO\s+KEY\s+)?(?:UPDATE|SHARE)(?:\s+OF\s+([\w\", ]+?))?(?=\s*(?:\)|$|SKIP|NOWAIT|\n)))",
    re.DOTALL,
)
_SOURCE: Final = re.compile(rf"\b(?:FROM|JOIN)\s+{_NAME}(?:\s+AS\s+{_NAME})?")


def locked(sql: str) -> list[str]:
    """Tables whose rows it locks or changes."""
    tables: list[str] = []
    for found in _WRITTEN.finditer(sql):
        written = found[1] or found[2] or found[3]
        tables += [written] if written else _of_select(sql, found.start(), found[4])
    return tables


def advised(sql: str, arguments: Sequence[Any] = ()) -> list[str]:
    """The names of the advisory locks that it takes, those of all words in them."""
    words = [_WORD.findall(found[1]) for found in _LOCK.finditer(sql)]
    return [" ".join(w or str(arguments[int(n) - 1]) for w, n in named) for named in words]


def _of_select(sql: str, end: int, named: str | None) -> Iterator[str]:
    """What a SELECT … FOR UPDATE that ends there locks: what it names, else all that it reads from itself."""
    sources = {alias or table: table for table, alias in _SOURCE.findall(_level(sql, end))}
    if named is None:
        yield from sources.values()
    else:
        yield from (sources.get(name.strip(' "'), name.strip(' "')) for name in named.split(","))


def _level(sql: str, end: int) -> str:
    """The text before `end` inside of the same brackets, without what stands in brackets itself."""
    depth, kept = 0, ""
    for letter in reversed(sql[:end]):
        if letter == ")":
            depth += 1
        elif letter == "(" and depth == 0:
            break
        elif letter == "(":
            depth -= 1
        elif depth == 0:
            kept = letter + kept
    return kept


@dataclass
class Recording:
    """The connection of one transaction, and the tables of which it locked rows, in this order."""

    connection: Any
    tables: list[str] = field(default_factory=list[str])

    @property
    def kinds(self) -> list[str]:
        """Each where it was first locked."""
        return list(dict.fromkeys(KINDS[table] for table in self.tables if table in KINDS))

    def note(self, sql: str, arguments: Sequence[Any]) -> None:
        self.tables += [*advised(sql, arguments), *locked(sql)]

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        self.note(sql, arguments)
        return await self.connection.fetch(sql, *arguments)

    async def execute(self, sql: str, *arguments: Any) -> Any:
        self.note(sql, arguments)
        return await self.connection.execute(sql, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def in_order(kinds: Sequence[str]) -> bool:
    places = [ORDER.index(kind) for kind in kinds]
    return places == sorted(places)


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Recording]:
    """From here on, every transaction of this process."""
    recordings: list[Recording] = []
    begin = Tx.__init__

    def recording(tx: Tx, database: Database, connection: Any) -> None:
        recordings.append(Recording(connection))
        begin(tx, database, recordings[-1])

    monkeypatch.setattr(Tx, "__init__", recording)
    return recordings
