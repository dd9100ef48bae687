"""Categories and collections as tests make them."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from db import Category, Product, ProductCollection
from domain import category, category_products, collection, collection_products, collection_publication
from domain.category import CreateCategory
from domain.collection import CreateCollection
from domain.collection_products import OfCollection
from domain.collection_rule import Rules
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api
from tests.given import Sold


async def made_category(shop: Shop, name: str, parent: UUID | None = None, *sold: Sold) -> UUID:
    async with shop.tx() as tx:
        made = await category.create(tx, CreateCategory({"name": name}, parent), given.ADMINISTRATOR)
        if sold:
            await category_products.add(tx, made.id, [key(one) for one in sold], None, given.ADMINISTRATOR)
    return made.id


async def made_collection(shop: Shop, title: str, *sold: Sold, rules: Rules | None = None, **more: Any) -> UUID:
    """One that is seen, with these products by hand or those that the rules will find."""
    told = {"title": title, "status": "published", **more}
    async with shop.tx() as tx:
        made = await collection.create(tx, CreateCollection(told, rules), given.ADMINISTRATOR)
        await collection_publication.publish_new(tx, [made.id])
        if sold:
            await collection_products.add(tx, OfCollection(made.id, [key(one) for one in sold]), given.ADMINISTRATOR)
    return made.id


def key(sold: Sold) -> UUID:
    return ids.decode("Product", sold.product)


async def members(shop: Shop, collection_id: UUID) -> set[str]:
    """Handles of the products of a collection, whether they can be seen or not."""
    statement = select(Product.handle).join(ProductCollection, ProductCollection.product_id == Product.id)
    return set(await shop.read.scalars(statement.where(ProductCollection.collection_id == collection_id)))


async def tree(shop: Shop) -> dict[str, list[str]]:
    """By name the names of what is above each category, the root first: as the parents say."""
    rows = {row.id: row for row in await shop.read.all(select(Category))}
    lines: dict[str, list[str]] = {}
    for row in rows.values():
        line, at = list[str](), row
        while at.parent_id is not None:
            at = rows[at.parent_id]
            line.insert(0, at.name)
            assert len(line) <= len(rows), f"a cycle above {row.name}"
        lines[row.name] = line
    return lines


async def shown(api: Api, collection_id: UUID) -> list[str]:
    query = "query ($id: ID!) { collection(by: {id: $id}) { products { nodes { handle } totalCount } productCount } }"
    found = (await api(query, {"id": ids.encode("Collection", collection_id)}))["collection"]
    listed = found["products"]
    assert found["productCount"] == listed["totalCount"] == len(listed["nodes"])
    return [node["handle"] for node in listed["nodes"]]
