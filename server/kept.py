"""Answers that are kept in this process, with the names of what they were read from, until any of it changes.

Why no kept answer is old: it is kept only when nothing that it was read from has changed since a look at the event
log that was over before the reading began (`keep`); it is dropped by the look that tells of a change (`looked`); and
it is shown only while the last look that succeeded began less than `LEASE_SECONDS` ago (`find`). A database that
does not answer, a loop that stood still or a relay that is broken make requests execute, never see what was.
"""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from server.relay import CATALOGUE, Look

LEASE_SECONDS: Final = 0.8
LONGEST_SECONDS: Final = 300.0
"""Should anything ever forget to tell of a change, this is how long it matters."""
MOST_SPELLINGS: Final = 16
MOST_CHANGED: Final = 50_000
OVERHEAD: Final = 2_000
"""What an answer takes besides its bytes, roughly."""


@dataclass(frozen=True)
class Position:
    """How far the log was told when a reading began."""

    look: int
    """Number of the last look, in this process."""
    horizon: int
    """Every transaction below it was told, in any process."""


@dataclass(eq=False)
class Answer:
    """What anybody is answered who asks the same. `key` names the question, `until` is by the wall clock."""

    key: bytes
    body: bytes
    headers: list[tuple[bytes, bytes]]
    tags: frozenset[str]
    horizon: int
    until: float
    spellings: "OrderedDict[Hashable, int]" = field(default_factory=OrderedDict[Hashable, int])
    """The ways in which it was asked for, with their sizes."""

    @property
    def size(self) -> int:
        return len(self.body) + OVERHEAD + sum(self.spellings.values())


class Asked(Protocol):
    """`spelling` is what was sent, of about `size` bytes, `key` what was meant."""

    @property
    def spelling(self) -> Hashable: ...

    @property
    def size(self) -> int: ...

    @property
    def key(self) -> bytes: ...


class KeptAnswers:
    """The last used ones, of so many bytes at most. It observes the relay while it is followed."""

    def __init__(self, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_bytes, self._clock = most_bytes, clock
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()
        self._spelled: dict[Hashable, Answer] = {}
        self._tagged: defaultdict[str, set[Answer]] = defaultdict(set)
        self._looks = 0
        self.forget()

    def forget(self) -> None:
        """Nobody tells of changes from here on."""
        self._answers.clear()
        self._spelled.clear()
        self._tagged.clear()
        self._size = 0
        self._changed: dict[str, tuple[int, int]] = {}
        """By tag: the newest transaction and the last look that told of a change."""
        self._since: int | None = None
        """The transaction from which on changes are known."""
        self._looked_at = float("-inf")
        self.position: Position | None = None
        """As of the last look; note it before reading what is to be kept."""

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def size(self) -> int:
        return self._size

    def find(self, spelling: Hashable) -> Answer | None:
        """By the very bytes that were sent."""
        answer = self._spelled.get(spelling)
        return None if answer is None else self._shown(answer)

    def find_key(self, asked: Asked) -> Answer | None:
        """By what was meant; what was sent is known from now on."""
        answer = self._answers.get(asked.key)
        if answer is None or self._shown(answer) is None:
            return None
        self._spell(answer, asked)
        return answer

    def _shown(self, answer: Answer) -> Answer | None:
        if self._clock() - self._looked_at >= LEASE_SECONDS:
            return None
        if time.time() >= answer.until:
            self._drop(answer)
            return None
        self._answers.move_to_end(answer.key)
        return answer

    def keep(self, answer: Answer, read_from: Position, asked: Asked) -> bool:
        """If nothing that it was read from has changed since the position that was noted before reading."""
        if self._since is None or read_from.horizon < self._since:
            return False
        if any(self._changed.get(tag, (0, 0))[1] > read_from.look for tag in answer.tags):
            return False
        self._put(answer, asked)
        return True

    def keep_of_other(self, answer: Answer, asked: Asked) -> bool:
        """Of another process: if all changes are known since it was read, and each ended before that.

        Stricter than `keep`: while an older transaction is open, what changed meanwhile is not taken over.
        """
        if self._since is None or answer.horizon < self._since:
            return False
        if any(self._changed.get(tag, (0, 0))[0] >= answer.horizon for tag in answer.tags):
            return False
        self._put(answer, asked)
        return True

    def looked(self, look: Look) -> None:
        self._looks += 1
        if self._since is None:
            self._since = look.since
        for change in look.changes:
            for tag in change.tags:
                newest, _ = self._changed.get(tag, (0, 0))
                self._changed[tag] = max(newest, change.xid), self._looks
                self._drop_all(self._tagged.get(tag, ()))
        if len(self._changed) > MOST_CHANGED:
            self._since = max(newest for newest, _ in self._changed.values()) + 1
            self._changed.clear()
        self.position = Position(self._looks, look.horizon)
        self._looked_at = look.began

    def _put(self, answer: Answer, asked: Asked) -> None:
        if (former := self._answers.get(answer.key)) is not None:
            self._drop(former)
        if answer.size + asked.size > self._most_bytes:
            return
        self._answers[answer.key] = answer
        for tag in answer.tags:
            self._tagged[tag].add(answer)
        self._size += answer.size
        self._spell(answer, asked)
        while self._size > self._most_bytes:
            self._drop(next(iter(self._answers.values())))

    def _spell(self, answer: Answer, asked: Asked) -> None:
        if asked.spelling in answer.spellings:
            return
        if len(answer.spellings) >= MOST_SPELLINGS:
            oldest, gone = answer.spellings.popitem(last=False)
            self._spelled.pop(oldest, None)
            self._size -= gone
        answer.spellings[asked.spelling] = asked.size
        self._spelled[asked.spelling] = answer
        self._size += asked.size

    def _drop_all(self, answers: Iterable[Answer]) -> None:
        for answer in list(answers):
            self._drop(answer)

    def _drop(self, answer: Answer) -> None:
        del self._answers[answer.key]
        for spelling in answer.spellings:
            self._spelled.pop(spelling, None)
        for tag in answer.tags:
            tagged = self._tagged[tag]
            tagged.discard(answer)
            if not tagged:
                del self._tagged[tag]
        self._size -= answer.size


def tags_of(reads: Iterable[object]) -> frozenset[str]:
    """What an operation read, in the names of db/changes.py: kinds are told by their names, products by their ids."""
    return frozenset({CATALOGUE, *(read if isinstance(read, str) else f"product:{read}" for read in reads)})
