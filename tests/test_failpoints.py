"""Failpoints: named in the source, armed by a setting, and nothing where they are not."""

import ast
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from domain import failpoint as failpoints
from domain.failpoint import FailpointReached, arm, failpoint, parse
from server.settings import WrongSetting, read_settings
from tests.api import ROOT, SECRET


def named(path: Path) -> list[str]:
    """The names that a module gives its failpoints; each is written out."""
    return [
        ast.literal_eval(node.args[0])
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failpoint"
    ]


def all_failpoints() -> list[str]:
    """Every name in the source, for tests that go through them all."""
    return [name for path in sorted((ROOT / "domain").rglob("*.py")) for name in named(path)]


def test_every_phase_and_every_call_has_a_place_before_and_after_it() -> None:
    names = all_failpoints()
    assert len(names) == len(set(names)), "a name stands for one place"
    around = ["prepare", "authorise", "look_up", "cancel", "finalise", "release", "capture", "void", "refund"]
    around += ["webhook", "sweep", "late_money", "create_session"]
    assert {f"{side}_{what}" for what in around for side in ("before", "after")} <= set(names)
    begun = {"after_action_required", "after_capture_begun", "after_change_begun", "after_operation_finished"}
    assert begun | {"after_prepare_order_payment", "after_refund_begun", "after_return_begun"} <= set(names)


async def test_an_armed_one_fails_at_the_hit_that_was_named_and_later_ones_do_not() -> None:
    try:
        arm(parse("here:raise@2, there:sleep=0.01"))
        await failpoint("here")
        with pytest.raises(FailpointReached):
            await failpoint("here")
        await failpoint("here")
        await failpoint("there")
        await failpoint("elsewhere")
        arm(parse("here:raise"))
        for _ in range(2):
            with pytest.raises(FailpointReached):
                await failpoint("here")
    finally:
        arm({})
    await failpoint("here")


async def test_unarmed_they_cost_no_more_than_a_call() -> None:
    arm({})

    async def nothing(_: str) -> None: ...

    async def shortest(of: Callable[[str], Awaitable[None]]) -> float:
        took: list[float] = []
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(2_000):
                await of("here")
            took.append(time.perf_counter() - began)
        return min(took)

    assert await shortest(failpoint) < 20 * await shortest(nothing)


@pytest.mark.parametrize("given", ["here", "here:explode", "here:kill@x", "Here:kill", "here:sleep=long", ":kill"])
def test_what_is_no_failpoint_stops_the_start(given: str) -> None:
    with pytest.raises(WrongSetting, match="FAILPOINT"):
        read_settings({"FAILPOINT": given})


def test_nothing_of_tests_is_in_production() -> None:
    own = {"COUNTERFOIL_ENV": "production", "JWT_SECRET": SECRET, "COOKIE_SECRET": SECRET}
    for setting in ({"FAILPOINT": "after_capture:kill"}, {"TEST_PROVIDER_URL": "http://127.0.0.1:8009"}):
        with pytest.raises(WrongSetting):
            read_settings({**own, **setting})
    told = {"TEST_PROVIDER_URL": "http://127.0.0.1:8009", "TEST_PROVIDER_IN_PRODUCTION": "on"}
    assert read_settings({**own, **told}).payments.test_provider_url == "http://127.0.0.1:8009"
    assert read_settings(own).payments.failpoints == {}


def test_a_kill_can_be_had_once_over_several_starts(tmp_path: Path) -> None:
    file = tmp_path / "killed"
    assert parse(f"here:kill={file}")["here"].value == str(file)
    assert failpoints._first_to_make(file)
    assert not failpoints._first_to_make(file)
