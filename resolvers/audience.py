"""Who may be told the same: an item of a stream is executed once for all whose answers cannot differ.

An audience is everything that an answer may depend on, besides the item and what is selected. What is not part of it
is hidden from the execution: whoever asks for it all the same makes the answer a personal one, which is not shared.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from db.workflow import ActorKind
from domain.actor import Actor, OrderAccess
from domain.channel import Bound
from resolvers.context import ContextChoice, Ctx

OF_THE_PERSON: Final = frozenset({"session_id", "api_key_id", "expires_at", "request_id"})
OF_THE_REQUEST: Final = frozenset({"buyer_address", "device", "cookies"})


class Personal(Exception):
    """The answer depends on who exactly asks."""


@dataclass(frozen=True)
class Audience:
    """Customers are told apart by who they are; staff by what they may do."""

    kind: ActorKind
    customer_id: UUID | None
    permissions: frozenset[str]
    factor_demanded: bool
    choice: ContextChoice
    bound: Bound | None
    cart_token: str | None
    access_token: str | None
    live_order: OrderAccess | None
    subscribes_only: bool


def audience_of(ctx: Ctx) -> Audience | None:
    """Null: nothing of it is shared, as it is looked at how it was made."""
    if ctx.trace is not None:
        return None
    actor = ctx.actor
    return Audience(
        actor.kind,
        actor.customer_id,
        actor.permissions,
        actor.factor_demanded,
        ctx.choice,
        ctx.bound,
        ctx.cart_token,
        ctx.access_token,
        ctx.live_order,
        ctx.subscribes_only,
    )


class Somebody(Actor):
    """Any of an audience. Who of them is not to be known."""

    def __getattribute__(self, name: str) -> Any:
        if name in OF_THE_PERSON or (name == "id" and self.kind != ActorKind.CUSTOMER):
            object.__getattribute__(self, "__dict__")["asked"] = True
            raise Personal(name)
        return object.__getattribute__(self, name)


class SharedCtx(Ctx):
    """What an execution for a whole audience knows."""

    def __getattribute__(self, name: str) -> Any:
        if name in OF_THE_REQUEST:
            object.__getattribute__(self, "__dict__")["asked"] = True
            raise Personal(name)
        return object.__getattribute__(self, name)

    @property
    def is_personal(self) -> bool:
        return "asked" in vars(self) or "asked" in vars(self.actor)


def context_for(ctx: Ctx, audience: Audience) -> SharedCtx:
    return SharedCtx(
        shop=ctx.shop,
        tokens=ctx.tokens,
        passwords=ctx.passwords,
        live=ctx.live,
        actor=Somebody(
            kind=audience.kind,
            id=audience.customer_id,
            permissions=audience.permissions,
            factor_demanded=audience.factor_demanded,
        ),
        request_id="",
        choice=audience.choice,
        cart_token=audience.cart_token,
        access_token=audience.access_token,
        subscribes_only=audience.subscribes_only,
        live_order=audience.live_order,
        bound=audience.bound,
    )


class SharedItem(dict[str, Any]):
    """An item that is the same for everybody who is told it: what was executed on it once is kept with it."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.executed: dict[Any, Any] = {}
        """By the operation and the audience: see engine/shared.py."""

    def audience(self, context: Ctx) -> Audience | None:
        return audience_of(context)

    def context(self, context: Ctx, audience: Audience) -> SharedCtx:
        return context_for(context, audience)

    def adopt(self, context: Ctx, shared: SharedCtx) -> None:
        """The answer names the region and the channel that it was made for."""
        context.adopt_place(shared)
