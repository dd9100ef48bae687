"""The migrations build the same database as the models say, to the constraint."""

from uuid import uuid4

import psycopg
import pytest
import sqlalchemy

from db import Base
from tests.conftest import execute, named

CATALOGUE = {
    "columns": """
        SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default, is_identity
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
          AND conrelid::regclass::text <> 'alembic_version'""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
    "AND tablename <> 'alembic_version'",
    "triggers": "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "sequences": "SELECT sequencename, start_value, increment_by, cycle FROM pg_sequences WHERE schemaname = 'public'",
}


@pytest.fixture
def models_url(postgres: str):
    """A database made from the mapped classes alone."""
    name = f"counterfoil_models_{uuid4().hex[:8]}"
    execute(postgres, f"CREATE DATABASE {name}")
    url = named(postgres, name)
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"))
    Base.metadata.create_all(engine)
    engine.dispose()
    yield url
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("kind", CATALOGUE)
def test_migrations_and_models_agree(kind: str, database_url: str, models_url: str) -> None:
    def found(url: str) -> set[tuple[object, ...]]:
        with psycopg.connect(url) as connection:
            return set(connection.execute(CATALOGUE[kind].encode()).fetchall())

    migrated, modelled = found(database_url), found(models_url)
    assert migrated - modelled == set(), "only in the migrations"
    assert modelled - migrated == set(), "only in the models"
    assert migrated
