"""What browsers and proxies are told: catalogue answers to GET may be kept by all for a moment, others by nobody."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.processes.shop import Shop
from tests import given
from tests.answers import Keeping, keeping_app

REGIONS = "{ regions { name } }"
PUBLIC = "public, max-age=1"
PRIVATE = "private, no-store"
VARY = {"Authorization", "Cookie", "X-Api-Key", "X-Shop-Context", "Accept", "Accept-Encoding", "Origin"}
BROWSER = {"origin": "http://localhost:3000"}


@pytest_asyncio.fixture(params=["kept", "not kept"])
async def keeping(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Keeping]:
    """HTTP is told the same whether this process keeps answers or not."""
    await given.regions(shop)
    mib = "8" if request.param == "kept" else "0"
    async with keeping_app(database_url, monkeypatch, ANSWER_CACHE_MIB=mib) as running:
        if request.param == "kept":
            await running.followed()
        yield running


async def test_an_answer_to_get_has_an_etag_and_may_be_kept_for_a_second(keeping: Keeping) -> None:
    first, second = await keeping.get(REGIONS), await keeping.get(REGIONS)
    other = await keeping.get("{ regions { code } }")
    for answer in (first, second, other):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == PUBLIC
        assert set(answer.headers["vary"].split(", ")) == VARY
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-request-id"]
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"] != other.headers["etag"]
    assert first.headers["etag"][0] == first.headers["etag"][-1] == '"'
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_who_has_the_answer_is_told_so(shop: Shop, keeping: Keeping) -> None:
    etag = (await keeping.get(REGIONS)).headers["etag"]
    for held in (etag, f"W/{etag}", f'"another", {etag}', "*"):
        answer = await keeping.get(REGIONS, headers={"if-none-match": held})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
        assert answer.headers["cache-control"] == PUBLIC
        assert set(answer.headers["vary"].split(", ")) == VARY
        assert "content-type" not in answer.headers
    for held in ('"another"', etag.strip('"'), ""):
        answer = await keeping.get(REGIONS, headers={"if-none-match": held})
        assert (answer.status_code, answer.headers["etag"]) == (200, etag)
    await shop.database.pool.execute("UPDATE region SET name = 'EU' WHERE code = 'eu'")
    if keeping.api.answers is not None and keeping.api.answers._kept is not None:
        await keeping.told()
    answer = await keeping.get(REGIONS, headers={"if-none-match": etag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != etag
    assert {"name": "EU"} in answer.json()["data"]["regions"]


async def test_browsers_of_the_shop_are_let_in_as_ever(keeping: Keeping) -> None:
    for _ in range(2):
        answer = await keeping.get(REGIONS, headers=BROWSER)
        assert answer.headers["access-control-allow-origin"] == BROWSER["origin"]
        assert set(answer.headers["vary"].split(", ")) == VARY
        stranger = await keeping.get(REGIONS, headers={"origin": "https://elsewhere.example"})
        assert "access-control-allow-origin" not in stranger.headers
        assert "Origin" in stranger.headers["vary"]


async def test_all_other_answers_are_kept_by_nobody(shop: Shop, keeping: Keeping) -> None:
    sold = await given.product(shop)
    node = f'{{ node(id: "{sold.product}") {{ id }} }}'
    token = {"x-cart-token": "secret", "x-access-token": "secret"}
    staff = await given.caller(shop, keeping.api, "staff")
    for _ in range(2):
        answers = [
            await keeping.post(REGIONS),
            await keeping.get(node),
            await keeping.get(node, headers=token),
            await keeping.get(REGIONS, headers=staff.headers),
            await keeping.get(REGIONS, headers={"authorization": "Bearer nonsense"}),
            await keeping.get("{ regions { colour } }"),
            await keeping.get("mutation { cartCreate(input: {}) { token } }"),
            await keeping.get("{ regions { name } products(first: 101) { nodes { id } } }"),
            await keeping.api.http.get("/graphql", headers={"accept": "text/html"}),
            await keeping.api.http.post("/graphql", content=b"{", headers={"content-type": "application/json"}),
            await keeping.api.http.post("/graphql", content=b" " * 200_000),
            await keeping.api.http.put("/graphql"),
            await keeping.post(REGIONS, accept="text/event-stream"),
        ]
        assert [answer.headers.get_list("cache-control") for answer in answers] == [[PRIVATE]] * len(answers)
        assert [answer for answer in answers if "etag" in answer.headers] == []


async def test_how_long_others_may_keep_is_a_setting(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given.regions(shop)
    async with keeping_app(database_url, monkeypatch, CACHE_MAX_AGE="0") as keeping:
        assert (await keeping.get(REGIONS)).headers["cache-control"] == "public, max-age=0"


async def test_a_body_that_comes_in_pieces_is_the_same_question(keeping: Keeping) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"query": "{ regions', b" { name", b' } }"}'):
            yield piece

    headers = {"content-type": "application/json"}
    whole = await keeping.api.http.post("/graphql", content=b'{"query": "{ regions { name } }"}', headers=headers)
    before = keeping.executed
    answer = await keeping.api.http.post("/graphql", content=pieces(), headers=headers)
    assert answer.content == whole.content
    assert keeping.executed == before + (keeping.api.answers is None or keeping.api.answers._kept is None)
