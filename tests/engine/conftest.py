"""What the tests of the engine share."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def own_garbage() -> Iterator[None]:
    """What the test leaves is collected where it collects, while the warnings about it are expected."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
