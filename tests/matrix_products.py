"""Examples for products: with what the fields about them are tried."""

from typing import Any, Final

from domain import product_change, product_media, product_status
from domain.product_change import CreateProduct
from domain.product_media import AddMedia
from resolvers import ids
from tests import given

PICTURE: Final = "https://example.com/matrix.jpg"


async def draft(world: Any) -> Any:
    """A product that nobody works on besides."""
    async with world.shop.tx() as tx:
        return await product_change.create(tx, CreateProduct({"title": "A draft"}), given.ADMINISTRATOR)


async def archived(world: Any, _who: Any) -> dict[str, Any]:
    made = await draft(world)
    async with world.shop.tx() as tx:
        await product_status.archive(tx, made.id, given.ADMINISTRATOR)
    return {"id": ids.encode("Product", made.id)}


async def pictured(world: Any) -> tuple[str, str]:
    """A draft with a picture."""
    made = await draft(world)
    async with world.shop.tx() as tx:
        media = await product_media.add(tx, AddMedia(made.id, "", PICTURE), given.ADMINISTRATOR)
    return ids.encode("Product", made.id), ids.encode("Media", media.id)


async def described(world: Any, _who: Any) -> dict[str, Any]:
    return {"id": (await pictured(world))[1], "alt": "Somebody drinks"}


async def removed(world: Any, _who: Any) -> dict[str, Any]:
    product, media = await pictured(world)
    return {"productId": product, "mediaIds": [media]}


async def reordered(world: Any, _who: Any) -> dict[str, Any]:
    product, first = await pictured(world)
    async with world.shop.tx() as tx:
        key = ids.decode("Product", product)
        second = await product_media.add(tx, AddMedia(key, "", PICTURE + "?2"), given.ADMINISTRATOR)
    return {"productId": product, "mediaIds": [ids.encode("Media", second.id), first]}


async def proposed(world: Any, _who: Any) -> dict[str, Any]:
    return {"id": ids.encode("Product", (await draft(world)).id), "status": "PROPOSED"}


def _of_world(world: Any, _who: Any) -> dict[str, Any]:
    return {"id": world.things["Product"]}


def _updated(world: Any, _who: Any) -> dict[str, Any]:
    return {"id": world.things["Product"], "subtitle": "Of the matrix", "metadata": {"shelf": 4}}


QUERIES: Final[dict[str, dict[str, Any]]] = {
    "adminProduct": {"": lambda world, _: {"by": {"id": world.things["Product"]}}},
    "adminProducts": {
        "": lambda _world, _who: {"filter": {"status": "PUBLISHED"}},
        "archived": lambda _world, _who: {"filter": {"archived": True}},
    },
}
MUTATIONS: Final[dict[str, Any]] = {
    "productAddMedia": lambda world, _: {"productId": world.things["Product"], "image": {"url": PICTURE}},
    "productArchive": _of_world,
    "productCreate": lambda _world, _who: {"title": "Of the matrix"},
    "productDuplicate": _of_world,
    "productRemoveMedia": removed,
    "productReorderMedia": reordered,
    "productRestore": archived,
    "productSetStatus": proposed,
    "productSetTranslations": lambda world, _: {"id": world.things["Product"], "locale": "de", "title": "Becher"},
    "productUpdate": _updated,
    "productUpdateMedia": described,
}
