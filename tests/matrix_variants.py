"""Examples for options and variants: with what the fields about them are tried."""

from typing import Any, Final

from sqlalchemy import select

from db import Variant
from domain import option_write, variant_matrix, variant_write
from domain.option_set import OptionDraft, SetOptions, ValueDraft
from resolvers import ids
from tests import given

ARGUMENTS: Final = {
    "Product.optionAvailability": "(selected: [])",
    "Product.variantBySelectedOptions": '(selected: [{name: "Size", value: "L"}])',
}
SIZES: Final = ["L", "S"]
SMALL: Final = [{"name": "Size", "value": "S"}]


async def sized(world: Any, _who: Any) -> dict[str, Any]:
    """The product of the world, that there could be a small one of."""
    product = world.things["Product"]
    option = OptionDraft("Size", tuple(map(ValueDraft, SIZES)))
    async with world.shop.tx() as tx:
        command = SetOptions(ids.decode("Product", product), (option,))
        await option_write.set_options(tx, command, given.ADMINISTRATOR)
    return {"productId": product}


async def created(world: Any, who: Any) -> dict[str, Any]:
    return {**await sized(world, who), "options": SMALL, "sku": "BANNER-S"}


async def archived(world: Any, _who: Any) -> dict[str, Any]:
    variant = world.things["Variant"]
    async with world.shop.tx() as tx:
        await variant_write.archive(tx, ids.decode("Variant", variant), given.ADMINISTRATOR)
    return {"variantId": variant}


async def reordered(world: Any, who: Any) -> dict[str, Any]:
    product = (await sized(world, who))["productId"]
    async with world.shop.tx() as tx:
        key = ids.decode("Product", product)
        await variant_matrix.generate(tx, key, None, given.ADMINISTRATOR)
        live = select(Variant.id).where(Variant.product_id == key, Variant.archived_at.is_(None))
        backwards = await tx.scalars(live.order_by(Variant.rank.desc()))
    return {"productId": product, "variantIds": [ids.encode("Variant", variant) for variant in backwards]}


def _options(world: Any, _who: Any) -> dict[str, Any]:
    values = [{"name": name, "swatchColor": "#102030"} for name in SIZES]
    return {"productId": world.things["Product"], "options": [{"name": "Size", "values": values}]}


QUERIES: Final[dict[str, dict[str, Any]]] = {
    "variant": {
        "": lambda world, _: {"by": {"id": world.things["Variant"]}},
        "on sale": lambda *_: {"by": {"sku": "POSTER-FISH"}},
    },
}
MUTATIONS: Final[dict[str, Any]] = {
    "productSetOptions": _options,
    "productsUpsert": lambda _world, _who: {"rows": [{"handle": "banner", "material": "Canvas"}]},
    "variantArchive": lambda world, _: {"variantId": world.things["Variant"]},
    "variantCreate": created,
    "variantRestore": archived,
    "variantUpdate": lambda world, _: {"variantId": world.things["Variant"], "barcode": "matrix"},
    "variantsGenerate": sized,
    "variantsReorder": reordered,
    "variantsUpsert": lambda _world, _who: {"rows": [{"sku": "BANNER-L", "barcode": "matrix"}]},
}
