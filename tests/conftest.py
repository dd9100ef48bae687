"""A real PostgreSQL for every test: embedded, or the one of TEST_DATABASE_URL. Each test has a database of its own.

`make test` runs several processes side by side, each with an embedded one of its own: what a test sees of other
transactions, connections and locks is then its own doing.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
import sqlalchemy

from db.connection import connect
from domain.durable import by_event
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from plugins.manual_payment import ManualPayment
from server.embedded import embedded_postgres
from server.migrate import migrate
from server.serve import YOUNG_OBJECTS
from tests.api import Api, Server, running_app, running_server
from tests.matrix_copy import Original, copied, original
from tests.matrix_world import MatrixWorld
from tests.payments import Provider, running_provider
from tests.snapshot import Snapshot

TEMPLATE = "counterfoil_template"
MEMORY = Path("/dev/shm")
ENOUGH = 2**30


def roomy() -> str:
    """Where databases are made fastest: one is some 400 files, which take half a second on a disk."""
    in_memory = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH
    return str(MEMORY) if in_memory else "/tmp"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What hangs and disturbs a Redis never runs beside others that use it, as that of TEST_REDIS_URL is shared. What
    is tried in the world of the matrix is tried in one process, since that world is made once in each that needs it.
    """
    for item in items:
        for fixture in {"redis_server", "matrix_copy"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(fixture))


def pytest_collection_finish() -> None:
    """As a server does: what lives as long as the process is not looked through for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def named(server: str, database: str) -> str:
    return sqlalchemy.make_url(server).set(database=database).render_as_string(hide_password=False)


def execute(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server on which databases can be made."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    directory = Path(tempfile.mkdtemp(prefix="cf", dir=roomy()))
    try:
        with embedded_postgres(directory, durable=False) as url:
            yield url
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def template(postgres: str) -> Iterator[str]:
    """A migrated database that the others are copied from."""
    name = f"{TEMPLATE}_{uuid4().hex[:8]}"
    execute(postgres, f"CREATE DATABASE {name}")
    migrate(named(postgres, name))
    yield name
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def copy_of(postgres: str, template: str) -> Iterator[str]:
    """The address of a new database that has all that the template has. Copying files is twice as fast as the log."""
    name = f"counterfoil_test_{uuid4().hex[:12]}"
    execute(postgres, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield named(postgres, name)
    finally:
        execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(postgres: str, template: str) -> Iterator[str]:
    with copy_of(postgres, template) as url:
        yield url


@pytest_asyncio.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    """The shop without GraphQL, as domain functions see it."""
    database = await connect(database_url, reactions=by_event(REACTIONS))
    yield Shop(database, {"manual": ManualPayment()})
    await database.close()


@pytest_asyncio.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    """The whole application in this process, over the same database as `shop`."""
    async with running_app(database_url) as running:
        yield running


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """The test provider as a process. It reports nothing by itself until it is told where to."""
    with running_provider(tmp_path_factory.mktemp("provider") / "ledger.db") as running:
        yield running


@pytest_asyncio.fixture
async def paying_api(database_url: str, provider: Provider) -> AsyncIterator[Api]:
    """The whole application in this process, with the test provider; captures are made by staff."""
    settings = {"TEST_PROVIDER_URL": provider.url, "TEST_PROVIDER_CAPTURES": "manual"}
    async with running_app(database_url, **settings) as running:
        yield running


@pytest.fixture
def start_server(database_url: str) -> Iterator[Callable[..., Server]]:
    """Starts real server processes over the same database; they are ended with the test."""
    with running_server(database_url) as start:
        yield start


@pytest_asyncio.fixture(scope="session")
async def matrix_original(postgres: str, template: str) -> AsyncIterator[tuple[str, Original]]:
    """The world of the matrix and the name of its database. It is never used itself, or it could not be copied."""
    with copy_of(postgres, template) as url:
        yield str(sqlalchemy.make_url(url).database), await original(url)


@pytest_asyncio.fixture
async def matrix_copy(
    postgres: str, matrix_original: tuple[str, Original]
) -> AsyncIterator[tuple[MatrixWorld, Snapshot]]:
    name, made = matrix_original
    with copy_of(postgres, name) as url:
        async with copied(made, url) as world_and_snapshot:
            yield world_and_snapshot


@pytest.fixture
def there(matrix_copy: tuple[MatrixWorld, Snapshot]) -> MatrixWorld:
    """A shop in which two customers have everything that one can have, and all who may call."""
    return matrix_copy[0]


@pytest.fixture
def snapshot(matrix_copy: tuple[MatrixWorld, Snapshot]) -> Snapshot:
    """What lies in the tables of that shop."""
    return matrix_copy[1]
