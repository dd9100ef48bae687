"""Payments of orders, and the mutations about them."""

from datetime import datetime
from typing import Any

import strawberry

from db import Payment as PaymentRow
from db import PaymentAttempt as AttemptRow
from db import PaymentEvent as EventRow
from db import PaymentOperation as OperationRow
from db import PaymentSession as SessionRow
from db.payment import AttemptState, EventProblem, EventSource, OperationKind, OperationState, PaymentEventKind
from domain.money import Money as Amount
from domain.money import currencies
from resolvers import ids, payment
from schema.build import column, derived, enum, loads, view
from schema.money import Money
from schema.node import public_id
from schema.scalars import BigInt, Json

enum(
    AttemptState,
    "Where an attempt to pay is.",
    STARTED="The provider was asked.",
    ACTION_REQUIRED="The customer has something to do at the provider.",
    SUCCEEDED="The money is promised or has come.",
    FAILED="The provider said no.",
    CANCELLED="It was given up.",
)
enum(
    PaymentEventKind,
    "What a provider reported.",
    AUTHORISED="The money is promised.",
    CAPTURED="The money has come.",
    VOIDED="What was promised is given up.",
    DECLINED="It was declined.",
    REFUNDED="Money went back.",
    REFUND_FAILED="Money did not go back.",
    DISPUTE_OPENED="The payer asks for it back at their bank.",
    DISPUTE_WON="The merchant keeps it.",
    DISPUTE_LOST="The payer got it back.",
)
enum(EventSource, "Who told it first.", ANSWER="The provider's answer.", WEBHOOK="The provider, by itself.")
enum(
    EventProblem,
    "Why an event was recorded and counts nothing.",
    UNMATCHED="It is about nothing that is known here.",
    AMOUNT="It is another amount than was asked for.",
    CURRENCY="It is another currency than was asked for.",
    CONTRADICTION="It contradicts what was reported before.",
)
enum(
    OperationKind,
    "What is done with money.",
    CAPTURE="Promised money is taken.",
    VOID="Promised money is given up.",
    REFUND="Money is sent back.",
)
enum(
    OperationState,
    "Where it is.",
    STARTED="The provider's answer is not known yet; it is asked again.",
    PENDING="The provider has taken it on and will tell.",
    SUCCEEDED="It is done.",
    FAILED="It was not done.",
)


@view(SessionRow)
class PaymentSession:
    """What a provider prepared. No money moves by it."""

    id: strawberry.ID = public_id("PaymentSession")
    provider: str = column("Whose it is.")
    amount: Money = derived(lambda row: Amount(row["amount"], row["currency"]), "What it is for.")
    client_data: Json = column("For the provider's own code in the browser.")
    created_at: datetime = column("When it was made.")


def _known_money(row: Any) -> Amount | None:
    return Amount(row["amount"], row["currency"]) if row["currency"] in currencies() else None


@view(EventRow)
class PaymentEvent:
    """What a provider reported, once, however often it was told."""

    kind: PaymentEventKind = column("What.")
    provider: str = column("By whom.")
    reference: str = column("The provider's name for it.")
    amount: Money | None = derived(_known_money, "Of how much; null in a currency that the shop does not know.")
    reported_amount: BigInt = derived(lambda row: row["amount"], "The same as it was told, in minor units.")
    reported_currency: str = derived(lambda row: row["currency"], "The currency as it was told.")
    source: EventSource = column("Who told it first.")
    problem: EventProblem | None = column("Why it counts nothing; null: it counts.")
    attempt_id: strawberry.ID | None = derived(
        lambda row: ids.encode("PaymentAttempt", row["attempt_id"]) if row["attempt_id"] else None,
        "The attempt that it is about.",
    )
    at: datetime = column("When it was told.")


@view(AttemptRow)
class PaymentAttempt:
    """One try to pay an order."""

    id: strawberry.ID = public_id("PaymentAttempt")
    order_id: strawberry.ID = derived(lambda row: ids.encode("Order", row["order_id"]), "The order.")
    provider: str = column("Who is asked.")
    state: AttemptState = column("Where it is.")
    amount: Money = derived(lambda row: Amount(row["amount"], row["currency"]), "How much.")
    created_at: datetime = column("When it began.")
    asked_at: datetime | None = column("When the sweeper last asked the provider.")
    decided_at: datetime | None = column("When it was decided.")


@view(OperationRow)
class PaymentOperation:
    """Something that is done with the money of a payment."""

    id: strawberry.ID = public_id("PaymentOperation")
    payment_id: strawberry.ID = derived(lambda row: ids.encode("Payment", row["payment_id"]), "The payment.")
    order_id: strawberry.ID = derived(lambda row: ids.encode("Order", row["order_id"]), "The order.")
    kind: OperationKind = column("What is done.")
    state: OperationState = column("Where it is.")
    amount: Money = derived(lambda row: Amount(row["amount"], row["currency"]), "How much.")
    reason: str = column("Why, in the words of staff.")
    problem: str | None = column("Why it failed, in the provider's words.")
    created_at: datetime = column("When it began.")
    decided_at: datetime | None = column("When it was decided.")


@view(OperationRow)
class Refund:
    """Money of an order that goes back."""

    id: strawberry.ID = public_id("PaymentOperation")
    state: OperationState = column("Where it is.")
    amount: Money = derived(lambda row: Amount(row["amount"], row["currency"]), "How much.")
    created_at: datetime = column("When it began.")
    decided_at: datetime | None = column("When it was decided.")


@view(PaymentRow)
class Payment:
    """The money of one attempt. Its sums are those of its events."""

    id: strawberry.ID = public_id("Payment")
    order_id: strawberry.ID = derived(lambda row: ids.encode("Order", row["order_id"]), "The order.")
    provider: str = column("Who it comes through.")
    attempt_state: AttemptState = strawberry.field(
        description="Where its attempt is; of one that was given up the money goes back."
    )
    authorised: Money = derived(lambda p: Amount(p["authorised"], p["currency"]), "How much was promised.")
    voided: Money = derived(lambda p: Amount(p["voided"], p["currency"]), "How much of that was given up.")
    captured: Money = derived(lambda p: Amount(p["captured"], p["currency"]), "How much has come.")
    refunded: Money = derived(lambda p: Amount(p["refunded"], p["currency"]), "How much went back.")
    refund_pending: Money = derived(
        lambda p: Amount(p["refund_pending"], p["currency"]), "How much is on its way back."
    )
    disputed: Money = derived(lambda p: Amount(p["disputed"], p["currency"]), "How much the payer asks back.")
    authorised_until: datetime | None = column("When the promise ends, if the provider says so.")
    events: list[PaymentEvent] = loads(payment.events_of_payment, "id", "What the provider reported, the first first.")
    operations: list[PaymentOperation] = loads(
        payment.operations_of_payment, "id", "What was done with the money, the first first."
    )
    created_at: datetime = column("When it was first heard of.")


@view()
class PaymentsToReview:
    """What staff should look at, the newest hundred of each kind."""

    attempts: list[PaymentAttempt] = strawberry.field(
        description="Undecided for half an hour: the provider has not said what became of them."
    )
    events: list[PaymentEvent] = strawberry.field(description="Reports that do not fit, and count nothing.")
    operations: list[PaymentOperation] = strawberry.field(description="Failed, or unfinished for half an hour.")
    late_payments: list[Payment] = strawberry.field(
        description="Money that came for attempts which had been given up. It goes back."
    )
