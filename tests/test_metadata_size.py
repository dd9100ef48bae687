"""What metadata may be is counted as PostgreSQL counts it, so that neither refuses what the other takes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import bindparam, func, select
from sqlalchemy import cast as cast_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import Text

from domain.metadata import MOST_METADATA, check_metadata, size_of
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
WRITTEN = select(func.octet_length(cast_(bindparam("value", type_=JSONB), Text)))


async def test_metadata_is_counted_as_postgresql_counts_it(shop: Shop) -> None:
    made: list[Any] = []

    @settings(max_examples=150, database=None, deadline=None)
    @given(VALUES)
    def collect(value: Any) -> None:
        made.append({"value": value})

    collect()
    for value in made:
        assert await shop.read.scalar(WRITTEN, value=value) == size_of(value), value


def test_metadata_has_at_most_so_many_bytes() -> None:
    fits = {"a": "x" * (MOST_METADATA - len('{"a": ""}'))}
    check_metadata(fits)
    with pytest.raises(ValidationFailed) as refused:
        check_metadata({"a": fits["a"] + "x"})
    assert refused.value.path == ("metadata",)
