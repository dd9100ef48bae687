"""One call per tick and batch, every key once; failures and cancellations reach whom they concern."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from engine.batch import Batch, Loaded


class Shelf:
    """A batch that is answered when the test says so. `calls` are the keys of each call."""

    def __init__(self, *, held: bool = False) -> None:
        self.calls: list[list[Any]] = []
        self.gate = asyncio.Event()
        self.failure: Exception | None = None
        self.begun = asyncio.Event()
        self.ended: list[str] = []
        if not held:
            self.gate.set()
        self.batch = Batch("shelf", self._load)

    async def _load(self, _context: Any, keys: list[Any]) -> list[Any]:
        self.calls.append(keys)
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        if self.failure is not None:
            raise self.failure
        return [f"{key} of {len(self.calls)}" for key in keys]


@pytest_asyncio.fixture(autouse=True)
async def complaints() -> AsyncIterator[list[Any]]:
    """What the loop complains of, such as exceptions that nobody retrieved."""
    heard: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: heard.append(context))
    yield heard
    gc.collect(1)
    loop.set_exception_handler(None)
    assert heard == []


async def test_what_is_asked_in_one_tick_is_one_call() -> None:
    shelf, loaded = Shelf(), Loaded(None)
    both = await asyncio.gather(loaded.load_many(shelf.batch, "ab"), loaded.load_many(shelf.batch, "bca"))
    assert shelf.calls == [["a", "b", "c"]]
    assert both == [["a of 1", "b of 1"], ["b of 1", "c of 1", "a of 1"]]


async def test_single_loads_of_one_tick_are_one_call() -> None:
    shelf, loaded = Shelf(), Loaded(None)
    found = await asyncio.gather(*(loaded.load(shelf.batch, key) for key in "abab"))
    assert shelf.calls == [["a", "b"]]
    assert found == ["a of 1", "b of 1"] * 2


async def test_a_key_is_loaded_once_until_all_is_cleared() -> None:
    shelf, loaded = Shelf(), Loaded(None)
    assert await loaded.load_many(shelf.batch, ["a", "a"]) == ["a of 1", "a of 1"]
    assert await loaded.load(shelf.batch, "a") == "a of 1"
    assert await loaded.load_many(shelf.batch, ["b", "a"]) == ["b of 2", "a of 1"]
    loaded.clear()
    assert await loaded.load_many(shelf.batch, ["a"]) == ["a of 3"]
    assert shelf.calls == [["a"], ["b"], ["a"]]


async def test_two_batches_do_not_share_their_keys() -> None:
    first, second, loaded = Shelf(), Shelf(), Loaded(None)
    await asyncio.gather(loaded.load_many(first.batch, "a"), loaded.load_many(second.batch, "ab"))
    assert (first.calls, second.calls) == ([["a"]], [["a", "b"]])


async def test_nothing_is_asked_for_no_keys() -> None:
    shelf, loaded = Shelf(), Loaded(None)
    assert await loaded.load_many(shelf.batch, []) == []
    assert shelf.calls == []


async def test_a_key_that_is_under_way_is_not_asked_again() -> None:
    shelf, loaded = Shelf(held=True), Loaded(None)
    early = asyncio.ensure_future(loaded.load_many(shelf.batch, "ab"))
    await shelf.begun.wait()
    late = asyncio.ensure_future(loaded.load_many(shelf.batch, "bc"))
    await asyncio.sleep(0)
    shelf.gate.set()
    assert [one[0] for one in (await early)[:1] + (await late)[1:]] == ["a", "c"]
    assert shelf.calls == [["a", "b"], ["c"]]


async def test_a_failure_reaches_all_who_wait_and_is_forgotten() -> None:
    shelf, loaded = Shelf(held=True), Loaded(None)
    waiting = [asyncio.ensure_future(loaded.load_many(shelf.batch, keys)) for keys in ("ab", "b", "a")]
    waiting.append(asyncio.ensure_future(loaded.load(shelf.batch, "a")))
    await shelf.begun.wait()
    shelf.failure = RuntimeError("shelf down")
    shelf.gate.set()
    assert [str(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == ["shelf down"] * 4
    shelf.failure, calls = None, len(shelf.calls)
    assert await loaded.load_many(shelf.batch, "a") == [f"a of {calls + 1}"]


async def test_when_two_calls_fail_for_one_waiter_neither_is_left_unheard() -> None:
    shelf, loaded = Shelf(held=True), Loaded(None)
    first = asyncio.ensure_future(loaded.load_many(shelf.batch, "a"))
    await shelf.begun.wait()
    both = asyncio.ensure_future(loaded.load_many(shelf.batch, "ab"))
    await asyncio.sleep(0)
    first.cancel()
    shelf.failure = RuntimeError("shelf down")
    shelf.gate.set()
    assert isinstance((await asyncio.gather(both, return_exceptions=True))[0], RuntimeError)
    await asyncio.sleep(0)


@pytest.mark.parametrize("answer", [[], ["only one"], ["one", "two", "too many"]])
async def test_an_answer_of_the_wrong_length_is_a_failure_of_every_key(answer: list[str]) -> None:
    answers = [answer, ["right", "right"]]

    async def load(_context: Any, _keys: list[Any]) -> list[str]:
        return answers.pop(0)

    batch, loaded = Batch("wrong", load), Loaded(None)
    with pytest.raises(ValueError, match="zip"):
        await loaded.load_many(batch, "ab")
    assert await loaded.load_many(batch, "ab") == ["right", "right"]


@pytest.mark.parametrize("begun", [False, True])
async def test_clearing_during_a_call_gives_the_old_answer_to_those_who_waited_only(begun: bool) -> None:
    shelf, loaded = Shelf(held=True), Loaded(None)
    old = asyncio.ensure_future(loaded.load_many(shelf.batch, "a"))
    await asyncio.sleep(0)
    if begun:
        await shelf.begun.wait()
    loaded.clear()
    new = asyncio.ensure_future(loaded.load_many(shelf.batch, "a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    shelf.gate.set()
    assert len(await old) == len(await new) == 1
    assert shelf.calls == [["a"], ["a"]]
    assert await loaded.load_many(shelf.batch, "a") == await new
    assert len(shelf.calls) == 2


async def test_the_new_keys_of_the_tick_after_clearing_stay_together() -> None:
    shelf, loaded = Shelf(), Loaded(None)
    old = asyncio.ensure_future(loaded.load_many(shelf.batch, "a"))
    await asyncio.sleep(0)
    loaded.clear()
    await asyncio.gather(old, loaded.load_many(shelf.batch, "b"), loaded.load_many(shelf.batch, "c"))
    assert shelf.calls == [["a"], ["b", "c"]]


async def test_who_is_cancelled_takes_nobody_along() -> None:
    shelf, loaded = Shelf(held=True), Loaded(None)
    leaving = asyncio.ensure_future(loaded.load_many(shelf.batch, "ab"))
    staying = asyncio.ensure_future(loaded.load_many(shelf.batch, "a"))
    await shelf.begun.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    loaded.abandon()
    shelf.gate.set()
    assert await staying == ["a of 1"]
    assert shelf.ended == []


@pytest.mark.parametrize("begun", [False, True])
async def test_a_call_that_nobody_waits_for_is_ended_and_can_be_made_again(begun: bool) -> None:
    shelf, loaded = Shelf(held=True), Loaded(None)
    leaving = asyncio.ensure_future(loaded.load_many(shelf.batch, "a"))
    await (shelf.begun.wait() if begun else asyncio.sleep(0))
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    loaded.abandon()
    shelf.gate.set()
    assert (await loaded.load_many(shelf.batch, "a"))[0].startswith("a of")
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_failure_after_everybody_left_disturbs_nobody() -> None:
    shelf, loaded = Shelf(held=True), Loaded(None)
    leaving = asyncio.ensure_future(loaded.load_many(shelf.batch, "a"))
    await shelf.begun.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    shelf.failure = RuntimeError("shelf down")
    shelf.gate.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    shelf.failure = None
    assert await loaded.load_many(shelf.batch, "a") == ["a of 2"]


async def test_a_value_that_is_an_exception_is_raised_each_time() -> None:
    async def load(_context: Any, keys: list[Any]) -> list[Any]:
        return [LookupError(key) for key in keys]

    batch, loaded = Batch("nothing", load), Loaded(None)
    for _ in range(2):
        with pytest.raises(LookupError, match="a"):
            await loaded.load(batch, "a")


async def test_a_key_that_cannot_be_one_is_refused_without_a_call() -> None:
    shelf, loaded = Shelf(), Loaded(None)
    with pytest.raises(TypeError, match="unhashable"):
        await loaded.load_many(shelf.batch, [[]])  # pyright: ignore
    assert shelf.calls == []
