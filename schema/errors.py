"""`userErrors`: one type per refusal of the domain, named alike, with the facts that a client needs."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import strawberry

from domain import (
    allocation,
    attempt,
    cart,
    cart_line,
    checkout,
    customer,
    idempotency,
    order_payment,
    payment,
    payment_operation,
    payment_session,
    permission,
    quantity_rule,
    refusal,
    role,
    second_factor,
    session,
    single_use,
    stock_level,
    stock_location,
    workflow,
)
from domain.refusal import ErrorCode
from domain.requirement import RequirementCode, Step
from resolvers import ids
from schema.build import column, derived, enum, interface, view
from schema.money import Money

enum(
    ErrorCode,
    "What went wrong, for programs to branch on.",
    ALREADY_COMPLETED="The cart has become an order.",
    AMOUNT_DUE_CHANGED="Something else is due of the order.",
    AMOUNT_NOT_AVAILABLE="There is less money than was to be captured or refunded.",
    ALREADY_SHIPPED="Units were sent already.",
    BALANCE_CHANGED="A gift card or the store credit has less than the cart counts on.",
    BEYOND_OWN_PERMISSIONS="It takes permissions that the caller does not have.",
    BRIEF_LOCKED="The brief can no longer be changed by its customer.",
    CART_PAYING="A payment for the cart is under way.",
    CATEGORY_NOT_EMPTY="Categories or products stand in it.",
    COUNTRY_TAKEN="Another region has the country.",
    EMAIL_TAKEN="There is an account with this address.",
    EXTERNAL_ID_TAKEN="Another thing of the kind has this external id.",
    FILE_REJECTED="The file is not taken.",
    GIFT_CARD_NOT_USABLE="The code is not one that can be used here.",
    IDEMPOTENCY_KEY_REUSED="The key was used for another request.",
    IN_PROGRESS="The outcome is not known yet.",
    INSUFFICIENT_BALANCE="There is less money than was to be taken away.",
    INSUFFICIENT_STOCK="There is less than was asked for.",
    INVALID_CREDENTIALS="The address or the password is wrong.",
    INVALID_TRANSITION="The workflow does not allow it.",
    LAST_ADMINISTRATOR="Somebody must stay an administrator.",
    NOT_FOR_SALE="It is not for sale in this region.",
    NOT_FOUND="There is no such thing, or it is not yours.",
    OPTION_VALUE_IN_USE="Variants have the value that was to go.",
    PAYMENT_DECLINED="The payment failed.",
    PAYMENT_SESSION_STALE="The session is for something else than what is to be paid now.",
    PRICE_CHANGED="The total is another one.",
    PROOF_DECIDED="The proof was decided on already.",
    PROOF_SUPERSEDED="There is a newer proof.",
    QUANTITY_OUTSIDE_RULE="It is sold in other quantities.",
    REGION_IN_USE="Something is counted in the region's currency.",
    REQUIREMENTS_NOT_MET="Something is missing.",
    ROLE_IN_USE="Somebody has the role.",
    SECOND_FACTOR_REQUIRED="A code of the second factor is needed, or the one given is wrong.",
    SESSION_ENDED="The sign-in has ended.",
    SKU_TAKEN="Another variant has this SKU.",
    STOCK_CHANGED="What lies there is another number than was said.",
    STOCK_LOCATION_NOT_EMPTY="Something lies in the location or is promised of it.",
    STOCK_TOO_LOW="Less than nothing would be left, or less than is promised.",
    STORE_CREDIT_NOT_USABLE="Store credit is spent by its customer, signed in, in their own cart.",
    TICKET_ENDED="The ticket is done or cancelled.",
    TOKEN_INVALID="The link is not valid any more.",  # noqa: S106 - what a code means
    TOO_MANY_ATTEMPTS="It was tried too often.",
    TOO_MANY_FILES="There are as many files as there may be.",
    TOO_MANY_VARIANTS="A product has fewer variants than that.",
    UPLOAD_INCOMPLETE="The bytes are not there, or are others than were announced.",
    VALIDATION_FAILED="A value that cannot be right.",
    VARIANTS_WOULD_BE_EQUAL="Without the option some variants would have the same values.",
    VARIANT_COMBINATION_EXISTS="There is such a variant already.",
    VERSION_CONFLICT="It has changed since it was read.",
    WORKFLOW_FLAWED="Tickets could not live in this workflow.",
)
enum(
    RequirementCode,
    "What a cart still lacks.",
    LINES="Something to buy.",
    FOR_SALE="A line is no longer for sale.",
    QUANTITY="A line has a quantity that is not sold any more.",
    EMAIL="The contact's address.",
    SHIPPING_ADDRESS="Where it is to be sent.",
    DELIVERY="How it is to be delivered.",
    QUOTE="The price of the delivery, or the taxes, are not known for the cart as it is now.",
    BRIEF="What is to be made.",
)
enum(
    Step,
    "The page of a checkout on which something is asked for.",
    CART="The cart itself.",
    CONTACT="Who buys.",
    ADDRESS="Where it goes.",
    DELIVERY="How it gets there.",
    BRIEF="What is to be made.",
    PAYMENT="How it is paid.",
)


@interface
class UserError:
    """Why nothing of what was asked for was done; the call may be repeated after a correction."""

    code: ErrorCode = strawberry.field(description="For programs.")
    message: str = strawberry.field(description="For developers, in English.")
    path: list[str] = strawberry.field(description="Where in the input the cause is, so that a form can show it there.")


@interface
class Warning:  # noqa: A001 - the schema's name
    """Something that the caller should know although it was done as asked."""

    code: str = strawberry.field(description="For programs.")
    message: str = strawberry.field(description="For developers, in English.")
    path: list[str] = strawberry.field(description="Where in the input the cause is.")


def _id(kind: str, name: str) -> Callable[[dict[str, Any]], str | None]:
    return lambda error: ids.encode(kind, error[name]) if error.get(name) else None


@view(refusal.ValidationFailed)
class ValidationFailed(UserError):
    """A value that cannot be right."""


@view(refusal.NotFound)
class NotFound(UserError):
    """There is no such thing, or it is not yours."""


@view(refusal.VersionConflict)
class VersionConflict(UserError):
    """It has changed since it was read."""

    current_version: int = column("The version it is at now.")


@view(cart.CartPaying)
class CartPaying(UserError):
    """A payment for the cart is under way; until it is decided the cart stays as it is."""

    attempt_id: strawberry.ID | None = derived(_id("PaymentAttempt", "attempt_id"), "The undecided attempt.")
    since: datetime | None = column("When it began.")


@view(cart.AlreadyCompleted)
class AlreadyCompleted(UserError):
    """The cart has become an order."""


@view(cart_line.NotForSale)
class NotForSale(UserError):
    """The variant is not for sale in this region."""

    variant_id: strawberry.ID | None = derived(_id("Variant", "variant_id"), "The variant.")


@view(quantity_rule.QuantityOutsideRule)
class QuantityOutsideRule(UserError):
    """The variant is sold in other quantities."""

    minimum: int = column("The least of a line.")
    maximum: int | None = column("The most of a line; null: there is none.")
    increment: int = column("A line has a multiple of it.")


@view(allocation.InsufficientStock)
class InsufficientStock(UserError):
    """There is less than was asked for."""

    available_quantity: int = column("How many could be had now.")
    variant_id: strawberry.ID | None = derived(_id("Variant", "variant_id"), "The variant that is short.")
    line_id: strawberry.ID | None = derived(_id("CartLine", "line_id"), "The cart line that asked for it.")


@view()
class Requirement:
    """Something that a cart still lacks before it can be completed."""

    code: RequirementCode = strawberry.field(description="What is missing.")
    step: Step = strawberry.field(description="Where a checkout asks for it.")
    message: str = strawberry.field(description="For developers, in English.")
    mutation: str = strawberry.field(description="The mutation that supplies it.")
    path: list[str] = strawberry.field(description="Where in that mutation's input.")
    line_id: strawberry.ID | None = derived(
        lambda r: ids.encode("CartLine", r.line_id) if r.line_id else None, "The line that lacks it."
    )


@view(checkout.RequirementsNotMet)
class RequirementsNotMet(UserError):
    """The cart lacks something; the same list stands in `Cart.requirements`."""

    requirements: list[Requirement] = column("What is missing, in the order of a checkout.")


@view(checkout.PriceChanged)
class PriceChanged(UserError):
    """The total is not the one that the customer agreed to."""

    expected: Money | None = column("What the caller expected.")
    current: Money | None = column("What it is now.")


@view(idempotency.IdempotencyKeyReused)
class IdempotencyKeyReused(UserError):
    """The key was used before, for another request."""


@view(payment.PaymentDeclined)
class PaymentDeclined(UserError):
    """The payment failed; nothing was ordered and the cart is open again."""

    retryable: bool = column("Another try may succeed.")


@view(payment_session.PaymentSessionStale)
class PaymentSessionStale(UserError):
    """The session is for another amount, or for the cart as it was; make a new one."""

    expected: Money | None = column("What is to be paid now.")


@view(order_payment.AmountDueChanged)
class AmountDueChanged(UserError):
    """What is to be paid of the order is not what the caller expected."""

    expected: Money | None = column("What the caller expected.")
    current: Money | None = column("What it is now; it may be nothing.")


@view(payment_operation.AmountNotAvailable)
class AmountNotAvailable(UserError):
    """There is less to be captured or refunded than that; what is under way counts as done."""

    available: Money | None = column("How much there is.")


@view(idempotency.InProgress)
class InProgress(UserError):
    """The outcome is not known yet."""

    retry_after: int = column("Ask again with the same key in so many seconds.")


@view(customer.InvalidCredentials)
class InvalidCredentials(UserError):
    """The e-mail address or the password is wrong."""


@view(session.SessionEnded)
class SessionEnded(UserError):
    """This sign-in has ended; sign in again."""


@view(single_use.TokenInvalid)
class TokenInvalid(UserError):
    """The link was used, replaced, is too old or for something else; ask for a new one."""


@view(attempt.TooManyAttempts)
class TooManyAttempts(UserError):
    """It was tried too often; nothing was checked."""

    retry_after: int = column("Try again in so many seconds.")


@view(customer.EmailTaken)
class EmailTaken(UserError):
    """There is an account with this address."""


@view(permission.BeyondOwnPermissions)
class BeyondOwnPermissions(UserError):
    """Nobody gives, takes or manages permissions that they do not have themselves."""

    missing: list[str] = column("The permissions that the caller lacks for it.")


@view(role.LastAdministrator)
class LastAdministrator(UserError):
    """Nobody would be left who may do everything."""


@view(role.RoleInUse)
class RoleInUse(UserError):
    """A role is deleted when nobody has it any more."""

    staff_count: int = column("How many have it.")


@view(second_factor.SecondFactorRequired)
class SecondFactorRequired(UserError):
    """The password was right; a code is needed besides, and the one given, if any, is not good."""


@view(stock_level.StockChanged)
class StockChanged(UserError):
    """Another number lies there than was said; nothing was written."""

    current_on_hand: int = column("What lies there now.")


@view(stock_level.StockTooLow)
class StockTooLow(UserError):
    """Less than nothing would be left, or less than is promised."""

    on_hand: int = column("What lies there.")
    promised: int = column("What of it is reserved or allocated.")


@view(stock_location.StockLocationNotEmpty)
class StockLocationNotEmpty(UserError):
    """Something lies in the location, is promised of it or may be owed."""

    levels: int = column("Of how many items.")


@view(workflow.InvalidTransition)
class InvalidTransition(UserError):
    """There is no way, or none for the caller, from the state that something is in to the one that was asked for: of a
    ticket by its workflow, of a product by its status.
    """

    from_state: str = column("In which state it is.")
    to_state: str = column("In which one it was to be.")
    allowed: list[str] = column("Where the caller may move it to, when what that asks for is so.")
    missing: list[str] = column("What the way there asks for and is not so yet; empty: there is no such way.")


@view()
class Payload:
    """What every mutation answers with besides its subject."""

    user_errors: list[UserError] = strawberry.field(description="Empty: it was done. Otherwise nothing was.")
    warnings: list[Warning] = strawberry.field(description="What else is worth knowing.")


ERROR_TYPES: tuple[type, ...] = (
    AlreadyCompleted,
    AmountDueChanged,
    AmountNotAvailable,
    BeyondOwnPermissions,
    CartPaying,
    EmailTaken,
    IdempotencyKeyReused,
    InProgress,
    InsufficientStock,
    InvalidCredentials,
    InvalidTransition,
    LastAdministrator,
    NotForSale,
    NotFound,
    PaymentDeclined,
    PaymentSessionStale,
    PriceChanged,
    QuantityOutsideRule,
    RequirementsNotMet,
    RoleInUse,
    SecondFactorRequired,
    SessionEnded,
    StockChanged,
    StockLocationNotEmpty,
    StockTooLow,
    TokenInvalid,
    TooManyAttempts,
    ValidationFailed,
    VersionConflict,
)
