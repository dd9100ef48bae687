"""What a customer has to do at a payment provider before money can come."""

from datetime import datetime

import strawberry

from domain.payment_provider import ActionKind
from schema.build import derived, enum, view
from schema.scalars import Json

enum(
    ActionKind,
    "How a customer confirms a payment.",
    REDIRECT="Send them to `url`; they come back to the shop.",
    CLIENT_CONFIRM="Let the provider's own code confirm with `clientData`.",
)


@view()
class NextAction:
    """To be done by the customer at the payment provider."""

    kind: ActionKind = derived(lambda action: ActionKind(action["kind"]), "How.")
    url: str | None = strawberry.field(description="Where they are sent.")
    client_data: Json = strawberry.field(description="For the provider's own code.")
    expires_at: datetime | None = derived(
        lambda action: datetime.fromisoformat(action["expires_at"]) if action["expires_at"] else None,
        "Until when it can be done, if the provider says so.",
    )
