"""Who writes products and variants takes its locks in one order, so that no two wait for each other crosswise.

First the catalogue, by whoever writes many rows alone and by all others together, then the rows of `product` by id,
then everything else. SKUs and external ids are unique across products: two that write many of them in different
orders would otherwise deadlock, and one that writes a single variant cannot.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import Product
from db.connection import Tx
from domain.refusal import NotFound, ValidationFailed, VersionConflict


async def alone(tx: Tx) -> None:
    """Nobody else writes products until the commit: what is read from here on stays true."""
    await tx.records(_ALONE)


async def among_others(tx: Tx) -> None:
    """Nobody writes many products until the commit; who writes one does not wait for others who do."""
    await tx.records(_AMONG_OTHERS)


async def lock_product(tx: Tx, product_id: UUID, if_version: int | None = None, *path: str) -> Any:
    """The product, whose options and variants nobody else changes until the commit; refuses another version."""
    await among_others(tx)
    product = await tx.first(_PRODUCTS, products=[product_id])
    if product is None:
        raise NotFound(path=path or ("product_id",))
    if if_version is not None and product.version != if_version:
        message = f"The product has changed since: it is at version {product.version}."
        raise VersionConflict(message, path=("if_version",), current_version=product.version)
    return product


async def lock_editable(tx: Tx, product_id: UUID, if_version: int | None = None, *path: str) -> Any:
    """The same, unless it is archived: what nobody sees is restored before it is worked on."""
    product = await lock_product(tx, product_id, if_version, *path)
    check_editable(product, *path)
    return product


def check_editable(product: Any, *path: str) -> None:
    if product.archived_at is not None:
        raise ValidationFailed("The product is archived: restore it first.", path=path or ("product_id",))


async def lock_products(tx: Tx, products: Iterable[UUID]) -> dict[UUID, Any]:
    """Those of the products that there are, locked in the order of their ids."""
    found: list[Any] = await tx.all(_PRODUCTS, products=list(products))
    return {product.id: product for product in found}


_ALONE: Final = text("SELECT pg_advisory_xact_lock(hashtext('counterfoil.catalog'))")
_AMONG_OTHERS: Final = text("SELECT pg_advisory_xact_lock_shared(hashtext('counterfoil.catalog'))")
_NAMED: Final = Product.id == any_(bindparam("products", type_=ARRAY(Uuid)))
_PRODUCTS: Final = select(Product).where(_NAMED).order_by(Product.id).with_for_update(key_share=True)
