"""The whole way of an order: from a file of products to a ticket that both sides watch move.

`walk` is run by a test against a server of its own, and by `make journey` against a running `make demo`.
"""

import asyncio
import csv
import hashlib
import json
import os
import struct
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.api import ROOT, Api

PEOPLE = json.loads((ROOT / "demo" / "shop.json").read_bytes())
ADDRESS = {"lastName": "Baker", "address1": "Keizersgracht 1", "city": "Amsterdam", "country": "NL"}
SECONDS = 20
HEADER = ["Handle", "Title", "Option1 Name", "Option1 Value", "Variant SKU", "Variant Inventory Tracker"]
HEADER += ["Variant Inventory Qty", "Variant Inventory Policy", "Variant Price", "Price / Japan", "Published"]

BROWSE = """query Browse { product(by: {handle: "journey-mug"}) {
  title variants(first: 5) { nodes { id title price { amount { amount currency formatted } taxIncluded } } } } }"""
DEMO = '{ product(by: {handle: "single-wall-paper-cup"}) { briefSchema variants(first: 1) { nodes { id } } } }'
CART = """cart { id lines { title quantity } requirements { code }
  totals { total { gross { amount currency formatted } } } }"""
ORDER = """query Order($id: ID!, $token: String!) { order(by: { id: $id }, accessToken: $token) {
  number status workStatus tickets { id quantity state { code name } line { title } } } }"""
EVENTS = """subscription Watch($id: ID!, $token: String, $after: Int) {
  ticketEvents(ticketId: $id, accessToken: $token, afterSeq: $after) {
    __typename
    ... on TicketSnapshot { seq ticket { state { code } lastSeq } }
    ... on TicketChange { seq ticket { state { code } } event { __typename
      ... on TicketMoved { fromState toState } ... on TicketMessagePosted { body } } } } }"""


def png(side: int) -> bytes:
    """A white square."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff" * side) * side)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@dataclass
class Journey:
    api: Api
    tell: Callable[[str], None]
    environment: Mapping[str, str]
    folder: Path

    async def walk(self) -> None:
        await self.bring_products_in()
        variant = await self.browse()
        order = await self.buy(variant)
        ticket = await self.see_tickets_appear(order)
        await self.watch(order, ticket)

    async def bring_products_in(self) -> None:
        """Twice: the second time nothing is left to be done."""
        path = self.folder / "journey.csv"
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(HEADER)
            stock = ["shopify", 40, "deny"]
            rows.writerow(["journey-mug", "Journey mug", "Size", "Small", "JM-S", *stock, "9.50", "1500", "true"])
            rows.writerow(["journey-mug", "", "", "Large", "JM-L", *stock, "12.00", "1900", ""])
        await self.import_(path)
        second = await self.import_(path)
        assert "0 created, 0 updated, 1 unchanged" in second, second

    async def import_(self, path: Path) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server", "import", "shopify", str(path), "--currency", "EUR"),
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0, printed
        self.tell(f"imported {path.name}: {printed.decode().strip()}")
        return printed.decode()

    async def browse(self) -> str:
        """The same product in two regions."""
        shown: dict[str, list[Any]] = {}
        for country in ("NL", "JP"):
            product = (await self.api.in_country(country)(BROWSE))["product"]
            shown[country] = [v["price"]["amount"] for v in product["variants"]["nodes"]]
            self.tell(f"in {country}: {product['title']} from {shown[country][0]['formatted']}")
            variant = product["variants"]["nodes"][1]["id"]
        assert [p["amount"] + p["currency"] for p in shown["NL"]] == ["9.50EUR", "12.00EUR"]
        assert [p["amount"] + p["currency"] for p in shown["JP"]] == ["1500JPY", "1900JPY"]
        return variant

    async def buy(self, variant: str) -> dict[str, str]:
        api = self.api.in_country("NL")
        printed_cup = (await api(DEMO))["product"]["variants"]["nodes"][0]["id"]
        made = await api.done("cartCreate", {"lines": [{"variantId": variant, "quantity": 2}]}, f"token {CART}")
        key = {"cartId": made["cart"]["id"], "token": made["token"]}
        await api.done("cartAddLines", {**key, "lines": [{"variantId": printed_cup, "quantity": 1}]}, CART)
        await api.done("cartSetCustomer", {**key, "email": PEOPLE["customer"]["email"]}, CART)
        offered = "cart { deliveryOptions { optionId name price { gross { amount } } } }"
        ways = (await api.done("cartSetAddresses", {**key, "shippingAddress": ADDRESS}, offered))["cart"]
        way = min(ways["deliveryOptions"], key=lambda way: float(way["price"]["gross"]["amount"]))
        cart = (await api.done("cartSetDelivery", {**key, "optionId": way["optionId"]}, CART))["cart"]
        assert cart["requirements"] == []
        total = cart["totals"]["total"]["gross"]
        lines = ", ".join(f"{line['quantity']} × {line['title']}" for line in cart["lines"])
        self.tell(f"cart: {lines} for {total['formatted']}")
        completion = {
            **key,
            "expectedTotal": {"amount": total["amount"], "currency": total["currency"]},
            "idempotencyKey": f"journey {key['cartId']}",
        }
        what = "accessToken order { id number status }"
        first, again = [await api.done("cartComplete", completion, what) for _ in range(2)]
        assert first == again
        self.tell(f"order {first['order']['number']} is {first['order']['status'].lower()}")
        return {"id": first["order"]["id"], "token": first["accessToken"]}

    async def see_tickets_appear(self, order: dict[str, str]) -> dict[str, Any]:
        """A worker opens them a moment after the order was placed."""
        async with asyncio.timeout(SECONDS):
            while not (seen := (await self.api(ORDER, order))["order"])["tickets"] or seen["workStatus"] == "NONE":
                await asyncio.sleep(0.02)
        for ticket in seen["tickets"]:
            self.tell(f"ticket for {ticket['quantity']} × {ticket['line']['title']}: {ticket['state']['name']}")
        assert [t["state"]["code"] for t in seen["tickets"]] == ["brief_received", "awaiting_brief"]
        assert seen["workStatus"] == "WAITING_CUSTOMER"
        return seen["tickets"][0]

    async def watch(self, order: dict[str, str], ticket: dict[str, Any]) -> None:
        """The customer watches, staff move; then the customer is away and comes back."""
        staff = await self.sign_in_as_staff()
        variables = {"id": ticket["id"], "token": order["token"]}
        stream = self.stream(variables)
        snapshot = await anext(stream)
        assert snapshot["__typename"] == "TicketSnapshot"
        await self.move(staff, ticket["id"], "designing_artwork")
        moved = await anext(stream)
        self.tell(f"the customer sees: {moved['event']['fromState']} → {moved['event']['toState']}")
        assert (moved["seq"], moved["ticket"]["state"]["code"]) == (snapshot["seq"] + 1, "designing_artwork")
        await stream.aclose()

        ready = {"ticketId": ticket["id"], "body": "Your artwork is ready."}
        await staff.done("ticketPostMessage", ready, "ticket { id }")
        proof = await self.show_proof(staff, ticket["id"])
        note = {"ticketId": ticket["id"], "body": "They always answer late.", "visibility": "INTERNAL"}
        await staff.done("ticketPostMessage", note, "ticket { id }")
        say = {"proofId": proof, "decision": "APPROVE", "accessToken": order["token"]}
        approved = await self.api.done("ticketDecideProof", say, "ticket { state { code name } }")
        self.tell(f"the customer approves the proof: {approved['ticket']['state']['name']}")
        stream = self.stream({**variables, "after": moved["seq"]})
        missed = [await anext(stream) for _ in range(5)]
        await stream.aclose()
        self.tell(f"back after a while, the customer is told {len(missed)} things that were missed")
        assert [(m["seq"] - moved["seq"], m["event"]["__typename"]) for m in missed] == [
            (1, "TicketMessagePosted"),
            (2, "TicketProofUploaded"),
            (3, "TicketMoved"),
            (5, "TicketProofDecided"),
            (6, "TicketMoved"),
        ]

    async def show_proof(self, staff: Api, ticket: str) -> str:
        """Uploads a picture of how it will look; the ticket then waits for the customer."""
        picture = png(64)
        about = {"size": str(len(picture)), "sha256": hashlib.sha256(picture).hexdigest()}
        announced = {"purpose": "PROOF", "subjectId": ticket, "fileName": "proof.png", **about}
        prepared = await staff.done("uploadPrepare", announced, "file { id } upload { url headers { name value } }")
        upload = prepared["upload"]
        headers = {header["name"]: header["value"] for header in upload["headers"]}
        sent = await self.api.http.put(upload["url"], content=picture, headers=headers)
        assert sent.is_success, sent.text
        await staff.done("uploadComplete", {"fileId": prepared["file"]["id"]}, "file { state }")
        shown = {"ticketId": ticket, "fileId": prepared["file"]["id"], "note": "Like this?"}
        made = await staff.done("ticketUploadProof", shown, "proof { id version } ticket { state { code name } }")
        assert made["ticket"]["state"]["code"] == "proof_sent"
        self.tell(f"staff show a proof: {made['ticket']['state']['name']}")
        return made["proof"]["id"]

    async def sign_in_as_staff(self) -> Api:
        person = PEOPLE["staff"]
        given = {"email": person["email"], "password": person["password"]}
        payload = await self.api.done("staffSignIn", given, "accessToken staff { name }")
        self.tell(f"{payload['staff']['name']} of the staff signs in")
        return self.api.signed_in(payload["accessToken"])

    async def move(self, staff: Api, ticket: str, state: str) -> None:
        found = await staff("query Ticket($id: ID!) { ticket(id: $id) { version } }", {"id": ticket})
        version = found["ticket"]["version"]
        given = {"ticketId": ticket, "toState": state, "ifVersion": version}
        moved = await staff.done("ticketMove", given, "ticket { state { name } version }")
        assert moved["ticket"]["version"] == version + 1
        self.tell(f"staff move the ticket: {moved['ticket']['state']['name']}")

    async def stream(self, variables: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        async for item in self.api.events(EVENTS, variables):
            assert "errors" not in item, item
            yield item["data"]["ticketEvents"]
