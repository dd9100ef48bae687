"""Top-level `errors`: every one has a code, ours are told, everything else is masked and logged."""

import logging
from typing import Any, Final

from asyncpg import (
    DeadlockDetectedError,
    InterfaceError,
    LockNotAvailableError,
    OperatorInterventionError,
    PostgresConnectionError,
)
from graphql import GraphQLError

from resolvers.request_error import RequestError

TRY_AGAIN: Final = (
    ConnectionError,
    TimeoutError,
    InterfaceError,
    DeadlockDetectedError,
    LockNotAvailableError,
    OperatorInterventionError,
    PostgresConnectionError,
)
_log = logging.getLogger(__name__)


def public_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """An error as a client may see it: message, place, path, a code and the request's id."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    shown: dict[str, Any] = {"message": error.message}
    if cause is None:
        extensions = {"code": "BAD_USER_INPUT" if error.path is None else "INTERNAL"}
    elif isinstance(cause, RequestError):
        extensions = dict(cause.extensions)
    elif error.path is None and isinstance(cause, ValueError | TypeError):
        extensions = {"code": "BAD_USER_INPUT"}  # a scalar refused its value
    else:
        shown["message"], extensions = _masked(cause, request_id)
    if error.locations:
        shown["locations"] = [location.formatted for location in error.locations]
    if error.path:
        shown["path"] = error.path
    return {**shown, "extensions": {**extensions, "requestId": request_id}}


def _masked(cause: BaseException, request_id: str) -> tuple[str, dict[str, Any]]:
    if isinstance(cause, TRY_AGAIN):
        _log.warning("request %s could not be served now: %r", request_id, cause)
        return "The shop cannot answer this right now; try again.", {"code": "UNAVAILABLE"}
    _log.error("request %s failed", request_id, exc_info=cause)
    return "Something went wrong on our side.", {"code": "INTERNAL"}


def refused_request(message: str, code: str, request_id: str) -> dict[str, Any]:
    """The answer to a request that is not even an operation."""
    return {"errors": [{"message": message, "extensions": {"code": code, "requestId": request_id}}]}
