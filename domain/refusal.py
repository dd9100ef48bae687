"""Refusals: why the shop does not do what it was asked to do.

A refusal is a state of the shop or of the input, raised inside, and turned into `userErrors` in one place
(`schema/build.py`). It is not an error of ours. Several at once travel as an ExceptionGroup.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class ErrorCode(StrEnum):
    """What a client can branch on."""

    ALREADY_COMPLETED = "already_completed"
    ALREADY_SHIPPED = "already_shipped"
    AMOUNT_DUE_CHANGED = "amount_due_changed"
    AMOUNT_NOT_AVAILABLE = "amount_not_available"
    BALANCE_CHANGED = "balance_changed"
    BEYOND_OWN_PERMISSIONS = "beyond_own_permissions"
    BRIEF_LOCKED = "brief_locked"
    CART_PAYING = "cart_paying"
    CATEGORY_NOT_EMPTY = "category_not_empty"
    COUNTRY_TAKEN = "country_taken"
    EMAIL_TAKEN = "email_taken"
    EXTERNAL_ID_TAKEN = "external_id_taken"
    FILE_REJECTED = "file_rejected"
    GIFT_CARD_NOT_USABLE = "gift_card_not_usable"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    IN_PROGRESS = "in_progress"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    INSUFFICIENT_STOCK = "insufficient_stock"
    INVALID_CREDENTIALS = "invalid_credentials"
    INVALID_TRANSITION = "invalid_transition"
    LAST_ADMINISTRATOR = "last_administrator"
    NOT_FOR_SALE = "not_for_sale"
    NOT_FOUND = "not_found"
    OPTION_VALUE_IN_USE = "option_value_in_use"
    PAYMENT_DECLINED = "payment_declined"
    PAYMENT_SESSION_STALE = "payment_session_stale"
    PRICE_CHANGED = "price_changed"
    PROOF_DECIDED = "proof_decided"
    PROOF_SUPERSEDED = "proof_superseded"
    QUANTITY_OUTSIDE_RULE = "quantity_outside_rule"
    REGION_IN_USE = "region_in_use"
    REQUIREMENTS_NOT_MET = "requirements_not_met"
    ROLE_IN_USE = "role_in_use"
    SECOND_FACTOR_REQUIRED = "second_factor_required"
    SESSION_ENDED = "session_ended"
    SKU_TAKEN = "sku_taken"
    STOCK_CHANGED = "stock_changed"
    STOCK_LOCATION_NOT_EMPTY = "stock_location_not_empty"
    STOCK_TOO_LOW = "stock_too_low"
    STORE_CREDIT_NOT_USABLE = "store_credit_not_usable"
    TICKET_ENDED = "ticket_ended"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a code
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    TOO_MANY_FILES = "too_many_files"
    TOO_MANY_VARIANTS = "too_many_variants"
    UPLOAD_INCOMPLETE = "upload_incomplete"
    VALIDATION_FAILED = "validation_failed"
    VARIANTS_WOULD_BE_EQUAL = "variants_would_be_equal"
    VARIANT_COMBINATION_EXISTS = "variant_combination_exists"
    VERSION_CONFLICT = "version_conflict"
    WORKFLOW_FLAWED = "workflow_flawed"


class Key(str):
    """A part of a path that is a key of the caller's own data; it is shown as it was given."""

    __slots__ = ()


@dataclass(eq=False)
class Refusal(Exception):
    """`path` is where in the input the cause stands: `("lines", "0", "quantity")`."""

    message: str
    path: tuple[str, ...] = field(default=(), kw_only=True)

    code = ErrorCode.VALIDATION_FAILED

    def __str__(self) -> str:
        return self.message


@dataclass(eq=False)
class ValidationFailed(Refusal):
    """A value that cannot be right, whatever the state of the shop."""


@dataclass(eq=False)
class NotFound(Refusal):
    """No such thing, or it is not yours: the two are told apart by nobody."""

    message: str = "There is no such thing, or it is not yours."
    code = ErrorCode.NOT_FOUND


@dataclass(eq=False)
class VersionConflict(Refusal):
    current_version: int = 0
    code = ErrorCode.VERSION_CONFLICT


def refusals_of(error: BaseException) -> Iterator[Refusal]:
    """Every refusal in an exception or a group of them."""
    if isinstance(error, Refusal):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            yield from refusals_of(inner)  # pyright: ignore[reportUnknownArgumentType]


class Gathering:
    """Collects the refusals of several parts of one input, so that a form can show them all."""

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []

    @contextmanager
    def at(self, *path: str) -> Generator[None]:
        """Puts `path` in front of what is refused inside, and goes on after it."""
        try:
            yield
        except (Refusal, ExceptionGroup) as error:
            found = list(refusals_of(error))
            for refusal in found:
                refusal.path = (*path, *refusal.path)
            self.refusals += found

    def raise_if_any(self) -> None:
        if len(self.refusals) == 1:
            raise self.refusals[0]
        if self.refusals:
            raise ExceptionGroup("refused", self.refusals)


@contextmanager
def under(*path: str) -> Generator[None]:
    """Puts `path` in front of the path of whatever is refused inside."""
    gathering = Gathering()
    with gathering.at(*path):
        yield
    gathering.raise_if_any()


def gathered(parts: list[tuple[tuple[str, ...], Callable[[], T]]]) -> list[T]:
    """Builds every part, each under its path; refuses with all that went wrong at once."""
    gathering = Gathering()
    built: list[T] = []
    for path, build in parts:
        with gathering.at(*path):
            built.append(build())
    gathering.raise_if_any()
    return built
