"""What ends up in the top-level `errors` of an answer, as opposed to `userErrors`: the request itself is wrong."""

from typing import Any


class RequestError(Exception):
    """Shown to the client as it is; every other exception that escapes is masked."""

    code = "BAD_REQUEST"

    def __init__(self, message: str, **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions = {"code": self.code, **extensions}


class BadUserInput(RequestError):
    """An argument of a query that cannot be right."""

    code = "BAD_USER_INPUT"

    def __init__(self, message: str, argument: str) -> None:
        super().__init__(message, argument=argument)


class RateLimited(RequestError):
    """Too many attempts of a query that is counted; nothing was looked at."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, retryAfter=retry_after)


class Unauthenticated(RequestError):
    code = "UNAUTHENTICATED"


class Forbidden(RequestError):
    code = "FORBIDDEN"
