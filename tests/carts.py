"""What the tests of carts share: carts about which nothing was said yet, and that a refusal changed nothing."""

from typing import Any

from sqlalchemy import select, text

from db import Cart as CartRow
from db import CartLine
from domain.processes.shop import Shop
from tests.api import Api
from tests.given import TOTAL, Cart

LINES = "cart { id version lines { id quantity brief variant { id } } }"
Refused = list[tuple[str, str, list[str]]]
"""Of each user error its type, code and path."""


async def bare(api: Api, *lines: dict[str, Any]) -> Cart:
    """A cart about whose buyer nothing is known."""
    made = await api.done("cartCreate", {"lines": list(lines)}, f"token cart {{ id {TOTAL} }}")
    return Cart(made["cart"]["id"], made["token"], made["cart"]["totals"]["total"]["gross"])


async def add(api: Api, cart: Cart, *lines: dict[str, Any]) -> dict[str, Any]:
    """The cart after lines were added to it."""
    return (await api.done("cartAddLines", {**cart.key, "lines": list(lines)}, LINES))["cart"]


async def quantities(api: Api, cart: Cart) -> list[int]:
    found = await api(
        "query ($id: ID!, $token: String) { cart(id: $id, token: $token) { lines { quantity } } }", of(cart)
    )
    return [line["quantity"] for line in found["cart"]["lines"]]


def of(cart: Cart) -> dict[str, Any]:
    return {"id": cart.id, "token": cart.token}


async def stored(shop: Shop) -> list[dict[str, Any]]:
    """Every cart and every line, as they lie in the database."""
    rows = [
        *await shop.read.records(select(CartRow.__table__).order_by(CartRow.id)),
        *await shop.read.records(select(CartLine.__table__).order_by(CartLine.id)),
    ]
    return [dict(row) for row in rows]


async def refused(shop: Shop, api: Api, mutation: str, given: dict[str, Any]) -> Refused:
    """What a mutation of carts is refused with; nothing of any cart may have changed."""
    before = await stored(shop)
    payload = await api.do(mutation, given, "cart { id }")
    assert payload["cart"] is None
    assert payload["warnings"] == []
    assert await stored(shop) == before
    return [(e["__typename"], e["code"], e["path"]) for e in payload["userErrors"]]


async def nonsense(shop: Shop, api: Api, mutation: str, given: dict[str, Any]) -> list[str]:
    """The codes of the top-level errors of input that GraphQL itself refuses; nothing may have changed."""
    before = await stored(shop)
    kind = mutation[0].upper() + mutation[1:] + "Input"
    document = f"mutation Do($input: {kind}!) {{ {mutation}(input: $input) {{ cart {{ id }} }} }}"
    answer = await api.answer(document, {"input": given})
    assert answer["data"] is None
    assert await stored(shop) == before
    return [error["extensions"]["code"] for error in answer["errors"]]


def invalid(*path: str) -> tuple[str, str, list[str]]:
    return "ValidationFailed", "VALIDATION_FAILED", list(path)


async def execute(shop: Shop, statement: str, **values: Any) -> None:
    """Changes the database behind the shop's back."""
    async with shop.tx() as tx:
        await tx.run(text(statement).bindparams(**values))
