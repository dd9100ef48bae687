"""Settings: read once from the environment, at the start of a process."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

ROOT: Final = Path(__file__).resolve().parent.parent
DEVELOPMENT_SECRET: Final = "development-only-secret-never-use-in-production"  # noqa: S105
DEVELOPMENT_ORIGINS: Final = "http://localhost:3000,http://localhost:5173"
SHORTEST_SECRET: Final = 32


class WrongSetting(Exception):
    """One sentence that says what to write instead."""


@dataclass(frozen=True)
class Settings:
    database_url: str | None
    """Null: the embedded PostgreSQL under `home`."""
    redis_url: str | None
    jwt_secret: str
    cookie_secret: str
    store_cors: tuple[str, ...]
    admin_cors: tuple[str, ...]
    port: int
    production: bool
    sweep_after: float
    """Seconds after which a payment that nobody waits for any more is ended."""
    breadth_first: bool
    """Execute queries with the engine; otherwise graphql-core does everything, more slowly."""
    debug: bool
    """Developers may ask by a header what ran where; never in production."""
    trusted_only: bool
    """Run documents that were registered, and no others."""
    answer_cache_mib: int
    """For answers that are kept in this process; 0: none are kept."""
    cache_max_age: int
    """Seconds for which browsers and proxies may keep what all may see, on top of what the server does."""
    home: Path
    """Where the embedded PostgreSQL keeps its data."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings, or `WrongSetting` for the first one that cannot be."""
    production = _one_of(environment, "COUNTERFOIL_ENV", ("development", "production")) == "production"
    return Settings(
        database_url=_url(environment, "DATABASE_URL", ("postgresql", "postgres"), "postgresql://user@host/name"),
        redis_url=_url(environment, "REDIS_URL", ("redis", "rediss", "unix"), "redis://host:6379/0"),
        jwt_secret=_secret(environment, "JWT_SECRET", production=production),
        cookie_secret=_secret(environment, "COOKIE_SECRET", production=production),
        store_cors=_origins(environment, "STORE_CORS", production=production),
        admin_cors=_origins(environment, "ADMIN_CORS", production=production),
        port=_whole(environment, "PORT", 8000, most=65_535),
        production=production,
        sweep_after=float(_whole(environment, "SWEEP_AFTER", 30, most=86_400)),
        breadth_first=_one_of(environment, "COUNTERFOIL_ENGINE", ("breadth-first", "graphql-core")) == "breadth-first",
        debug=_debug(environment, production=production),
        trusted_only=_one_of(environment, "COUNTERFOIL_DOCUMENTS", ("any", "trusted")) == "trusted",
        answer_cache_mib=_whole(environment, "ANSWER_CACHE_MIB", 64, least=0, most=65_536),
        cache_max_age=_whole(environment, "CACHE_MAX_AGE", 1, least=0, most=86_400),
        home=Path(environment.get("COUNTERFOIL_HOME") or ROOT / ".counterfoil"),
    )


def _one_of(environment: Mapping[str, str], name: str, choices: tuple[str, str]) -> str:
    """The first choice is the default."""
    given = environment.get(name) or choices[0]
    if given not in choices:
        raise WrongSetting(f"{name} is {given!r}; write {' or '.join(choices)}.")
    return given


def _debug(environment: Mapping[str, str], *, production: bool) -> bool:
    """Off unless it is asked for, and then not in production: anybody who sends the header would be told."""
    debug = _one_of(environment, "COUNTERFOIL_DEBUG", ("off", "on")) == "on"
    if debug and production:
        raise WrongSetting("COUNTERFOIL_DEBUG is for development; leave it out in production.")
    return debug


def _url(environment: Mapping[str, str], name: str, schemes: tuple[str, ...], example: str) -> str | None:
    url = environment.get(name, "").strip()
    if not url:
        return None
    if urlsplit(url).scheme not in schemes or "://" not in url:
        raise WrongSetting(f"{name} must be an address such as {example}, or be left out.")
    return url


def _secret(environment: Mapping[str, str], name: str, *, production: bool) -> str:
    secret = environment.get(name, "")
    if not production:
        return secret or DEVELOPMENT_SECRET
    if len(secret) < SHORTEST_SECRET or secret == DEVELOPMENT_SECRET:
        raise WrongSetting(
            f"{name} must be a secret of your own of {SHORTEST_SECRET} characters or more in production; "
            f"make one with: openssl rand -base64 48"
        )
    return secret


def _origins(environment: Mapping[str, str], name: str, *, production: bool) -> tuple[str, ...]:
    given = environment.get(name, "" if production else DEVELOPMENT_ORIGINS)
    origins = tuple(origin.strip() for origin in given.split(",") if origin.strip())
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
            raise WrongSetting(f"{name} has {origin!r}; write origins such as https://shop.example.com, by commas.")
    return origins


def _whole(environment: Mapping[str, str], name: str, default: int, *, least: int = 1, most: int) -> int:
    given = environment.get(name, "").strip()
    if not given:
        return default
    if not given.isascii() or not given.isdigit() or not least <= int(given) <= most:
        raise WrongSetting(f"{name} is {given!r}; write a number from {least} to {most}.")
    return int(given)
