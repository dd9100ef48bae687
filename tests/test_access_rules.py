"""What the schema says about access, and that nobody breaks anything by calling it with nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    is_required_argument,
    is_required_input_field,
)

from domain.processes.shop import Shop
from resolvers.context import PUBLIC
from schema import build_schema
from schema.build import NEEDS, mutation, query, subscription, view
from tests import carts, given
from tests.access import STAFF, random, world
from tests.api import Api

SCHEMA: GraphQLSchema = build_schema()._schema
REVIEWED = {
    "Query": {
        "cart": "public",
        "node": "public",
        "nodes": "public",
        "order": "public",
        "product": "public",
        "products": "public",
        "regions": "public",
        "ticket": "public",
        "tickets": "tickets:read",
    },
    "Mutation": {
        "cartAddLines": "public",
        "cartComplete": "public",
        "cartCreate": "public",
        "cartRemoveLines": "public",
        "cartSetAddresses": "public",
        "cartSetCustomer": "public",
        "cartUpdateLines": "public",
        "customerSignIn": "public",
        "staffSignIn": "public",
        "ticketMove": "tickets:write",
        "ticketPostMessage": "public",
    },
    "Subscription": {"ticketEvents": "public"},
}
"""Whoever adds a field says here that they thought about who may call it."""
FILLERS: dict[str, tuple[Any, ...]] = {
    "String": ("", "x", "\0", "ÿ" * 1_000, "'; DROP TABLE cart; --"),
    "ID": ("", "nonsense", "\0", "ÿ" * 1_000, "'"),
    "Int": (0, -1, 1, 2**31 - 1, -(2**31)),
    "Boolean": (True, False, True, False, True),
    "Decimal": ("0", "-1", "1e400", "0.0000001", "12.50"),
    "BigInt": ("0", "-1", "1", "9223372036854775807", "1"),
    "JSON": ({}, {"a": 1}, {"a": "\0"}, {"a": [None]}, {"": ""}),
}
"""Of each scalar five values that nobody means."""


def fields(root: str) -> dict[str, GraphQLField]:
    type_ = SCHEMA.type_map[root]
    assert isinstance(type_, GraphQLObjectType)
    return type_.fields


def needed(field: GraphQLField) -> str:
    return field.extensions["strawberry-definition"].metadata[NEEDS]


def filled(type_: Any, number: int, everything: bool) -> Any:
    """A value of the type: the least that is accepted, or one with everything in it."""
    if isinstance(type_, GraphQLNonNull):
        return filled(type_.of_type, number, everything)
    if isinstance(type_, GraphQLList):
        return [filled(type_.of_type, number, everything)] * (number % 3)
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        wanted = {n: f for n, f in type_.fields.items() if everything or is_required_input_field(f)}
        if type_.extensions["strawberry-definition"].is_one_of:
            wanted = dict(list(type_.fields.items())[:1])
        return {name: filled(field.type, number, everything) for name, field in wanted.items()}
    return FILLERS[type_.name][number]


def calls(kind: str, name: str, field: GraphQLField) -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents that call a field with the least and with everything, five times each."""
    for number in range(5):
        for everything in (False, True):
            args = {n: a for n, a in field.args.items() if everything or is_required_argument(a)}
            if {"first", "last"} <= args.keys():
                del args["last"]
            declared = ", ".join(f"${n}: {a.type}" for n, a in args.items())
            passed = ", ".join(f"{n}: ${n}" for n in args)
            signature, arguments = (f"({declared})", f"({passed})") if args else ("", "")
            values = {n: filled(a.type, number, everything) for n, a in args.items()}
            yield f"{kind} Sweep{signature} {{ {name}{arguments} {{ __typename }} }}", values


def test_every_root_field_needs_what_was_reviewed() -> None:
    assert {root: {name: needed(f) for name, f in sorted(fields(root).items())} for root in REVIEWED} == REVIEWED


def test_a_field_that_needs_a_permission_says_so() -> None:
    for root in REVIEWED:
        for name, field in fields(root).items():
            if needed(field) != PUBLIC:
                assert f"Needs `{needed(field)}`." in (field.description or ""), name


def test_a_field_of_any_root_that_does_not_say_what_it_needs_fails_the_build() -> None:
    async def resolver(*_args: Any) -> int:
        return 1

    @view()
    class Fine:
        """Reads."""

        fine: int = query(resolver, PUBLIC, "Something.")

    @view()
    class Forgotten:
        """Does something."""

        forgotten: int = strawberry.field(resolver=lambda: 1, description="Something.")

    assert build_schema(Fine, None, None)
    for roots in ((Forgotten, None, None), (Fine, Forgotten, None), (Fine, None, Forgotten)):
        with pytest.raises(TypeError, match=r"Forgotten\.forgotten must declare what it needs"):
            build_schema(*roots)


@pytest.mark.parametrize("nothing", ["", None])
def test_needing_nothing_is_no_way_to_say_public(nothing: Any) -> None:
    """`all([])` is true: an empty list of permissions must never mean everybody."""

    @view()
    class Input:
        """Something."""

    for build in (lambda: query(print, nothing, "A."), lambda: subscription(print, nothing, "B.")):
        with pytest.raises(TypeError, match="must declare what it needs"):
            build()
    with pytest.raises(TypeError, match="must declare what it needs"):
        mutation(Input, print, nothing, "C.")


async def test_nothing_that_needs_a_permission_runs_without_it(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    admin = [
        (kind, root, name)
        for kind, root in (("query", "Query"), ("mutation", "Mutation"))
        for name, field in fields(root).items()
        if needed(field) != PUBLIC
    ]
    assert admin
    for kind, root, name in admin:
        needs = needed(fields(root)[name])
        for who, caller in there.everybody.items():
            if needs not in STAFF.get(who, ()):
                for document, values in calls(kind, name, fields(root)[name]):
                    answer = await caller.answer(document, values)
                    (error,) = answer["errors"]
                    expected = "UNAUTHENTICATED" if who == "anonymous" else "FORBIDDEN"
                    assert error["extensions"]["code"] == expected, (who, name)
                    assert error["extensions"].get("needs") == (None if who == "anonymous" else needs)


@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_whatever_is_called_with_next_to_nothing_answers_with_an_error_of_the_callers(
    shop: Shop, api: Api, kind: str
) -> None:
    await given.regions(shop)
    await given.product(shop)
    await given.staff(shop, "tickets:read", "tickets:write", "orders:read")
    staff = await given.signed_in(api, "toni@shop.example", as_staff=True)
    for name, field in fields(kind.title()).items():
        reached = 0
        for document, values in calls(kind, name, field):
            for caller in (api, staff):
                answer = await caller.raw(document, values)
                assert answer.status_code == 200, (document, values)
                errors = answer.json().get("errors", [])
                codes = {error["extensions"]["code"] for error in errors}
                assert codes <= {"BAD_USER_INPUT", "UNAUTHENTICATED"}, (document, values, answer.json())
                reached += not errors or any("path" in error for error in errors)
        assert reached > 0, f"nothing ever got as far as {name}"


async def test_whatever_is_watched_with_next_to_nothing_ends_with_an_error_of_the_callers(api: Api) -> None:
    for name, field in fields("Subscription").items():
        for document, values in calls("subscription", name, field):
            (item,) = [item async for item in api.events(document, values)]
            assert [error["extensions"]["code"] for error in item["errors"]] == ["BAD_USER_INPUT"]


async def test_ids_of_the_right_kind_that_name_nothing_are_not_found_by_any_mutation(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    before = await carts.stored(shop)
    kinds = {"cartId": "Cart", "lineId": "CartLine", "variantId": "Variant", "ticketId": "Ticket"}
    for name, field in fields("Mutation").items():
        values = filled(field.args["input"].type, 1, False)
        owner = next((key for key in ("cartId", "ticketId") if key in values), None)
        if owner is None or needed(field) != PUBLIC:
            continue
        named = {**values, owner: random(kinds[owner])}
        if "lineIds" in named:
            named["lineIds"] = [random("CartLine")]
        for line in named.get("lines", []):
            line.update({key: random(kinds[key]) for key in line if key in kinds})
            line["quantity"] = 1
        if "email" in named:
            named["email"] = "sam@shop.example"
        payload = await api.do(name, named, "__typename")
        assert [(e["code"], e["path"]) for e in payload["userErrors"]] == [("NOT_FOUND", [owner])], name
    assert await carts.stored(shop) == before
