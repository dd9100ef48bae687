"""Places on the board: between any two there is room, and they compare as bytes."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.connection import new_id
from domain.ticket_rank import DIGITS, between, of_id


@pytest.mark.parametrize(
    ("before", "after", "rank"),
    [
        (None, None, "a0"),
        (None, "a0", "Zz"),
        (None, "Zz", "Zy"),
        ("a0", None, "a1"),
        ("a1", None, "a2"),
        ("a0", "a1", "a0V"),
        ("a1", "a2", "a1V"),
        ("a0V", "a1", "a0l"),
        ("Zz", "a0", "ZzV"),
        ("Zz", "a1", "a0"),
        (None, "Y00", "Xzzz"),
        ("bzz", None, "c000"),
        ("a0", "a0V", "a0G"),
        ("a0", "a0G", "a08"),
        ("a0G", "a0I", "a0H"),
        ("b125", "b129", "b127"),
        ("a0", "a1V", "a1"),
        ("Zz", "a01", "a0"),
        (None, "a0V", "a0"),
        (None, "b999", "b99"),
        (None, "A000000000000000000000000001", "A000000000000000000000000000V"),
        ("zzzzzzzzzzzzzzzzzzzzzzzzzzy", None, "zzzzzzzzzzzzzzzzzzzzzzzzzzz"),
        ("zzzzzzzzzzzzzzzzzzzzzzzzzzz", None, "zzzzzzzzzzzzzzzzzzzzzzzzzzzV"),
    ],
)
def test_ranks_are_those_of_the_published_algorithm(before: str | None, after: str | None, rank: str) -> None:
    """The examples of the reference implementation."""
    assert between(before, after) == rank


def test_there_is_nothing_between_two_that_are_not_in_order() -> None:
    for before, after in (("a1", "a0"), ("a0", "a0")):
        with pytest.raises(ValueError, match="not before"):
            between(before, after)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=120))
def test_whatever_is_put_wherever_stays_in_order_and_differs(places: list[float]) -> None:
    ranks: list[str] = []
    for place in places:
        i = round(place * len(ranks))
        before, after = ranks[i - 1] if i else None, ranks[i] if i < len(ranks) else None
        ranks.insert(i, between(before, after))
    assert ranks == sorted(set(ranks), key=str.encode)
    assert all(rank[0].isalpha() and set(rank) <= set(DIGITS) for rank in ranks)


@pytest.mark.parametrize("top", [True, False])
def test_a_thousand_at_an_end_stay_short(top: bool) -> None:
    rank = of_id(new_id())
    for _ in range(1000):
        rank = between(None, rank) if top else between(rank, None)
    assert len(rank) < 12


@given(st.lists(st.integers(0, 2**128 - 1), min_size=2, max_size=20, unique=True))
def test_new_tickets_begin_behind_earlier_ones_and_never_in_the_same_place(numbers: list[int]) -> None:
    ranks = [of_id(UUID(int=number)) for number in sorted(numbers)]
    assert len(set(ranks)) == len(ranks)
    assert ranks == sorted(ranks, key=str.encode)
    assert all(rank[-1] != "0" and between(None, rank) < rank < between(rank, None) for rank in ranks)
