"""How taxes are counted in a region: whose rates hold while nobody knows where something goes, and who is asked."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Read, Tx
from domain import audit
from domain.actor import Actor
from domain.refusal import NotFound, ValidationFailed, VersionConflict
from domain.region import ONE_WRITER


@dataclass(frozen=True)
class SetRegionTax:
    """`home` null: the first of the region's countries, by its code."""

    region_id: UUID
    home: str | None
    provider: str
    if_version: int | None = None


async def find(read: Read, region_id: UUID) -> Any:
    """`home` as it counts; null where the region has no countries."""
    found = await read.records(_FIND, region_id=region_id)
    return found[0] if found else None


async def change(tx: Tx, command: SetRegionTax, actor: Actor) -> Any:
    """Carts of the region are taxed anew; orders keep what was agreed."""
    await tx.records(ONE_WRITER)
    locked = await tx.records(_LOCK, region_id=command.region_id)
    if not locked:
        raise NotFound(path=("region_id",))
    if locked[0].archived_at is not None:
        raise ValidationFailed("An archived region stays as it is.", path=("region_id",))
    if command.if_version is not None and command.if_version != locked[0].version:
        raise VersionConflict("The region has changed.", path=("if_version",), current_version=locked[0].version)
    before = await find(tx, command.region_id)
    if command.home is not None and command.home not in before.countries:
        raise ValidationFailed("This is no country of the region.", path=("home_country",))
    await tx.run(_NO_HOME, region_id=command.region_id, home=command.home or "")
    await tx.run(_HOME, region_id=command.region_id, home=command.home or "")
    await tx.run(_PROVIDER, region_id=command.region_id, provider=command.provider)
    after = await find(tx, command.region_id)
    if difference := audit.changed(_told(before), _told(after)):
        await tx.run(_TOUCH, region_id=command.region_id)
        await audit.record(tx, actor, "regionSetTax", f"region:{command.region_id}", difference)
    return after


def _told(row: Any) -> dict[str, Any]:
    return {"home_country": row.home, "tax_provider": row.tax_provider}


_FIND: Final = text(
    """
    SELECT region.id, region.tax_provider,
        ARRAY(SELECT country FROM region_country WHERE region_id = region.id ORDER BY country) AS countries,
        (SELECT country FROM region_country WHERE region_id = region.id ORDER BY is_home DESC, country LIMIT 1) AS home
    FROM region WHERE id = :region_id
    """
)
_LOCK: Final = text("SELECT version, archived_at FROM region WHERE id = :region_id FOR NO KEY UPDATE")
_NO_HOME: Final = text(
    "UPDATE region_country SET is_home = false WHERE region_id = :region_id AND is_home AND country <> :home"
)
_HOME: Final = text(
    "UPDATE region_country SET is_home = true WHERE region_id = :region_id AND NOT is_home AND country = :home"
)
_PROVIDER: Final = text(
    "UPDATE region SET tax_provider = :provider WHERE id = :region_id AND tax_provider <> :provider"
)
_TOUCH: Final = text("UPDATE region SET version = version + 1, updated_at = clock_timestamp() WHERE id = :region_id")
