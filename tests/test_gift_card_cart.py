"""Gift cards in a cart: which codes it takes, what they pay of it, and that nobody finds codes by trying."""

import asyncio
from collections import Counter
from typing import Any

import pytest
import pytest_asyncio

from domain.gift_card import MOST_OF_A_CART, new_code
from domain.processes.shop import Shop
from resolvers.balance import CODES
from tests import balances, carts, given
from tests.api import Api, running_app
from tests.balances import Card, amounts, applied, card, shown, use
from tests.carts import refused
from tests.given import Cart, Sold

UNUSABLE = "GiftCardNotUsable", "GIFT_CARD_NOT_USABLE"


@pytest_asyncio.fixture
async def cup(shop: Shop) -> Sold:
    await given.regions(shop)
    return await given.product(shop, "cup", prices={"EUR": 5000, "USD": 5000, "JPY": 500})


@pytest_asyncio.fixture
async def cart(api: Api, cup: Sold) -> Cart:
    """One cup of 50.00."""
    return await given.cart(api, {"variantId": cup.variant})


async def codes_of(api: Api, cart: Cart) -> list[str]:
    return [one["lastCharacters"] for one in (await shown(api, cart))["giftCards"]]


async def test_gift_cards_pay_in_their_order_and_the_total_stays_what_it_is(shop: Shop, api: Api, cart: Cart) -> None:
    small, large = await card(shop, 1250), await card(shop, 10000)
    assert (await shown(api, cart))["totals"]["amountDue"] == {"amount": "50.00", "currency": "EUR"}
    with_both = await use(api, cart, small, large)
    assert with_both["giftCards"] == [
        {
            "lastCharacters": small.end,
            "applied": {"amount": "12.50", "currency": "EUR"},
            "remaining": {"amount": "0.00"},
            "usable": True,
        },
        {
            "lastCharacters": large.end,
            "applied": {"amount": "37.50", "currency": "EUR"},
            "remaining": {"amount": "62.50"},
            "usable": True,
        },
    ]
    assert with_both["totals"] == {
        "total": {"gross": {"amount": "50.00"}},
        "amountDue": {"amount": "0.00", "currency": "EUR"},
    }
    assert await shown(api, cart) == with_both
    assert applied(await use(api, cart, large, small)) == ["50.00", "0.00", "0.00"]
    assert applied(await use(api, cart, small)) == ["12.50", "37.50"]
    assert applied(await use(api, cart)) == ["50.00"]
    assert await amounts(shop) == [(1250, 0), (10000, 0)]


async def test_a_code_is_read_however_it_is_typed_and_counts_once(shop: Shop, api: Api, cart: Cart) -> None:
    one = await card(shop)
    typed = (one.code.lower(), one.code.replace("-", " "), f" {one.code.replace('0', 'o').replace('1', 'l')} ")
    for code in typed:
        assert applied(await use(api, cart, Card(one.key, code))) == ["50.00", "0.00"]
    assert applied(await use(api, cart, one, Card(one.key, typed[0]))) == ["50.00", "0.00"]


async def test_codes_that_cannot_be_used_are_refused_alike_each_at_its_place(shop: Shop, api: Api, cart: Cart) -> None:
    good, over, dollars, disabled, empty = [
        await card(shop),
        await card(shop, over=True),
        await card(shop, currency="USD"),
        await card(shop),
        await card(shop),
    ]
    await carts.execute(shop, "UPDATE balance SET disabled_at = now() WHERE id = :id", id=disabled.key)
    await carts.execute(shop, "UPDATE balance SET held = amount WHERE id = :id", id=empty.key)
    wrong = [new_code(), over.code, dollars.code, disabled.code, empty.code, "", "💸" * 100]
    answers: list[Any] = []
    for code in wrong:
        payload = await api.do("cartSetGiftCards", {**cart.key, "codes": [good.code, code]}, "cart { id }")
        answers.append(payload)
        assert [(e["__typename"], e["code"], e["path"]) for e in payload["userErrors"]] == [(*UNUSABLE, ["codes", "1"])]
    assert all(answer == answers[0] for answer in answers)
    several = {**cart.key, "codes": [over.code, good.code, dollars.code]}
    told = await refused(shop, api, "cartSetGiftCards", several)
    assert told == [(*UNUSABLE, ["codes", "0"]), (*UNUSABLE, ["codes", "2"])]
    assert await codes_of(api, cart) == []


async def test_nothing_but_a_list_of_codes_is_taken(shop: Shop, api: Api, cart: Cart) -> None:
    one = await card(shop)
    await use(api, cart, one)
    for codes in (None, [None], [one.code, None], 5, [{}]):
        given_ = {**cart.key, "codes": codes}
        assert await carts.nonsense(shop, api, "cartSetGiftCards", given_) == ["BAD_USER_INPUT"], codes
    too_many = {**cart.key, "codes": [one.code] * (MOST_OF_A_CART + 1)}
    assert await refused(shop, api, "cartSetGiftCards", too_many) == [carts.invalid("codes")]
    assert await codes_of(api, cart) == [one.end]


async def test_who_has_not_the_cart_sets_no_gift_cards(shop: Shop, api: Api, cart: Cart) -> None:
    one = await card(shop)
    for caller in ("nobody", "customer", "staff"):
        other = await given.caller(shop, api, caller, "gift_cards:write")
        for token in (None, "", "wrong"):
            foreign = {"cartId": cart.id, "token": token, "codes": [one.code]}
            told = await refused(shop, other, "cartSetGiftCards", foreign)
            assert told == [("NotFound", "NOT_FOUND", ["cartId"])]
    assert await codes_of(api, cart) == []


async def test_a_card_that_went_bad_after_it_was_set_pays_nothing_and_says_so(shop: Shop, api: Api, cart: Cart) -> None:
    for damage in (
        "UPDATE balance SET disabled_at = now() WHERE id = :id",
        "UPDATE balance SET expires_at = created_at WHERE id = :id",
        "UPDATE balance SET held = amount WHERE id = :id",
        "UPDATE balance SET currency = 'USD' WHERE id = :id",
    ):
        one = await card(shop)
        await use(api, cart, one)
        await carts.execute(shop, damage, id=one.key)
        seen = await shown(api, cart)
        assert [part["usable"] for part in seen["giftCards"]] == [False], damage
        assert applied(seen) == ["0.00", "50.00"]
        assert seen["giftCards"][0]["remaining"] == {"amount": "0.00"}


@pytest.mark.parametrize(("country", "currency", "minor", "parts"), [("JP", "JPY", 200, ["200", "351"])])
async def test_yen_have_no_places(
    shop: Shop, api: Api, cup: Sold, country: str, currency: str, minor: int, parts: list[str]
) -> None:
    """The parcel goes to Amsterdam: 500 are 455 without Japan's tax, and 551 with that of the Netherlands."""
    japanese = await given.cart(api.in_country(country), {"variantId": cup.variant})
    assert applied(await use(api, japanese, await card(shop, minor, currency))) == parts


async def test_codes_are_not_found_by_trying(shop: Shop, api: Api, cart: Cart) -> None:
    """Fault 25's sibling: each code counts, however many are sent at once, and the right one comes too late."""
    one, most = await card(shop), CODES.account.most
    guesses = [new_code() for _ in range(most)]
    for batch in (guesses[:10], guesses[10:]):
        told = await refused(shop, api, "cartSetGiftCards", {**cart.key, "codes": batch})
        assert told == [(*UNUSABLE, ["codes", str(i)]) for i in range(10)]
    for code in (one.code, new_code()):
        told = await refused(shop, api, "cartSetGiftCards", {**cart.key, "codes": [code]})
        assert told == [("TooManyAttempts", "TOO_MANY_ATTEMPTS", [])]
    assert (await use(api, cart))["giftCards"] == []  # to take them off is no attempt


async def test_codes_in_one_document_are_counted_one_by_one(shop: Shop, cart: Cart, database_url: str) -> None:
    most = CODES.account.most
    fields = [
        f'a{i}: cartSetGiftCards(input: {{ cartId: "{cart.id}", token: "{cart.token}", codes: ["{new_code()}"] }}) '
        "{ userErrors { __typename } }"
        for i in range(most + 5)
    ]
    async with running_app(database_url, QUERY_LIMITS="mutations=100, aliases=100") as api:
        payloads = (await api(f"mutation {{ {' '.join(fields)} }}")).values()
    told = Counter(payload["userErrors"][0]["__typename"] for payload in payloads)
    assert told == {"GiftCardNotUsable": most, "TooManyAttempts": 5}


async def test_attempts_of_one_place_are_counted_whatever_the_cart(shop: Shop, api: Api, cup: Sold) -> None:
    async def tried() -> list[str]:
        made = await given.cart(api, {"variantId": cup.variant})
        payload = await api.do("cartSetGiftCards", {**made.key, "codes": [new_code() for _ in range(10)]}, "__typename")
        return list({error["__typename"] for error in payload["userErrors"]})

    for _ in range(CODES.address.most // 10):
        assert await tried() == ["GiftCardNotUsable"]
    assert await tried() == ["TooManyAttempts"]
    answer = await api.answer('{ giftCardBalance(code: "x") { lastCharacters } }')
    assert answer["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_codes_that_the_cart_has_already_are_no_attempts(shop: Shop, api: Api, cart: Cart) -> None:
    one = await card(shop)
    for _ in range(CODES.account.most + 5):
        assert applied(await use(api, cart, one)) == ["50.00", "0.00"]


async def test_what_is_on_a_card_is_told_to_who_has_its_code(shop: Shop, api: Api) -> None:
    one, over = await card(shop, 1234, "KWD"), await card(shop, over=True)
    query = """query ($code: String!) {
        giftCardBalance(code: $code) { lastCharacters available { amount currency } expiresAt } }"""
    assert await api(query, {"code": one.code}) == {
        "giftCardBalance": {
            "lastCharacters": one.end,
            "available": {"amount": "1.234", "currency": "KWD"},
            "expiresAt": None,
        }
    }
    for code in (over.code, new_code(), ""):
        assert await api(query, {"code": code}) == {"giftCardBalance": None}
    answers = await asyncio.gather(*(api.answer(query, {"code": new_code()}) for _ in range(CODES.address.most)))
    limited = [answer["errors"][0]["extensions"] for answer in answers if "errors" in answer]
    assert len(limited) == 4
    assert {error["code"] for error in limited} == {"RATE_LIMITED"}
    assert all(0 < error["retryAfter"] <= 900 for error in limited)
    assert (await api.answer(query, {"code": one.code}))["data"] == {"giftCardBalance": None}


async def test_a_cart_that_is_completed_tells_nothing_of_its_gift_cards(shop: Shop, api: Api, cart: Cart) -> None:
    await use(api, cart, await card(shop, 1000))
    await api.done("cartComplete", cart.completion(), "order { id }")
    seen = await shown(api, cart)
    assert (seen["status"], seen["giftCards"], seen["storeCredit"]) == ("COMPLETED", [], None)
    told = await refused(shop, api, "cartSetGiftCards", {**cart.key, "codes": []})
    assert told == [("AlreadyCompleted", "ALREADY_COMPLETED", ["cartId"])]
    assert await balances.amounts(shop) == [(0, 0)]
