"""The operations of docs/tickets.md do what it says."""

import re
from typing import Any

from sqlalchemy import text

from db.workflow import ActorKind
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import ROOT, Api
from tests.test_readme import blocks
from tests.ticketing import make_order_of, problems, proofed, staff_of

PAGE = (ROOT / "docs" / "tickets.md").read_text()
OPERATIONS = {re.findall(r"(?:query|mutation) (\w+)", block)[0]: block for block in blocks("graphql", PAGE)}


async def test_the_operations_of_the_guide_run_in_its_order(shop: Shop, api: Api) -> None:
    one, two = await make_order_of(shop, api, 4, 2, brief_schema=given.BRIEF)
    sam = await given.customer(shop)
    async with shop.tx() as tx:
        await tx.run(text('UPDATE "order" SET customer_id = :sam'), sam=sam)
    as_sam = api.signed_in(await given.access_token(shop, ActorKind.CUSTOMER, sam))
    staff = await staff_of(shop, api, "orders:fulfil", "workflows:write")
    used: set[str] = set()

    async def run(caller: Api, operation: str, **variables: Any) -> Any:
        used.add(operation)
        (shown,) = (await caller(OPERATIONS[operation], variables)).values()
        assert shown.get("userErrors", []) == [], shown
        return shown

    token = {"accessToken": one.access_token}
    seen = await run(api, "MyTicket", id=one.id, **token)
    assert seen["requiredAction"] == {"kind": "SUBMIT_BRIEF", "proofId": None}
    assert (await run(as_sam, "Mine"))["tickets"]["totalCount"] == 2
    done = await run(api, "SubmitBrief", ticketId=one.id, brief={"print_text": "Ada"}, **token)
    assert done["ticket"]["state"] == {"code": "brief_received"}
    board = await run(staff, "Board", filter={"requiresAction": False})
    assert [column["count"] for column in board["columns"][:2]] == [0, 1]
    moved = await run(staff, "Move", input={"ticketId": one.id, "toState": "designing_artwork", "end": "TOP"})
    assert moved["ticket"]["state"] == {"code": "designing_artwork"}
    proof = ids.encode("TicketProof", await proofed(shop, one.key))
    said = await run(api, "DecideProof", proofId=proof, decision="APPROVE", comment="", **token)
    assert said["ticket"]["state"] == {"code": "fulfilling"}
    said = await run(api, "Say", ticketId=one.id, body="Thank you", fileIds=[], **token)
    seq = said["ticket"]["lastSeq"]
    assert (await run(as_sam, "Seen", ticketId=one.id, seq=seq, **token))["ticket"] == {"unreadCount": 0}
    split = await run(staff, "Split", ticketId=one.id, quantity=1)
    assert (split["ticket"]["quantity"], split["newTicket"]["quantity"]) == (3, 1)
    (line,) = await shop.read.records(text("SELECT order_line_id FROM ticket WHERE id = :id"), id=one.key)
    lines = [{"orderLineId": ids.encode("OrderLine", line.order_line_id), "quantity": 4}]
    sent = await run(staff, "Ship", input={"orderId": ids.encode("Order", one.order), "lines": lines})
    assert [part["quantity"] for part in sent["fulfilment"]["lines"]] == [3, 1]
    many = await run(staff, "MoveMany", ticketIds=[two.id], toState="cancelled")
    assert many["tickets"][0]["state"] == {"code": "cancelled"}
    made = await run(staff, "MakeWorkflow")
    assert len(made["workflow"]["transitions"]) == 8
    assert used == OPERATIONS.keys()
    assert await problems(shop.read) == []
