"""What is measured: operations of a shop, and what they need to know of the seeded catalogue."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final
from uuid import UUID

from bench import documents as d
from bench.client import Asks, Operation, ask, reading, reading_in_turn
from domain.processes.seeded_places import category_rows
from domain.processes.seeded_rows import EPOCH_MS, handle, is_seen
from domain.processes.seeded_words import DEPARTMENTS
from resolvers import ids
from resolvers.catalog import BY_ID

ENGINES: Final = ("breadth-first", "graphql-core")
LIMIT: Final = "limit"
CACHED: Final = "cached"
SEED: Final = 1
FROM_THE_END: Final = 2 * d.PER_PAGE
PLACES: Final = 20
"""So many deep pages, and so many details, are asked for in turn."""
QUERIES: Final = (
    "cup", "kraft box", "wool", "striped woven cotton", "Noramill", "steel bottle", "recycled noteb", "walnut tray",
    "SEED-1-0000042-1", "ceramik bowl", "linen napkin", "velamill gift",
)  # fmt: skip
"""As people type: one word that every fifth product has, some that go together, a beginning, a number, a slip."""


@dataclass(frozen=True)
class Workload:
    """`operations` by the variant that does them; a workload with `worker` has one running beside it."""

    name: str
    title: str
    operations: Mapping[str, Operation]
    worker: bool = False
    turns: int = 1
    """So many different operations come one after the other."""


def deep_cursor(products: int, pages: int = 0) -> str:
    """A place two pages before the end, and `pages` more. Ids rise with the number, so it needs no product of that
    very id. With 100,000 products it is about page 4,000.
    """
    number = max(products - FROM_THE_END - pages * d.PER_PAGE, 0)
    return BY_ID.cursor({"id": UUID(int=(EPOCH_MS + number) << 80 | 0x7FFF << 64 | 2**64 - 1)})


def workloads(products: int, variants: list[str]) -> list[Workload]:
    first = {"first": d.PER_PAGE}
    by_handle = {"handle": seen(products, 1)[0]}
    return [
        Workload("page", "product page, options and prices", _cached(_read(d.PAGE, "/page", first))),
        Workload("other-page", "product page, another selection", _cached(_read(d.OTHER_PAGE, None, first))),
        Workload("detail", "product detail by handle", _cached(_read(d.DETAIL, "/detail", by_handle))),
        *growing(products),
        Workload("cart", "cart: create, add, add, read", dict.fromkeys(ENGINES, cart(variants))),
        Workload("checkout", "checkout to placed order", dict.fromkeys(ENGINES, checkout(variants)), worker=True),
        Workload("fixed", "fixed bytes, 40 kB", {LIMIT: reading("/fixed", "")}),
    ]


def growing(products: int) -> list[Workload]:
    """Those of which each operation is another place in the catalogue, or other words."""
    first = {"first": d.PER_PAGE}
    deep = [{**first, "after": deep_cursor(products, pages)} for pages in range(PLACES)]
    asked = [{**first, "query": query} for query in QUERIES]
    departments = [{**first, "id": id_} for id_ in department_ids()]
    return [
        Workload("deep-page", "pages near the end", _in_turn(d.PAGE, "/page", deep), turns=len(deep)),
        Workload("category", "a department by price", _in_turn(d.CATEGORY, None, departments), turns=len(departments)),
        Workload("search", "search: first results", _in_turn(d.SEARCH, None, asked), turns=len(asked)),
        Workload("facets", "search with facets and count", _in_turn(d.FACETS, None, asked), turns=len(asked)),
    ]


def seen(products: int, count: int) -> list[str]:
    """Handles of so many products that are for sale, spread over the catalogue, the middle one first."""
    numbers = [n for n in range(1, products + 1) if is_seen(n)]
    middle, step = len(numbers) // 2, max(len(numbers) // count, 1)
    return [handle(SEED, numbers[(middle + i * step) % len(numbers)]) for i in range(count)]


def department_ids() -> list[str]:
    return [ids.encode("Category", row["id"]) for row, _ in zip(category_rows(SEED), DEPARTMENTS, strict=False)]


def _in_turn(document: str, by_hand: str | None, listed: Sequence[dict[str, Any]]) -> dict[str, Operation]:
    operations = {engine: reading_in_turn("/graphql", document, listed) for engine in ENGINES}
    return operations | ({LIMIT: reading_in_turn(by_hand, document, listed)} if by_hand else {})


def _read(document: str, by_hand: str | None, variables: dict[str, Any]) -> dict[str, Operation]:
    operations = dict.fromkeys(ENGINES, reading("/graphql", document, **variables))
    return operations | ({LIMIT: reading(by_hand, document, **variables)} if by_hand else {})


def _cached(operations: dict[str, Operation]) -> dict[str, Operation]:
    """Also asked of the server that keeps answers."""
    return operations | {CACHED: operations[ENGINES[0]]}


def cart(variants: list[str]) -> Operation:
    """Four requests."""
    turn = _each(variants)

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
    turn = _each(variants)

    async def operate(client: Asks) -> None:
        await place_order(client, [next(turn), next(turn)])

    return operate


def _each(variants: list[str]) -> Iterator[str]:
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
