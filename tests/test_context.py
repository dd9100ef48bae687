"""Where an operation takes place: said once, by `@inContext` or `X-Shop-Context`, and told back."""

from typing import Any

from sqlalchemy import func, select

from db import Cart, Region
from db.connection import new_id
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given
from tests.api import Api

PRICE = '{ product(by: {handle: "paper-cup"}) { variants { nodes { price { amount { currency } } } } } }'


def under(api: Api, header: str) -> Api:
    return Api(api.http, {**api.headers, "x-shop-context": header}, api.database)


async def opened(shop: Shop) -> dict[str, str]:
    """A shop with a cup that costs something everywhere; the ids of its regions by code."""
    await given.regions(shop)
    await given.product(shop)
    return {row.code: ids.encode("Region", row.id) for row in await shop.read.all(select(Region))}


async def asked(api: Api, directive: str = "", variables: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """The currency of the price, and what the answer says about the context besides the channel."""
    answer = await api.answer(f"query {directive} {PRICE}", variables)
    assert "errors" not in answer, answer
    (variant,) = answer["data"]["product"]["variants"]["nodes"]
    context = answer["extensions"]["context"]
    assert context.pop("channel").startswith("channel_")
    return variant["price"]["amount"]["currency"], context


async def refused(api: Api, directive: str = "", variables: dict[str, Any] | None = None) -> tuple[int, Any, Any]:
    """Status, code and argument of the only error; there is no price then."""
    response = await api.raw(f"query {directive} {PRICE}", variables)
    answer = response.json()
    (error,) = answer["errors"]
    assert "currency" not in str(answer.get("data"))
    return response.status_code, error["extensions"]["code"], error["extensions"].get("argument")


def echoed(region: str, currency: str, **more: str) -> tuple[str, dict[str, Any]]:
    return currency, {"region": region, "currency": currency, "country": None, "locale": None, **more}


async def test_prices_are_those_of_the_default_region_unless_the_client_says_where_it_is(shop: Shop, api: Api) -> None:
    regions = await opened(shop)
    assert await asked(api) == echoed(regions["eu"], "EUR")
    for country, code, currency in (("NL", "eu", "EUR"), ("DE", "eu", "EUR"), ("US", "us", "USD"), ("JP", "jp", "JPY")):
        expected = echoed(regions[code], currency, country=country)
        assert await asked(api, f"@inContext(country: {country})") == expected
        assert await asked(under(api, f"country={country}")) == expected
    for code, currency in (("eu", "EUR"), ("us", "USD"), ("jp", "JPY")):
        expected = echoed(regions[code], currency)
        assert await asked(api, f'@inContext(region: "{regions[code]}")') == expected
        assert await asked(under(api, f"region={regions[code]}")) == expected


async def test_a_header_may_say_several_things_and_be_spaced_out(shop: Shop, api: Api) -> None:
    regions = await opened(shop)
    expected = echoed(regions["jp"], "JPY", country="JP", locale="ja-JP")
    for header in ("country=JP,locale=ja-JP", " country = JP , locale=ja-JP ,", "locale=ja-JP, country=JP"):
        assert await asked(under(api, header)) == expected
    both = f"country=US, region={regions['us']}"
    assert await asked(under(api, both)) == echoed(regions["us"], "USD", country="US")
    assert await asked(under(api, "")) == await asked(under(api, " , ")) == echoed(regions["eu"], "EUR")


async def test_the_directive_wins_over_the_header(shop: Shop, api: Api) -> None:
    regions = await opened(shop)
    in_japan = under(api, "country=JP")
    assert await asked(in_japan, "@inContext(country: US)") == echoed(regions["us"], "USD", country="US")
    assert await asked(in_japan, f'@inContext(region: "{regions["eu"]}")') == echoed(regions["eu"], "EUR")
    nowhere = under(api, "country=FR")
    assert await asked(nowhere, "@inContext(country: US)") == echoed(regions["us"], "USD", country="US")


async def test_the_directive_takes_variables(shop: Shop, api: Api) -> None:
    regions = await opened(shop)
    by_country = "($country: CountryCode) @inContext(country: $country)"
    assert await asked(api, by_country, {"country": "US"}) == echoed(regions["us"], "USD", country="US")
    assert await asked(api, by_country, {"country": None}) == echoed(regions["eu"], "EUR")
    assert await asked(api, by_country, {}) == echoed(regions["eu"], "EUR")
    with_default = "($country: CountryCode = JP) @inContext(country: $country)"
    assert await asked(api, with_default, {}) == echoed(regions["jp"], "JPY", country="JP")
    by_region = "($region: ID!, $locale: String) @inContext(region: $region, locale: $locale)"
    variables = {"region": regions["us"], "locale": "en-US"}
    assert await asked(api, by_region, variables) == echoed(regions["us"], "USD", locale="en-US")
    assert await refused(api, by_country, {"country": "XX"}) == (200, "BAD_USER_INPUT", None)
    assert await refused(api, by_region, {}) == (200, "BAD_USER_INPUT", None)


async def test_an_explicit_null_is_as_if_nothing_had_been_said(shop: Shop, api: Api) -> None:
    regions = await opened(shop)
    for directive in ("@inContext", "@inContext(country: null)", "@inContext(region: null, locale: null)"):
        assert await asked(api, directive) == echoed(regions["eu"], "EUR")
    nothing_else = "@inContext(country: US, region: null, channel: null, locale: null)"
    assert await asked(api, nothing_else) == echoed(regions["us"], "USD", country="US")


async def test_a_place_where_nothing_is_sold_is_refused_by_the_argument_that_named_it(shop: Shop, api: Api) -> None:
    regions = await opened(shop)
    nobody = ids.encode("Region", new_id())
    product = ids.encode("Product", new_id())
    wrong = [("country", "FR"), ("region", nobody), ("region", product), ("region", "eu"), ("channel", "web")]
    for argument, value in wrong:
        literal = value if argument == "country" else f'"{value}"'
        assert await refused(api, f"@inContext({argument}: {literal})") == (200, "BAD_USER_INPUT", argument)
        assert await refused(under(api, f"{argument}={value}")) == (200, "BAD_USER_INPUT", argument)
    for country in ("XX", "us", "EUR", "NL; locale=nl", "'; DROP TABLE region; --"):
        assert await refused(under(api, f"country={country}")) == (200, "BAD_USER_INPUT", "country")
    elsewhere = f"country=JP, region={regions['us']}"
    assert await refused(under(api, elsewhere)) == (200, "BAD_USER_INPUT", "region")


async def test_a_wrong_place_is_told_once_however_many_prices_a_page_has(shop: Shop, api: Api) -> None:
    await opened(shop)
    for number in range(8):
        await given.product(shop, f"cup-{number}", options={"Size": ("S", "M", "L")})
    page = "{ products(first: 20) { nodes { variants(first: 5) { nodes { price { amount { formatted } } } } } } }"
    for header, argument in (("country=AQ", "country"), ("locale=nowhere", "locale")):
        answer = await under(api, header).answer(page)
        (error,) = answer["errors"]
        assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", argument)
        assert "formatted" not in str(answer["data"])
    wrong = await api.answer('{ a: product(by: {id: "cart_1"}) { id } b: product(by: {id: "cart_1"}) { id } }')
    assert sorted(error["path"] for error in wrong["errors"]) == [["a"], ["b"]]  # these are two mistakes


async def test_nothing_of_an_operation_is_done_that_is_to_take_place_nowhere(shop: Shop, api: Api) -> None:
    await opened(shop)
    made = await given.cart(api)
    set_email = "a: cartSetCustomer(input: { cartId: %s, token: %s, email: %s }) { cart { id } }"
    change = set_email % tuple(f'"{part}"' for part in (made.id, made.token, "eve@shop.example"))
    before = await carts.stored(shop)
    nobody = ids.encode("Region", new_id())
    wrong = [("country", "FR"), ("region", nobody), ("channel", "web"), ("locale", "nowhere"), ("locale", "xx-YY")]
    for argument, value in wrong:
        literal = value if argument == "country" else f'"{value}"'
        for client, directive in ((api, f"@inContext({argument}: {literal})"), (under(api, f"{argument}={value}"), "")):
            for operation in (f"mutation {directive} {{ {change} }}", f"query {directive} {{ regions {{ code }} }}"):
                for _ in ("unknown", "known"):
                    answer = await client.answer(operation)
                    (error,) = answer["errors"]
                    told = error["extensions"]
                    assert (answer["data"], told["code"], told["argument"]) == (None, "BAD_USER_INPUT", argument)
    watch = 'subscription @inContext(country: FR) { cartUpdated(cartId: "%s", token: "%s") { __typename } }'
    for _ in ("unknown", "known"):
        (answer,) = [item async for item in api.events(watch % (made.id, made.token), {})]
        assert [error["extensions"].get("argument") for error in answer["errors"]] == ["country"]
    assert await carts.stored(shop) == before


async def test_who_speaks_a_language_somewhere_else_still_reads_amounts_in_it(shop: Shop, api: Api) -> None:
    await opened(shop)
    price = PRICE.replace("currency", "formatted")
    for locale, shown in (("de-US", "10,00\xa0€"), ("en-AQ", "€10.00"), ("de-AT-1996", "€\xa010,00")):
        answer = await api(f'query @inContext(country: NL, locale: "{locale}") {price}')
        assert answer["product"]["variants"]["nodes"] == [{"price": {"amount": {"formatted": shown}}}]


async def test_a_directive_that_cannot_be_right_is_refused_as_a_whole(shop: Shop, api: Api) -> None:
    await opened(shop)
    for arguments in ("country: XX", 'country: "US"', "land: US", "region: 1.5", "locale: 5", "country: [US]"):
        assert await refused(api, f"@inContext({arguments})") == (200, "BAD_USER_INPUT", None)
    assert await refused(api, "@inContext(country: US) @inContext(country: JP)") == (200, "BAD_USER_INPUT", None)


async def test_a_header_that_cannot_be_read_is_a_bad_request(shop: Shop, api: Api) -> None:
    await opened(shop)
    for header in ("NL", "country", "country=", "=NL", "=", "land=NL", "Country=NL", "country=NL, NL", "__class__=x"):
        response = await under(api, header).raw(PRICE)
        assert (response.status_code, response.headers["content-type"]) == (400, "application/json"), header
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == "BAD_REQUEST"
        assert error["extensions"]["requestId"] == response.headers["x-request-id"]
        assert "data" not in response.json()


async def test_a_cart_begins_in_the_region_of_its_operation_and_in_no_other(shop: Shop, api: Api) -> None:
    await opened(shop)
    create = "mutation %s { cartCreate(input: {}) { cart { currency region { code } } } }"
    for client, directive, currency, code in (
        (api, "", "EUR", "eu"),
        (api, "@inContext(country: JP)", "JPY", "jp"),
        (under(api, "country=US"), "", "USD", "us"),
        (under(api, "country=US"), "@inContext(country: JP)", "JPY", "jp"),
    ):
        made = await client(create % directive)
        assert made["cartCreate"]["cart"] == {"currency": currency, "region": {"code": code}}
    answer = await api.answer(create % "@inContext(country: FR)")
    assert [error["extensions"].get("argument") for error in answer["errors"]] == ["country"]
    assert await shop.read.one_scalar(select(func.count()).select_from(Cart)) == 4


async def test_two_operations_of_one_document_have_each_their_own_context(shop: Shop, api: Api) -> None:
    await opened(shop)
    document = f"query Yen @inContext(country: JP) {PRICE} query Dollars @inContext(country: US) {PRICE}"
    for operation, currency in (("Yen", "JPY"), ("Dollars", "USD")):
        body = {"query": document, "operationName": operation}
        answer = (await api.http.post("/graphql", json=body)).json()
        assert answer["extensions"]["context"]["currency"] == currency
        (variant,) = answer["data"]["product"]["variants"]["nodes"]
        assert variant["price"] == {"amount": {"currency": currency}}


async def test_regions_are_listed_with_the_default_one_first(shop: Shop, api: Api) -> None:
    regions = await opened(shop)
    assert (await api("{ regions { id code name currency taxInclusive isDefault } }"))["regions"] == [
        {"id": regions[code], "code": code, "name": name, "currency": currency}
        | {"taxInclusive": inclusive, "isDefault": code == "eu"}
        for code, name, currency, inclusive in (
            ("eu", "Europe", "EUR", True),
            ("jp", "Japan", "JPY", True),
            ("us", "United States", "USD", False),
        )
    ]
