"""What the schema says about access, and that nobody breaks anything by calling it with nothing."""

from collections.abc import Container, Iterable, Iterator
from typing import Any

import pytest
import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    is_required_argument,
    is_required_input_field,
)

from db.workflow import ActorKind
from domain.permission import PERMISSIONS
from domain.processes.shop import Shop
from resolvers.context import PUBLIC, SIGNED_IN, SIGNED_IN_CUSTOMER
from schema import build_schema
from schema.build import mutation, query, subscription, view
from tests import given
from tests.api import Api
from tests.matrix import ROOTS, needed, root_fields
from tests.matrix_world import CHEAP

Call = tuple[str, dict[str, Any]]
FILLERS: dict[str, tuple[Any, ...]] = {
    "String": ("", "x", "\0", "ÿ" * 1_000, "'; DROP TABLE cart; --"),
    "ID": ("", "nonsense", "\0", "ÿ" * 1_000, "'"),
    "Int": (0, -1, 1, 2**31 - 1, -(2**31)),
    "Float": (0.0, -0.5, 0.5, 1e308, -5e-324),
    "Boolean": (True, False, True, False, True),
    "Decimal": ("0", "-1", "1e400", "0.0000001", "12.50"),
    "DateTime": ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2030-01-01T00:00:00", "", "nonsense"),
    "BigInt": ("0", "-1", "1", "9223372036854775807", "1"),
    "JSON": ({}, {"a": 1}, {"a": "\0"}, {"a": [None]}, {"": ""}),
}
"""Of each scalar five values that nobody means."""


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


def calls(kind: str, name: str, field: GraphQLField, numbers: Iterable[int] = range(5)) -> Iterator[Call]:
    """Documents that call a field with the least and with everything, with each of the fillers."""
    for number in numbers:
        for everything in (False, True):
            args = {n: a for n, a in field.args.items() if everything or is_required_argument(a)}
            if {"first", "last"} <= args.keys():
                del args["last"]
            declared = ", ".join(f"${n}: {a.type}" for n, a in args.items())
            passed = ", ".join(f"{n}: ${n}" for n in args)
            signature, arguments = (f"({declared})", f"({passed})") if args else ("", "")
            values = {n: filled(a.type, number, everything) for n, a in args.items()}
            yield f"{kind} Sweep{signature} {{ {name}{arguments} {{ __typename }} }}", values


def test_a_field_that_needs_a_permission_says_so() -> None:
    for root in ROOTS:
        for name, field in root_fields(root).items():
            if needed(field) in PERMISSIONS:
                assert f"Needs `{needed(field)}`" in (field.description or ""), name


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
    """Whatever is sent. Of valid input, by everybody who lacks the permission alone, the access matrix holds it."""
    customer, staff = await given.caller(shop, api, "customer"), await given.caller(shop, api, "staff")
    for number, (root, name, field) in enumerate(fields_with(PERMISSIONS)):
        for document, values in calls(ROOTS[root], name, field, [number % 5]):
            for caller, code in ((api, "UNAUTHENTICATED"), (customer, "FORBIDDEN"), (staff, "FORBIDDEN")):
                answer = await caller.answer(document, values)
                errors = [error["extensions"] for error in answer["errors"]]
                if "path" not in answer["errors"][0]:  # what are no values of their types is told before all else
                    assert {error["code"] for error in errors} == {"BAD_USER_INPUT"}
                    continue
                needs = None if caller is api else needed(field)
                assert [(error["code"], error.get("needs")) for error in errors] == [(code, needs)], name


def fields_with(needs: Container[str]) -> list[tuple[str, str, GraphQLField]]:
    """Root fields of queries and mutations that need one of these."""
    return [
        (root, name, field)
        for root in ("Query", "Mutation")
        for name, field in root_fields(root).items()
        if needed(field) in needs
    ]


@pytest.mark.parametrize("root", ["Query", "Mutation"])
async def test_whatever_is_called_with_next_to_nothing_answers_with_an_error_of_the_callers(
    shop: Shop, api: Api, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By somebody who may call it; what is for everybody, by nobody and by a customer."""
    monkeypatch.setattr("server.tokens.PasswordHasher", lambda: CHEAP)
    await given.regions(shop)
    await given.product(shop)
    staff = ActorKind.STAFF, await given.staff(shop, *PERMISSIONS)
    customer = ActorKind.CUSTOMER, await given.customer(shop)
    who_calls = {PUBLIC: (None, customer), SIGNED_IN_CUSTOMER: (customer,), SIGNED_IN: (customer, staff)}
    for name, field in root_fields(root).items():
        needs, reached = needed(field), 0
        for document, values in calls(ROOTS[root], name, field):
            for who in who_calls.get(needs, (staff,)):
                # Signed in anew each time, since some of it signs out.
                caller = api if who is None else api.signed_in(await given.access_token(shop, *who))
                answer = await caller.raw(document, values)
                assert answer.status_code == 200, (document, values)
                errors = answer.json().get("errors", [])
                codes = {error["extensions"]["code"] for error in errors}
                allowed = {"BAD_USER_INPUT"} if who else {"BAD_USER_INPUT", "UNAUTHENTICATED"}
                assert codes <= allowed, (document, values, answer.json())
                reached += not errors or any("path" in error for error in errors)
        assert reached > 0, f"nothing ever got as far as {name}"


async def test_whatever_is_watched_with_next_to_nothing_ends_with_an_error_of_the_callers(shop: Shop, api: Api) -> None:
    """Asked by nobody, and by who may watch it; with nothing to go on from that would not end."""
    customer, staff = await given.caller(shop, api, "customer"), await given.caller(shop, api, "staff", *PERMISSIONS)
    for name, field in root_fields("Subscription").items():
        needs = needed(field)
        watcher = {PUBLIC: api, SIGNED_IN_CUSTOMER: customer}.get(needs, staff)
        for document, values in calls("subscription", name, field):
            for caller in (api, watcher) if needs != PUBLIC and values.get("after") else (api,):
                (item,) = [item async for item in caller.events(document, values)]
                of_types = item["errors"][0]["message"].startswith("Variable ")  # told before anything is called
                expected = "BAD_USER_INPUT" if caller is watcher or of_types else "UNAUTHENTICATED"
                assert {error["extensions"]["code"] for error in item["errors"]} == {expected}, (name, values)
