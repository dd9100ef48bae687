"""What callers learn when something goes wrong: enough to act on, and nothing about our insides."""

import asyncio
import logging
import re
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.workflow import ActorKind
from domain.processes.shop import Shop
from tests import carts, given
from tests.access import token
from tests.api import Api

INSIDES = re.compile(
    r"traceback|asyncpg|sqlalchemy|strawberry|graphql-core|postgres|relation|select |insert |/work|\.py|0x[0-9a-f]{6}",
    re.IGNORECASE,
)
PRODUCTS = "{ products { nodes { title } } }"
BLOCKED = "pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
TERMINATED = text(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {BLOCKED}")


def only_error(answer: httpx.Response) -> dict[str, Any]:
    """The one error of an answer; it carries the id of the request, and nothing in the answer leaks."""
    assert not INSIDES.search(answer.text), answer.text
    (error,) = answer.json()["errors"]
    assert set(error) <= {"message", "locations", "path", "extensions"}
    assert error["extensions"]["requestId"] == answer.headers["x-request-id"]
    return error


SYNTAX_ERRORS = {
    "{": (1, 2),
    "query {\n  products {\n": (3, 1),
    '{ product(by: { handle: "x) { id } }': (1, 37),
    "# nothing\n": (2, 1),
    "{ products } }": (1, 14),
}
INVALID = (
    "{ regions }",
    "{ produkts { nodes { id } } }",
    "{ products { nodes { titel } } }",
    "{ products(frist: 3) { nodes { id } } }",
    "{ products(first: three) { nodes { id } } }",
    "query ($n: Intt) { products(first: $n) { nodes { id } } }",
    "query @inContekt(country: DE) { products { nodes { id } } }",
    "query @inContext(countri: DE) { products { nodes { id } } }",
    "query @inContext(country: DEE) { products { nodes { id } } }",
    "mutation { cartCreate(input: { emial: null }) { token } }",
    'mutation { ticketPostMessage(input: { ticketId: 1, body: "x", visibility: PUBLICK }) { ticket { id } } }',
    "{ products { nodes { ...on Produkt { id } } } }",
    "{ products { nodes { ... on Variant { id } } } }",
)


async def test_a_syntax_error_tells_where_it_is(api: Api) -> None:
    for document, (line, column) in SYNTAX_ERRORS.items():
        answer = await api.raw(document)
        error = only_error(answer)
        assert error["message"].startswith("Syntax Error: ")
        assert error["locations"] == [{"line": line, "column": column}], document
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert answer.json()["data"] is None


async def test_an_error_of_validation_tells_what_is_wrong_and_suggests_nothing(api: Api) -> None:
    """Where introspection is closed, suggestions would tell the schema piece by piece."""
    for document in INVALID:
        error = only_error(await api.raw(document))
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "did you mean" not in error["message"].lower()
        assert error["locations"], document


async def test_a_variable_that_cannot_be_right_suggests_nothing_either(api: Api) -> None:
    document = "query ($c: CountryCode) @inContext(country: $c) { __typename }"
    error = only_error(await api.raw(document, {"c": "DEE"}))
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["message"] == "Variable '$c' has invalid value: Value 'DEE' does not exist in 'CountryCode' enum."


async def test_null_where_a_default_stands_in_for_nothing_is_the_callers_mistake(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await given.product(shop)
    price = "products { nodes { variants { nodes { price(quantity: $n) { minQuantity } } } } }"
    error = only_error(await api.raw(f"query ($n: Int) {{ {price} }}", {"n": None}))
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["path"] == ["products", "nodes", 0, "variants", "nodes", 0, "price"]
    assert "errors" not in await api.answer(f"query ($n: Int) {{ {price} }}")


async def test_a_crash_is_masked_and_found_in_the_log_by_the_id_of_its_request(
    shop: Shop, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    await carts.execute(shop, "ALTER TABLE product RENAME TO a_secret_name")
    with caplog.at_level(logging.ERROR, "server.errors"):
        answer = await api.raw(PRODUCTS)
    assert answer.status_code == 200
    error = only_error(answer)
    assert error["message"] == "Something went wrong on our side."
    assert error["extensions"] == {"code": "INTERNAL", "requestId": answer.headers["x-request-id"]}
    assert error["path"] == ["products"]
    (record,) = caplog.records
    assert answer.headers["x-request-id"] in record.getMessage()
    assert record.exc_info
    assert "does not exist" in str(record.exc_info[1])


async def test_a_crash_before_the_operation_begins_is_masked_as_well(shop: Shop, api: Api) -> None:
    toni = await given.staff(shop, "tickets:read")
    staff = api.signed_in(await token(shop, ActorKind.STAFF, toni))
    await carts.execute(shop, "ALTER TABLE staff RENAME TO a_secret_name")
    answer = await staff.raw(PRODUCTS)
    assert answer.status_code == 500
    assert only_error(answer)["extensions"]["code"] == "INTERNAL"
    assert "data" not in answer.json()


async def test_a_value_of_ours_that_the_schema_does_not_know_is_our_fault(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await given.cart(api)
    await carts.execute(shop, "ALTER TABLE cart DROP CONSTRAINT ck_cart_status")
    await carts.execute(shop, "UPDATE cart SET status = 'a secret state'")
    query = "query ($id: ID!, $token: String) { cart(id: $id, token: $token) { id status } }"
    answer = await api.raw(query, carts.of(cart))
    error = only_error(answer)
    assert error["message"] == "Something went wrong on our side."
    assert error["extensions"]["code"] == "INTERNAL"
    assert "secret" not in answer.text


async def test_a_crash_in_one_field_leaves_the_others_their_answers(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await given.product(shop)
    await carts.execute(shop, "ALTER TABLE price RENAME TO elsewhere")
    answer = await api.raw("{ products { nodes { title variants { nodes { price { minQuantity } } } } } }")
    assert only_error(answer)["path"] == ["products", "nodes", 0, "variants", "nodes", 0, "price"]
    (product,) = answer.json()["data"]["products"]["nodes"]
    assert product == {"title": "Paper Cup", "variants": {"nodes": [{"price": None}]}}


async def test_a_crash_in_a_write_leaves_nothing_written(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    before = await carts.stored(shop)
    await carts.execute(shop, "ALTER TABLE cart_line ADD CONSTRAINT broken CHECK (quantity <> 3)")
    lines = {"lines": [{"variantId": cup.variant, "quantity": quantity} for quantity in (1, 2)]}
    document = "mutation ($input: CartCreateInput!) { cartCreate(input: $input) { token } }"
    answer = await api.raw(document, {"input": lines})
    assert only_error(answer)["extensions"]["code"] == "INTERNAL"
    assert answer.json()["data"] is None
    assert await carts.stored(shop) == before


async def cut_off(shop: Shop, table: str, api: Api, document: str) -> httpx.Response:
    """The answer to a request whose connections to the database break while they wait for a table."""
    async with shop.tx() as tx:
        await tx.run(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        asking = asyncio.create_task(api.raw(document))
        async with asyncio.timeout(60):
            while not asking.done():  # it may ask several times before it gives up
                await shop.read.value(TERMINATED)
                await asyncio.sleep(0.01)
        return asking.result()


async def test_a_database_that_goes_away_is_a_reason_to_try_again(shop: Shop, api: Api) -> None:
    toni = await given.staff(shop, "tickets:read")
    answer = await cut_off(shop, "product", api, PRODUCTS)
    assert answer.status_code == 200
    assert only_error(answer)["extensions"]["code"] == "UNAVAILABLE"
    answer = await cut_off(shop, "staff", api.signed_in(await token(shop, ActorKind.STAFF, toni)), PRODUCTS)
    assert answer.status_code == 503
    assert only_error(answer)["extensions"]["code"] == "UNAVAILABLE"
    assert await api(PRODUCTS) == {"products": {"nodes": []}}


async def test_every_answer_has_an_id_and_a_reasonable_one_is_kept(api: Api) -> None:
    async def told(given_: str | None, path: str = "/health") -> str:
        headers = {} if given_ is None else {"x-request-id": given_.encode("latin-1")}
        return (await api.http.get(path, headers=headers)).headers["x-request-id"]

    for kept in ("a", "A.b_c-1", "x" * 64):
        assert await told(kept) == kept
    for replaced in (None, "", "x" * 65, "a b", "<script>", "a;b", "ÿ"):
        made = await told(replaced)
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", made), replaced
    for path in ("/", "/ready", "/graphql", "/nowhere"):
        assert await told("mine", path) == "mine"
    assert await told(None) != await told(None)


async def test_the_errors_of_several_fields_come_together_each_with_its_path(api: Api) -> None:
    answer = await api.raw('{ a: order(by: { id: "x" }) { id } b: cart(id: "y") { id } c: tickets { totalCount } }')
    errors = answer.json()["errors"]
    assert {(e["path"][0], e["extensions"]["code"]) for e in errors} == {
        ("a", "BAD_USER_INPUT"),
        ("b", "BAD_USER_INPUT"),
        ("c", "UNAUTHENTICATED"),
    }
    assert {e["extensions"]["requestId"] for e in errors} == {answer.headers["x-request-id"]}
