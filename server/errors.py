"""Top-level `errors`: every one has a code, ours are told, everything else is masked and logged."""

import logging
import re
from typing import Any, Final

from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from db.unavailable import TRY_AGAIN
from resolvers.request_error import RequestError

NOT_TO_BE_RUN: Final = (CannotGetOperationTypeError, InvalidOperationTypeError, MissingQueryError)
"""How Strawberry says that a stream is asked for with no operation, or one of a kind that is not allowed there."""
NO_WRITE_OVER_STREAMS: Final = (
    "Mutations are not run over a stream or a WebSocket, where a lost connection would cut them off midway: "
    "send them by POST, with Accept: application/json."
)
SUGGESTION: Final = re.compile(r" Did you mean [^?]*\?")
"""What graphql-core adds to its messages; it would tell the schema piece by piece where introspection is closed."""
_log = logging.getLogger(__name__)


def public_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """An error as a client may see it: message, place, path, a code and the request's id."""
    raised = error
    while isinstance(raised.original_error, GraphQLError):
        raised = raised.original_error
    cause = raised.original_error
    shown: dict[str, Any] = {"message": SUGGESTION.sub("", error.message)}
    if cause is None and (error.path is None or (raised is not error and raised.nodes)):
        # Within a field graphql-core points at the argument that is wrong …
        extensions = {"code": "BAD_USER_INPUT", **(raised.extensions or {})}
    elif cause is None:
        shown["message"], extensions = _masked(raised, request_id)  # … and at nothing if it is a value of ours
    elif isinstance(cause, RequestError):
        extensions = dict(cause.extensions)
    elif isinstance(cause, NOT_TO_BE_RUN):
        shown["message"], extensions = _not_to_be_run(cause, error.message), {"code": "BAD_REQUEST"}
    elif error.path is None and error.locations and isinstance(cause, ValueError | TypeError):
        extensions = {"code": "BAD_USER_INPUT"}  # a scalar refused its value; what a stream raises is placed nowhere
    else:
        shown["message"], extensions = _masked(cause, request_id)
    if error.locations:
        shown["locations"] = [location.formatted for location in error.locations]
    if error.path:
        shown["path"] = error.path
    return {**shown, "extensions": {**extensions, "requestId": request_id}}


def _not_to_be_run(cause: BaseException, message: str) -> str:
    """In the words that requests without a stream are answered with, and with what to do instead."""
    if isinstance(cause, MissingQueryError):
        return "No GraphQL query found in the request"
    return NO_WRITE_OVER_STREAMS if isinstance(cause, InvalidOperationTypeError) else message


def _masked(cause: BaseException, request_id: str) -> tuple[str, dict[str, Any]]:
    if isinstance(cause, TRY_AGAIN):
        _log.warning("request %s could not be served now: %r", request_id, cause)
        return "The shop cannot answer this right now; try again.", {"code": "UNAVAILABLE"}
    _log.error("request %s failed", request_id, exc_info=cause)
    return "Something went wrong on our side.", {"code": "INTERNAL"}


def failed_request(cause: Exception, request_id: str) -> tuple[dict[str, Any], int]:
    """The answer, with its status, when something failed before the operation began."""
    message, extensions = _masked(cause, request_id)
    return refused_request(message, extensions["code"], request_id), 503 if extensions["code"] == "UNAVAILABLE" else 500


def refused_request(message: str, code: str, request_id: str) -> dict[str, Any]:
    """The answer to a request that is not even an operation."""
    return {"errors": [{"message": message, "extensions": {"code": code, "requestId": request_id}}]}
