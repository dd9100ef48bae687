"""Examples for sales channels: with what their fields are tried."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.matrix_world import MatrixWorld, Person

Given = Mapping[str, Any]
Example = Callable[["MatrixWorld", "Person"], Given]

QUERIES: Final[dict[str, dict[str, Example]]] = {
    "productPublications": {"": lambda world, _: {"productId": world.things["Product"]}},
}
MUTATIONS: Final[dict[str, Example]] = {
    "channelArchive": lambda world, _: {"id": world.things["Channel"]},
    "channelCreate": lambda *_: {"code": "market", "name": "Market"},
    "channelUpdate": lambda world, _: {"id": world.things["Channel"], "name": "Counter"},
    "productPublish": lambda world, _: {
        "productId": world.things["Product"],
        "channelId": world.things["Channel"],
        "publishedUntil": "2120-01-01T00:00:00Z",
    },
    "productUnpublish": lambda world, _: {"productId": world.things["Product"]},
}
