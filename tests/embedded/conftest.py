"""Directories for an embedded PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.embedded import embedded_postgres
from tests.embedded.users import execute, is_gone, kill_all, scratch


@pytest.fixture(scope="module")
def shop() -> Iterator[Path]:
    with scratch() as directory:
        with embedded_postgres(directory) as url:
            execute(url, "CREATE TABLE note (id int PRIMARY KEY)")
        yield directory


@pytest.fixture
def place(shop: Path) -> Iterator[Path]:
    """A directory that other tests have used before, with an empty table `note`; nothing runs."""
    with embedded_postgres(shop) as url:
        execute(url, "TRUNCATE note")
    assert is_gone(shop)
    yield shop
    kill_all(shop)


@pytest.fixture
def empty() -> Iterator[Path]:
    with scratch() as directory:
        yield directory
