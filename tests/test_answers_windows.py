"""Kept answers and the clock: nobody is shown for longer than a second what began or ended by time alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from domain.processes.shop import Shop
from tests import channels, given
from tests.answers import Keeping, keeping_app

CUP = '{ product(by: { handle: "paper-cup" }) { title } }'
OPEN = timedelta(seconds=1.5)


@pytest_asyncio.fixture
async def keeping(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeping]:
    async with keeping_app(database_url, monkeypatch) as running:
        yield running


async def seen(keeping: Keeping, query: str = CUP) -> bool:
    return "Paper Cup" in (await keeping.post(query)).text


async def test_what_opens_and_what_closes_by_the_clock_is_seen_to(shop: Shop, keeping: Keeping) -> None:
    await given.regions(shop)
    cup, default = await given.product(shop), await channels.default(shop)
    listed = "{ products { nodes { title } } }"
    by_id = f'{{ product(by: {{ id: "{cup.product}" }}) {{ title }} }}'
    queries = (CUP, listed, by_id)
    for opens in (True, False):
        at = datetime.now(UTC) + OPEN
        await channels.published(shop, cup.product, default, *((at, None) if opens else (None, at)))
        await keeping.told()
        for query in queries:
            assert await seen(keeping, query) is not opens
        if datetime.now(UTC) < at - timedelta(seconds=0.5):
            assert [await keeping.was_kept(query) for query in queries] == [True] * 3
        await given.until(lambda at=at: datetime.now(UTC) >= at + timedelta(seconds=1))
        for query in queries:
            assert await seen(keeping, query) is opens


async def test_what_turned_before_anybody_kept_answers_is_no_reason_to_keep_none(shop: Shop, keeping: Keeping) -> None:
    await given.regions(shop)
    cup, default = await given.product(shop), await channels.default(shop)
    await channels.published(shop, cup.product, default, datetime.now(UTC) - timedelta(seconds=5))
    await keeping.told()
    assert await seen(keeping)

    async def is_kept() -> bool:
        return await keeping.was_kept(CUP)

    await given.until(is_kept)
    await given.product(shop, "box")
    await keeping.told()
    assert await keeping.was_kept(CUP)


async def test_answers_of_one_channel_are_not_shown_in_another(shop: Shop, keeping: Keeping) -> None:
    await given.regions(shop)
    cup, till = await given.product(shop), await channels.made(shop)
    await keeping.told()
    for _ in range(2):
        assert await seen(keeping)
        assert "Paper Cup" not in (await keeping.post(CUP, x_shop_context=f"channel={till}")).text
        assert not await seen(keeping, f'query @inContext(channel: "{till}") {CUP}')
    assert await keeping.was_kept(CUP, x_shop_context=f"channel={till}")
    await channels.published(shop, cup.product, till)
    await keeping.told()
    assert "Paper Cup" in (await keeping.post(CUP, x_shop_context=f"channel={till}")).text
    await channels.archived(shop, till)
    await keeping.told()
    assert "BAD_USER_INPUT" in (await keeping.post(CUP, x_shop_context=f"channel={till}")).text
