"""Whether a product is worked on, proposed or published, and whether it is there at all.

Draft and proposed go both ways; who publishes decides on what was proposed; what was rejected or published is a draft
again before anything else.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import text

from db import Product
from db.catalog import ProductStatus
from db.connection import Tx
from domain import audit
from domain.actor import Actor
from domain.catalog_lock import lock_product
from domain.permission import BeyondOwnPermissions
from domain.product_change import lock_editable, subject, written
from domain.refusal import Gathering, ValidationFailed
from domain.variant import SkuTaken
from domain.workflow import InvalidTransition

TRANSITIONS: Final[Mapping[ProductStatus, tuple[ProductStatus, ...]]] = {
    ProductStatus.DRAFT: (ProductStatus.PROPOSED,),
    ProductStatus.PROPOSED: (ProductStatus.DRAFT, ProductStatus.PUBLISHED, ProductStatus.REJECTED),
    ProductStatus.REJECTED: (ProductStatus.DRAFT,),
    ProductStatus.PUBLISHED: (ProductStatus.DRAFT,),
}
PUBLISH: Final = "products:publish"
"""What it takes to decide on what was proposed, and to take back what was published."""


def decides(now: ProductStatus, to: ProductStatus) -> bool:
    """The way from one status to the other is for those who publish."""
    return now == ProductStatus.PUBLISHED or to in {ProductStatus.PUBLISHED, ProductStatus.REJECTED}


async def set_status(
    tx: Tx, product_id: UUID, to: ProductStatus, actor: Actor, *, if_version: int | None = None
) -> Product:
    """The status that it has already changes nothing."""
    before = await lock_editable(tx, product_id, if_version)
    now = ProductStatus(before.status)
    if now == to:
        return before
    if to not in TRANSITIONS[now]:
        allowed = tuple(str(status) for status in TRANSITIONS[now])
        message = f"A product that is {now} can become {' or '.join(allowed)}."
        raise InvalidTransition(message, path=("status",), from_state=now, to_state=to, allowed=allowed)
    if decides(now, to) and not actor.may(PUBLISH):
        message = f"This needs the permission {PUBLISH}."
        raise BeyondOwnPermissions(message, path=("status",), missing=[PUBLISH])
    return await written(tx, before, {"status": str(to)}, actor, "productSetStatus")


async def archive(tx: Tx, product_id: UUID, actor: Actor, *, if_version: int | None = None) -> Product:
    """It is nowhere for sale any more, and others may have the SKUs of its variants. Again changes nothing.

    Its handle stays its own, as addresses of it are out in the world.
    """
    before = await lock_product(tx, product_id, if_version, "id")
    if before.archived_at is not None:
        return before
    after: Any = (await tx.records(_ARCHIVE, product_id=product_id))[0]
    difference = audit.changed({}, {"archived_at": after.archived_at.isoformat()})
    await audit.record(tx, actor, "productArchive", subject(product_id), difference)
    return after


async def restore(tx: Tx, product_id: UUID, actor: Actor, *, if_version: int | None = None) -> Product:
    """With the variants that were archived with it, as a draft: somebody looks at it before it is sold again. Of one
    that is not archived changes nothing.

    Refuses, naming who has it, where an SKU of its variants is in use by now.
    """
    before = await lock_product(tx, product_id, if_version, "id")
    if before.archived_at is None:
        return before
    gathering = Gathering()
    for row in await tx.records(_TAKEN, product_id=product_id, archived_at=before.archived_at):
        with gathering.at("id"):
            raise SkuTaken(f"Another variant has the SKU {row.sku} by now.", variant_id=row.id, sku=row.sku)
    gathering.raise_if_any()
    try:
        after: Any = (await tx.records(_RESTORE, product_id=product_id, archived_at=before.archived_at))[0]
    except UniqueViolationError:
        message = "A variant of it was made anew, or its SKU was taken, at this moment: look again."
        raise ValidationFailed(message, path=("id",)) from None
    told = {"archived_at": before.archived_at.isoformat(), "status": before.status}
    difference = audit.changed(told, {"archived_at": None, "status": after.status})
    await audit.record(tx, actor, "productRestore", subject(product_id), difference)
    return after


# Its variants bear the same time: so those are known again that were archived with it.
_ARCHIVE: Final = text(
    """
    WITH gone AS (
        UPDATE product SET archived_at = clock_timestamp(), version = version + 1, updated_at = now()
        WHERE id = :product_id AND archived_at IS NULL RETURNING *
    ), variants AS (
        UPDATE variant SET archived_at = gone.archived_at FROM gone
        WHERE variant.product_id = gone.id AND variant.archived_at IS NULL
    )
    SELECT * FROM gone
    """
)
_TAKEN: Final = text(
    """
    SELECT other.id, other.sku FROM variant JOIN variant AS other ON other.sku = variant.sku
    WHERE variant.product_id = :product_id AND variant.archived_at = :archived_at AND other.archived_at IS NULL
    ORDER BY variant.rank, variant.id
    """
)
_RESTORE: Final = text(
    """
    WITH variants AS (
        UPDATE variant SET archived_at = NULL WHERE product_id = :product_id AND archived_at = :archived_at
    )
    UPDATE product SET archived_at = NULL, status = 'draft', version = version + 1, updated_at = now()
    WHERE id = :product_id RETURNING *
    """
)
