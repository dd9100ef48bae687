"""A shop in which two people have something, and callers of whom each should see some of it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.connection import new_id
from db.workflow import ActorKind
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api

STAFF = {
    "staff": (),
    "staff with orders:read": ("orders:read",),
    "staff with tickets:read": ("tickets:read",),
    "staff with tickets:write": ("tickets:write",),
}


@dataclass(frozen=True)
class Bought:
    """A placed order with its cart and its one ticket, ids as clients see them."""

    order: str
    line: str
    number: str
    access_token: str
    cart: given.Cart
    ticket: str


@dataclass(frozen=True)
class World:
    """Sam bought signed in. A guest bought without signing in, and gave the e-mail address that Kim signs in with."""

    shop: Shop
    api: Api
    people: dict[str, UUID]
    tokens: dict[str, str]
    """Of the sign-ins of all of them."""
    sams: Bought
    guests: Bought

    @property
    def everybody(self) -> dict[str, Api]:
        """All who sign in, and who does not."""
        signed_in = {name: self.api.signed_in(token) for name, token in self.tokens.items()}
        return {"anonymous": self.api, **signed_in}

    def callers(self, bought: Bought) -> dict[str, Api]:
        """Everybody, and who has a token: of this order, of the other one, of their carts, of a sign-in."""
        other = self.guests if bought is self.sams else self.sams
        return {
            **self.everybody,
            "its token": self.having("x-access-token", bought.access_token),
            "the other order's token": self.having("x-access-token", other.access_token),
            "a sign-in as its token": self.having("x-access-token", self.tokens["sam"]),
            "no token": self.having("x-access-token", ""),
            "its cart's token": self.having("x-cart-token", bought.cart.token),
            "the other cart's token": self.having("x-cart-token", other.cart.token),
            "its cart's token as its token": self.having("x-access-token", bought.cart.token),
            "its token as its cart's": self.having("x-cart-token", bought.access_token),
        }

    def having(self, header: str, value: str) -> Api:
        return Api(self.api.http, {header: value}, self.api.database)


async def token(shop: Shop, kind: ActorKind, key: UUID) -> str:
    """What signing in would give, without hashing a password; it is good for as long as tests take."""
    return await given.access_token(shop, kind, key, seconds=86_400)


async def bought(shop: Shop, api: Api, variant: str, email: str, **more: Any) -> Bought:
    """`more` is of the line, for example its brief."""
    cart = await given.cart(api, {"variantId": variant, "quantity": 1, **more}, email=email)
    payload = await api.done("cartComplete", cart.completion(), "accessToken order { id number lines { id } }")
    order = payload["order"]
    placed = {"id": order["id"], "accessToken": payload["accessToken"]}
    (ticket,) = await given.tickets(shop, placed)
    (line,) = order["lines"]
    return Bought(order["id"], line["id"], order["number"], payload["accessToken"], cart, ticket.id)


async def world(shop: Shop, api: Api) -> World:
    await given.regions(shop)
    banner = await given.product(shop, "banner")
    people = {"sam": await given.customer(shop), "kim": await given.customer(shop, "kim@shop.example")}
    for number, (name, permissions) in enumerate(STAFF.items()):
        people[name] = await given.staff(shop, *permissions, email=f"staff{number}@shop.example")
    tokens = {
        name: await token(shop, ActorKind.STAFF if name in STAFF else ActorKind.CUSTOMER, key)
        for name, key in people.items()
    }
    as_sam = api.signed_in(tokens["sam"])
    sams = await bought(shop, as_sam, banner.variant, "sam@shop.example")
    guests = await bought(shop, api, banner.variant, "kim@shop.example")
    return World(shop, api, people, tokens, sams, guests)


def random(kind: str) -> str:
    """The id of nothing."""
    return ids.encode(kind, new_id())


async def seen(caller: Api, query: str, public_id: str, kind: str, **more: Any) -> Any:
    """What `query($id)` shows; where it shows nothing, nothing tells the id from one of nothing."""
    answer, statements = await counted(caller, query, {"id": public_id, **more})
    assert "errors" not in answer
    if answer["data"]["shown"] is None:
        assert (answer, statements) == await counted(caller, query, {"id": random(kind), **more})
    return answer["data"]["shown"]


async def counted(caller: Api, query: str, variables: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The answer, and how many statements it took: a measure of the time that does not waver."""
    assert caller.database is not None
    before = caller.database.statements
    answer = await caller.answer(query, variables)
    return answer, caller.database.statements - before
