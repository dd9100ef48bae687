"""With what each field is tried: valid input, about the things of a person in the world of the matrix.

A root field that takes something and is not here fails the tests of the matrix: add it with input that its owner, or
staff with its permission, succeeds with. What must be there first is made by the example itself.
"""

from typing import Final

from resolvers.node import FINDERS
from tests import (
    given,
    matrix_accounts,
    matrix_balances,
    matrix_channels,
    matrix_delivery,
    matrix_files,
    matrix_payments,
    matrix_stock,
    matrix_tickets,
)
from tests.matrix_accounts import Example, Given
from tests.matrix_world import MatrixWorld, Person

ARGUMENTS: Final[dict[str, str]] = {"File.thumbnail": "(width: 160)"}
"""Of fields of types that must be given arguments, by `Type.field`: `(first: 1)`."""


def of_kind(kind: str) -> Example:
    """`node` with a thing of the person's, else of the shop's."""

    def example(world: MatrixWorld, who: Person) -> Given:
        things = {**world.things, **who.things}
        assert kind in things, f"put a {kind} into the world of the matrix (matrix_world.py)"
        return {"id": things[kind]}

    return example


QUERIES: Final[dict[str, dict[str, Example]]] = {
    **matrix_accounts.QUERIES,
    **matrix_payments.QUERIES,
    **matrix_channels.QUERIES,
    **matrix_tickets.QUERIES,
    **matrix_stock.QUERIES,
    **matrix_balances.QUERIES,
    **matrix_delivery.QUERIES,
    "cart": {
        "": lambda _, who: {"id": who.cart.id},
        "empty": lambda _, who: {"id": who.bare.id},
        "completed": lambda _, who: {"id": who.bought.cart.id},
    },
    "node": {kind: of_kind(kind) for kind in FINDERS},
    "nodes": {"": lambda _, who: {"ids": [thing for kind, thing in who.things.items() if kind in FINDERS]}},
    "order": {
        "": lambda _, who: {"by": {"id": who.bought.order}},
        "by number": lambda _, who: {"by": {"number": who.bought.number}},
    },
    "product": {"": lambda world, _: {"by": {"id": world.things["Product"]}}},
}
"""By root field, and by what is special about the example."""
MUTATIONS: Final[dict[str, Example]] = {
    **matrix_accounts.MUTATIONS,
    **matrix_payments.MUTATIONS,
    **matrix_channels.MUTATIONS,
    **matrix_tickets.MUTATIONS,
    **matrix_stock.MUTATIONS,
    **matrix_balances.MUTATIONS,
    **matrix_delivery.MUTATIONS,
    **matrix_files.MUTATIONS,
    "cartAddLines": lambda world, who: {
        "cartId": who.cart.id,
        "lines": [{"variantId": world.things["Variant"], "quantity": 1}],
    },
    "cartComplete": lambda _, who: {
        "cartId": who.cart.id,
        "expectedTotal": who.cart.total,
        "idempotencyKey": "matrix",
    },
    "cartCreate": lambda world, _: {"lines": [{"variantId": world.things["Variant"], "quantity": 1}]},
    "cartRemoveLines": lambda _, who: {"cartId": who.cart.id, "lineIds": [who.things["CartLine"]]},
    "cartSetAddresses": lambda _, who: {
        "cartId": who.cart.id,
        "shippingAddress": {**given.ADDRESS, "city": "Utrecht"},
        "billingAddress": given.ADDRESS,
    },
    "cartSetCustomer": lambda _, who: {"cartId": who.cart.id, "email": "else@shop.example"},
    "cartUpdateLines": lambda _, who: {
        "cartId": who.cart.id,
        "lines": [{"lineId": who.things["CartLine"], "quantity": 3}],
    },
}
SUBSCRIPTIONS: Final[dict[str, Example]] = {
    "ticketEvents": lambda _, who: {"ticketId": who.bought.ticket, "afterSeq": 1000},
}
"""Streams that end by themselves: in this process nothing is received before the end."""
