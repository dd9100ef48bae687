"""API keys: what programs prove themselves with."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry

from db import ApiKey as ApiKeyRow
from db.session import ApiKeyKind
from domain.api_key import LONGEST_NAME, LONGEST_OVERLAP
from resolvers import api_key
from schema.build import column, enum, given, input_type, loads, required, view
from schema.channel import Channel
from schema.errors import Payload
from schema.node import Node, public_id

enum(
    ApiKeyKind,
    "What a key is for.",
    PUBLISHABLE="For browsers, in `X-Api-Key`. It may be known to all and carries no rights; what is asked with it is "
    "asked in its sales channel, and in no other.",
    STOREFRONT="For the server of a storefront, in `X-Api-Key`: it says in `X-Buyer-Address` which network address "
    "its buyer has, and that one's attempts are counted, not its own. It carries no other rights. Send it with "
    "mutations: queries with a key are executed each time, those without one may be answered from memory.",
    SECRET="For programs of the merchant, as `Authorization: Bearer …`: it may do what its scopes say.",  # noqa: S106
)


def _channel_keys(keys: Sequence[Any]) -> list[Any]:
    return [tuple(key["channel_ids"]) for key in keys]


@view(ApiKeyRow)
class ApiKey(Node):
    """What a program proves itself with. The key is shown when it is made, and never again."""

    id: strawberry.ID = public_id("ApiKey")
    kind: ApiKeyKind = column("What it is for.")
    name: str = column("For people.")
    hint: str = column("Its last four characters.")
    scopes: list[str] = column("The permissions of a secret key.")
    channels: list[Channel] = loads(
        api_key.channels_of_key, _channel_keys, "The sales channels of a publishable key, archived ones too."
    )
    created_at: datetime = column("When it was made.")
    last_used_at: datetime | None = column("When it was last used, to the minute.")
    expires_at: datetime | None = column("From when on it is not good any more; null: it stays good.")
    revoked_at: datetime | None = column("Since when it is revoked.")


@input_type
class ApiKeyCreateInput:
    """A key to be made."""

    kind: ApiKeyKind = required("What it is for.")
    name: str = required(f"For people, at most {LONGEST_NAME} characters.")
    scopes: list[str] = strawberry.field(
        description="Permissions of a secret key, at least one; those only that one has oneself.",
        default_factory=list[str],
    )
    channel_ids: list[strawberry.ID] = strawberry.field(
        description="Sales channels of a publishable key, at least one; the others have none. With several, each "
        "request says in which one it is, or is in the default one, if that is among them.",
        default_factory=list[strawberry.ID],
    )
    expires_at: datetime | None = given("From when on it shall not be good any more; without it, it stays good.")


@input_type
class ApiKeyRotateInput:
    """A key to be replaced by another one for the same."""

    id: strawberry.ID = required("Which one.")
    overlap_hours: int = given(f"For how long the old one goes on working, 0 to {LONGEST_OVERLAP} hours.", 24)


@input_type
class ApiKeyRevokeInput:
    """A key that shall not be good any more."""

    id: strawberry.ID = required("Which one.")


@view()
class ApiKeyCreatePayload(Payload):
    """The new key."""

    api_key: ApiKey | None = strawberry.field(description="What is known of it.")
    key: str | None = strawberry.field(description="The key itself: keep it now, it is not shown again.")


@view()
class ApiKeyRotatePayload(Payload):
    """The key that follows."""

    api_key: ApiKey | None = strawberry.field(description="What is known of the new one.")
    key: str | None = strawberry.field(description="The new key itself: keep it now, it is not shown again.")


@view()
class ApiKeyRevokePayload(Payload):
    """The key as it was last."""

    api_key: ApiKey | None = strawberry.field(description="The key.")
