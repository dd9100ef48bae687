"""Gift cards as staff make, find, change and disable them."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import text

from domain.gift_card import ALPHABET, new_code
from domain.processes.shop import Shop
from tests import balances, carts, given
from tests.api import Api
from tests.balances import OVER, amounts, card, entries
from tests.invariants import violations
from tests.people import AUDIT, Member, member

CARD = """giftCard { id lastCharacters currency initialAmount { amount } balance { amount currency }
  available { amount } recipientEmail expiresAt disabledAt
  entries { nodes { amount { amount } reason orderId staffId apiKeyId note } totalCount } }"""
FIFTY = {"amount": {"amount": "50.00", "currency": "EUR"}, "idempotencyKey": "key-1"}


async def keeper(shop: Shop, api: Api) -> Member:
    return await member(shop, api, "gift_cards:read", "gift_cards:write")


async def everything(shop: Shop) -> list[dict[str, Any]]:
    tables = ("balance", "balance_entry", "balance_hold", "audit_entry", "idempotency_key")
    return [dict(row) for name in tables for row in await shop.read.records(text(f"SELECT * FROM {name}"))]


async def refused(shop: Shop, api: Api, mutation: str, wrong: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Type and path of the refusals; nothing has changed."""
    before = await everything(shop)
    payload = await api.do(mutation, wrong, "__typename")
    assert await everything(shop) == before
    return [(error["__typename"], error["path"]) for error in payload["userErrors"]]


async def test_a_gift_card_is_made_with_a_code_that_is_shown_once_and_stored_nowhere(shop: Shop, api: Api) -> None:
    toni = await keeper(shop, api)
    until = (datetime.now(UTC) + timedelta(days=365)).isoformat()
    wanted = {**FIFTY, "expiresAt": until, "recipientEmail": "Kim@Shop.example", "note": "Birthday"}
    made = await toni.api.done("giftCardCreate", wanted, f"code {CARD}")
    code, shown = made["code"], made["giftCard"]
    assert shown == {
        "id": shown["id"],
        "lastCharacters": code[-4:],
        "currency": "EUR",
        "initialAmount": {"amount": "50.00"},
        "balance": {"amount": "50.00", "currency": "EUR"},
        "available": {"amount": "50.00"},
        "recipientEmail": "kim@shop.example",
        "expiresAt": until,
        "disabledAt": None,
        "entries": {
            "nodes": [
                {
                    "amount": {"amount": "50.00"},
                    "reason": "ISSUED",
                    "orderId": None,
                    "staffId": toni.id,
                    "apiKeyId": None,
                    "note": "Birthday",
                }
            ],
            "totalCount": 1,
        },
    }
    again = await toni.api.done("giftCardCreate", wanted, f"code {CARD}")
    assert again == {"code": None, "giftCard": shown, "userErrors": [], "warnings": []}
    assert await amounts(shop) == [(5000, 0)]
    stored = str(await everything(shop))
    assert code not in stored
    assert code.replace("-", "") not in stored
    assert sha256(code.replace("-", "").encode()).hexdigest() in stored
    (entry,) = (await shop.read.records(AUDIT))[1:]
    assert (entry.action, entry.difference["amount"], entry.difference["currency"]) == (
        "giftCardCreate",
        [None, 5000],
        [None, "EUR"],
    )
    assert await violations(shop.read) == []


def test_codes_are_long_random_and_of_letters_that_nobody_mistakes() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert {len(code) for code in codes} == {23}
    assert set("".join(codes)) == {*ALPHABET, "-"}
    assert not set(ALPHABET) & set("ILOU")
    assert len(ALPHABET) ** 20 == 2**100


async def test_wrong_input_makes_no_gift_card(shop: Shop, api: Api) -> None:
    toni = await keeper(shop, api)

    async def told(**changes: Any) -> list[tuple[str, list[str]]]:
        return await refused(shop, toni.api, "giftCardCreate", {**FIFTY, **changes})

    def euros(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": "EUR"}

    for amount in ("0", "-1", "0.001", "99999999999999999", "10000000000000.01"):
        assert await told(amount=euros(amount)) == [("ValidationFailed", ["amount", "amount"])], amount
    assert await told(expiresAt=OVER.isoformat()) == [("ValidationFailed", ["expiresAt"])]
    assert await told(recipientEmail="nobody") == [("ValidationFailed", ["recipientEmail"])]
    assert await told(note="two\nlines") == [("ValidationFailed", ["note"])]
    assert await told(idempotencyKey="") == [("ValidationFailed", ["idempotencyKey"])]
    several = await told(amount=euros("0"), recipientEmail="nobody")
    assert several == [("ValidationFailed", ["amount", "amount"]), ("ValidationFailed", ["recipientEmail"])]
    nothing = {**FIFTY, "expiresAt": None, "recipientEmail": None, "note": None}
    await toni.api.done("giftCardCreate", nothing, "__typename")
    assert await told(note="another") == [("IdempotencyKeyReused", ["idempotencyKey"])]
    assert await amounts(shop) == [(5000, 0)]


async def test_yen_and_dinars_have_their_own_places(shop: Shop, api: Api) -> None:
    toni = await keeper(shop, api)
    for number, (amount, currency) in enumerate((("500", "JPY"), ("1.234", "KWD"))):
        wanted = {"amount": {"amount": amount, "currency": currency}, "idempotencyKey": f"key-{number}"}
        made = await toni.api.done("giftCardCreate", wanted, CARD)
        assert made["giftCard"]["balance"] == {"amount": amount, "currency": currency}
    assert await amounts(shop) == [(500, 0), (1234, 0)]


async def test_a_gift_card_is_adjusted_up_and_down_but_not_below_what_orders_hold(shop: Shop, api: Api) -> None:
    toni, fifty = await keeper(shop, api), await card(shop)

    def by(amount: str, key: str, **more: Any) -> dict[str, Any]:
        money = {"amount": amount, "currency": "EUR"}
        return {"giftCardId": fifty.id, "amount": money, "idempotencyKey": key, **more}

    raised = await toni.api.done("giftCardAdjust", by("10.00", "a", note="Sorry"), CARD)
    assert raised["giftCard"]["balance"]["amount"] == "60.00"
    replayed = await toni.api.done("giftCardAdjust", by("10.00", "a", note="Sorry"), CARD)
    assert replayed["giftCard"] == raised["giftCard"]
    await toni.api.done("giftCardAdjust", by("-60.00", "b", note=None), CARD)
    assert await amounts(shop) == [(0, 0)]
    assert await entries(shop) == [(5000, "issued"), (1000, "adjusted"), (-6000, "adjusted")]
    await toni.api.done("giftCardAdjust", by("25.00", "c"), CARD)
    await carts.execute(shop, "UPDATE balance SET held = 2000")
    payload = await toni.api.do(
        "giftCardAdjust",
        by("-5.01", "d"),
        "userErrors { ... on InsufficientBalance { available { amount currency } } }",
    )
    (error,) = payload["userErrors"]
    assert (error["__typename"], error["code"], error["path"]) == (
        "InsufficientBalance",
        "INSUFFICIENT_BALANCE",
        ["amount"],
    )
    assert error["available"] == {"amount": "5.00", "currency": "EUR"}
    assert await amounts(shop) == [(2500, 2000)]
    shown = await toni.api.done("giftCardAdjust", by("-5.00", "d"), CARD)
    assert (shown["giftCard"]["balance"]["amount"], shown["giftCard"]["available"]["amount"]) == ("20.00", "0.00")


async def test_what_is_no_adjustment_is_refused(shop: Shop, api: Api) -> None:
    toni, fifty = await keeper(shop, api), await card(shop)
    right = {"giftCardId": fifty.id, "amount": {"amount": "1.00", "currency": "EUR"}, "idempotencyKey": "a"}
    for change, told in (
        ({"amount": {"amount": "0", "currency": "EUR"}}, ("ValidationFailed", ["amount", "amount"])),
        ({"amount": {"amount": "1.00", "currency": "USD"}}, ("ValidationFailed", ["amount", "currency"])),
        ({"amount": {"amount": "92233720368547758.07", "currency": "EUR"}}, ("InsufficientBalance", ["amount"])),
        ({"amount": {"amount": "-92233720368547758.07", "currency": "EUR"}}, ("InsufficientBalance", ["amount"])),
        ({"giftCardId": "card"}, ("ValidationFailed", ["giftCardId"])),
        ({"note": "x" * 201}, ("ValidationFailed", ["note"])),
    ):
        assert await refused(shop, toni.api, "giftCardAdjust", {**right, **change}) == [told], change
    sam = await given.customer(shop)
    await balances.credit(shop, sam, 100)
    credit = await shop.read.value(text("SELECT id FROM balance WHERE kind = 'store_credit'"))
    not_a_card = {**right, "giftCardId": balances.Card(credit, "").id}
    assert await refused(shop, toni.api, "giftCardAdjust", not_a_card) == [("NotFound", ["giftCardId"])]


async def test_a_gift_card_is_disabled_for_good(shop: Shop, api: Api) -> None:
    toni, fifty = await keeper(shop, api), await card(shop)
    first = await toni.api.done("giftCardDisable", {"giftCardId": fifty.id}, CARD)
    assert first["giftCard"]["disabledAt"] is not None
    assert await toni.api.done("giftCardDisable", {"giftCardId": fifty.id}, CARD) == first
    assert [entry.action for entry in await shop.read.records(AUDIT)][1:] == ["giftCardCreate", "giftCardDisable"]
    assert await amounts(shop) == [(5000, 0)]


async def test_gift_cards_are_listed_and_found_by_their_last_four_characters(shop: Shop, api: Api) -> None:
    toni = await keeper(shop, api)
    cards = [await card(shop) for _ in range(3)]
    query = """query ($first: Int, $after: String, $end: String) {
        giftCards(first: $first, after: $after, lastCharacters: $end) {
            nodes { id lastCharacters } totalCount pageInfo { endCursor hasNextPage } } }"""

    async def listed(**variables: Any) -> Any:
        return (await toni.api(query, variables))["giftCards"]

    assert [node["id"] for node in (await listed())["nodes"]] == [one.id for one in cards]
    page = await listed(first=2)
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (3, True)
    rest = await listed(after=page["pageInfo"]["endCursor"])
    assert [node["id"] for node in rest["nodes"]] == [cards[2].id]
    for end in (cards[1].end, cards[1].end.lower()):
        assert [node["id"] for node in (await listed(end=end))["nodes"]] == [cards[1].id]
    assert (await listed(end="????"))["nodes"] == []
    assert len((await listed(end=None))["nodes"]) == 3
    found = "query ($id: ID!) { giftCard(id: $id) { id } node(id: $id) { id } }"
    assert await toni.api(found, {"id": cards[0].id}) == {"giftCard": {"id": cards[0].id}, "node": {"id": cards[0].id}}


@pytest.mark.parametrize(
    ("who", "code"), [("nobody", "UNAUTHENTICATED"), ("customer", "FORBIDDEN"), ("staff", "FORBIDDEN")]
)
async def test_gift_cards_are_seen_and_made_by_those_alone_who_may(shop: Shop, api: Api, who: str, code: str) -> None:
    fifty = await card(shop)
    others = ("gift_cards:write", "store_credit:read")
    caller = await given.caller(shop, api, who, *others)
    asked = f'query {{ giftCard(id: "{fifty.id}") {{ id }} }}'
    for query in (asked, "{ giftCards { nodes { id } } }"):
        answer = await caller.answer(query)
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await caller(f'{{ node(id: "{fifty.id}") {{ id }} }}') == {"node": None}
    reader = await given.caller(shop, api, who, "gift_cards:read", "store_credit:write")
    before = await everything(shop)
    for mutation, wanted in (
        ("giftCardCreate", FIFTY),
        ("giftCardDisable", {"giftCardId": fifty.id}),
        ("giftCardAdjust", {**FIFTY, "giftCardId": fifty.id}),
    ):
        kind = mutation[0].upper() + mutation[1:]
        document = f"mutation ($input: {kind}Input!) {{ {mutation}(input: $input) {{ __typename }} }}"
        answer = await reader.answer(document, {"input": wanted})
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await everything(shop) == before


async def test_who_may_only_write_is_not_shown_the_ledger(shop: Shop, api: Api) -> None:
    writer = await given.caller(shop, api, "staff", "gift_cards:write")
    made = await writer.done("giftCardCreate", FIFTY, CARD)
    assert made["giftCard"]["entries"] == {"nodes": [], "totalCount": 0}
