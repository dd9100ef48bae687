"""What keys of programs open, what they do not, and that their use is noted."""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select, text

from db import ApiKey
from db.session import ApiKeyKind
from domain import api_key as api_keys
from domain.api_key import Made
from domain.processes.shop import Shop
from resolvers.order_access import SEND_LINK
from tests import carts, given
from tests.answers import KEEPING
from tests.api import Api, running_app
from tests.keys import TICKETS, beside, holding, made

SEND = """mutation { orderSendAccessLink(input: { orderNumber: 1001, email: "sam@shop.example" }) {
          userErrors { code } } }"""


async def test_a_secret_key_may_do_what_its_scopes_say_and_nothing_else(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    reader = holding(api, (await made(shop, "tickets:read")).key)
    mover = holding(api, (await made(shop, "tickets:write")).key)
    assert (await reader(TICKETS))["tickets"]["nodes"] == [{"id": ticket.id}]
    move = {"ticketId": ticket.id, "toState": "designing_artwork"}
    refused = 'mutation { ticketMove(input: { ticketId: "x", toState: "x" }) { ticket { id } } }'
    for caller, document in ((reader, refused), (mover, TICKETS)):
        answer = await caller.answer(document)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    assert (await mover.done("ticketMove", move, "ticket { state { code } }"))["ticket"] == {
        "state": {"code": "designing_artwork"}
    }
    history = "query ($id: ID!) { ticket(id: $id) { history { actor } } }"
    assert (await reader(history, {"id": ticket.id}))["ticket"]["history"][-1] == {"actor": "STAFF"}


def without_id(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    told = answer.json()
    del told["errors"][0]["extensions"]["requestId"]
    return answer.status_code, told


async def test_refused_keys_are_refused_alike(shop: Shop, api: Api) -> None:
    """Unknown, malformed, revoked, expired, or of a kind that does not belong there."""
    revoked, expired = await made(shop, "tickets:read"), await made(shop, "tickets:read")
    await carts.execute(shop, "UPDATE api_key SET revoked_at = now() WHERE id = :id", id=revoked.row.id)
    await carts.execute(shop, "UPDATE api_key SET expires_at = now() WHERE id = :id", id=expired.row.id)
    unknown = api_keys._new_key(ApiKeyKind.SECRET)
    store, public = await made(shop, kind=ApiKeyKind.STOREFRONT), await made(shop, kind=ApiKeyKind.PUBLISHABLE)
    secret = await made(shop, "tickets:read")
    callers = [
        holding(api, key) for key in (unknown, unknown[:-1] + "!", revoked.key, expired.key, store.key, public.key)
    ]
    callers += [beside(api, key) for key in (unknown, "", "nonsense", revoked.key, secret.key)]
    told = [without_id(await caller.raw("{ __typename }")) for caller in callers]
    refusal = {"errors": [{"message": "The API key is not valid.", "extensions": {"code": "UNAUTHENTICATED"}}]}
    assert told == [(401, refusal)] * len(callers)
    assert (await holding(api, secret.key)("{ __typename }")) == {"__typename": "Query"}


async def test_malformed_keys_cost_no_statement(shop: Shop, api: Api) -> None:
    assert api.database is not None
    before = api.database.statements
    for _ in range(5):
        assert (await holding(api, "cf_secret_nonsense").raw("{ __typename }")).status_code == 401
    assert api.database.statements == before


async def test_publishable_and_storefront_keys_carry_no_rights(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    customer = await given.caller(shop, api, "customer")
    for kind in (ApiKeyKind.PUBLISHABLE, ApiKeyKind.STOREFRONT):
        key = await made(shop, kind=kind)
        for caller, code in ((api, "UNAUTHENTICATED"), (customer, "FORBIDDEN")):
            answer = await beside(caller, key.key).answer(TICKETS)
            assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
            seen = await beside(caller, key.key)("query ($id: ID!) { ticket(id: $id) { id } }", {"id": ticket.id})
            assert seen == {"ticket": None}


async def last_used(shop: Shop, key: Made) -> datetime | None:
    return await shop.read.one_scalar(select(ApiKey.last_used_at).where(ApiKey.id == key.row.id))


async def noted(shop: Shop, key: Made, after: datetime | None = None) -> bool:
    used = await last_used(shop, key)
    return used is not None and (after is None or used > after)


async def test_the_use_of_a_key_is_noted_once_a_minute(shop: Shop, api: Api) -> None:
    for kind in ApiKeyKind:
        key = await made(shop, *(["tickets:read"] if kind == ApiKeyKind.SECRET else []), kind=kind)
        program = holding(api, key.key) if kind == ApiKeyKind.SECRET else beside(api, key.key)
        assert await last_used(shop, key) is None
        await asyncio.gather(*(program("{ __typename }") for _ in range(20)))
        await given.until(lambda key=key: noted(shop, key))
        first = await last_used(shop, key)
        assert first is not None
        await program("{ __typename }")
        await asyncio.sleep(0.1)
        assert await last_used(shop, key) == first
        old = "UPDATE api_key SET last_used_at = last_used_at - interval '61 seconds' WHERE id = :id"
        await carts.execute(shop, old, id=key.row.id)
        await program("{ __typename }")
        await given.until(lambda key=key, first=first: noted(shop, key, first - timedelta(seconds=60)))


async def test_a_request_does_not_wait_until_its_key_is_noted(shop: Shop, api: Api) -> None:
    key = await made(shop, "tickets:read")
    async with shop.tx() as tx:
        await tx.run(select(ApiKey.id).where(ApiKey.id == key.row.id).with_for_update())
        for _ in range(30):  # more than the pool has connections: one of them waits for the row, and no other
            await asyncio.wait_for(holding(api, key.key)("{ __typename }"), 5)
        assert await last_used(shop, key) is None
    await given.until(lambda: noted(shop, key))


async def counted(shop: Shop, address: str) -> int:
    key = SEND_LINK.address.key(address)
    statement = text("SELECT coalesce(sum(count), 0) FROM attempts WHERE key = :key").bindparams(key=key)
    return await shop.read.value(statement)


async def test_a_storefront_says_whose_attempts_are_counted(shop: Shop, api: Api) -> None:
    store, public = await made(shop, kind=ApiKeyKind.STOREFRONT), await made(shop, kind=ApiKeyKind.PUBLISHABLE)
    buyer = {"x-buyer-address": "203.0.113.7"}
    own = await api.http.get("/health")
    assert own.status_code == 200
    await beside(api, store.key, **buyer)(SEND)
    assert (await counted(shop, "203.0.113.7"), await counted(shop, "127.0.0.1")) == (1, 0)
    await beside(api, store.key, **{"x-buyer-address": "::ffff:203.0.113.7"})(SEND)
    assert (await counted(shop, "203.0.113.7"), await counted(shop, "127.0.0.1")) == (2, 0)
    await beside(api, public.key, **buyer)(SEND)
    await Api(api.http, buyer)(SEND)
    await beside(api, store.key)(SEND)
    assert (await counted(shop, "203.0.113.7"), await counted(shop, "127.0.0.1")) == (2, 3)
    for nonsense in ("", "example.com", "203.0.113.7, 10.0.0.1", "203.0.113.256"):
        answer = await beside(api, store.key, **{"x-buyer-address": nonsense}).raw(SEND)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


@asynccontextmanager
async def keeping(database_url: str) -> Any:
    async with running_app(database_url, **KEEPING) as api:
        yield api


async def test_requests_with_a_key_are_not_answered_from_memory(shop: Shop, database_url: str) -> None:
    """A revoked key must be refused, and what a key's channel sees one day must not be shown to others."""
    await given.regions(shop)
    await given.product(shop)
    public = await made(shop, kind=ApiKeyKind.PUBLISHABLE)
    secret = await made(shop, "tickets:read")
    query = "{ products(first: 1) { nodes { handle } } }"
    async with keeping(database_url) as api:

        async def is_kept() -> bool:
            before = api.database.statements
            await api(query)
            return api.database.statements == before

        await given.until(is_kept)
        for caller, key in ((beside(api, public.key), public), (holding(api, secret.key), secret)):
            before = api.database.statements
            answer = await caller.raw(query)
            assert answer.headers["cache-control"] == "private, no-store"
            assert answer.json()["data"] == await api(query)
            assert api.database.statements > before
            await carts.execute(shop, "UPDATE api_key SET revoked_at = now() WHERE id = :id", id=key.row.id)
            assert (await caller.raw(query)).status_code == 401
