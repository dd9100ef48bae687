"""`make test-graphql-core` is what it says: without the engine the tests run without it, servers of theirs too."""

from collections.abc import Callable

import pytest

from tests.api import ENGINE, Api, Server, running_app

PLANNED = [] if ENGINE.get("COUNTERFOIL_ENGINE") == "graphql-core" else ["Query"]


async def planned(api: Api) -> list[str]:
    """The types that were run by plan, as a developer is told."""
    asking = Api(api.http, {"x-debug": "execution"})
    return (await asking.answer("{ __typename }"))["extensions"]["execution"]["planned"]


async def test_the_application_runs_with_the_executor_that_the_environment_names(database_url: str) -> None:
    async with running_app(database_url, COUNTERFOIL_DEBUG="on") as api:
        assert await planned(api) == PLANNED


async def test_server_processes_run_with_the_executor_that_the_environment_names(
    start_server: Callable[..., Server],
) -> None:
    async with start_server("--no-worker", COUNTERFOIL_DEBUG="on").api() as api:
        assert await planned(api) == PLANNED


@pytest.mark.parametrize("engine", ["breadth-first", "graphql-core"])
async def test_both_executors_can_be_chosen(database_url: str, engine: str) -> None:
    async with running_app(database_url, COUNTERFOIL_DEBUG="on", COUNTERFOIL_ENGINE=engine) as api:
        assert await planned(api) == (["Query"] if engine == "breadth-first" else [])
