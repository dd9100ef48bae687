"""Numbers travel as plain digits: what merely looks like a number to Python is refused, with one sentence."""

from typing import Any

import pytest

from tests.api import Api

BY_LITERAL = "{ order(by: {number: %s}) { id } }"
BY_VARIABLE = "query ($number: BigInt!) { order(by: {number: $number}) { id } }"
COMPLETE = """mutation ($amount: Decimal!) { cartComplete(input: {
    cartId: "nonsense", idempotencyKey: "k", expectedTotal: {amount: $amount, currency: EUR}}) {
    userErrors { path } } }"""
WHOLE = 'Write the number as a string, for example "1250"; it has at most 64 bits.'
NO_NUMBER = "This is not a number."


async def refusal(api: Api, document: str, variables: dict[str, Any] | None = None) -> tuple[str, str]:
    answer = await api.answer(document, variables)
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["message"]


@pytest.mark.parametrize(
    "literal", ["1001.9", '" 1001 "', '"1_001"', "true", '"abc"', '"1e3"', '""', "1" * 5_000, '"' + "1" * 5_000 + '"']
)
async def test_what_is_no_whole_number_is_refused_as_it_stands_in_the_document(api: Api, literal: str) -> None:
    code, message = await refusal(api, BY_LITERAL % literal)
    assert code == "BAD_USER_INPUT"
    assert WHOLE in message
    assert "int()" not in message


@pytest.mark.parametrize("value", [1001.9, " 1001 ", "1_001", True, "abc", "٥", "1" * 5_000])
async def test_what_is_no_whole_number_is_refused_as_a_variable(api: Api, value: Any) -> None:
    code, message = await refusal(api, BY_VARIABLE, {"number": value})
    assert code == "BAD_USER_INPUT"
    assert WHOLE in message


@pytest.mark.parametrize("value", ["1_0.00", "٥.00", " 5.00 ", "+5", "5.", ".5", "NaN", "Infinity", "0x10", ""])
async def test_what_is_no_decimal_is_refused(api: Api, value: str) -> None:
    code, message = await refusal(api, COMPLETE, {"amount": value})
    assert code == "BAD_USER_INPUT"
    assert NO_NUMBER in message


@pytest.mark.parametrize("value", ["5.00", "-5", "5", "0.0001", "1e2"])
async def test_a_decimal_is_taken_as_it_is_written(api: Api, value: str) -> None:
    payload = (await api(COMPLETE, {"amount": value}))["cartComplete"]
    assert ["cartId"] in [error["path"] for error in payload["userErrors"]]


async def test_a_whole_number_is_taken_as_text_and_as_a_number(api: Api) -> None:
    for literal in ("1001", '"1001"'):
        assert (await api(BY_LITERAL % literal))["order"] is None
