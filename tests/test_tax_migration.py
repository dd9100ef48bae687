"""Rates of regions became rates of their countries, and go back to be rates of regions."""

from typing import Any

import psycopg
import pytest
from alembic import command

from server.migrate import alembic_config
from tests.conftest import execute, named

REGIONS = """
    INSERT INTO region (id, code, name, currency, tax_inclusive) VALUES
        ('00000000-0000-0000-0000-000000000001', 'eu', 'Europe', 'EUR', true),
        ('00000000-0000-0000-0000-000000000002', 'ca', 'Canada', 'CAD', false),
        ('00000000-0000-0000-0000-000000000003', 'no', 'Nowhere', 'USD', false);
    INSERT INTO region_country (country, region_id) VALUES
        ('NL', '00000000-0000-0000-0000-000000000001'), ('DE', '00000000-0000-0000-0000-000000000001'),
        ('CA', '00000000-0000-0000-0000-000000000002');
    INSERT INTO tax_rate (region_id, name, rate) VALUES
        ('00000000-0000-0000-0000-000000000001', 'VAT', 0.21), ('00000000-0000-0000-0000-000000000002', 'GST', 0.05),
        ('00000000-0000-0000-0000-000000000002', 'QST', 0.09975), ('00000000-0000-0000-0000-000000000003', 'X', 0.1);
"""


@pytest.fixture
def blank_url(postgres: str):
    name = "counterfoil_tax_migration"
    execute(postgres, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    execute(postgres, f"CREATE DATABASE {name}")
    yield named(postgres, name)
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return [(*row[:-1], str(row[-1])) for row in connection.execute(statement.encode()).fetchall()]


def test_each_country_has_the_rates_of_its_region_and_gives_them_back(blank_url: str) -> None:
    config = alembic_config(blank_url)
    command.upgrade(config, "0017")
    with psycopg.connect(blank_url) as connection:
        connection.execute(REGIONS.encode())
    command.upgrade(config, "0018")
    columns = "country, tax_class_code, subdivision, postcode_from, replaces, name, rate"
    rates = f"SELECT {columns} FROM tax_rate ORDER BY country, name"
    whole = ("standard", None, None, False)
    assert rows(blank_url, rates) == [
        ("CA", *whole, "GST", "0.050000"),
        ("CA", *whole, "QST", "0.099750"),
        ("DE", *whole, "VAT", "0.210000"),
        ("NL", *whole, "VAT", "0.210000"),
    ]
    assert rows(blank_url, "SELECT code, is_default, name FROM tax_class") == [("standard", True, "Standard")]
    command.downgrade(config, "0017")
    again = "SELECT code, tax_rate.name, rate FROM tax_rate JOIN region ON region.id = region_id ORDER BY 1, 2"
    assert rows(blank_url, again) == [
        ("ca", "GST", "0.050000"),
        ("ca", "QST", "0.099750"),
        ("eu", "VAT", "0.210000"),
    ]
    command.upgrade(config, "0018")
    assert len(rows(blank_url, rates)) == 4
