"""The keeping of answers by itself: how much, how long, and by what it is judged whether one may be shown."""

import time
from dataclasses import dataclass, replace

import pytest

from server import kept as kept_
from server.kept import LEASE_SECONDS, LONGEST_SECONDS, OVERHEAD, Answer, KeptAnswers, Position
from server.relay import Change, Look

NOW = 1_000.0


@dataclass(frozen=True)
class Asked:
    key: bytes
    spelling: bytes
    size: int = 100


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> KeptAnswers:
    """Followed since transaction 100."""
    answers = KeptAnswers(10 * (OVERHEAD + 1_100), clock)
    answers.looked(look(clock, horizon=100, since=100))
    return answers


def look(clock: Clock, *changes: tuple[int, str], horizon: int, since: int = 0) -> Look:
    return Look(clock.now, since, horizon, [Change(xid, [tag]) for xid, tag in changes])


def asked(name: str, spelling: str | None = None) -> Asked:
    return Asked(name.encode(), (spelling or name).encode())


def answer(name: str, *tags: str, horizon: int = 100, size: int = 1_000, lasting: float = LONGEST_SECONDS) -> Answer:
    return Answer(name.encode(), b"x" * size, [], frozenset(tags), horizon, time.time() + lasting)


def position(kept: KeptAnswers) -> Position:
    assert kept.position is not None
    return kept.position


def keep(kept: KeptAnswers, name: str, *tags: str, **more: int) -> bool:
    return kept.keep(answer(name, *tags, **more), position(kept), asked(name))


def test_it_keeps_so_many_bytes_and_lets_go_what_was_not_used_for_longest(kept: KeptAnswers) -> None:
    names = [f"answer {n}" for n in range(10)]
    for name in names:
        assert keep(kept, name, name)
    assert len(kept) == 10
    assert kept.find(b"answer 0") is not None
    assert keep(kept, "one more", "tag")
    assert kept.find(b"answer 1") is None
    assert kept.find(b"answer 0") is not None
    keep(kept, "large", "tag", size=5_000)
    assert kept.size <= 10 * (OVERHEAD + 1_100)
    before = len(kept)
    keep(kept, "too large", "tag", size=100_000)
    assert kept.find(b"too large") is None
    assert len(kept) == before


def test_ways_of_asking_take_room_too_and_are_bounded(kept: KeptAnswers) -> None:
    keep(kept, "answer", "tag")
    for n in range(100):
        assert kept.find_key(asked("answer", f"way {n}")) is not None
    assert kept.find(b"way 99") is not None
    assert kept.find(b"way 1") is None
    assert kept.size == OVERHEAD + 1_000 + kept_.MOST_SPELLINGS * 100
    kept.looked(Look(NOW, 100, 101, [Change(100, ["tag"])]))
    assert (len(kept), kept.size, kept._spelled, kept._tagged) == (0, 0, {}, {})


def test_it_is_shown_until_a_look_tells_of_a_change(kept: KeptAnswers, clock: Clock) -> None:
    keep(kept, "both", "a", "b")
    keep(kept, "a", "a")
    keep(kept, "b", "b")
    kept.looked(look(clock, (100, "a"), horizon=101))
    assert [kept.find(name) is not None for name in (b"both", b"a", b"b")] == [False, False, True]


def test_it_is_shown_no_longer_than_the_lease_after_a_look_began(kept: KeptAnswers, clock: Clock) -> None:
    keep(kept, "a", "a")
    clock.now = NOW + LEASE_SECONDS - 0.01
    assert kept.find(b"a") is not None
    clock.now = NOW + LEASE_SECONDS + 0.01
    assert kept.find(b"a") is None
    assert kept.find_key(asked("a")) is None
    kept.looked(look(clock, horizon=100))
    assert kept.find(b"a") is not None


def test_it_is_shown_no_longer_than_five_minutes(kept: KeptAnswers) -> None:
    kept.keep(answer("a", "a", lasting=-0.001), position(kept), asked("a"))
    assert kept.find(b"a") is None
    assert len(kept) == 0


def test_what_changed_while_it_was_read_is_not_kept(kept: KeptAnswers, clock: Clock) -> None:
    before = position(kept)
    kept.looked(look(clock, (100, "a"), horizon=101))
    assert not kept.keep(answer("a", "a"), before, asked("a"))
    assert kept.keep(answer("b", "b"), before, asked("b"))
    assert kept.keep(answer("a", "a"), position(kept), asked("a"))


def test_nothing_is_kept_of_a_time_that_was_not_followed(kept: KeptAnswers, clock: Clock) -> None:
    before = position(kept)
    kept.forget()
    assert kept.position is None
    assert not kept.keep(answer("a", "a"), before, asked("a"))
    kept.looked(look(clock, horizon=120, since=110))
    assert not kept.keep(answer("a", "a"), before, asked("a"))
    assert kept.keep(answer("a", "a"), position(kept), asked("a"))


@pytest.mark.parametrize(
    ("horizon", "taken"),
    [
        (99, False),  # what changed between then and 100 is not known here
        (100, False),  # 105 may have been open
        (105, False),
        (106, True),
        (200, True),
    ],
)
def test_of_another_process_only_what_contains_all_that_is_known_here(
    kept: KeptAnswers, clock: Clock, horizon: int, taken: bool
) -> None:
    kept.looked(look(clock, (105, "a"), (102, "a"), (300, "b"), horizon=101))
    kept.looked(look(clock, (103, "a"), horizon=104))
    assert kept.keep_of_other(answer("a", "a", horizon=horizon), asked("a")) is taken
    assert (kept.find(b"a") is not None) is taken


def test_of_another_process_nothing_is_taken_while_nothing_is_followed(clock: Clock) -> None:
    kept = KeptAnswers(100_000, clock)
    assert not kept.keep_of_other(answer("a", "a", horizon=10**9), asked("a"))


def test_when_more_changes_than_it_can_know_of_it_judges_as_if_it_had_just_begun(
    kept: KeptAnswers, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_, "MOST_CHANGED", 3)
    before = replace(position(kept))
    kept.looked(Look(NOW, 100, 101, [Change(100 + n, [f"tag {n}"]) for n in range(4)]))
    assert kept._changed == {}
    assert not kept.keep(answer("a", "tag 0"), before, asked("a"))
    assert not kept.keep_of_other(answer("a", "a", horizon=103), asked("a"))
    assert kept.keep_of_other(answer("a", "a", horizon=104), asked("a"))
