"""Other sites cannot act in a visitor's name: a request counts by its cookies only if it proves where it comes from."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.processes.shop import Shop
from tests import carts, given
from tests.api import Api, running_app
from tests.browser import ADMIN, OWN, SITES, STORE, STRANGER, Browser, codes

MINE = "{ mySessions { current } }"
CREATE = "mutation { cartCreate(input: {}) { token } }"
SIGN_OUT = "mutation { customerSignOut(input: { everywhere: true }) { ended } }"


@pytest_asyncio.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with running_app(database_url, **SITES) as running:
        yield running


@pytest_asyncio.fixture
async def browser(shop: Shop, api: Api) -> Browser:
    await given.regions(shop)
    await given.customer(shop)
    signed_in = Browser(api)
    await signed_in.sign_in()
    return signed_in


async def unchanged(shop: Shop, browser: Browser) -> None:
    assert await carts.stored(shop) == []
    assert (await browser.at(STORE).post(MINE)).json()["data"] == {"mySessions": [{"current": True}]}


@pytest.mark.parametrize(
    ("origin", "headers"),
    [
        (STRANGER, {}),
        ("null", {}),
        ("https://shop.example.evil.example", {}),
        ("http://shop.example", {}),
        ("https://shop.example:8443", {}),
        ("", {}),
        ("https://shop.example\t", {}),
        ("http://[", {}),
        ("https://shop.example]", {}),
        (STRANGER, {"host": "shop.example"}),
        (STRANGER, {"x_forwarded_host": "evil.shop.example"}),
        (STRANGER, {"sec_fetch_site": "same-origin"}),
        (None, {}),
        (None, {"sec_fetch_site": "cross-site"}),
        (None, {"sec_fetch_site": "same-site"}),
        (None, {"sec_fetch_site": "none"}),
        (None, {"referer": STORE}),
    ],
)
async def test_a_write_with_cookies_from_elsewhere_is_refused_before_anything_runs(
    shop: Shop, browser: Browser, origin: str | None, headers: dict[str, str]
) -> None:
    """Fault 46: SameSite lets sister sites through, so the origin is looked at too."""
    there = browser.at(origin, **headers)
    for document in (CREATE, SIGN_OUT, "mutation { customerRefresh(input: {}) { expiresIn } }", MINE):
        answer = await there.post(document)
        assert codes(answer) == (403, ["FORBIDDEN"]), document
        assert "data" not in answer.json()
        assert "set-cookie" not in answer.headers
    await unchanged(shop, browser)


async def test_pages_of_the_shop_and_of_this_server_may_write(shop: Shop, browser: Browser) -> None:
    for number, page in enumerate((browser, browser.at(OWN), browser.at(None, sec_fetch_site="same-origin")), 1):
        assert codes(await page.post(CREATE)) == (200, [])
        assert len(await carts.stored(shop)) == number
    assert {row["customer_id"] is None for row in await carts.stored(shop)} == {False}


async def test_a_page_of_the_admin_uses_no_customers_cookies(shop: Shop, browser: Browser) -> None:
    assert codes(await browser.at(ADMIN).post(MINE)) == (200, ["UNAUTHENTICATED"])
    assert codes(await browser.at(ADMIN).post(SIGN_OUT)) == (200, [])
    await unchanged(shop, browser)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain;charset=UTF-8",
        "text/plain; application/json",
        "text/plain; a=application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary=application/json",
        "",
        None,
    ],
)
@pytest.mark.parametrize("origin", [STORE, STRANGER, None])
async def test_what_a_form_can_send_without_being_asked_first_is_never_run(
    shop: Shop, browser: Browser, content_type: str | None, origin: str | None
) -> None:
    """Fault 46: forms and beacons need no preflight, so their kinds of bodies are no requests; with cookies or not."""
    json = b'{"query": "mutation { cartCreate(input: {}) { token } }"}'
    multipart = b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n' + json + b"\r\n--x--\r\n"
    kind = {} if content_type is None else {"content-type": content_type}
    for cookies in (browser.kept, {}):
        there = Browser(browser.api, origin, dict(cookies))
        for body in (json, b"query=" + CREATE.encode(), multipart):
            answer = await browser.api.http.post("/graphql", content=body, headers={**there.sends(), **kind})
            assert codes(answer) == (403, ["FORBIDDEN"]), body
            assert "data" not in answer.json()
            assert "set-cookie" not in answer.headers
    await unchanged(shop, browser)


async def test_a_read_by_get_with_cookies_is_for_pages_that_may_see_it(shop: Shop, browser: Browser) -> None:
    """Fault 47: whatever type a GET says that its body has, and from whichever site it comes."""
    link = browser.at(None)
    for headers in ({}, {"sec-fetch-site": "none"}, {"sec-fetch-site": "same-origin"}):
        answer = await link.get(MINE, **headers)
        assert answer.json()["data"] == {"mySessions": [{"current": True}]}
        assert answer.headers["cache-control"] == "private, no-store"
    assert codes(await browser.get(MINE)) == (200, [])
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"content-type": "text/plain"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"origin": STRANGER},
        {"origin": "null"},
    ):
        assert codes(await link.get(MINE, **headers)) == (403, ["FORBIDDEN"]), headers
    await unchanged(shop, browser)


async def test_nothing_is_written_by_get(shop: Shop, browser: Browser) -> None:
    for page in (browser, browser.at(None), browser.at(OWN), browser.at(None, sec_fetch_site="none")):
        for document in (CREATE, SIGN_OUT):
            answer = await page.get(document)
            assert answer.status_code in {400, 405}
            assert answer.json().get("data") is None
    await unchanged(shop, browser)


async def test_a_stranger_reads_no_answer_and_is_asked_first(shop: Shop, browser: Browser) -> None:
    """CORS with credentials names the shop's own origins, each by itself, and never all."""
    for origin, allowed in ((STORE, True), (ADMIN, True), (STRANGER, False), ("null", False)):
        asked_first = {
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        }
        answer = await browser.api.http.options("/graphql", headers=asked_first)
        assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
        assert answer.status_code == (200 if allowed else 400)
    refused = await browser.at(STRANGER).post(MINE)
    assert "access-control-allow-origin" not in refused.headers


async def test_without_cookies_of_ours_the_origin_does_not_matter(shop: Shop, browser: Browser) -> None:
    """Programs send none, and a token in a header proves by itself that no other site made the request."""
    bearer = (await given.signed_in(browser.api, "sam@shop.example")).headers["authorization"]
    for page in (
        Browser(browser.api, None),
        Browser(browser.api, STRANGER, {"_ga": "GA1.1.1"}),
        browser.at(STRANGER, authorization=bearer),
    ):
        assert codes(await page.post(CREATE)) == (200, [])
    assert len(await carts.stored(shop)) == 3


async def test_in_production_the_servers_own_pages_are_those_over_tls(shop: Shop, database_url: str) -> None:
    await given.customer(shop)
    secret = {"COUNTERFOIL_ENV": "production", "COOKIE_SECRET": "a secret for the cookies of the tests alone"}
    async with running_app(database_url, **secret) as api:
        plain, tls = Browser(api, OWN), Browser(api, OWN.replace("http", "https"))
        assert (await plain.sign_in())["userErrors"] == [("ValidationFailed", ["tokens"])]
        assert (await tls.sign_in())["userErrors"] == []
        assert all(name.startswith("__Host-") for name in tls.kept)
        assert codes(await tls.post(MINE)) == (200, [])
        unprefixed = Browser(api, tls.origin, {k.removeprefix("__Host-"): v for k, v in tls.kept.items()})
        assert codes(await unprefixed.post(MINE)) == (200, ["UNAUTHENTICATED"])
