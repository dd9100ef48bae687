"""What is known of a customer: shown to them in full, and forgotten for good."""

import asyncio
from dataclasses import dataclass
from typing import Any

from db.workflow import ActorKind
from domain.actor import Actor
from domain.cart import CartPaying
from domain.processes.erase_customer import erase_customer
from domain.processes.shop import Shop
from resolvers import ids
from tests import customers, given, notices
from tests.access import random
from tests.api import Api
from tests.customers import KIM, PROOF, SAM, errors
from tests.invariants import violations

PERSONAL = {"firstName": "Samwise", "lastName": "Bakerloo", "phone": "+31 20 5550199"}
HOME = {**PERSONAL, "address1": "Herengracht 77", "postalCode": "1017 XX", "city": "Haarlem", "country": "NL"}
SECRETS = ("sam@shop", "samwise", "bakerloo", "5550199", "herengracht", "1017 xx", "haarlem", "happy birthday")
BRIEF = {"print_text": "Happy birthday Samwise"}
MESSAGE = "Please print Samwise in blue, it is my happy birthday"
COMPLETE = """mutation ($input: CartCompleteInput!) { cartComplete(input: $input) {
    order { id } userErrors { code } } }"""
ORDER = "accessToken order { id number lines { id } tickets { id } }"


@dataclass(frozen=True)
class Known:
    """A customer of whom the shop knows a lot, as staff see it."""

    id: str
    sam: Api
    order: str
    ticket: str
    access_token: str
    guest_order: str


async def bought(shop: Shop, caller: Api, variant: str, email: str) -> dict[str, Any]:
    line = {"variantId": variant, "quantity": 2, "brief": BRIEF}
    made = await caller.done("cartCreate", {"lines": [line], "email": email}, f"token cart {{ id {given.TOTAL} }}")
    key = {"cartId": made["cart"]["id"], "token": made["token"]}
    await caller.done("cartSetAddresses", {**key, "shippingAddress": HOME, "billingAddress": HOME}, "cart { id }")
    total = made["cart"]["totals"]["total"]["gross"]
    completion = {**key, "expectedTotal": total, "idempotencyKey": made["cart"]["id"]}
    payload = await caller.done("cartComplete", completion, ORDER)
    return {**payload["order"], "accessToken": payload["accessToken"]}


async def known(shop: Shop, api: Api) -> Known:
    await given.regions(shop)
    banner = (await given.product(shop, "banner", brief_schema=given.BRIEF)).variant
    guest = await bought(shop, api, banner, SAM)
    await customers.register(api, firstName="Samwise", lastName="Bakerloo")
    await api.done("customerConfirm", {"token": await customers.mailed(shop, "confirm_email"), **PROOF}, "__typename")
    sam = await given.signed_in(api, SAM)
    await sam.done("customerUpdate", {"phone": PERSONAL["phone"]}, "__typename")
    await sam.done("customerAddressCreate", {"address": HOME, "defaultShipping": True}, "__typename")
    order = await bought(shop, sam, banner, SAM)
    later = await bought(shop, api, banner, SAM)
    for placed in (order, later):
        (ticket,) = await given.tickets(shop, placed)
        message = {"ticketId": ticket.id, "body": MESSAGE, "accessToken": placed["accessToken"]}
        await api.done("ticketPostMessage", message, "__typename")
    await sam.done(
        "cartCreate", {"email": SAM, "lines": [{"variantId": banner, "quantity": 1, "brief": BRIEF}]}, "token"
    )
    await api.done("cartCreate", {"email": SAM}, "token")
    change = {"password": given.PASSWORD, "newEmail": "samwise@new.example"}
    await sam.done("customerRequestEmailChange", change, "__typename")
    await api.done("customerRequestPasswordReset", {"email": SAM}, "__typename")
    me = (await sam("{ me { id } }"))["me"]["id"]
    (ticket,) = await given.tickets(shop, order)
    return Known(me, sam, order["id"], ticket.id, order["accessToken"], guest["id"])


async def found_anywhere(shop: Shop) -> set[str]:
    """Where in the whole database something of the customer can be read, as `schema.table.column`."""
    columns = await customers.rows(
        shop,
        """SELECT table_schema, table_name, column_name FROM information_schema.columns
        JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema IN ('public', 'dbos') AND table_type = 'BASE TABLE'""",
    )
    found: set[str] = set()
    async with shop.database.pool.acquire() as connection:
        for column in columns:
            schema, table, name = column.values()
            for row in await connection.fetch(f'SELECT "{name}"::text AS said FROM "{schema}"."{table}"'):
                if any(secret in customers.readable(row["said"]) for secret in SECRETS):
                    found.add(f"{schema}.{table}.{name}")
    return found


async def kept(shop: Shop) -> list[dict[str, Any]]:
    """What the law wants of orders."""
    return await customers.rows(
        shop,
        """SELECT number, status, total, tax, subtotal, taxes, placed_at, shipping_address -> 'country' AS country,
            (SELECT jsonb_agg(jsonb_build_object('t', title, 'q', quantity, 'g', gross)) FROM order_line
             WHERE order_id = "order".id) AS lines
        FROM "order" ORDER BY number""",
    )


async def test_a_customer_is_shown_all_that_is_stored_about_them(shop: Shop, api: Api) -> None:
    sams = await known(shop, api)
    data = (await sams.sam.done("customerExport", {"password": given.PASSWORD}, "data"))["data"]
    profile = {name: data["profile"][name] for name in ("email", "first_name", "last_name", "phone", "requested_email")}
    assert profile == {
        "email": SAM,
        "first_name": "Samwise",
        "last_name": "Bakerloo",
        "phone": "+31 20 5550199",
        "requested_email": "samwise@new.example",
    }
    assert [(a["address1"], a["default_shipping"]) for a in data["addresses"]] == [("Herengracht 77", True)]
    assert [order["number"] for order in data["orders"]] == [1001, 1002]
    assert data["orders"][1]["lines"][0]["brief"] == BRIEF
    assert (data["orders"][1]["total"], data["orders"][1]["currency"]) == (2000, "EUR")
    (ticket,) = data["orders"][1]["tickets"]
    assert [(said["from"], said["text"]) for said in ticket["messages"]] == [("customer", MESSAGE)]
    assert sorted(cart["status"] for cart in data["carts"]) == ["completed", "open"]
    assert len(data["sessions"]) == 1
    assert "hash" not in str(data)


async def test_internal_notes_are_not_exported(shop: Shop, api: Api) -> None:
    sams = await known(shop, api)
    toni = await customers.staff(shop, api, "tickets:write")
    note = {"ticketId": sams.ticket, "body": "difficult", "visibility": "INTERNAL"}
    await toni.done("ticketPostMessage", note, "__typename")
    await toni.done("ticketPostMessage", {"ticketId": sams.ticket, "body": "of course"}, "__typename")
    data = (await sams.sam.done("customerExport", {"password": given.PASSWORD}, "data"))["data"]
    assert [said["text"] for said in data["orders"][1]["tickets"][0]["messages"]] == [MESSAGE, "of course"]


async def test_the_password_is_asked_for_again(shop: Shop, api: Api) -> None:
    _, sam = await customers.signed_in(shop, api)
    for mutation, select in (("customerExport", "data"), ("customerErase", "__typename")):
        payload = await sam.do(mutation, {"password": "not " + given.PASSWORD}, select)
        assert errors(payload) == [("InvalidCredentials", ["password"])]
        assert payload.get("data") is None
    assert await sam("{ me { email } }") == {"me": {"email": SAM}}


async def test_an_erased_customer_is_found_nowhere_in_the_database(shop: Shop, api: Api) -> None:
    sams = await known(shop, api)
    before, everywhere = await kept(shop), await found_anywhere(shop)
    assert {
        "public.customer.email",
        "public.customer_address.address",
        "public.cart.email",
        "public.cart_line.brief",
        "public.order.shipping_address",
        "public.order.email",
        "public.order_line.brief",
        "public.ticket.brief",
        "public.ticket_event.data",
        "public.email_change.new_email",
    } <= everywhere
    await sams.sam.done("customerErase", {"password": given.PASSWORD}, "__typename")
    assert await found_anywhere(shop) == set()
    assert await kept(shop) == before
    assert [order["country"] for order in before] == ["NL"] * 3
    for table in ("session", "customer_address", "email_change"):
        assert await customers.rows(shop, f"SELECT * FROM {table}") == []
    assert [row["status"] for row in await customers.rows(shop, "SELECT status FROM cart")] == ["completed"] * 3


async def test_an_erased_customer_is_signed_out_and_their_links_open_nothing(shop: Shop, api: Api) -> None:
    sams = await known(shop, api)
    opening = next(customers.token_of(m) for m in await notices.told(shop) if m.template == "order_placed")
    links = [customers.token_of(mail) for mail in await customers.mails(shop) if "token=" in mail.facts["link"]]
    await sams.sam.done("customerErase", {"password": given.PASSWORD}, "__typename")
    assert (await sams.sam.answer("{ me { id } }"))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    payload = await api.do("customerSignIn", {"email": SAM, "password": given.PASSWORD}, "accessToken")
    assert errors(payload) == [("InvalidCredentials", ["password"])]
    guest = Api(api.http, {"x-access-token": sams.access_token})
    assert await guest(f'{{ order(by: {{ id: "{sams.order}" }}) {{ id }} }}') == {"order": None}
    assert await customers.mails(shop) == []
    opened = await api.do("accessLinkExchange", {"token": opening}, "accessToken")
    assert (opened["accessToken"], errors(opened)) == (None, [("TokenInvalid", ["token"])])
    for token in links:
        for mutation, more in (
            ("customerResetPassword", {"password": customers.NEW_PASSWORD}),
            ("customerConfirmEmailChange", {}),
        ):
            assert errors(await api.do(mutation, {"token": token, **more}, "__typename")) == [
                ("TokenInvalid", ["token"])
            ]


async def test_the_address_of_an_erased_customer_may_register_as_somebody_new(shop: Shop, api: Api) -> None:
    sams = await known(shop, api)
    await sams.sam.done("customerErase", {"password": given.PASSWORD}, "__typename")
    await customers.register(api)
    await api.done("customerConfirm", {"token": await customers.mailed(shop, "confirm_email"), **PROOF}, "__typename")
    me = (await (await given.signed_in(api, SAM))("{ me { id firstName orders { totalCount } addresses { id } } }"))[
        "me"
    ]
    assert me["id"] != sams.id
    assert (me["firstName"], me["orders"]["totalCount"], me["addresses"]) == ("", 0, [])


async def of_others(shop: Shop, customer: str) -> list[list[dict[str, Any]]]:
    """Every row that is not the customer's, and can be told so."""
    key = ids.decode("Customer", customer)
    theirs = """SELECT id FROM "order" WHERE customer_id = :key OR email LIKE 'sam%' OR email LIKE 'erased-%'"""
    carts = """SELECT id FROM cart
        WHERE email IN ('kim@shop.example', 'guest@shop.example') AND CAST(:key AS uuid) IS NOT NULL"""
    statements = (
        f'SELECT * FROM "order" WHERE id NOT IN ({theirs}) ORDER BY id',
        f"SELECT * FROM order_line WHERE order_id NOT IN ({theirs}) ORDER BY id",
        f"SELECT * FROM ticket WHERE order_id NOT IN ({theirs}) ORDER BY id",
        f"""SELECT ticket_event.* FROM ticket_event JOIN ticket ON ticket.id = ticket_id
            WHERE order_id NOT IN ({theirs}) ORDER BY ticket_id, seq""",
        f"SELECT * FROM cart WHERE id IN ({carts}) ORDER BY id",
        f"SELECT * FROM cart_line WHERE cart_id IN ({carts}) ORDER BY id",
        "SELECT * FROM customer WHERE id <> :key",
        "SELECT * FROM customer_address WHERE customer_id <> :key",
        "SELECT * FROM session WHERE customer_id <> :key",
        f"SELECT * FROM single_use_token WHERE subject_id <> :key AND subject_id NOT IN ({theirs})"
        " AND purpose NOT LIKE '%email' ORDER BY id",
    )
    return [await customers.rows(shop, statement, key=key) for statement in statements]


async def test_erasing_one_customer_leaves_the_others_alone(shop: Shop, api: Api) -> None:
    sams = await known(shop, api)
    banner = (await given.product(shop, "poster", brief_schema=given.BRIEF)).variant
    _, kim = await customers.signed_in(shop, api, KIM)
    await kim.done("customerAddressCreate", {"address": HOME}, "__typename")
    await kim.done(
        "cartCreate", {"email": KIM, "lines": [{"variantId": banner, "quantity": 1, "brief": BRIEF}]}, "token"
    )
    for caller, email in ((kim, KIM), (api, "guest@shop.example")):
        placed = await bought(shop, caller, banner, email)
        (ticket,) = await given.tickets(shop, placed)
        message = {"ticketId": ticket.id, "body": MESSAGE, "accessToken": placed["accessToken"]}
        await api.done("ticketPostMessage", message, "__typename")
    await api.done("customerRequestPasswordReset", {"email": KIM}, "__typename")
    before = await of_others(shop, sams.id)
    assert [len(found) for found in before] == [2, 2, 2, 4, 3, 3, 1, 1, 1, 1]
    await sams.sam.done("customerErase", {"password": given.PASSWORD}, "__typename")
    assert await of_others(shop, sams.id) == before


async def test_who_never_proved_an_address_does_not_erase_what_was_bought_with_it(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    banner = (await given.product(shop, "banner", brief_schema=given.BRIEF)).variant
    await bought(shop, api, banner, SAM)
    before = await customers.rows(shop, 'SELECT * FROM "order"')
    await customers.register(api)
    sam = await given.signed_in(api, SAM)
    await sam.done("customerErase", {"password": given.PASSWORD}, "__typename")
    assert await customers.rows(shop, 'SELECT * FROM "order"') == before


async def test_nobody_is_erased_while_a_payment_is_under_way(shop: Shop, api: Api) -> None:
    sams = await known(shop, api)
    await customers.execute(shop, "UPDATE cart SET status = 'paying' WHERE status = 'open' AND customer_id IS NOT NULL")
    before = await found_anywhere(shop)
    payload = await sams.sam.do("customerErase", {"password": given.PASSWORD}, "__typename")
    assert errors(payload) == [("CartPaying", [])]
    assert await found_anywhere(shop) == before


async def test_staff_with_the_permission_export_and_erase_and_that_is_written_down(shop: Shop, api: Api) -> None:
    sams = await known(shop, api)
    toni = await customers.staff(shop, api, "customers:export", "customers:erase")
    who = {"customerId": sams.id}
    data = (await toni.done("customerExportByStaff", who, "data"))["data"]
    assert data["profile"]["email"] == SAM
    await toni.done("customerEraseByStaff", who, "__typename")
    assert await found_anywhere(shop) == set()
    audited = await customers.rows(
        shop, "SELECT action, subject, difference FROM audit_entry WHERE subject LIKE 'customer%' ORDER BY id"
    )
    subject = f"customer:{ids.decode('Customer', sams.id)}"
    assert audited == [
        {"action": "customerExportByStaff", "subject": subject, "difference": {}},
        {"action": "customerEraseByStaff", "subject": subject, "difference": {}},
    ]
    for mutation in ("customerExportByStaff", "customerEraseByStaff"):
        gone = await toni.do(mutation, who, "__typename")
        assert gone == await toni.do(mutation, {"customerId": random("Customer")}, "__typename")
        assert errors(gone) == [("NotFound", ["customerId"])]
    assert await (await customers.staff(shop, api, "customers:read"))("{ customers { totalCount } }") == {
        "customers": {"totalCount": 0}
    }


async def test_an_erasure_and_a_purchase_at_once_leave_nothing_behind(shop: Shop, api: Api) -> None:
    """Whichever comes first: the order is stripped, or refused with the cart that is gone, or nothing is erased."""
    sams = await known(shop, api)
    banner = (await given.product(shop, "poster", brief_schema=given.BRIEF)).variant
    carts = [
        await given.cart(sams.sam, {"variantId": banner, "quantity": 1, "brief": BRIEF}, email=SAM) for _ in range(4)
    ]
    buying = [sams.sam.answer(COMPLETE, {"input": cart.completion(cart.id)}) for cart in carts]
    key = ids.decode("Customer", sams.id)
    erasing = erase_customer(shop, key, Actor(ActorKind.CUSTOMER, key))
    erased, *_ = await asyncio.gather(erasing, *buying, return_exceptions=True)
    if erased is not None:
        assert isinstance(erased, CartPaying), erased
        await sams.sam.done("customerErase", {"password": given.PASSWORD}, "__typename")
    assert await found_anywhere(shop) == set()
    assert await violations(shop.read) == []
