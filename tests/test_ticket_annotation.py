"""A message may be about a point of a proof: both sides see where, also once there is a newer one."""

from typing import Any

import pytest

from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api
from tests.ticketing import make_order_of, proofed, refused, staff_of

HISTORY = """query ($id: ID!, $token: String) { ticket(id: $id, accessToken: $token) { history(after: 2) {
  ... on TicketMessagePosted { body annotates { proofId proofVersion page x y } } } } }"""


async def shown(api: Api, shop: Shop) -> tuple[given.Ticket, str, dict[str, Any]]:
    """A ticket with a proof, and what its customer begins to say."""
    (ticket,) = await make_order_of(shop, api, 1)
    proof = ids.encode("TicketProof", await proofed(shop, ticket.key))
    return ticket, proof, {"ticketId": ticket.id, "body": "Greener here", "accessToken": ticket.access_token}


async def test_both_sides_say_something_about_a_point_of_a_proof(shop: Shop, api: Api) -> None:
    ticket, proof, say = await shown(api, shop)
    staff = await staff_of(shop, api)
    second = ids.encode("TicketProof", await proofed(shop, ticket.key))
    point = {"proofId": proof, "x": 0.25, "y": 1}
    await api.done("ticketPostMessage", {**say, "annotates": point}, "ticket { id }")
    note = {"ticketId": ticket.id, "body": "Like this?", "annotates": {"proofId": second, "x": 0, "y": 0.5, "page": 3}}
    await staff.done("ticketPostMessage", note, "ticket { id }")
    for nothing in ({}, {"annotates": None}):
        await api.done("ticketPostMessage", {**say, "body": "Thanks", **nothing}, "ticket { id }")
    history = [
        {"body": "Greener here", "annotates": {"proofId": proof, "proofVersion": 1, "page": 1, "x": 0.25, "y": 1.0}},
        {"body": "Like this?", "annotates": {"proofId": second, "proofVersion": 2, "page": 3, "x": 0.0, "y": 0.5}},
        {"body": "Thanks", "annotates": None},
        {"body": "Thanks", "annotates": None},
    ]
    for reader, token in ((api, ticket.access_token), (staff, None)):
        told = (await reader(HISTORY, {"id": ticket.id, "token": token}))["ticket"]["history"]
        assert [event for event in told if event] == history


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"x": -0.01}, ("ValidationFailed", ["annotates", "x"])),
        ({"x": 1.01}, ("ValidationFailed", ["annotates", "x"])),
        ({"y": 1e300}, ("ValidationFailed", ["annotates", "y"])),
        ({"page": 0}, ("ValidationFailed", ["annotates", "page"])),
        ({"page": 10_001}, ("ValidationFailed", ["annotates", "page"])),
        ({"proofId": "x"}, ("ValidationFailed", ["annotates", "proofId"])),
        ({"proofId": ids.encode("TicketProof", given.new_id())}, ("NotFound", ["annotates", "proofId"])),
    ],
)
async def test_a_point_that_is_on_no_page_of_the_tickets_proofs_is_refused(
    shop: Shop, api: Api, wrong: dict[str, Any], error: Any
) -> None:
    _, proof, say = await shown(api, shop)
    point = {"proofId": proof, "x": 0.5, "y": 0.5, **wrong}
    assert await refused(shop, api, "ticketPostMessage", {**say, "annotates": point}) == [error]


async def test_a_proof_of_another_ticket_is_none_of_this_one(shop: Shop, api: Api) -> None:
    _, foreign, _ = await shown(api, shop)
    own, _, say = await shown(api, shop)
    assert own.id
    point = {"proofId": foreign, "x": 0.5, "y": 0.5}
    assert await refused(shop, api, "ticketPostMessage", {**say, "annotates": point}) == [
        ("NotFound", ["annotates", "proofId"])
    ]
