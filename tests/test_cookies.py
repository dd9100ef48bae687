"""Sign-ins in cookies: scripts never see a token, and what is in the cookies goes on and ends like any sign-in."""

from collections.abc import AsyncIterator

import pytest_asyncio
from sqlalchemy import text

from db.workflow import ActorKind
from domain.processes.shop import Shop
from server.tokens import SignedTokens
from tests import carts, given
from tests.answers import KEEPING
from tests.api import Api, running_app
from tests.browser import ADMIN, OWN, SITES, STORE, Browser, codes

MINE = "{ mySessions { current } }"
CUSTOMERS = {"counterfoil_customer_access", "counterfoil_customer_refresh"}
STAFFS = {"counterfoil_staff_access", "counterfoil_staff_refresh"}
NOTHING = {"accessToken": None, "refreshToken": None, "expiresIn": None}
COOKIE_SECRET = "a secret for the cookies of the tests alone, and nothing else"


@pytest_asyncio.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with running_app(database_url, **SITES, COOKIE_SECRET=COOKIE_SECRET) as running:
        yield running


async def test_a_browser_that_signs_in_with_cookies_is_given_no_token_to_read(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    browser = Browser(api)
    assert await browser.sign_in() == {**NOTHING, "expiresIn": 900, "userErrors": []}
    assert browser.kept.keys() == CUSTOMERS
    answer = await browser.post(MINE)
    assert answer.json()["data"] == {"mySessions": [{"current": True}]}
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-origin"] == STORE
    assert answer.headers["cache-control"] == "private, no-store"


async def test_how_a_session_is_written_into_cookies(shop: Shop, database_url: str) -> None:
    await given.customer(shop)
    document = f"""mutation {{ customerSignIn(input: {{
        email: "sam@shop.example", password: "{given.PASSWORD}", tokens: COOKIE }}) {{ expiresIn }} }}"""
    production = {"COUNTERFOIL_ENV": "production", "COOKIE_SECRET": COOKIE_SECRET}
    for environment, prefix, more in (({}, "", set[str]()), (production, "__Host-", {"Secure"})):
        async with running_app(database_url, **SITES, **environment) as api:
            answer = await api.http.post("/graphql", json={"query": document}, headers={"origin": STORE})
        written = [header.split("; ") for header in answer.headers.get_list("set-cookie")]
        for (named, *attributes), what, seconds in zip(written, ("access", "refresh"), (900, 5_184_000), strict=True):
            assert named.startswith(f"{prefix}counterfoil_customer_{what}=")
            assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=lax", f"Max-Age={seconds}", *more}


async def test_without_the_choice_tokens_are_in_the_answer_and_no_cookie_is_set(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    browser = Browser(api)
    payload = await browser.do(
        "customerSignIn", {"email": "sam@shop.example", "password": given.PASSWORD}, "accessToken refreshToken"
    )
    assert None not in {payload["accessToken"], payload["refreshToken"]}
    assert browser.kept == {}


async def test_a_sign_in_in_cookies_goes_on_by_them(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    browser = Browser(api)
    await browser.sign_in()
    before = dict(browser.kept)
    refreshed = await browser.do("customerRefresh", {}, "accessToken refreshToken expiresIn")
    assert refreshed == {**NOTHING, "expiresIn": 900, "userErrors": []}
    assert browser.kept["counterfoil_customer_refresh"] != before["counterfoil_customer_refresh"]
    del browser.kept["counterfoil_customer_access"]  # as browsers do after its quarter of an hour
    assert codes(await browser.post(MINE)) == (200, ["UNAUTHENTICATED"])
    await browser.do("customerRefresh", {}, "expiresIn")
    assert codes(await browser.post(MINE)) == (200, [])


async def test_a_cookie_that_was_stolen_and_used_again_ends_the_sign_in_and_is_taken_back(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    browser = Browser(api)
    await browser.sign_in()
    thief = Browser(api, kept={"counterfoil_customer_refresh": browser.kept["counterfoil_customer_refresh"]})
    await browser.do("customerRefresh", {}, "expiresIn")
    await carts.execute(shop, "UPDATE refresh_token SET used_at = used_at - interval '11 seconds'")
    ended = {"expiresIn": None, "userErrors": [("SessionEnded", ["refreshToken"])]}
    assert await thief.do("customerRefresh", {}, "expiresIn") == ended
    assert thief.kept == {}
    assert codes(await browser.post(MINE)) == (401, ["UNAUTHENTICATED"])
    assert browser.kept.keys() == {"counterfoil_customer_refresh"}
    assert await browser.do("customerRefresh", {}, "expiresIn") == ended
    assert browser.kept == {}


async def test_a_browser_whose_sign_in_was_ended_elsewhere_can_sign_in_again(shop: Shop, api: Api) -> None:
    """The cookie is no wall: the answer that refuses it takes it back."""
    await given.customer(shop)
    browser = Browser(api)
    await browser.sign_in()
    await carts.execute(shop, "UPDATE session SET ended_at = now()")
    assert codes(await browser.post(MINE)) == (401, ["UNAUTHENTICATED"])
    assert (await browser.sign_in())["userErrors"] == []
    assert codes(await browser.post(MINE)) == (200, [])


async def test_signing_out_takes_the_cookies_back(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    browser = Browser(api)
    for late in (False, True):
        await browser.sign_in()
        if late:  # the access cookie is gone, and the session still ends
            del browser.kept["counterfoil_customer_access"]
        assert (await browser.do("customerSignOut", {}, "ended"))["ended"] == 1
        assert browser.kept == {}
    assert await shop.read.value(text("SELECT count(*) FROM session WHERE ended_at IS NULL")) == 0
    await browser.sign_in()
    own = (await browser.post("{ mySessions { id } }")).json()["data"]["mySessions"][0]["id"]
    assert (await browser.do("sessionEnd", {"sessionId": own}, "sessions { id }"))["sessions"] == []
    assert browser.kept == {}


async def test_the_storefront_and_the_admin_in_one_browser_do_not_mix(shop: Shop, api: Api) -> None:
    """What staff may do cannot be done from a page of the storefront, whatever runs there."""
    await given.customer(shop)
    await given.staff(shop, "tickets:read")
    store = Browser(api)
    admin = store.at(ADMIN)
    await admin.sign_in("toni@shop.example", "staff")
    assert codes(await store.post(MINE)) == (200, ["UNAUTHENTICATED"])
    assert codes(await store.post("{ tickets { totalCount } }")) == (200, ["UNAUTHENTICATED"])
    await store.sign_in()
    assert store.kept.keys() == admin.kept.keys() == CUSTOMERS | STAFFS
    kind = "{ mySessions { id } tickets { totalCount } }"
    assert codes(await admin.post(kind)) == (200, [])
    assert codes(await store.post(kind)) == (200, ["FORBIDDEN"])
    assert (await store.do("staffRefresh", {}, "expiresIn"))["userErrors"] == [("ValidationFailed", ["refreshToken"])]
    assert (await store.do("staffSignOut", {"everywhere": True}, "ended"))["ended"] == 0
    assert store.kept.keys() == CUSTOMERS | STAFFS
    await store.do("customerSignOut", {}, "ended")
    assert store.kept.keys() == STAFFS
    assert codes(await admin.at(OWN).post(kind)) == (200, [])


async def test_cookies_are_set_for_pages_that_may_use_them_alone(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    await given.staff(shop)
    for as_, email, origin in (
        ("customer", "sam@shop.example", ADMIN),
        ("staff", "toni@shop.example", STORE),
        ("customer", "sam@shop.example", None),
        ("customer", "sam@shop.example", "null"),
    ):
        browser = Browser(api, origin)
        assert await browser.sign_in(email, as_) == {**NOTHING, "userErrors": [("ValidationFailed", ["tokens"])]}
        assert browser.kept == {}
    assert await shop.read.value(text("SELECT count(*) FROM session")) == 0


async def test_a_token_is_no_cookie_and_a_cookie_is_no_token(shop: Shop, api: Api) -> None:
    sam = await given.customer(shop)
    token = await given.access_token(shop, ActorKind.CUSTOMER, sam)
    browser = Browser(api, kept={"counterfoil_customer_access": token})
    assert codes(await browser.post(MINE)) == (401, ["UNAUTHENTICATED"])
    assert browser.kept == {}
    await browser.sign_in()
    stolen = api.signed_in(browser.kept["counterfoil_customer_access"])
    assert codes(await stolen.raw(MINE)) == (401, ["UNAUTHENTICATED"])
    as_staff = Browser(api, ADMIN, {"counterfoil_staff_access": browser.kept["counterfoil_customer_access"]})
    assert codes(await as_staff.post(MINE)) == (401, ["UNAUTHENTICATED"])
    assert SignedTokens(COOKIE_SECRET).read_access_token(token) is None


async def test_a_token_in_the_header_counts_before_the_cookies(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    await given.customer(shop, "kim@shop.example")
    browser = Browser(api)
    await browser.sign_in("kim@shop.example")
    bearer = (await given.signed_in(api, "sam@shop.example")).headers["authorization"]
    await given.regions(shop)
    both = browser.at(STORE, authorization=bearer)
    await both.do("cartCreate", {}, "token")
    owner = text("SELECT customer.email FROM cart c JOIN customer ON customer.id = c.customer_id")
    assert await shop.read.value(owner) == "sam@shop.example"
    assert codes(await browser.at(STORE, authorization="Bearer x").post(MINE)) == (401, ["UNAUTHENTICATED"])


async def test_kept_answers_and_cookies_never_meet(shop: Shop, database_url: str) -> None:
    """An answer for a session is neither kept nor taken from what is kept; other cookies make no difference."""
    await given.customer(shop)
    await given.regions(shop)
    query = "{ regions { code } }"
    async with running_app(database_url, **SITES, **KEEPING) as api:
        assert api.database is not None
        browser = Browser(api)
        await browser.sign_in()
        visitor = Browser(api, kept={"_ga": "GA1.1.1"})
        await visitor.get(query)
        await given.until(lambda: _is_kept(api, visitor, query))
        before = api.database.statements
        assert (await visitor.get(query)).headers["cache-control"].startswith("public")
        assert api.database.statements == before
        answer = await browser.get(query)
        assert api.database.statements > before
        assert answer.headers["cache-control"] == "private, no-store"
        await carts.execute(shop, "UPDATE session SET ended_at = now()")
        assert codes(await browser.get(query)) == (401, ["UNAUTHENTICATED"])


async def _is_kept(api: Api, visitor: Browser, query: str) -> bool:
    assert api.database is not None
    before = api.database.statements
    await visitor.get(query)
    return api.database.statements == before
