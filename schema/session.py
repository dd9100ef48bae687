"""Sign-ins: how their tokens are delivered, how they go on and end."""

from datetime import datetime
from typing import Any

import strawberry

from resolvers.session import TokenDelivery
from schema.build import enum, given, input_type, required, view
from schema.errors import Payload
from schema.node import public_id

enum(
    TokenDelivery,
    "How the tokens of a sign-in are given to the client.",
    BODY="In the answer; send the access token as `Authorization: Bearer …`, and keep the refresh token secret.",
    COOKIE="In cookies that scripts cannot read, for browsers; the answer has no token.",
)


def tokens() -> Any:
    """The input field that chooses."""
    return given("How to be given the tokens.", default=TokenDelivery.BODY)


def access_token() -> Any:
    return strawberry.field(description="Send it as `Authorization: Bearer …`. Null with cookies.")


def refresh_token() -> Any:
    return strawberry.field(description="Good once, for the next tokens; keep it secret. Null with cookies.")


def expires_in() -> Any:
    return strawberry.field(description="For how many seconds the access token is good.")


@view()
class Session:
    """A sign-in on one device."""

    id: strawberry.ID = public_id("Session")
    device: str = strawberry.field(description="What the client called itself when it signed in.")
    address: str = strawberry.field(description="The network address that the sign-in came from.")
    created_at: datetime = strawberry.field(description="When it began.")
    last_used_at: datetime = strawberry.field(description="When its tokens were last refreshed.")
    current: bool = strawberry.field(description="It is the one that asks.")


@input_type
class CustomerRefreshInput:
    """What a sign-in goes on with."""

    refresh_token: str | None = given("The last one that was given; left out, its cookie counts.")


@input_type
class StaffRefreshInput:
    """What a sign-in goes on with."""

    refresh_token: str | None = given("The last one that was given; left out, its cookie counts.")


@view()
class CustomerRefreshPayload(Payload):
    """The next tokens, delivered as the last ones were."""

    access_token: str | None = access_token()
    refresh_token: str | None = refresh_token()
    expires_in: int | None = expires_in()


@view()
class StaffRefreshPayload(Payload):
    """The next tokens, delivered as the last ones were."""

    access_token: str | None = access_token()
    refresh_token: str | None = refresh_token()
    expires_in: int | None = expires_in()


@input_type
class CustomerSignOutInput:
    """Which sign-ins are to end."""

    everywhere: bool = given("All of this customer's, on every device.", default=False)


@input_type
class StaffSignOutInput:
    """Which sign-ins are to end."""

    everywhere: bool = given("All of this member of staff's, on every device.", default=False)


@view()
class CustomerSignOutPayload(Payload):
    """The end of a sign-in. Whoever is not signed in may ask for it too."""

    ended: int | None = strawberry.field(description="How many sign-ins have ended.")


@view()
class StaffSignOutPayload(Payload):
    """The end of a sign-in. Whoever is not signed in may ask for it too."""

    ended: int | None = strawberry.field(description="How many sign-ins have ended.")


@input_type
class SessionEndInput:
    """The sign-in that is to end."""

    session_id: strawberry.ID = required("Which one of one's own.")


@view()
class SessionEndPayload(Payload):
    """What is left."""

    sessions: list[Session] | None = strawberry.field(description="One's own that have not ended.")
