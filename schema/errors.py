"""`userErrors`: one type per refusal of the domain, named alike, with the facts that a client needs."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import strawberry

from domain import (
    attempt,
    cart,
    cart_line,
    checkout,
    customer,
    idempotency,
    payment,
    permission,
    refusal,
    reservation,
    role,
    second_factor,
    session,
    single_use,
    workflow,
)
from domain.assessment import RequirementCode, Step
from domain.refusal import ErrorCode
from resolvers import ids
from schema.build import column, derived, enum, interface, view
from schema.money import Money

enum(
    ErrorCode,
    "What went wrong, for programs to branch on.",
    ALREADY_COMPLETED="The cart has become an order.",
    BEYOND_OWN_PERMISSIONS="It takes permissions that the caller does not have.",
    CART_PAYING="A payment for the cart is under way.",
    EMAIL_TAKEN="There is an account with this address.",
    IDEMPOTENCY_KEY_REUSED="The key was used for another request.",
    IN_PROGRESS="The outcome is not known yet.",
    INSUFFICIENT_STOCK="There is less than was asked for.",
    INVALID_CREDENTIALS="The address or the password is wrong.",
    INVALID_TRANSITION="The workflow does not allow it.",
    LAST_ADMINISTRATOR="Somebody must stay an administrator.",
    NOT_FOR_SALE="It is not for sale in this region.",
    NOT_FOUND="There is no such thing, or it is not yours.",
    PAYMENT_DECLINED="The payment failed.",
    PRICE_CHANGED="The total is another one.",
    REQUIREMENTS_NOT_MET="Something is missing.",
    ROLE_IN_USE="Somebody has the role.",
    SECOND_FACTOR_REQUIRED="A code of the second factor is needed, or the one given is wrong.",
    SESSION_ENDED="The sign-in has ended.",
    TOKEN_INVALID="The link is not valid any more.",  # noqa: S106 - what a code means
    TOO_MANY_ATTEMPTS="It was tried too often.",
    VALIDATION_FAILED="A value that cannot be right.",
    VARIANT_COMBINATION_EXISTS="There is such a variant already.",
    VERSION_CONFLICT="It has changed since it was read.",
)
enum(
    RequirementCode,
    "What a cart still lacks.",
    LINES="Something to buy.",
    FOR_SALE="A line is no longer for sale.",
    EMAIL="The contact's address.",
    SHIPPING_ADDRESS="Where it is to be sent.",
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


@view()
class OutsideRegion(Warning):
    """The shipping address lies outside of the cart's region."""

    country: str = strawberry.field(description="The country of the address.")


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


@view(reservation.InsufficientStock)
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


@view(workflow.InvalidTransition)
class InvalidTransition(UserError):
    """The workflow does not let the caller move the ticket there."""

    from_state: str = column("Where the ticket is.")
    to_state: str = column("Where it was to go.")
    allowed: list[str] = column("Where the caller may move it to.")


@view()
class Payload:
    """What every mutation answers with besides its subject."""

    user_errors: list[UserError] = strawberry.field(description="Empty: it was done. Otherwise nothing was.")
    warnings: list[Warning] = strawberry.field(description="What else is worth knowing.")


ERROR_TYPES: tuple[type, ...] = (
    AlreadyCompleted,
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
    OutsideRegion,
    PaymentDeclined,
    PriceChanged,
    RequirementsNotMet,
    RoleInUse,
    SecondFactorRequired,
    SessionEnded,
    TokenInvalid,
    TooManyAttempts,
    ValidationFailed,
    VersionConflict,
)
