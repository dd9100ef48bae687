"""Examples for categories and collections: with what their fields are tried."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from domain.collection_rule import Condition, InRegion, RuleField, RuleMatch, RuleOperator, Rules
from resolvers import ids
from tests import taxonomy

if TYPE_CHECKING:
    from tests.matrix_world import MatrixWorld

Given = Mapping[str, Any]
Example = Callable[[Any, Any], Given | Awaitable[Given]]
WINTER: Final = {"match": "ALL", "conditions": [{"field": "TITLE", "operator": "CONTAINS", "value": "a"}]}
TRANSLATED: Final = {"de": {"description": "Druck"}}


async def lone(world: "MatrixWorld", _who: object) -> Given:
    """A category that nothing stands in."""
    made = await taxonomy.made_category(world.shop, "Lone")
    return {"id": ids.encode("Category", made), "parentId": world.things["Category"]}


async def empty(world: "MatrixWorld", who: object) -> Given:
    return {"id": (await lone(world, who))["id"]}


async def by_rule(world: "MatrixWorld", _who: object) -> Given:
    europe = InRegion(ids.decode("Region", world.things["Region"]), "EUR", 100)
    cold = Condition(RuleField.METADATA, RuleOperator.EQUALS, "winter", "season")
    winter = Rules(RuleMatch.ALL, (cold, Condition(RuleField.PRICE, RuleOperator.GREATER_THAN, europe)))
    made = await taxonomy.made_collection(world.shop, "Winter", rules=winter)
    return {"by": {"id": ids.encode("Collection", made)}}


async def other_first(world: "MatrixWorld", who: object) -> Given:
    return {"categoryIds": [(await lone(world, who))["id"]]}


async def in_another(world: "MatrixWorld", who: object) -> Given:
    return {"productId": world.things["Product"], "categoryIds": [(await lone(world, who))["id"]]}


async def new_in_category(world: "MatrixWorld", who: object) -> Given:
    return {"categoryId": (await lone(world, who))["id"], "productIds": [world.things["Product"]]}


async def new_in_collection(world: "MatrixWorld", _who: object) -> Given:
    made = await taxonomy.made_collection(world.shop, "By hand")
    return {"collectionId": ids.encode("Collection", made), "productIds": [world.things["Product"]]}


def of_collection(world: "MatrixWorld", _who: object) -> Given:
    return {"collectionId": world.things["Collection"], "productIds": [world.things["Product"]]}


def of_category(world: "MatrixWorld", _who: object) -> Given:
    return {"categoryId": world.things["Category"], "productIds": [world.things["Product"]]}


QUERIES: Final[dict[str, dict[str, Example]]] = {
    "category": {"": lambda world, _: {"by": {"id": world.things["Category"]}}},
    "collection": {"": lambda world, _: {"by": {"id": world.things["Collection"]}}, "by rule": by_rule},
    "collectionPublications": {"": lambda world, _: {"collectionId": world.things["Collection"]}},
    "collectionPreview": {"": lambda *_: {"rules": WINTER}},
}
MUTATIONS: Final[dict[str, Example]] = {
    "categoryCreate": lambda world, _: {"name": "Mugs", "parentId": world.things["Category"]},
    "categoryUpdate": lambda world, _: {"id": world.things["Category"], "name": "Printing", "translations": TRANSLATED},
    "categoryMove": lone,
    "categoryReorder": other_first,
    "categoryDelete": empty,
    "categoryAddProducts": new_in_category,
    "categoryRemoveProducts": of_category,
    "productSetCategories": in_another,
    "collectionCreate": lambda *_: {"title": "Winter", "rules": WINTER},
    "collectionUpdate": lambda world, _: {"id": world.things["Collection"], "title": "Nice", "order": "TITLE"},
    "collectionAddProducts": new_in_collection,
    "collectionRemoveProducts": of_collection,
    "collectionReorder": of_collection,
    "collectionPublish": lambda world, _: {
        "collectionId": world.things["Collection"],
        "publishedUntil": "2120-01-01T00:00:00Z",
    },
    "collectionUnpublish": lambda world, _: {"collectionId": world.things["Collection"]},
}
