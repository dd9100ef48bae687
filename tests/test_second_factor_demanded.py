"""`STAFF_SECOND_FACTOR=required`: staff without a second factor may only set one up."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from pyotp import TOTP

from db.workflow import ActorKind
from domain.processes.shop import Shop
from resolvers import staff as staff_resolvers
from tests import carts, given
from tests.api import Api, running_app
from tests.people import ROOT, member

TICKETS = "{ tickets { nodes { id } } }"
OWN = "{ staffMe { email } mySessions { current } }"


@pytest_asyncio.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with running_app(database_url, STAFF_SECOND_FACTOR="required") as running:
        yield running


async def refused(api: Api, query: str) -> str:
    (error,) = (await api.answer(query))["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    return error["message"]


async def test_who_has_none_may_set_one_up_and_nothing_else(shop: Shop, api: Api) -> None:
    root = await member(shop, api, "*")
    for query in (
        TICKETS,
        "{ staff { nodes { id } } }",
        'mutation { roleCreate(input: { name: "x", permissions: [] }) { userErrors { code } } }',
        'mutation { apiKeyCreate(input: { kind: SECRET, name: "x", scopes: ["audit:read"] }) { userErrors { code } } }',
    ):
        assert "staffTotpBegin" in await refused(root.api, query)
    assert (await root.api(OWN))["staffMe"] == {"email": ROOT}
    begun = await root.api.done("staffTotpBegin", {"password": given.PASSWORD}, "secret")
    assert "staffTotpBegin" in await refused(root.api, TICKETS)
    code = TOTP(begun["secret"]).at(datetime.now(UTC))
    await root.api.done("staffTotpConfirm", {"code": code}, "recoveryCodes")
    assert await root.api(TICKETS) == {"tickets": {"nodes": []}}


async def test_what_is_theirs_by_permission_alone_stays_closed(shop: Shop, api: Api) -> None:
    """Public fields show staff more: not to those whose permissions do not count."""
    ticket = await given.ticket(shop, api)
    root = await member(shop, api, "*")
    query = "query ($id: ID!) { ticket(id: $id) { id } node(id: $id) { id } }"
    assert await root.api(query, {"id": ticket.id}) == {"ticket": None, "node": None}
    await carts.execute(shop, "UPDATE staff SET totp_secret = 'x', totp_confirmed_at = now()")
    assert await root.api(query, {"id": ticket.id}) == {"ticket": {"id": ticket.id}, "node": {"id": ticket.id}}


async def test_a_write_that_began_with_a_second_factor_ends_with_it(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody gives to others is checked again where it is written; by then they may have lost the factor."""
    root = await member(shop, api, "*")
    await carts.execute(shop, "UPDATE staff SET totp_secret = 'x', totp_confirmed_at = now()")
    made = staff_resolvers.roles_.create

    async def slow(tx: Any, draft: Any, actor: Any) -> Any:
        await carts.execute(shop, "UPDATE staff SET totp_secret = NULL, totp_confirmed_at = NULL")
        return await made(tx, draft, actor)

    monkeypatch.setattr(staff_resolvers.roles_, "create", slow)
    payload = await root.api.do("roleCreate", {"name": "x", "permissions": ["audit:read"]}, "__typename")
    assert [error["__typename"] for error in payload["userErrors"]] == ["BeyondOwnPermissions"]


async def test_customers_need_none(shop: Shop, api: Api) -> None:
    sam = await given.customer(shop)
    token = await given.access_token(shop, ActorKind.CUSTOMER, sam)
    assert (await api.signed_in(token)("{ me { email } }"))["me"] == {"email": "sam@shop.example"}
