"""What decides about access and is in no resolver: the application around it, the schema's inputs, what is mailed."""

from typing import Any

import httpx
import pytest
from graphql import GraphQLInputObjectType, get_named_type
from sqlalchemy import text
from starlette.middleware.cors import CORSMiddleware

from domain.permission import PERMISSIONS
from domain.processes.shop import Shop
from server.answers import AnswersFirst
from server.app import RequestId, create_app
from server.settings import read_settings
from tests import given
from tests.access import world
from tests.api import Api
from tests.matrix import SCHEMA, needed, root_fields
from tests.matrix_world import MatrixWorld
from tests.snapshot import TABLES

ODD_HOSTS = ("a/?x=", "127.0.0.1", "shop.test:80@evil.example", "evil.example", "shop.test/admin", "[::1]", "x" * 5_000)
ODD_PATHS = (
    "//graphql",
    "/graphql/..%2fgraphql",
    "/%67raphql",
    "/GRAPHQL",
    "/graphql;admin",
    "/graphql%00",
    "/graphql/../graphql",
)
TOLD = {
    "x-forwarded-host": "localhost",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "https",
    "x-original-url": "/health",
    "x-rewrite-url": "/health",
    "x-http-method-override": "GET",
    "x-real-ip": "127.0.0.1",
    "forwarded": "for=127.0.0.1;host=localhost",
}
TICKETS = {"query": "{ tickets { totalCount } }"}
MONEY_THAT_IS_COMPARED = {"expectedAmount", "expectedAmountDue", "expectedTotal"}
"""Inputs of money that the server only compares with what it computed."""
CHOOSES_A_REGION = "CartPlaceInput.currency"
"""It names one of the shop's regions, and with it the prices that the shop has there."""
CIRCLES = {
    "a fragment in itself": "{ ...A } fragment A on Query { ...A }",
    "two fragments in each other": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "two of one name": "{ ...A } fragment A on Query { __typename } fragment A on Query { __typename }",
    "one that is not there": "{ ...A }",
    "a very deep list": "{ node(id: " + "[" * 10_000 + "]" * 10_000 + ") { id } }",
    "a very deep selection": "{ " + "regions { " * 5_000 + "id" + " }" * 5_001,
}


def test_the_application_has_the_middleware_that_was_reviewed() -> None:
    """From the outside in. What is missing here refuses nothing any more, and no other test may notice."""
    app = create_app(read_settings({"DATABASE_URL": "postgresql://nobody@/nothing"}))
    assert [middleware.cls for middleware in app.user_middleware] == [RequestId, CORSMiddleware, AnswersFirst]
    cors = next(m for m in app.user_middleware if m.cls is CORSMiddleware)
    assert "*" not in cors.kwargs["allow_origins"]
    assert "allow_origin_regex" not in cors.kwargs
    routes = [(type(route).__name__, route.path) for route in app.routes]  # pyright: ignore
    assert routes == [
        *(("Route", path) for path in ("/", "/health", "/ready", "/webhooks/payments/{provider}", "/graphql")),
        ("WebSocketRoute", "/graphql"),
        *(("Route", path) for path in ("/uploads/{token}", "/files/{token}")),
        *(("Route", f"/media/{{file_id}}/{{hash}}{width}") for width in ("", "/{width:int}")),
        ("Route", "/notifications/{token}"),
        *(("Route", f"/dev/mail{rest}") for rest in ("", "/{name:uuid}", "/{name:uuid}/html")),  # not in production
    ]


async def test_no_host_and_no_way_of_writing_it_opens_anything(shop: Shop, api: Api) -> None:
    """Who may do what is decided by what the caller proves, never by an address that they wrote."""
    there = await world(shop, api)
    sam = {"authorization": there.everybody["sam"].headers["authorization"]}
    for host in ODD_HOSTS:
        for proof, code in (({}, "UNAUTHENTICATED"), (sam, "FORBIDDEN")):
            answer = await api.http.post("/graphql", json=TICKETS, headers={**TOLD, **proof, "host": host})
            assert [error["extensions"]["code"] for error in answer.json()["errors"]] == [code], host
        for path in ODD_PATHS:
            answer = await api.http.post(path, json=TICKETS, headers={"host": host})
            assert "totalCount" not in answer.text, path
            assert answer.status_code in {404, 405} or answer.json()["data"] is None, path


def test_no_input_of_a_storefront_sets_money() -> None:
    """Nor anything that stands for money: what something costs is computed by the server and only compared."""
    words = ("price", "amount", "total", "discount", "tax", "currency")
    fields = root_fields("Mutation").items()
    for name, field in ((name, field) for name, field in fields if needed(field) not in PERMISSIONS):
        inputs, met = [get_named_type(field.args["input"].type)], set[str]()
        while inputs:
            type_ = inputs.pop()
            if not isinstance(type_, GraphQLInputObjectType) or type_.name in met:
                continue
            met.add(type_.name)
            for part, inner in type_.fields.items():
                if part not in MONEY_THAT_IS_COMPARED and f"{type_.name}.{part}" != CHOOSES_A_REGION:
                    assert not any(word in part.lower() for word in words), f"{name}: {type_.name}.{part}"
                    inputs.append(get_named_type(inner.type))


def test_no_input_of_a_cart_names_a_customer() -> None:
    """Whose a cart is follows from who signed in, never from an id that somebody sends."""
    for name, field in root_fields("Mutation").items():
        type_ = get_named_type(field.args["input"].type)
        if name.startswith(("cart", "order")) and isinstance(type_, GraphQLInputObjectType):
            assert not [part for part in type_.fields if "customer" in part.lower()], name
    assert "CartSetCustomerInput" in SCHEMA.type_map


@pytest.mark.parametrize("why", CIRCLES)
async def test_documents_that_run_in_circles_are_refused(api: Api, why: str) -> None:
    answer = await api.raw(CIRCLES[why])
    assert answer.status_code in {200, 400}
    codes = {error["extensions"]["code"] for error in answer.json()["errors"]}
    assert codes <= {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"}, answer.text[:500]
    assert (await api("{ __typename }")) == {"__typename": "Query"}


ASKED: dict[str, dict[str, Any]] = {
    "customerRegister": {"email": "new@shop.example", "password": given.PASSWORD},
    "customerRequestPasswordReset": {"email": "sam@shop.example"},
    "staffRequestPasswordReset": {"email": "lee@shop.example"},
}


async def test_a_mailed_token_is_in_no_answer_and_no_table(
    there: MatrixWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor in the log: it travels by mail alone, and is stored nowhere."""
    shop, api = there.shop, there.api
    caplog.set_level("DEBUG")
    number = {"orderNumber": there.sam.bought.number, "email": there.sam.email}
    answers: list[httpx.Response] = []
    for name, input_ in {**ASKED, "orderSendAccessLink": number}.items():
        kind = name[0].upper() + name[1:]
        document = f"mutation ($input: {kind}Input!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}"
        answers.append(await api.raw(document, {"input": input_}))
        assert answers[-1].json()["data"][name] == {"userErrors": []}
        payload = get_named_type(root_fields("Mutation")[name].type)
        assert set(getattr(payload, "fields", ())) == {"userErrors", "warnings"}
    stored = [
        str(await shop.read.records(text(f'SELECT to_jsonb(t) FROM "{row.name}" AS t')))
        for row in await shop.read.records(TABLES)
    ]
    assert "reset_password" in "".join(stored)
    for found in (*stored, caplog.text, *(answer.text for answer in answers)):
        assert "eyJ" not in found, "a signed token begins like this"


async def test_nobody_is_sent_to_the_host_that_the_request_names(api: Api) -> None:
    answer = await api.http.post("/graphql/", json={"query": "{ __typename }"}, headers={"host": "elsewhere.example"})
    assert (answer.status_code, answer.headers.get("location")) == (404, None)
