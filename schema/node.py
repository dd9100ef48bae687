"""What has an id, and pages of it."""

from typing import Any, Generic, TypeVar

import strawberry

from resolvers import ids
from resolvers.page import COUNT_CAP, Page, PageArgs
from schema.build import asks, derived, interface, optional, view

T = TypeVar("T")


@interface
class Node:
    """Whatever can be told apart and asked for by its id."""

    id: strawberry.ID = strawberry.field(description="Its public id: a prefix that names the kind, then a key.")


def public_id(kind: str) -> Any:
    """The field `id` of a view: the row's key as a TypeID."""
    return derived(lambda row: ids.encode(kind, row["id"]), f"Public id, `{ids.PREFIXES[kind]}_…`.")


@view()
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool = strawberry.field(description="There are items after this page.")
    has_previous_page: bool = strawberry.field(description="There are items before this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the page's first item.")
    end_cursor: str | None = strawberry.field(description="Cursor of the page's last item.")


@view()
class Edge(Generic[T]):
    """An item and its place in the list."""

    cursor: str = strawberry.field(description="Opaque; belongs to this list in this order.")
    node: T = strawberry.field(description="The item.")


async def _total(_ctx: Any, page: Page) -> int:
    return min(await page.count(), COUNT_CAP)


async def _capped(_ctx: Any, page: Page) -> bool:
    return await page.count() > COUNT_CAP


def _page_info(page: Page) -> dict[str, Any]:
    return {
        "has_next_page": page.has_next_page,
        "has_previous_page": page.has_previous_page,
        "start_cursor": page.cursors(page.nodes[0]) if page.nodes else None,
        "end_cursor": page.cursors(page.nodes[-1]) if page.nodes else None,
    }


@view()
class Connection(Generic[T]):
    """A page of a list, paged by keyset: the page at the end costs what the first one does."""

    nodes: list[T] = strawberry.field(description="The items.")
    edges: list[Edge[T]] = derived(
        lambda page: [{"cursor": page.cursors(node), "node": node} for node in page.nodes], "The items with cursors."
    )
    page_info: PageInfo = derived(_page_info, "Whether there is more.")
    total_count: int = asks(_total, "How many items there are in all, counted up to 10,000.", shared=True)
    total_count_capped: bool = asks(_capped, "There are more than `totalCount`.", shared=True)


PAGE_ARGS = {
    "first": optional(int, "How many items from the beginning, or after `after`: 0 to 100, 20 by default."),
    "after": optional(str, "A cursor; the page begins behind it."),
    "last": optional(int, "How many items from the end, or before `before`: 0 to 100."),
    "before": optional(str, "A cursor; the page ends in front of it."),
}


def page_args(first: int | None, after: str | None, last: int | None, before: str | None) -> PageArgs:
    return PageArgs(first, after, last, before)
