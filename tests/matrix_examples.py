"""With what each field is tried: valid input, about the things of a person in the world of the matrix.

A root field that takes something and is not here fails the tests of the matrix: add it with input that its owner, or
staff with its permission, succeeds with. What must be there first is made by the example itself.
"""

from typing import Final

from resolvers.node import FINDERS
from server.app import signed_tokens
from server.settings import read_settings
from tests import (
    given,
    matrix_accounts,
    matrix_balances,
    matrix_channels,
    matrix_delivery,
    matrix_files,
    matrix_notifications,
    matrix_payments,
    matrix_prices,
    matrix_products,
    matrix_stock,
    matrix_tax,
    matrix_taxonomy,
    matrix_tickets,
    matrix_variants,
)
from tests.api import SECRET
from tests.matrix_accounts import Example, Given
from tests.matrix_world import MatrixWorld, Person

ARGUMENTS: Final[dict[str, str]] = {"File.thumbnail": "(width: 160)", **matrix_variants.ARGUMENTS}
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
    **matrix_prices.QUERIES,
    **matrix_channels.QUERIES,
    **matrix_tax.QUERIES,
    **matrix_taxonomy.QUERIES,
    **matrix_tickets.QUERIES,
    **matrix_stock.QUERIES,
    **matrix_products.QUERIES,
    **matrix_variants.QUERIES,
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
    **matrix_prices.MUTATIONS,
    **matrix_channels.MUTATIONS,
    **matrix_tax.MUTATIONS,
    **matrix_taxonomy.MUTATIONS,
    **matrix_tickets.MUTATIONS,
    **matrix_stock.MUTATIONS,
    **matrix_products.MUTATIONS,
    **matrix_variants.MUTATIONS,
    **matrix_balances.MUTATIONS,
    **matrix_delivery.MUTATIONS,
    **matrix_files.MUTATIONS,
    **matrix_notifications.MUTATIONS,
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
OF_ANOTHER_LOG: Final = signed_tokens(read_settings({"JWT_SECRET": SECRET})).seal("log:0;0;0")
SUBSCRIPTIONS: Final[dict[str, Example]] = {
    "ticketEvents": lambda _, who: {"ticketId": who.bought.ticket, "afterSeq": 1000},
    "orderUpdated": lambda _, who: {"orderId": who.bought.order, "after": OF_ANOTHER_LOG},
    "myTickets": lambda _, __: {"after": OF_ANOTHER_LOG},
    "ticketBoard": lambda _, __: {"after": OF_ANOTHER_LOG},
    "cartUpdated": lambda _, who: {"cartId": who.bought.cart.id},
    "variantAvailability": lambda _, __: {"ids": []},  # for who reads a stream to its end, see `ENDLESS`
}
ENDLESS: Final[dict[str, Example]] = {"variantAvailability": lambda world, _: {"ids": [world.things["Variant"]]}}
"""Instead, for who reads the first item alone."""
"""Streams that end by themselves: in this process nothing is received before the end."""
