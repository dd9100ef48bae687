"""The documents of docs/storefront are a storefront: a whole purchase is made with them, over HTTP, all by plan."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import build_schema as schema_of
from graphql import concat_ast, parse, print_ast, separate_operations, validate
from sqlalchemy import select

from db import SingleUseToken
from db.session import Purpose
from domain.processes.shop import Shop
from server.tokens import SignedTokens
from tests import balances, carts, customers, deliveries, given, payments
from tests.access import random
from tests.api import ENGINE, PROVIDER_OF_THIS_PROCESS, ROOT, SECRET, Api
from tests.test_readme import README

FOLDER = ROOT / "docs" / "storefront"
FILES = sorted(FOLDER.glob("*.graphql"))
ALL = concat_ast([parse(path.read_text()) for path in FILES])
DOCUMENTS = {name: print_ast(document) for name, document in separate_operations(ALL).items()}
"""Each operation with the fragments that it needs, as a code generator would send it."""
BY_PLAN = ENGINE.get("COUNTERFOIL_ENGINE") != "graphql-core"
LOCALE = "nl-NL"
NO_ERRORS: dict[str, Any] = {"userErrors": [], "warnings": []}


@dataclass
class Storefront:
    """A shopper's browser. What it was told to keep secret it sends in headers."""

    api: Api
    used: set[str] = field(default_factory=set[str])

    def having(self, **headers: str) -> "Storefront":
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, api=Api(self.api.http, {**self.api.headers, **sent}))

    async def ask(self, name: str, **variables: Any) -> Any:
        """The one root field of a document, which must not need graphql-core."""
        answer = await self.api.answer(DOCUMENTS[name], variables)
        self.used.add(name)
        assert "errors" not in answer, (name, answer["errors"])
        ran_by_plan(answer, f"{name}Payload" if f"mutation {name}" in DOCUMENTS[name] else "Query")
        (value,) = answer["data"].values()
        return value

    async def do(self, name: str, locale: str | None = LOCALE, **input_: Any) -> Any:
        """What a mutation changed; nothing may stand in its way."""
        more = {"locale": locale} if "$locale" in DOCUMENTS[name] else {}
        payload = await self.ask(name, input=input_, **more)
        assert {key: payload.pop(key) for key in NO_ERRORS} == NO_ERRORS, name
        return payload

    async def refused(self, name: str, **input_: Any) -> dict[str, Any]:
        """The one reason for which a mutation did nothing."""
        payload = await self.ask(name, input=input_)
        (error,) = payload.pop("userErrors")
        assert set(map(str, payload.values())) == {"None", "[]"}, payload
        return error

    async def watch(self, **variables: Any) -> AsyncGenerator[dict[str, Any]]:
        """The items of the subscription, each of which must have been made by plan."""
        self.used.add("TicketEvents")
        async with aclosing(self.api.events(DOCUMENTS["TicketEvents"], variables)) as answers:
            async for answer in answers:
                item = answer["data"]["ticketEvents"]
                ran_by_plan(answer, item["__typename"])
                yield item


def ran_by_plan(answer: dict[str, Any], what: str) -> None:
    """All of it, and nothing was left to graphql-core (unless there is nothing else)."""
    ran = answer["extensions"]["execution"]
    assert (ran["handedOver"], ran["planned"]) == ([], [what] if BY_PLAN else []), what


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR", "formatted": f"€\N{NO-BREAK SPACE}{amount.replace('.', ',')}"}


def gross(amount: str, net: str, tax: str) -> dict[str, Any]:
    return {"gross": euros(amount), "net": {"amount": net}, "tax": {"amount": tax}}


async def browse(visitor: Storefront, cup: given.Sold, box: given.Sold) -> None:
    regions = await visitor.ask("Regions")
    assert [(region["code"], region["currency"], region["isDefault"]) for region in regions] == [
        ("eu", "EUR", True),
        ("jp", "JPY", False),
        ("us", "USD", False),
    ]
    there = {"country": "NL", "locale": LOCALE}
    first = await visitor.ask("ProductList", first=1, counted=True, **there)
    (edge,) = first["edges"]
    assert edge["node"]["options"][0]["name"] == "Size"
    assert edge["node"]["variants"]["nodes"][1] == {
        "id": cup.variants[1],
        "title": "12 oz",
        "sku": "PAPER-CUP-2",
        "selectedOptions": [{"name": "Size", "value": "12 oz"}],
        "image": None,
        "price": {"amount": euros("10.00"), "compareAt": None, "taxIncluded": True, "minQuantity": 1},
        "availability": {"status": "IN_STOCK", "quantity": 10},
    }
    assert (first["totalCount"], first["totalCountCapped"], first["pageInfo"]["hasNextPage"]) == (2, False, True)
    second = await visitor.ask("ProductList", first=1, after=first["pageInfo"]["endCursor"], **there)
    assert [one["node"]["id"] for one in second["edges"]] == [box.product]
    assert "totalCount" not in second
    back = await visitor.ask("ProductListBefore", last=5, before=second["edges"][0]["cursor"], **there)
    assert [node["id"] for node in back["nodes"]] == [cup.product]
    page = await visitor.ask("ProductPage", handle="paper-cup", country="JP", locale="ja-JP")
    assert (page["briefSchema"], page["briefDue"]) == (given.BRIEF, "AFTER_ORDER")
    assert page["allVariants"]["totalCount"] == 2
    assert {variant["price"]["amount"]["formatted"] for variant in page["allVariants"]["nodes"]} == {
        "\N{FULLWIDTH YEN SIGN}1,500"
    }
    assert await visitor.ask("ProductPage", handle="nothing") is None
    prices = await visitor.ask("QuantityPrices", variantId=cup.variant, country="US")
    assert prices["thousand"]["amount"] == {"amount": "11.00", "currency": "USD", "formatted": "$11.00"}
    seen = await visitor.ask("RecentlySeen", ids=[box.variant, cup.product, random("Product")], **there)
    assert [node and node["__typename"] for node in seen] == ["Variant", "Product", None]


async def fill_a_cart(visitor: Storefront, cup: given.Sold, box: given.Sold) -> tuple[Storefront, dict[str, Any]]:
    """Who has the cart, and the cart: three cups with a brief."""
    line = {"variantId": cup.variant, "quantity": 1, "brief": {"print_text": "Ada's"}}
    made = await visitor.ask("CartCreate", input={"lines": [line]}, country="NL", locale=LOCALE)
    owner, key = visitor.having(x_cart_token=made["token"]), {"cartId": made["cart"]["id"]}
    with_box = (await owner.do("CartAddLines", **key, lines=[{"variantId": box.variant, "quantity": 2}]))["cart"]
    assert [(one["title"], one["quantity"]) for one in with_box["lines"]] == [("Paper Cup", 1), ("Pizza Box", 2)]
    assert with_box["totals"]["total"] == gross("30.00", "24.79", "5.21")
    cups, boxes = (one["id"] for one in with_box["lines"])
    await owner.do("CartUpdateLines", **key, lines=[{"lineId": cups, "quantity": 3}])
    cart = (await owner.do("CartRemoveLines", **key, lineIds=[boxes]))["cart"]
    assert cart["lines"] == [
        {
            "id": cups,
            "title": "Paper Cup",
            "quantity": 3,
            "brief": {"print_text": "Ada's"},
            "unitPrice": euros("10.00"),
            "total": gross("30.00", "24.79", "5.21"),
            "variant": {
                **with_box["lines"][0]["variant"],
                "product": {"handle": "paper-cup", "briefSchema": given.BRIEF, "briefDue": "AFTER_ORDER"},
            },
        }
    ]
    assert [(one["code"], one["step"]) for one in cart["requirements"]] == [
        ("EMAIL", "CONTACT"),
        ("SHIPPING_ADDRESS", "ADDRESS"),
        ("DELIVERY", "DELIVERY"),
    ]
    return owner, cart


async def change_it(owner: Storefront, cart: dict[str, Any]) -> None:
    """To another brief, to another region and back."""
    key, line = {"cartId": cart["id"]}, cart["lines"][0]["id"]
    named = (await owner.do("CartSetBrief", **key, lineId=line, brief={"print_text": "Bob's"}))["cart"]
    assert named["lines"][0]["brief"] == {"print_text": "Bob's"}
    await owner.do("CartSetBrief", **key, lineId=line, brief={"print_text": "Ada's"}, ifVersion=named["version"])
    assert (await owner.do("CartSetMetadata", **key, metadata={"gift": True}))["cart"]["metadata"] == {"gift": True}
    await owner.do("CartSetMetadata", **key, metadata={})
    for place, before, current in (("US", "10.00", "11.00"), ("NL", "11.00", "10.00")):
        moved = await owner.ask("CartSetContext", input={**key, "to": {"country": place}}, locale=LOCALE)
        (warning,) = moved["warnings"]
        assert (warning["__typename"], warning["lineId"]) == ("PriceChangedSince", line)
        assert (warning["before"]["amount"], warning["current"]["amount"]) == (before, current)


async def be_refused(owner: Storefront, cart: dict[str, Any]) -> None:
    """Whatever is refused leaves the cart as it was, and says what a form needs."""
    key = {"cartId": cart["id"]}
    gone = random("Variant")
    nothing = await owner.refused("CartAddLines", **key, lines=[{"variantId": gone, "quantity": 1}])
    assert {**nothing, "message": ""} == {
        "__typename": "NotForSale",
        "code": "NOT_FOR_SALE",
        "message": "",
        "path": ["lines", "0", "variantId"],
        "variantId": gone,
    }
    total = {"amount": "30.00", "currency": "EUR"}
    early = await owner.refused("CartComplete", **key, expectedTotal=total, idempotencyKey="early")
    assert (early["code"], [one["code"] for one in early["requirements"]]) == (
        "REQUIREMENTS_NOT_MET",
        ["EMAIL", "SHIPPING_ADDRESS", "DELIVERY"],
    )
    after = await owner.ask("Cart", cartId=cart["id"], locale=LOCALE)
    same = {"version": None, "updatedAt": None, "order": None}
    assert {**after, **same} == {**cart, **same}


async def check_out(owner: Storefront, cart: dict[str, Any]) -> tuple[Storefront, dict[str, Any]]:
    """Who has the order, and the order."""
    key = {"cartId": cart["id"]}
    account = await owner.do("CustomerSignIn", email="sam@shop.example", password=given.PASSWORD)
    assert account["customer"]["email"] == "sam@shop.example"
    assert account["cart"]["id"] == cart["id"]
    owner = owner.having(x_cart_token=account["cartToken"])
    sam = owner.having(authorization=f"Bearer {account['accessToken']}")
    await sam.do("CartSetCustomer", **key, email="sam@shop.example")
    await sam.do("CartSetAddresses", **key, shippingAddress=given.ADDRESS)
    (way,) = (await sam.ask("CartDeliveries", **key, locale=LOCALE))["deliveryOptions"]
    assert (way["name"], way["price"]) == ("Standard", gross("5.00", "4.13", "0.87"))
    ready = (await sam.do("CartSetDelivery", **key, optionId=way["optionId"]))["cart"]
    assert ready["delivery"] == {**way, "isChosen": True}
    assert ready["requirements"] == []
    assert ready["billingAddress"]["address1"] == "Keizersgracht 1"
    shown = ready["totals"]["total"]["gross"]
    total = {"amount": shown["amount"], "currency": shown["currency"]}
    completion = {
        **key,
        "expectedTotal": total,
        "idempotencyKey": f"order of {cart['id']}",
        "paymentProvider": "manual",
    }
    dearer = await sam.refused("CartComplete", **{**completion, "expectedTotal": {**total, "amount": "34.99"}})
    assert (dearer["code"], dearer["current"]["amount"]) == ("PRICE_CHANGED", "35.00")
    bought, again = [await sam.do("CartComplete", **completion) for _ in range(2)]
    assert bought == again
    order = bought["order"]
    assert (order["number"], order["status"], order["paymentStatus"]) == ("1001", "PLACED", "AUTHORISED")
    assert order["total"] == gross("35.00", "28.92", "6.08")
    assert (order["delivery"]["code"], order["shipping"]) == ("standard", way["price"])
    assert order["taxes"] == [{"name": "VAT", "rate": "0.210000", "amount": euros("6.08")}]
    after = await owner.ask("Cart", cartId=cart["id"])
    assert (after["status"], after["email"], after["order"]["id"]) == ("COMPLETED", None, order["id"])
    return owner.having(x_access_token=bought["accessToken"]), {**order, "accessToken": bought["accessToken"]}


async def buy_again(visitor: Storefront, order: dict[str, Any]) -> None:
    """The same again, as a guest; signed in, that cart becomes part of the customer's."""
    ordered = {"orderId": order["id"], "accessToken": order["accessToken"]}
    again = await visitor.ask("CartCreateFromOrder", input=ordered, country="NL", locale=LOCALE)
    assert [(line["title"], line["quantity"]) for line in again["cart"]["lines"]] == [("Paper Cup", 3)]
    assert again["warnings"] == []
    sam = await signed_in(visitor)
    merged = await sam.do("CartMerge", cartId=again["cart"]["id"], token=again["token"])
    assert (merged["cart"]["id"], merged["token"] is None) == (again["cart"]["id"], False)


async def follow(shop: Shop, buyer: Storefront, order: dict[str, Any]) -> str:
    """The order's page, its ticket's page, and the ticket live: the snapshot, a message, and after a reconnect.

    The ticket's id.
    """
    (ticket,) = await given.tickets(shop, order)
    placed = await buyer.ask("OrderPage", orderId=order["id"], locale=LOCALE)
    (card,) = placed["tickets"]
    was = {name: value for name, value in order.items() if name != "accessToken"}
    assert placed == {**was, "workStatus": "IN_PROGRESS", "tickets": [card]}
    assert (card["id"], card["state"]["code"], card["quantity"]) == (ticket.id, "brief_received", 3)
    assert (await buyer.ask("OrderByNumber", number="1001"))["id"] == order["id"]
    watching = buyer.watch(ticketId=ticket.id)
    assert await anext(watching) == {"__typename": "TicketSnapshot", "seq": 1, "ticket": card}
    said = await buyer.do("TicketPostMessage", ticketId=ticket.id, body="Please hurry ☕")
    change = await anext(watching)
    await watching.aclose()
    assert said["ticket"] == change["ticket"] == {**card, "lastSeq": 2}
    assert (change["event"]["__typename"], change["event"]["body"]) == ("TicketMessagePosted", "Please hurry ☕")
    page = await buyer.ask("TicketPage", ticketId=ticket.id, afterSeq=1)
    assert page["history"] == [change["event"]]
    resumed = buyer.watch(ticketId=ticket.id, afterSeq=1)
    assert await anext(resumed) == change
    await resumed.aclose()
    return ticket.id


async def come_back(shop: Shop, visitor: Storefront, order: dict[str, Any], ticket: str) -> None:
    """On another device by a link that was mailed, and in a browser that may watch and nothing else."""
    await visitor.do("OrderSendAccessLink", orderNumber=order["number"], email="sam@shop.example")
    links = select(SingleUseToken.id).where(SingleUseToken.purpose == Purpose.ORDER_ACCESS)
    mailed = SignedTokens(SECRET).single_use_token(Purpose.ORDER_ACCESS, await shop.read.one_scalar(links))
    opened = await visitor.do("AccessLinkExchange", token=mailed)
    assert opened["order"]["id"] == order["id"]
    live = await visitor.having(x_access_token=opened["accessToken"]).do("LiveTokenCreate")
    browser = visitor.having(authorization=f"Bearer {live['liveToken']}")
    watching = browser.watch(ticketId=ticket)
    assert (await anext(watching))["ticket"]["id"] == ticket
    await watching.aclose()


async def have_an_account(shop: Shop, visitor: Storefront) -> None:
    """Made and confirmed, with a password that was forgotten, and shown."""
    email = "kim@shop.example"
    await visitor.do("CustomerRegister", email=email, password=given.PASSWORD, firstName="Kim")
    token = await customers.mailed(shop, "confirm_email", email)
    assert (await visitor.do("CustomerConfirm", token=token, password=given.PASSWORD))["customer"] == {"email": email}
    await visitor.do("CustomerRequestPasswordReset", email=email)
    token = await customers.mailed(shop, "reset_password", email)
    await visitor.do("CustomerResetPassword", token=token, password=customers.NEW_PASSWORD)
    assert await visitor.ask("Account") is None
    signed_in = await visitor.do("CustomerSignIn", email=email, password=customers.NEW_PASSWORD)
    me = await visitor.having(authorization=f"Bearer {signed_in['accessToken']}").ask("Account")
    assert (me["firstName"], me["addresses"], me["orders"]["nodes"]) == ("Kim", [], [])


async def signed_in(visitor: Storefront) -> Storefront:
    account = await visitor.do("CustomerSignIn", email="sam@shop.example", password=given.PASSWORD)
    return visitor.having(authorization=f"Bearer {account['accessToken']}")


async def test_a_whole_purchase_is_made_with_the_documents_of_the_guide(shop: Shop, start_server: Any) -> None:
    await given.regions(shop)
    cup = await given.product(shop, options={"Size": ("8 oz", "12 oz")}, brief_schema=given.BRIEF)
    box = await given.product(shop, "pizza-box", stock=5)
    sam = await given.customer(shop)
    await deliveries.option(shop)
    settings = {"COUNTERFOIL_DEBUG": "on", "TEST_PROVIDER_URL": PROVIDER_OF_THIS_PROCESS}
    async with start_server("--no-worker", **settings).api() as api:
        visitor = Storefront(Api(api.http, {"x-debug": "execution"}))
        await browse(visitor, cup, box)
        owner, cart = await fill_a_cart(visitor, cup, box)
        await change_it(owner, cart)
        await be_refused(owner, cart)
        buyer, order = await check_out(owner, cart)
        await come_back(shop, visitor, order, await follow(shop, buyer, order))
        await buy_again(visitor, order)
        await carts.execute(shop, "UPDATE delivery_option SET active = false")
        await have_an_account(shop, visitor)
        await balances.pay_with_both(shop, await signed_in(visitor), sam, box.variant)
        await payments.pay_with_confirmation(visitor, box.variant)
        assert visitor.used == set(DOCUMENTS)


def test_the_documents_are_valid_for_who_has_the_storefronts_part_of_the_schema() -> None:
    """All of them together too, as a code generator sees them: no fragment twice, none unused."""
    contract = schema_of((ROOT / "schema" / "storefront.graphql").read_text())
    assert validate(contract, ALL) == []


def test_the_guide_tells_of_each_document_and_operation() -> None:
    guide = (FOLDER / "README.md").read_text()
    assert [path.name for path in FILES if f"({path.name})" not in guide] == []
    assert [name for name in DOCUMENTS if f"`{name}`" not in guide] == []
    assert "(docs/storefront/README.md)" in README
