"""The cases of bench/live.py, each on servers of its own, and how they are told.

A writer is another process of the shop: what it commits, the measured server learns by looking.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench import live
from bench.client import Client, ask
from bench.measure import Options
from bench.processes import OTHER_CPUS, Server, pin, running, server
from db import Role
from db.connection import connect, new_id
from domain.staff import create_staff
from server.tokens import Argon2Passwords

PASSWORD: Final = "correct horse battery"  # noqa: S105 - of a database that is thrown away
SIGN_IN: Final = """mutation ($email: String!, $password: String!) {
  payload: staffSignIn(input: { email: $email, password: $password }) {
    accessToken userErrors { code message path }
  } }"""
TICKETS: Final = 50
FEW: Final = 4
"""Readers of one ticket: its customer, and some of the staff."""


@dataclass(frozen=True)
class Shop:
    url: str
    options: Options
    tickets: list[live.Ticket]
    token: str
    """Of staff who may read tickets."""

    @asynccontextmanager
    async def measured(self, name: str) -> AsyncGenerator[Server]:
        with server(name, self.url, "-m", "server", "serve", "--port", "{port}", "--no-worker") as one:
            await _warm(one)
            yield one

    @asynccontextmanager
    async def writer(self) -> AsyncGenerator[Server]:
        with server("writer", self.url, "-m", "server", "serve", "--port", "{port}", "--no-worker") as one:
            pin(one.process.pid, OTHER_CPUS)
            yield one


async def measure(url: str, options: Options, variants: list[str], out: Console) -> dict[str, Any]:
    with running("the worker", url, OTHER_CPUS, "-m", "server", "worker"):
        shop = await _shop(url, options, variants)
    found: dict[str, Any] = {"idle": {}, "fan_out": {}, "updates": {}, "stalled": {}}
    for transport in live.TRANSPORTS:
        out.print(f"live: {options.idle:,} idle streams over {transport} …")
        async with shop.measured(transport) as one:
            found["idle"][transport] = await live.idle(one, shop.tickets, options.idle, transport)
        out.print(f"live: one update to {options.subscribers:,} readers over {transport} …")
        async with shop.measured(transport) as one:
            ticket = shop.tickets[0]
            for what, asked in (
                ("a board", live.boards(shop.token, options.subscribers)),
                ("a ticket", live.watching([ticket], options.subscribers)),
            ):
                found["fan_out"][f"{what}, {transport}"] = await live.fan_out(
                    one, one, asked, ticket, transport, options.seconds
                )
        out.print(f"live: readers that stall over {transport} …")
        async with shop.measured(transport) as one:
            found["stalled"][transport] = await live.beside_stalled(one, ticket, 50, transport, options.seconds)
    out.print("live: 200 updates a second …")
    async with shop.measured("updates") as one, shop.writer() as writer:
        for name, by in (("the same process", one), ("another process", writer)):
            found["updates"][name] = await live.updates(one, by, shop.tickets, FEW, 200, options.seconds)
    return found


async def _warm(one: Server) -> None:
    client = await Client.connect(one.port)
    await ask(client, "{ regions { id } }")
    await client.close()


async def _shop(url: str, options: Options, variants: list[str]) -> Shop:
    email = "bench@staff.example"
    database = await connect(url, min_size=0)
    try:
        async with database.tx() as tx:
            await tx.insert(Role, [{"id": new_id(), "name": email, "permissions": ["tickets:read"]}])
            await create_staff(tx, email, "Bench", Argon2Passwords.hash(PASSWORD), [email])
    finally:
        await database.close()
    with server("orders", url, "-m", "server", "serve", "--port", "{port}", "--no-worker") as one:
        client = await Client.connect(one.port)
        tickets = [await live.ticket_of_new_order(client, variants[n % len(variants)]) for n in range(TICKETS)]
        token = (await ask(client, SIGN_IN, email=email, password=PASSWORD))["payload"]["accessToken"]
        await client.close()
    return Shop(url, options, tickets, token)


TITLES: Final = {
    "idle": "Streams on which nothing happens, in one process",
    "fan_out": "One update to many readers, from before the mutation on",
    "updates": "Many updates, each to few readers",
    "stalled": "Beside readers that stall",
}


def tables(found: dict[str, Any]) -> list[Table]:
    return [_table(TITLES[name], rows) for name, rows in found.items()]


def _table(title: str, rows: dict[str, dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in next(iter(rows.values())):
        table.add_column(name.replace("_", " "), justify="right")
    for name, row in rows.items():
        table.add_row(name, *("" if value is None else f"{value:,}" for value in row.values()))
    return table
