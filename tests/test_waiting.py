"""What connections wait by, which is to do what asyncio's own does; and what goes on after an application returned."""

import asyncio

import pytest

from server.waiting import Flag, Line, Pipeline


async def test_all_who_wait_go_on_together_and_whoever_gave_up_takes_nobody_along() -> None:
    flag = Flag()
    waiting = [asyncio.create_task(flag.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.sleep(0)
    flag.set()
    flag.clear()  # whoever waited until then goes on all the same
    assert await asyncio.gather(*waiting, return_exceptions=True) == [True, _Cancelled(), True]
    later = asyncio.create_task(flag.wait())
    await asyncio.sleep(0)
    assert (flag.is_set(), later.done()) == (False, False)
    flag.set()
    assert await later
    assert await flag.wait()
    assert Flag(is_set=True).is_set()


async def test_what_comes_is_taken_in_its_order_by_whoever_waited_or_gave_up_before() -> None:
    line = Line()
    given_up = asyncio.create_task(line.get())
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    waits = asyncio.create_task(line.get())
    await asyncio.sleep(0)
    for number in range(3):
        line.put_nowait(number)
    assert [await waits, await line.get(), line.empty(), await line.get(), line.empty()] == [0, 1, False, 2, True]
    last = asyncio.create_task(line.get())
    await asyncio.sleep(0)
    assert not last.done()
    line.put_nowait("last")
    assert await last == "last"


def test_requests_that_wait_for_their_turn_get_it_in_the_order_in_which_they_came() -> None:
    pipeline = Pipeline()
    for number in range(3):
        pipeline.appendleft(number)
    assert [pipeline.pop() for _ in range(3)] == [0, 1, 2]
    assert not pipeline


class _Cancelled:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, asyncio.CancelledError)

    def __hash__(self) -> int:
        return 0
