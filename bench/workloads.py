"""What is measured: operations of a shop, and what they need to know of the seeded catalogue."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final
from uuid import UUID

from bench import documents as d
from bench.client import Asks, Operation, ask, reading
from domain.processes.seeded_rows import EPOCH_MS, handle
from resolvers.catalog import BY_ID

ENGINES: Final = ("breadth-first", "graphql-core")
LIMIT: Final = "limit"
CACHED: Final = "cached"
SEED: Final = 1
FROM_THE_END: Final = 2 * d.PER_PAGE


@dataclass(frozen=True)
class Workload:
    """`operations` by the variant that does them; a workload with `worker` has one running beside it."""

    name: str
    title: str
    operations: Mapping[str, Operation]
    worker: bool = False


def deep_cursor(products: int) -> str:
    """A place two pages before the end. Ids rise with the number, so it needs no product of that very id."""
    number = max(products - FROM_THE_END, 0)
    return BY_ID.cursor({"id": UUID(int=(EPOCH_MS + number) << 80 | 0x7FFF << 64 | 2**64 - 1)})


def workloads(products: int, variants: list[str]) -> list[Workload]:
    first = {"first": d.PER_PAGE}
    deep = {**first, "after": deep_cursor(products)}
    by_handle = {"handle": handle(SEED, products // 2)}
    return [
        Workload("page", "product page, options and prices", _cached(_read(d.PAGE, "/page", first))),
        Workload("other-page", "product page, another selection", _cached(_read(d.OTHER_PAGE, None, first))),
        Workload("detail", "product detail by handle", _cached(_read(d.DETAIL, "/detail", by_handle))),
        Workload("deep-page", "the page near the end", _read(d.PAGE, "/page", deep)),
        Workload("cart", "cart: create, add, add, read", dict.fromkeys(ENGINES, cart(variants))),
        Workload("checkout", "checkout to placed order", dict.fromkeys(ENGINES, checkout(variants)), worker=True),
        Workload("fixed", "fixed bytes, 40 kB", {LIMIT: reading("/fixed", "")}),
    ]


def _read(document: str, by_hand: str | None, variables: dict[str, Any]) -> dict[str, Operation]:
    operations = dict.fromkeys(ENGINES, reading("/graphql", document, **variables))
    return operations | ({LIMIT: reading(by_hand, document, **variables)} if by_hand else {})


def _cached(operations: dict[str, Operation]) -> dict[str, Operation]:
    """Also asked of the server that keeps answers."""
    return operations | {CACHED: operations[ENGINES[0]]}


def cart(variants: list[str]) -> Operation:
    """Four requests."""
    turn = _in_turn(variants)

    async def operate(client: Asks) -> None:
        made = (await ask(client, d.CREATE, input={}))["payload"]
        key = {"cartId": made["cart"]["id"], "token": made["token"]}
        for quantity in (1, 2):
            lines = [{"variantId": next(turn), "quantity": quantity}]
            await ask(client, d.ADD, input={**key, "lines": lines})
        read = await ask(client, d.READ_CART, id=key["cartId"], token=key["token"])
        if len(read["cart"]["lines"]) != 2:
            raise ValueError(read)

    return operate


def checkout(variants: list[str]) -> Operation:
    """Six requests to a placed order of two lines."""
    turn = _in_turn(variants)

    async def operate(client: Asks) -> None:
        await place_order(client, [next(turn), next(turn)])

    return operate


def _in_turn(variants: list[str]) -> Iterator[str]:
    """Each variant once in a round, so that parallel operations seldom want the same."""
    return (variants[i % len(variants)] for i in count())


async def place_order(client: Asks, variants: list[str]) -> dict[str, str]:
    """The order's id and access token."""
    made = (await ask(client, d.CREATE, input={"lines": [{"variantId": variants[0]}]}))["payload"]
    key = {"cartId": made["cart"]["id"], "token": made["token"]}
    if variants[1:]:
        await ask(client, d.ADD, input={**key, "lines": [{"variantId": v} for v in variants[1:]]})
    await ask(client, d.SET_CUSTOMER, input={**key, "email": "bench@counterfoil.example"})
    ready = (await ask(client, d.SET_ADDRESSES, input={**key, "shippingAddress": d.ADDRESS}))["payload"]["cart"]
    if ready["deliveryOptions"]:
        chosen = {**key, "optionId": ready["deliveryOptions"][0]["optionId"]}
        ready = (await ask(client, d.SET_DELIVERY, input=chosen))["payload"]["cart"]
    completion = {"expectedTotal": ready["totals"]["total"]["gross"], "idempotencyKey": key["cartId"]}
    placed = (await ask(client, d.COMPLETE, input={**key, **completion}))["payload"]
    if placed["order"]["status"] != "PLACED":
        raise ValueError(placed)
    return {"id": placed["order"]["id"], "token": placed["accessToken"]}


async def plentiful(client: Asks, most: int = 3_000) -> list[str]:
    """Ids of variants of which there are as many as are shown, or more."""
    found: list[str] = []
    after: str | None = None
    while len(found) < most:
        products = (await ask(client, d.SKUS, after=after))["products"]
        if not products["nodes"]:
            break
        after = products["pageInfo"]["endCursor"]
        listed = (variant for product in products["nodes"] for variant in product["variants"]["nodes"])
        found += [variant["id"] for variant in listed if (variant["availability"]["quantity"] or 0) >= 10]
    return found
