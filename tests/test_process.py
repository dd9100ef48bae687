"""What the process says about itself, and to pages of which sites it answers."""

import asyncio

import pytest
from sqlalchemy import text

from db.connection import connect
from domain.processes.shop import Shop
from tests import carts
from tests.api import Api, running_app
from tests.conftest import execute

ORIGINS = {"STORE_CORS": "https://shop.example, http://localhost:3000", "ADMIN_CORS": "https://admin.example:8443"}
READY = {"status": "ready"}
BEHIND = {"status": "unavailable", "reason": "the database is at another version: run counterfoil migrate"}
GONE = {"status": "unavailable", "reason": "the database does not answer"}


async def test_a_page_of_a_configured_origin_may_read_the_answers(database_url: str) -> None:
    async with running_app(database_url, **ORIGINS) as api:
        for origin in ("https://shop.example", "http://localhost:3000", "https://admin.example:8443"):
            answer = await api.http.post("/graphql", json={"query": "{ __typename }"}, headers={"origin": origin})
            assert answer.status_code == 200
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["access-control-expose-headers"] == "X-Request-Id"
            assert "Origin" in answer.headers["vary"]
            assert answer.headers["access-control-allow-credentials"] == "true"


async def test_a_page_of_any_other_origin_may_not(database_url: str) -> None:
    foreign = (
        "https://evil.example",
        "http://shop.example",
        "https://shop.example:444",
        "https://shop.example.evil.example",
        "https://sub.shop.example",
        "https://admin.example",
        "null",
        "*",
    )
    preflight = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    async with running_app(database_url, **ORIGINS) as api:
        for origin in foreign:
            answer = await api.http.post("/graphql", json={"query": "{ __typename }"}, headers={"origin": origin})
            assert "access-control-allow-origin" not in answer.headers, origin
            asked = await api.http.options("/graphql", headers={"origin": origin, **preflight})
            assert asked.status_code == 400, origin
            assert "access-control-allow-origin" not in asked.headers, origin


async def test_a_browser_that_asks_first_is_told_what_a_storefront_needs(database_url: str) -> None:
    wanted = "authorization,content-type,x-access-token,x-cart-token,x-request-id,x-shop-context"
    async with running_app(database_url, **ORIGINS) as api:

        async def asked(method: str, headers: str) -> int:
            sent = {
                "origin": "https://shop.example",
                "access-control-request-method": method,
                "access-control-request-headers": headers,
            }
            return (await api.http.options("/graphql", headers=sent)).status_code

        assert [await asked(method, wanted) for method in ("POST", "GET", "PUT")] == [200, 200, 200]
        assert [await asked(method, wanted) for method in ("DELETE", "PATCH")] == [400, 400]
        assert await asked("POST", "x-anything-else") == 400


async def test_in_production_no_origin_is_allowed_unless_configured(database_url: str) -> None:
    production = {"COUNTERFOIL_ENV": "production", "COOKIE_SECRET": "c" * 40}
    origins = ("http://localhost:3000", "http://localhost:5173")

    async def allowed(api: Api) -> list[str | None]:
        answers = [await api.http.get("/health", headers={"origin": origin}) for origin in origins]
        return [answer.headers.get("access-control-allow-origin") for answer in answers]

    async with running_app(database_url) as api:
        assert await allowed(api) == list(origins)
    async with running_app(database_url, **production) as api:
        assert await allowed(api) == [None, None]


async def state(api: Api, path: str = "/ready") -> tuple[int, dict[str, str]]:
    answer = await api.http.get(path)
    return answer.status_code, answer.json()


async def test_the_process_is_ready_when_the_database_is_at_its_version(shop: Shop, api: Api) -> None:
    assert await state(api) == (200, READY)
    version = await shop.read.value(text("SELECT version_num FROM alembic_version"))
    for change in (
        "DELETE FROM alembic_version",
        "INSERT INTO alembic_version VALUES ('another')",
        "DROP TABLE alembic_version",
    ):
        await carts.execute(shop, change)
        assert await state(api) == (503, BEHIND), change
        assert await state(api, "/health") == (200, {"status": "ok"})
    await carts.execute(shop, "CREATE TABLE alembic_version (version_num text)")
    await carts.execute(shop, "INSERT INTO alembic_version VALUES (:version)", version=version)
    assert await state(api) == (200, READY)


async def test_the_process_is_not_ready_while_the_database_does_not_answer(
    postgres: str, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    async with running_app(database_url) as api:
        assert await state(api) == (200, READY)
        execute(postgres, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        execute(postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        async with asyncio.timeout(60):
            while (await state(api)) == (200, READY):
                await asyncio.sleep(0.01)
        assert await state(api) == (503, GONE)
        assert await state(api, "/health") == (200, {"status": "ok"})
        assert any("not ready" in record.getMessage() for record in caplog.records)
        execute(postgres, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        assert await state(api) == (200, READY)


async def test_the_process_does_not_start_without_its_database(postgres: str) -> None:
    with pytest.raises(Exception, match="does not exist"):
        await connect(postgres.replace("/counterfoil", "/no_such_database"))


async def test_the_front_door_leads_to_the_api_and_other_doors_nowhere(api: Api) -> None:
    home = await api.http.get("/")
    assert (home.status_code, home.headers["location"]) == (307, "/graphql")
    for path in ("/nowhere", "/graphql/", "/graphql/x", "/%2e%2e/etc/passwd", "/health/../ready2"):
        assert (await api.http.get(path)).status_code in {404, 307}, path
    page = await api.http.get("/graphql", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
