"""Sessions in cookies: which requests may use them, and what answers set.

A browser sends cookies along whoever made it ask. So a request counts by its cookies only if the browser says that it
comes from a place where sessions of that kind may live: staff's in ADMIN_CORS, customers' in STORE_CORS, both in what
this server shows itself. Scripts see none of them, and other hosts cannot set them (`__Host-`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from db.workflow import ActorKind
from domain.session import LASTS, Begun
from resolvers.request_error import Forbidden
from server.tokens import SignedTokens, SignIn

MARK: Final = "counterfoil_"
"""In the name of every cookie of ours, and of nobody else's."""
KINDS: Final = (ActorKind.STAFF, ActorKind.CUSTOMER)
"""Who may have sessions in cookies. Where both have one and both count, that of staff does."""


@dataclass(frozen=True)
class CookieRules:
    """`secure`: over TLS alone, and for this very host. `origins`: from where which sessions may be used."""

    secure: bool
    origins: Mapping[ActorKind, frozenset[str]]

    def name(self, kind: ActorKind, what: str) -> str:
        return f"{'__Host-' if self.secure else ''}{MARK}{kind}_{what}"

    def kinds_for(self, asked: HTTPConnection) -> frozenset[ActorKind]:
        """Whose sessions the request may use. None, unless it proves where it comes from."""
        headers, method = asked.headers, asked.scope.get("method")  # a WebSocket has none: it is no read by GET
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None:
            known = {kind for kind in KINDS if origin in self.origins[kind]}
            return frozenset(KINDS) if self._is_own(origin, headers.get("host", "")) else frozenset(known)
        if site == "same-origin":
            return frozenset(KINDS)
        # A read by GET writes nothing, and where browsers send no Origin with it they let nobody else see the answer.
        reads = method == "GET" and _is_simple_read(headers.get("content-type"))
        return frozenset(KINDS) if reads and site in {None, "none"} else frozenset()

    def lets_connect(self, asked: HTTPConnection) -> bool:
        """Whether a WebSocket may come from there: browsers ask nobody before, and let every page read what comes."""
        return "origin" not in asked.headers or bool(self.kinds_for(asked))

    def _is_own(self, origin: str, host: str) -> bool:
        scheme, _, place = origin.partition("://")  # compared, not taken apart: whatever may stand there is no address
        return place == host != "" and (scheme == "https" or not self.secure)


class SessionCookies:
    """Those of one request, and those that its answer sets (in `answer`)."""

    def __init__(self, asked: HTTPConnection, rules: CookieRules, tokens: SignedTokens) -> None:
        self._rules, self._tokens = rules, tokens
        self._given = asked.cookies
        self._kinds = rules.kinds_for(asked)
        self.answer = Response()

    def check_origin(self) -> None:
        """Refuses a request with cookies of ours that comes from where none of them may be used."""
        if not self._kinds and any(MARK in name for name in self._given):
            raise Forbidden(
                "Cookies count for requests of this server's own origin or one of STORE_CORS (ADMIN_CORS for staff) "
                "alone; send Origin, or sign in without cookies."
            )

    def sign_in(self) -> tuple[ActorKind, SignIn | None] | None:
        """What the access cookie says, null if it is not good; nothing without one that may be used."""
        for kind in KINDS:
            token = self._given.get(self._rules.name(kind, "access"))
            if token and kind in self._kinds:
                found = self._tokens.read_access_token(token, cookie=True)
                return kind, found if found is not None and found.kind == kind else None
        return None

    def may_use(self, kind: ActorKind) -> bool:
        return kind in self._kinds

    def refresh_token(self, kind: ActorKind) -> str | None:
        return self._given.get(self._rules.name(kind, "refresh")) if kind in self._kinds else None

    def give(self, begun: Begun) -> int:
        token, seconds = self._tokens.access_token(begun.kind, begun.subject_id, begun.session_id, cookie=True)
        self._set(begun.kind, "access", token, seconds)
        self._set(begun.kind, "refresh", begun.refresh_token, int(LASTS.total_seconds()))
        return seconds

    def clear(self, kind: ActorKind) -> None:
        self.clear_access(kind)
        self._set(kind, "refresh", "", 0)

    def clear_access(self, kind: ActorKind) -> None:
        """The next request is then answered as a guest's, and may refresh."""
        self._set(kind, "access", "", 0)

    def _set(self, kind: ActorKind, what: str, value: str, seconds: int) -> None:
        self.answer.set_cookie(
            self._rules.name(kind, what),
            value,
            max_age=seconds,
            path="/",  # `__Host-` demands it, and there is one endpoint anyway
            secure=self._rules.secure,
            httponly=True,
            samesite="lax",
        )


def _is_simple_read(content_type: str | None) -> bool:
    """A GET has no body, so no type of one; a form that pretends otherwise is refused."""
    return content_type is None or content_type.partition(";")[0].strip().lower() == "application/json"
