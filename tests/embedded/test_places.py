"""Where an embedded PostgreSQL can live, and what is said where it cannot."""

import os
import shutil
from pathlib import Path

import pytest

from server.embedded import EmbeddedPostgresError, embedded_postgres
from tests.embedded.users import copy, execute, is_gone, notes, postmaster, scratch


def test_a_path_too_long_for_a_socket_is_refused_in_one_sentence(empty: Path) -> None:
    directory = empty / ("x" * (84 - len(os.fsencode(empty))))
    with pytest.raises(EmbeddedPostgresError, match="choose a path of at most 84 bytes"):
        embedded_postgres(directory).__enter__()
    assert list(empty.iterdir()) == []


def test_a_path_of_the_greatest_length_with_odd_letters_works(place: Path, empty: Path) -> None:
    name = "ä $%?&'\"#@:"
    directory = empty / (name + "x" * (84 - len(os.fsencode(empty / name))))
    copy(place, directory)
    with embedded_postgres(directory) as url:
        assert notes(url) == []


def test_a_directory_that_cannot_be_written_is_refused_in_one_sentence(empty: Path) -> None:
    (empty / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match=r"cannot be used \(Not a directory\): choose a local"):
        embedded_postgres(empty / "file" / "under").__enter__()


def test_data_of_another_postgres_is_refused_in_one_sentence(empty: Path) -> None:
    (empty / "data").mkdir()
    (empty / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match="is of PostgreSQL 16, not 18: choose another"):
        embedded_postgres(empty).__enter__()


def test_when_postgres_does_not_start_the_sentence_names_the_log_that_says_why(place: Path) -> None:
    configuration = place / "data" / "postgresql.conf"
    whole = configuration.read_text()
    configuration.write_text(whole + "\nnonsense = 1\n")
    with pytest.raises(EmbeddedPostgresError) as caught:
        embedded_postgres(place).__enter__()
    log = place / "postgresql.log"
    assert str(caught.value) == f"PostgreSQL ended while it started: see the log, {log}."
    assert 'unrecognized configuration parameter "nonsense"' in log.read_text()
    assert is_gone(place, 1)
    configuration.write_text(whole)
    with embedded_postgres(place) as url:
        assert notes(url) == []


def test_a_test_suite_may_trade_durability_for_speed(place: Path) -> None:
    with embedded_postgres(place, durable=False) as url:
        assert execute(url, "SHOW fsync") == [("off",)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has parents to open and owners to change")
def test_root_runs_postgres_as_the_owner_of_the_data_and_opens_the_way_to_it(place: Path) -> None:
    with scratch() as directory:
        inner = directory / "private" / "shop"
        inner.mkdir(parents=True)
        inner.parent.chmod(0o700)
        shutil.copytree(place, inner, dirs_exist_ok=True)  # belongs to root now
        with embedded_postgres(inner):
            assert postmaster(inner).uids().effective == (inner / "data").stat().st_uid != 0
        assert inner.parent.stat().st_mode & 0o777 == 0o701
