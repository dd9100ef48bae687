"""What goes on for hours after its answer has begun is run outside of all that requests go through.

A stream that waits would keep the frames of every middleware and route above it, and what they hold: a third of its
memory. What those do is done once an answer has begun, so the rest needs nothing of it.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

_REST: Final = "counterfoil.rest"
Rest = Callable[[Receive, Send], Awaitable[None]]


def goes_on(scope: Scope, rest: Rest) -> None:
    """`rest` is run once the application has returned; nothing may be waited for in between."""
    scope[_REST] = rest


class Lasting(Starlette):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)
        rest: Rest | None = scope.pop(_REST, None)
        if rest is not None:
            scope["state"] = {}  # what the request knew
            await rest(receive, send)
