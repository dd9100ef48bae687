"""A request that is given up midway leaves nothing of itself for others: no reply, no open transaction."""

import asyncio
import random
from typing import Any

from sqlalchemy import bindparam, text

from db.workflow import ActorKind
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api

REQUESTS = 2_000
AT_ONCE = 40
PEOPLE = 20
SEEDED = random.Random(15)


async def cancelled_midway(asked: asyncio.Task[Any]) -> bool:
    """At some point or other of what it does; whether it was still under way."""
    for _ in range(SEEDED.randrange(40)):
        await asyncio.sleep(0)
    return asked.cancel()


async def test_a_cancelled_request_never_leaves_its_reply_for_another(shop: Shop, api: Api) -> None:
    """Fault 15: of 2,000 requests half are cancelled at random points; every answer is about whoever asked."""
    people: list[tuple[Api, str]] = []
    for number in range(PEOPLE):
        email = f"person{number}@shop.example"
        token = await given.access_token(shop, ActorKind.CUSTOMER, await given.customer(shop, email))
        own = (await api.signed_in(token)("{ mySessions { id } }"))["mySessions"]
        people.append((api.signed_in(token), own[0]["id"]))
    answered, cut = 0, 0
    for _ in range(REQUESTS // AT_ONCE):
        asked = [
            (own, asyncio.create_task(who("{ mySessions { id } }"))) for who, own in SEEDED.choices(people, k=AT_ONCE)
        ]
        cut += sum(await asyncio.gather(*(cancelled_midway(task) for _, task in asked[::2])))
        for (own, _), answer in zip(asked, await together(asked), strict=True):
            if not isinstance(answer, asyncio.CancelledError):
                assert answer == {"mySessions": [{"id": own}]}
                answered += 1
    assert answered + cut == REQUESTS
    assert cut > REQUESTS // 4
    assert {ids.decode("Session", own) for _, own in people} == set(
        await shop.read.scalars(text("SELECT id FROM session WHERE ended_at IS NULL"))
    )


async def together(asked: list[tuple[str, asyncio.Task[Any]]]) -> list[Any]:
    return await asyncio.gather(*(task for _, task in asked), return_exceptions=True)


async def test_a_connection_of_a_cancelled_statement_answers_the_next_one_rightly(shop: Shop) -> None:
    """The same below GraphQL, in transactions and outside of them, over ten connections for forty at once."""
    echo = text("SELECT CAST(:said AS int) AS said, pg_sleep(:seconds)").bindparams(bindparam("seconds", 0.0))

    async def say(number: int) -> int:
        given_ = {"said": number, "seconds": SEEDED.random() / 1_000}
        if number % 2:
            return (await shop.read.records(echo, **given_))[0].said
        async with shop.tx() as tx:
            return (await tx.records(echo, **given_))[0].said

    for begin in range(0, REQUESTS, AT_ONCE):
        asked = [asyncio.create_task(say(number)) for number in range(begin, begin + AT_ONCE)]
        await asyncio.gather(*(cancelled_midway(task) for task in SEEDED.sample(asked, AT_ONCE // 2)))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for number, answer in enumerate(answers, begin):
            assert isinstance(answer, asyncio.CancelledError) or answer == number
    assert [await say(number) for number in range(20)] == list(range(20))
    open_ones = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    )
    await given.until(lambda: _none(shop, open_ones))


async def _none(shop: Shop, statement: Any) -> bool:
    return await shop.read.value(statement) == 0
