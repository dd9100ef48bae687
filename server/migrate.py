"""Brings a database to this version: Alembic's revisions, DBOS's own, and the data without which nothing works."""

import asyncio
import logging
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from db.connection import Database, connect
from domain import event_log, workflow
from domain.role import install_administrator
from server.settings import ROOT
from server.worker import migrate_dbos

_log = logging.getLogger(__name__)
LOCK: Final = 7_201_355
"""Two processes that start at once migrate one after the other."""


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = url
    return config


def head_revision() -> str | None:
    return ScriptDirectory(str(ROOT / "migrations")).get_current_head()


def migrate(url: str) -> None:
    """Idempotent, and quick when there is nothing to do."""
    asyncio.run(_migrate(url))


async def _migrate(url: str) -> None:
    database = await connect(url, max_size=2)
    try:
        async with database.pool.acquire() as connection:
            await connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
            await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
            try:
                if await current_revision(database) != head_revision():
                    await asyncio.to_thread(command.upgrade, alembic_config(url), "head")
                await asyncio.to_thread(migrate_dbos, url)
                await recognise_log(database)
                async with database.tx() as tx:
                    await workflow.install(tx, workflow.DEFAULT)
                    await install_administrator(tx)
            finally:
                await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
    finally:
        await database.close()


async def recognise_log(database: Database) -> None:
    """Whoever resumes a stream is to begin anew where this is another log than the one that they saw."""
    async with database.tx() as tx:
        generation = await event_log.recognise(tx)
    if generation is not None:
        _log.info("the event log is of generation %d", generation)


async def current_revision(database: Database) -> str | None:
    """The revision that a database is at; null: it is empty."""
    if await database.read.value(text("SELECT to_regclass('alembic_version') IS NULL")):
        return None
    return await database.read.value(text("SELECT max(version_num) FROM alembic_version"))
