"""Settings: read once; a wrong one stops the start with one sentence that says what to write instead."""

import subprocess
import sys

import pytest

from server.settings import DEVELOPMENT_SECRET, WrongSetting, read_settings
from tests.api import ROOT, environment_of_tests

SECRETS = {"JWT_SECRET": "j" * 32, "COOKIE_SECRET": "c" * 32}


def test_nothing_has_to_be_set_for_development() -> None:
    settings = read_settings({})
    assert (settings.database_url, settings.redis_url, settings.port, settings.production) == (None, None, 8000, False)
    assert settings.jwt_secret == settings.cookie_secret == DEVELOPMENT_SECRET
    assert settings.home == ROOT / ".counterfoil"
    assert (settings.answer_cache_mib, settings.cache_max_age) == (64, 1)
    assert not settings.trusted_only
    assert (settings.socket_operations, settings.socket_connections) == (100, 50)


def test_everything_can_be_set() -> None:
    settings = read_settings(
        {
            **SECRETS,
            "COUNTERFOIL_ENV": "production",
            "DATABASE_URL": "postgresql://me@db/shop",
            "REDIS_URL": "redis://cache:6379/0",
            "STORE_CORS": "https://shop.example, https://www.shop.example",
            "ADMIN_CORS": "https://admin.shop.example",
            "TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "JWT_SECRETS_OLD": f"{'k' * 32}, {'l' * 32}",
            "PORT": "80",
            "ANSWER_CACHE_MIB": "0",
            "CACHE_MAX_AGE": "0",
            "SOCKET_OPERATIONS": "1",
            "SOCKET_CONNECTIONS": "100000",
            "COUNTERFOIL_DOCUMENTS": "trusted",
        }
    )
    assert settings.production
    assert settings.trusted_only
    assert settings.store_cors == ("https://shop.example", "https://www.shop.example")
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert settings.jwt_secrets_old == ("k" * 32, "l" * 32)
    assert settings.cookie_secrets_old == ()
    assert (settings.database_url, settings.port) == ("postgresql://me@db/shop", 80)
    assert (settings.answer_cache_mib, settings.cache_max_age) == (0, 0)
    assert (settings.socket_operations, settings.socket_connections) == (1, 100_000)


def test_production_lets_no_browser_call_unless_it_is_told_which() -> None:
    assert read_settings({**SECRETS, "COUNTERFOIL_ENV": "production"}).store_cors == ()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"COUNTERFOIL_ENV": "staging"}, "write development or production"),
        ({"COUNTERFOIL_DOCUMENTS": "all"}, "COUNTERFOIL_DOCUMENTS is 'all'; write any or trusted."),
        ({"DATABASE_URL": "mysql://db/shop"}, "DATABASE_URL must be an address such as postgresql://user@host/name"),
        ({"DATABASE_URL": "localhost"}, "DATABASE_URL must be an address"),
        ({"DATABASE_URL": "postgresql+asyncpg://db/shop"}, "DATABASE_URL must be an address"),
        ({"REDIS_URL": "http://cache"}, "REDIS_URL must be an address such as redis://host:6379/0"),
        ({"TRUSTED_PROXIES": "*"}, "TRUSTED_PROXIES has '*'; write addresses or networks such as 10.0.0.0/8"),
        ({"JWT_SECRETS_OLD": "short"}, "JWT_SECRETS_OLD has a secret of fewer than 32 characters"),
        ({"PORT": "http"}, "PORT is 'http'; write a number from 1 to 65535"),
        ({"PORT": "0"}, "PORT is '0'"),
        ({"ANSWER_CACHE_MIB": "-1"}, "ANSWER_CACHE_MIB is '-1'; write a number from 0 to 65536"),
        ({"CACHE_MAX_AGE": "1 h"}, "CACHE_MAX_AGE is '1 h'; write a number from 0 to 86400"),
        ({"PORT": "65536"}, "PORT is '65536'"),
        ({"SOCKET_OPERATIONS": "0"}, "SOCKET_OPERATIONS is '0'; write a number from 1 to 10000"),
        ({"SOCKET_CONNECTIONS": "none"}, "SOCKET_CONNECTIONS is 'none'"),
        ({"STORE_CORS": "shop.example"}, "STORE_CORS has 'shop.example'; write origins such as https://"),
        ({"ADMIN_CORS": "https://a.example/admin"}, "ADMIN_CORS has 'https://a.example/admin'"),
        ({"STORE_CORS": "*"}, "STORE_CORS has '*'"),
        ({"COUNTERFOIL_ENV": "production"}, "JWT_SECRET must be a secret of your own of 32 characters"),
        ({"COUNTERFOIL_ENV": "production", "JWT_SECRET": "short"}, "JWT_SECRET must be a secret"),
        (
            {"COUNTERFOIL_ENV": "production", "JWT_SECRET": DEVELOPMENT_SECRET, "COOKIE_SECRET": "c" * 32},
            "JWT_SECRET must be a secret",
        ),
        ({"COUNTERFOIL_ENV": "production", "JWT_SECRET": "j" * 32}, "COOKIE_SECRET must be a secret"),
    ],
)
def test_a_wrong_setting_is_told_with_what_to_write(environment: dict[str, str], said: str) -> None:
    with pytest.raises(WrongSetting) as refused:
        read_settings(environment)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("command", [["serve"], ["token", "me@shop.example"]])
def test_a_command_with_a_wrong_setting_ends_with_one_sentence(command: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "server", *command],
        cwd=ROOT,
        env=environment_of_tests(PORT="eighty"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "PORT is 'eighty'; write a number from 1 to 65535.\n"
