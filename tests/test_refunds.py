"""What staff do with money: they book what arrives, capture, give up and send back, and never more than there is."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain import checkout, payment_operation
from domain.actor import SYSTEM, OrderAccess
from domain.money import Money
from domain.payment_ledger import PaymentAuthorised
from domain.payment_operation import RefundOrder
from domain.payment_provider import Authorised, Captures, Pending, Refused
from domain.processes.capture_payment import capture_payment
from domain.processes.complete_cart import complete_cart
from domain.processes.operate_payment import refund_order
from domain.processes.shop import Shop
from domain.processes.sweep_payments import sweep
from domain.refusal import Refusal
from resolvers import ids
from server.tokens import SignedTokens
from tests import given
from tests.api import SECRET, Api
from tests.completion import NO_ANSWER, Bank, captured, command, paid, paid_by, ten_cups, two_cups
from tests.invariants import violations
from tests.payments import counters, errors, money

REFUND = "refunds { id state amount { amount currency } } order { paymentStatus amountDue { amount } }"
CHANGE = "operation { kind state amount { amount } problem } payment { captured { amount } authorised { amount } }"


async def placed(shop: Shop, api: Api, bank: Bank) -> tuple[Shop, Any]:
    """An order of 20.00 that the bank has paid, and its key."""
    paying = paid_by(shop, bank)
    await complete_cart(paying, command(await two_cups(api, await ten_cups(shop))))
    return paying, await shop.read.value(text('SELECT id FROM "order"'))


@pytest_asyncio.fixture
async def order(shop: Shop, api: Api) -> dict[str, Any]:
    """An order of 20.00 that is paid outside of the shop."""
    cart = await two_cups(api, await ten_cups(shop))
    return (await api.done("cartComplete", cart.completion(), "order { id }"))["order"]


async def payment_id(shop: Shop) -> str:
    return ids.encode("Payment", await shop.read.value(text("SELECT id FROM payment")))


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


async def test_what_arrives_is_booked_and_what_goes_back_as_well(shop: Shop, api: Api, order: dict[str, Any]) -> None:
    staff = await given.caller(shop, api, "staff", "payments:write", "orders:refund")
    payment = await payment_id(shop)
    steps = [("12.50", "one", ("partially_paid", 750)), ("7.50", "two", ("paid", 0))]
    for amount, key, expected in steps:
        for _ in range(2):
            given_ = {"paymentId": payment, "amount": eur(amount), "idempotencyKey": key}
            done = await staff.done("paymentCapture", given_, CHANGE)
            assert (done["operation"]["state"], done["operation"]["amount"]) == ("SUCCEEDED", {"amount": amount})
        assert await money(shop) == [expected]
    given_ = {"orderId": order["id"], "amount": eur("5.00"), "reason": "A stain", "idempotencyKey": "back"}
    for _ in range(2):
        done = await staff.done("orderRefund", given_, REFUND)
        assert [(r["state"], r["amount"]["amount"]) for r in done["refunds"]] == [("SUCCEEDED", "5.00")]
        assert done["order"] == {"paymentStatus": "PARTIALLY_REFUNDED", "amountDue": {"amount": "0.00"}}
    assert await counters(shop) == [(2000, 0, 2000, 500, 0, 0)]
    audited = (
        "SELECT action, difference FROM audit_entry WHERE action LIKE 'payment%' OR action LIKE 'order%' ORDER BY id"
    )
    assert [tuple(row) for row in await shop.read.records(text(audited))] == [
        ("paymentCapture", {"captured": [None, [1250, "EUR"]]}),
        ("paymentCapture", {"captured": [None, [750, "EUR"]]}),
        ("orderRefund", {"refunded": [None, [500, "EUR"]], "reason": [None, "A stain"]}),
    ]
    assert await violations(shop.read) == []


async def test_more_than_there_is_is_neither_captured_nor_refunded(shop: Shop, api: Api, order: dict[str, Any]) -> None:
    staff = await given.caller(shop, api, "staff", "payments:write", "orders:refund")
    payment, asked = await payment_id(shop), {"idempotencyKey": "k"}
    refused: list[tuple[str, dict[str, Any], list[tuple[str, list[str]]]]] = [
        ("paymentCapture", {"paymentId": payment, "amount": eur("20.01")}, [("AmountNotAvailable", ["amount"])]),
        ("paymentCapture", {"paymentId": payment, "amount": eur("0.00")}, [("ValidationFailed", ["amount"])]),
        ("paymentCapture", {"paymentId": payment, "amount": eur("-1.00")}, [("ValidationFailed", ["amount"])]),
        (
            "paymentCapture",
            {"paymentId": payment, "amount": {"amount": "1", "currency": "USD"}},
            [("ValidationFailed", ["amount", "currency"])],
        ),
        ("orderRefund", {"orderId": order["id"], "amount": eur("0.01")}, [("AmountNotAvailable", ["amount"])]),
        ("orderRefund", {"orderId": order["id"], "amount": eur("0.001")}, [("ValidationFailed", ["amount"])]),
        (
            "orderRefund",
            {"orderId": order["id"], "amount": eur("1.00"), "reason": "r" * 501},
            [("ValidationFailed", ["reason"])],
        ),
        (
            "orderRefund",
            {"orderId": order["id"], "amount": eur("1.00"), "paymentId": payment.replace("payment_0", "payment_1")},
            [("NotFound", ["paymentId"])],
        ),
    ]
    for mutation, change, expected in refused:
        payload = await staff.do(mutation, {**asked, **change}, "__typename")
        told = [(e["__typename"], e["path"]) for e in payload["userErrors"]]
        assert [(kind, path[:1]) for kind, path in told] == [(kind, path[:1]) for kind, path in expected], change
    assert await counters(shop) == [(2000, 0, 0, 0, 0, 0)]
    assert await shop.read.value(text("SELECT count(*) FROM payment_operation")) == 0
    assert await shop.read.value(text("SELECT count(*) FROM idempotency_key WHERE mutation <> 'cartComplete'")) == 0


async def test_what_is_given_up_is_not_captured_any_more(shop: Shop, api: Api, order: dict[str, Any]) -> None:
    staff = await given.caller(shop, api, "staff", "payments:write")
    payment = await payment_id(shop)
    await staff.done("paymentCapture", {"paymentId": payment, "amount": eur("5.00"), "idempotencyKey": "c"}, CHANGE)
    for _ in range(2):
        await staff.done("paymentVoid", {"paymentId": payment, "idempotencyKey": "v"}, CHANGE)
    assert await counters(shop) == [(2000, 1500, 500, 0, 0, 0)]
    assert await money(shop) == [("partially_paid", 1500)]
    more = {"paymentId": payment, "amount": eur("0.01"), "idempotencyKey": "d"}
    assert errors(await staff.do("paymentCapture", more, CHANGE)) == ["AmountNotAvailable"]
    assert errors(await staff.do("paymentVoid", {"paymentId": payment, "idempotencyKey": "w"}, CHANGE)) == [
        "AmountNotAvailable"
    ]


@pytest.mark.parametrize("keys", [("one", "two"), ("same", "same")])
async def test_two_refunds_of_everything_at_once_send_it_back_once(shop: Shop, api: Api, keys: tuple[str, str]) -> None:
    bank = Bank([captured])
    paying, order_id = await placed(shop, api, bank)

    async def refund(key: str) -> str:
        try:
            await refund_order(paying, RefundOrder(order_id, Money(2000, "EUR"), "", key), SYSTEM)
        except Refusal as refused:
            return type(refused).__name__
        return "refunded"

    outcomes = sorted(await asyncio.gather(*(refund(key) for key in keys * 5)))
    same = keys[0] == keys[1]
    assert set(outcomes) == ({"refunded"} if same else {"AmountNotAvailable", "refunded"})
    assert {operation.amount for _, operation in bank.done} == {2000}
    assert len({operation.operation_id for _, operation in bank.done}) == 1
    assert await counters(shop) == [(0, 0, 2000, 2000, 0, 0)]
    assert await money(shop) == [("refunded", 0)]
    assert await violations(shop.read) == []


async def test_the_database_itself_refuses_a_second_refund(shop: Shop, api: Api) -> None:
    await placed(shop, api, Bank([captured]))
    payment = await shop.read.value(text("SELECT id FROM payment"))
    async with shop.tx() as tx:
        await payment_operation._refund(tx, payment, 1500, "")
    with pytest.raises(payment_operation.AmountNotAvailable):
        async with shop.tx() as tx:
            await payment_operation._refund(tx, payment, 501, "")
    assert await counters(shop) == [(0, 0, 2000, 0, 1500, 0)]


async def test_a_refund_that_the_provider_refuses_leaves_the_money_to_be_refunded(shop: Shop, api: Api) -> None:
    bank = Bank([captured], does=[Refused("No such card.")])
    paying, order_id = await placed(shop, api, bank)
    for key in ("one", "two"):
        await refund_order(paying, RefundOrder(order_id, Money(2000, "EUR"), "", key), SYSTEM)
        assert await counters(shop) == [(0, 0, 2000, 0, 0, 0)]
    states = "SELECT state, problem FROM payment_operation"
    assert {tuple(row) for row in await shop.read.records(text(states))} == {("failed", "No such card.")}
    assert await money(shop) == [("paid", 0)]


async def test_a_refund_without_an_answer_is_finished_by_the_sweeper_under_the_same_id(shop: Shop, api: Api) -> None:
    bank = Bank([captured], does=[NO_ANSWER, Pending(), NO_ANSWER])
    paying, order_id = await placed(shop, api, bank)
    await refund_order(paying, RefundOrder(order_id, Money(700, "EUR"), "", "k"), SYSTEM)
    for _ in range(2):
        assert await sweep(paying) == 0
        assert await counters(shop) == [(0, 0, 2000, 0, 700, 0)]
    bank.does = []
    assert await sweep(paying) == 1
    assert await sweep(paying) == 0
    assert len({operation for _, operation in bank.done}) == 1
    assert await counters(shop) == [(0, 0, 2000, 700, 0, 0)]
    assert await money(shop) == [("partially_refunded", 0)]
    assert await violations(shop.read) == []


async def test_promised_money_is_captured_by_itself_where_the_provider_is_set_to(shop: Shop, api: Api) -> None:
    bank = Bank([paid], captures=Captures.AUTOMATIC)
    paying, _ = await placed(shop, api, bank)
    event = PaymentAuthorised(await shop.read.value(text("SELECT id FROM payment")))
    assert await shop.read.value(text("SELECT count(*) FROM event WHERE name = 'PaymentAuthorised'")) == 1
    await asyncio.gather(*(capture_payment(paying, event) for _ in range(5)))
    await capture_payment(paying, event)
    assert [(kind, operation.amount) for kind, operation in bank.done] == [("capture", 2000)]
    assert await counters(shop) == [(2000, 0, 2000, 0, 0, 0)]
    assert await money(shop) == [("paid", 0)]


async def test_a_promise_that_is_told_twice_under_two_names_is_captured_once(shop: Shop, api: Api) -> None:
    bank = Bank([paid], captures=Captures.AUTOMATIC)
    paying, _ = await placed(shop, api, bank)
    async with shop.tx() as tx:
        await checkout.finalise(tx, bank.asked[0].attempt_id, Authorised("another name", 2000, "EUR"))
    assert await counters(shop) == [(4000, 0, 0, 0, 0, 0)]  # what a provider says is recorded
    event = PaymentAuthorised(await shop.read.value(text("SELECT id FROM payment")))
    await asyncio.gather(*(capture_payment(paying, event) for _ in range(3)))
    await capture_payment(paying, event)
    assert [(kind, operation.amount) for kind, operation in bank.done] == [("capture", 2000)]
    assert await money(shop) == [("paid", 0)]


async def test_promised_money_waits_for_staff_where_the_provider_is_set_to(shop: Shop, api: Api) -> None:
    bank = Bank([paid])
    paying, _ = await placed(shop, api, bank)
    await capture_payment(paying, PaymentAuthorised(await shop.read.value(text("SELECT id FROM payment"))))
    assert bank.done == []
    assert await money(shop) == [("authorised", 2000)]


async def test_a_promise_that_ends_soon_is_announced_once(shop: Shop, api: Api) -> None:
    paying, _ = await placed(shop, api, Bank([paid]))
    count = "SELECT count(*) FROM event WHERE name = 'AuthorisationExpiring'"
    for hours, announced in ((48, 0), (12, 1), (1, 1)):
        async with shop.tx() as tx:
            until = text(f"UPDATE payment SET authorised_until = now() + interval '{hours} hours'")
            await tx.run(until)
        for _ in range(2):
            await sweep(paying)
        assert await shop.read.value(text(count)) == announced


SHOWN = """query ($id: ID!, $token: String) { order(by: {id: $id}, accessToken: $token) {
    paid { amount } refunded { amount } refunds { amount { amount } state }
    payments { provider captured { amount } events { kind } operations { kind reason } } } }"""


async def test_staff_see_all_of_it_and_customers_what_they_paid_and_got_back(shop: Shop, api: Api) -> None:
    bank = Bank([captured])
    paying, order_id = await placed(shop, api, bank)
    await refund_order(paying, RefundOrder(order_id, Money(700, "EUR"), "A stain", "k"), SYSTEM)
    staff = await given.caller(shop, api, "staff", "orders:read")
    shown = (await staff(SHOWN, {"id": ids.encode("Order", order_id)}))["order"]
    assert shown["paid"] == {"amount": "20.00"}
    assert shown["refunded"] == {"amount": "7.00"}
    assert shown["refunds"] == [{"amount": {"amount": "7.00"}, "state": "SUCCEEDED"}]
    (payment,) = shown["payments"]
    assert [event["kind"] for event in payment["events"]] == ["CAPTURED", "REFUNDED"]
    assert payment["operations"] == [{"kind": "REFUND", "reason": "A stain"}]
    token = SignedTokens(SECRET).order_token(OrderAccess(order_id, 1))
    theirs = (await api(SHOWN, {"id": ids.encode("Order", order_id), "token": token}))["order"]
    assert theirs == {**shown, "payments": []}


async def test_only_who_may_touches_money(shop: Shop, api: Api, order: dict[str, Any]) -> None:
    payment = await payment_id(shop)
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "orderRefund": ("orders:refund", {"orderId": order["id"], "amount": eur("1.00"), "idempotencyKey": "k"}),
        "paymentCapture": ("payments:write", {"paymentId": payment, "amount": eur("1.00"), "idempotencyKey": "k"}),
        "paymentVoid": ("payments:write", {"paymentId": payment, "idempotencyKey": "k"}),
    }
    for mutation, (permission, values) in asked.items():
        kind = mutation[0].upper() + mutation[1:] + "Input"
        document = f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}"
        others = sorted({"orders:refund", "payments:write", "orders:write", "orders:read"} - {permission})
        for who, code in (("nobody", "UNAUTHENTICATED"), ("customer", "FORBIDDEN"), ("staff", "FORBIDDEN")):
            caller = await given.caller(shop, api, who, *(others if who == "staff" else ()))
            answer = await caller.answer(document, {"input": values})
            assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await counters(shop) == [(2000, 0, 0, 0, 0, 0)]
