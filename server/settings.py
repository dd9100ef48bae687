"""Settings: read once from the environment, at the start of a process."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from engine.limits import Limits
from server.payment_settings import PaymentSettings, WrongPaymentSetting, read_payment_settings

ROOT: Final = Path(__file__).resolve().parent.parent
DEVELOPMENT_SECRET: Final = "development-only-secret-never-use-in-production"  # noqa: S105
DEVELOPMENT_ORIGINS: Final = "http://localhost:3000,http://localhost:5173"
DEVELOPMENT_SENDER: Final = "Counterfoil <shop@localhost.localdomain>"
SENDER: Final = re.compile(r"(?:[^<>@\"\r\n]+ )?<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+")
SHORTEST_SECRET: Final = 32


class WrongSetting(Exception):
    """One sentence that says what to write instead."""


@dataclass(frozen=True)
class Settings:
    database_url: str | None
    """Null: the embedded PostgreSQL under `home`."""
    redis_url: str | None
    jwt_secret: str
    jwt_secrets_old: tuple[str, ...]
    """Tokens that they signed are still accepted; nothing is signed with them."""
    cookie_secret: str
    """Signs the access tokens in cookies, so that one from elsewhere is no cookie."""
    cookie_secrets_old: tuple[str, ...]
    store_cors: tuple[str, ...]
    admin_cors: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    """Addresses and networks whose X-Forwarded-For is believed; nobody else's is."""
    mail_url: str | None
    """Null: in development mails are shown on the console, in production none can be sent."""
    mail_from: str
    storefront_url: str
    """Where links in mails to customers lead."""
    admin_url: str
    """Where links in mails to staff lead."""
    port: int
    production: bool
    sweep_after: float
    """Seconds after which a payment that nobody waits for any more is ended."""
    breadth_first: bool
    """Execute queries with the engine; otherwise graphql-core does everything, more slowly."""
    debug: bool
    """Developers may ask by a header what ran where; never in production."""
    staff_second_factor: bool
    """Staff may do nothing but set up a second factor as long as they have none."""
    trusted_only: bool
    """Run documents that were registered, and no others."""
    answer_cache_mib: int
    """For answers that are kept in this process; 0: none are kept."""
    cache_max_age: int
    """Seconds for which browsers and proxies may keep what all may see, on top of what the server does."""
    socket_operations: int
    """That one WebSocket may run at once."""
    socket_connections: int
    """WebSockets that one address, and one caller who has signed in, may have at once in one process."""
    files_url: str
    """Where the bytes of files lie: `file:///…` or `s3://…`."""
    api_url: str
    """Of this API as clients reach it, for the addresses of files; empty: those are told as paths."""
    upload_max_mib: int
    """Of one file."""
    query_limits: Limits
    payments: PaymentSettings
    cart_days: int
    """Days for which a guest's cart is kept that nobody touches."""
    customer_cart_days: int
    """The same of a customer's."""
    home: Path
    """Where the embedded PostgreSQL keeps its data."""

    @property
    def mail_folder(self) -> Path:
        """Where mails are put in development; `/dev/mail` lists them."""
        return self.home.absolute() / "mail"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings, or `WrongSetting` for the first one that cannot be."""
    production = _one_of(environment, "COUNTERFOIL_ENV", ("development", "production")) == "production"
    return Settings(
        database_url=_url(environment, "DATABASE_URL", ("postgresql", "postgres"), "postgresql://user@host/name"),
        redis_url=_url(environment, "REDIS_URL", ("redis", "rediss", "unix"), "redis://host:6379/0"),
        jwt_secret=_secret(environment, "JWT_SECRET", production=production),
        jwt_secrets_old=_old_secrets(environment, "JWT_SECRETS_OLD"),
        cookie_secret=_secret(environment, "COOKIE_SECRET", production=production),
        cookie_secrets_old=_old_secrets(environment, "COOKIE_SECRETS_OLD"),
        store_cors=_origins(environment, "STORE_CORS", production=production),
        admin_cors=_origins(environment, "ADMIN_CORS", production=production),
        trusted_proxies=_networks(environment, "TRUSTED_PROXIES"),
        **_mail(environment, production=production),
        port=_whole(environment, "PORT", 8000, most=65_535),
        production=production,
        sweep_after=float(_whole(environment, "SWEEP_AFTER", 30, most=86_400)),
        breadth_first=_one_of(environment, "COUNTERFOIL_ENGINE", ("breadth-first", "graphql-core")) == "breadth-first",
        debug=_debug(environment, production=production),
        staff_second_factor=_one_of(environment, "STAFF_SECOND_FACTOR", ("optional", "required")) == "required",
        trusted_only=_one_of(environment, "COUNTERFOIL_DOCUMENTS", ("any", "trusted")) == "trusted",
        answer_cache_mib=_whole(environment, "ANSWER_CACHE_MIB", 64, least=0, most=65_536),
        cache_max_age=_whole(environment, "CACHE_MAX_AGE", 1, least=0, most=86_400),
        socket_operations=_whole(environment, "SOCKET_OPERATIONS", 100, most=10_000),
        socket_connections=_whole(environment, "SOCKET_CONNECTIONS", 50, most=1_000_000),
        query_limits=_query_limits(environment),
        payments=_payments(environment, production=production),
        cart_days=_whole(environment, "CART_DAYS", 30, most=36_500),
        customer_cart_days=_whole(environment, "CUSTOMER_CART_DAYS", 90, most=36_500),
        **_files(environment),
    )


def _mail(environment: Mapping[str, str], *, production: bool) -> dict[str, Any]:
    """Who sends mails, through which server, and where their links lead. In production nothing of it is guessed."""
    url = _url(environment, "MAIL_URL", ("smtp", "smtps"), "smtp://user:password@host:587")
    if url is not None and not _is_server(url):
        raise WrongSetting("MAIL_URL must be an address such as smtp://user:password@host:587, or be left out.")
    told = production and url is not None
    sender = environment.get("MAIL_FROM", "").strip() or ("" if told else DEVELOPMENT_SENDER)
    if not SENDER.fullmatch(sender):
        raise WrongSetting("MAIL_FROM says whom mails come from; write it like this: Shop <shop@example.com>")
    storefront = _site(environment, "STOREFRONT_URL", "" if told else DEVELOPMENT_ORIGINS.partition(",")[0])
    admin = _site(environment, "ADMIN_URL", f"{storefront}/admin")
    if told and not environment.get("API_URL", "").strip():
        raise WrongSetting("API_URL says where clients reach this API; links that end mails lead there, so set it too.")
    return {"mail_url": url, "mail_from": sender, "storefront_url": storefront, "admin_url": admin}


def _files(environment: Mapping[str, str]) -> dict[str, Any]:
    home = Path(environment.get("COUNTERFOIL_HOME") or ROOT / ".counterfoil")
    url = environment.get("FILES_URL", "").strip() or (home.absolute() / "files").as_uri()
    parts = urlsplit(url)
    local = parts.scheme == "file" and not parts.netloc and len(parts.path) > 1
    if not local and not (parts.scheme == "s3" and parts.netloc):
        raise WrongSetting("FILES_URL says where files lie; write file:///srv/files or s3://bucket/prefix?region=….")
    api_url = environment.get("API_URL", "").strip()
    most = _whole(environment, "UPLOAD_MAX_MIB", 50, most=5_000)
    return {
        "home": home,
        "files_url": url,
        "api_url": _site(environment, "API_URL", "") if api_url else "",
        "upload_max_mib": most,
    }


def _payments(environment: Mapping[str, str], *, production: bool) -> PaymentSettings:
    try:
        return read_payment_settings(environment, production=production)
    except WrongPaymentSetting as error:
        raise WrongSetting(str(error)) from None


def _query_limits(environment: Mapping[str, str]) -> Limits:
    """`depth=30, cost=50000`: those that are not named stay as they are by default."""
    known = [one.name for one in fields(Limits)]
    given: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in environment.get("QUERY_LIMITS", "").split(","))):
        name, _, number = (each.strip() for each in part.partition("="))
        if name not in known or not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 10**9:
            raise WrongSetting(f"QUERY_LIMITS is written like this: depth=30, cost=50000. It knows {', '.join(known)}.")
        given[name] = int(number)
    return Limits(**given)


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _site(environment: Mapping[str, str], name: str, default: str) -> str:
    site = (environment.get(name, "").strip() or default).rstrip("/")
    parts = urlsplit(site)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise WrongSetting(f"{name} says where links in mails lead; write an address such as https://shop.example.com.")
    return site


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


def _old_secrets(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    secrets = _listed(environment.get(name, ""))
    if any(len(secret) < SHORTEST_SECRET for secret in secrets):
        raise WrongSetting(f"{name} has a secret of fewer than {SHORTEST_SECRET} characters; write secrets by commas.")
    return secrets


def _networks(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    given = _listed(environment.get(name, ""))
    for network in given:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise WrongSetting(
                f"{name} has {network!r}; write addresses or networks such as 10.0.0.0/8, by commas."
            ) from None
    return given


def _listed(given: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in given.split(",") if one.strip())


def _origins(environment: Mapping[str, str], name: str, *, production: bool) -> tuple[str, ...]:
    given = environment.get(name, "" if production else DEVELOPMENT_ORIGINS)
    origins = _listed(given)
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
