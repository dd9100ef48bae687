"""A shop in which several people have something, and callers who should see some of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.connection import new_id
from db.workflow import ActorKind
from domain.processes.shop import Shop
from resolvers import ids
from server.tokens import SignedTokens
from tests import given
from tests.api import SECRET, Api


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
    """Sam bought signed in, `guest` did not. The callers are named by who they are and what they have."""

    shop: Shop
    anonymous: Api
    sam: Api
    sams: Bought
    guests: Bought

    def staff(self, *permissions: str) -> "AsyncIterator[Api]":
        raise NotImplementedError
