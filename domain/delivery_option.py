"""Ways of delivery of a region, made by staff; every change stands in the audit log."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from db import DeliveryOption, Region
from db.connection import Tx, new_id
from db.delivery import LOCAL, DeliveryKind, DeliveryTax
from domain import audit
from domain.actor import Actor
from domain.address import COUNTRIES, check_line
from domain.delivery import MOST
from domain.refusal import Gathering, NotFound, ValidationFailed, under
from domain.tax_class import check_usable
from domain.totals import PARTS

MOST_TIERS: Final = 100
MOST_DAYS: Final = 365
FIELDS: Final = (
    "code", "name", "position", "active", "kind", "tiers", "free_from", "tax_treatment", "tax_rates", "countries",
    "provider", "fallback", "days_min", "days_max", "tax_class_code",
)  # fmt: skip


@dataclass(frozen=True)
class Tier:
    """From so many grams or minor units on; amount null: not delivered from there on."""

    start: int
    amount: int | None


@dataclass(frozen=True, kw_only=True)
class DeliveryDraft:
    """A way of delivery as it is to be. Amounts in minor units of the region, `tax_rates` as fractions by name."""

    code: str
    name: str
    position: int = 0
    active: bool = True
    kind: DeliveryKind = DeliveryKind.FLAT
    tiers: tuple[Tier, ...] = ()
    free_from: int | None = None
    tax_treatment: DeliveryTax = DeliveryTax.REGION
    tax_rates: tuple[tuple[str, Decimal], ...] = ()
    countries: tuple[str, ...] = ()
    provider: str = LOCAL
    fallback: int | None = None
    days_min: int | None = None
    days_max: int | None = None
    tax_class_code: str | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        for check in (_check_names, _check_amounts, _check_tiers, _check_taxes, _check_places, _check_days):
            with gathering.at():
                check(self)
        gathering.raise_if_any()

    @property
    def row(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in FIELDS},
            "kind": str(self.kind),
            "tax_treatment": str(self.tax_treatment),
            "tiers": [{"from": tier.start, "amount": tier.amount} for tier in self.tiers],
            "tax_rates": [{"name": name, "rate": str(rate)} for name, rate in self.tax_rates],
            "countries": list(self.countries),
        }


def _check_names(draft: DeliveryDraft) -> None:
    gathering = Gathering()
    for name in ("code", "name", "provider"):
        with gathering.at(name):
            check_line(getattr(draft, name))
            if not getattr(draft, name).strip():
                raise ValidationFailed("This cannot be empty.")
    with gathering.at("position"):
        if not 0 <= draft.position < 2**31:
            raise ValidationFailed("A position is 0 or more.")
    gathering.raise_if_any()


def _check_amount(amount: int | None, *path: str) -> None:
    if amount is not None and not 0 <= amount <= MOST:
        raise ValidationFailed("The price of a delivery is 0 or more, and not beyond what can be counted.", path=path)


def _check_amounts(draft: DeliveryDraft) -> None:
    _check_amount(draft.free_from, "free_from")
    _check_amount(draft.fallback, "fallback")


def _check_tiers(draft: DeliveryDraft) -> None:
    with under("tiers"):
        if draft.provider != LOCAL:
            if draft.tiers:
                raise ValidationFailed("What a provider prices has no tiers of its own.")
            return
        starts = [tier.start for tier in draft.tiers]
        most = 1 if draft.kind == DeliveryKind.FLAT else MOST_TIERS
        if not 1 <= len(starts) <= most or starts[0] != 0 or starts != sorted(set(starts)) or starts[-1] > MOST:
            raise ValidationFailed(f"Give 1 to {most} tiers, the first from 0 on, each from more than the one before.")
        for index, tier in enumerate(draft.tiers):
            _check_amount(tier.amount, str(index), "amount")
        if all(tier.amount is None for tier in draft.tiers):
            raise ValidationFailed("One tier at least has a price.")


def _check_taxes(draft: DeliveryDraft) -> None:
    with under("tax_class_code"):
        if draft.tax_class_code is not None and draft.tax_treatment != DeliveryTax.REGION:
            raise ValidationFailed("Only the treatment REGION has a tax class.")
    with under("tax_rates"):
        if draft.tax_rates and draft.tax_treatment != DeliveryTax.OWN:
            raise ValidationFailed("Only the treatment OWN has rates of its own.")
        if len(draft.tax_rates) > MOST_TIERS:
            raise ValidationFailed(f"At most {MOST_TIERS} taxes, please.")
        gathering = Gathering()
        names = [name for name, _ in draft.tax_rates]
        for index, (name, rate) in enumerate(draft.tax_rates):
            with gathering.at(str(index), "name"):
                check_line(name)
                if not name.strip() or name in names[:index]:
                    raise ValidationFailed("Each tax has a name of its own.")
            with gathering.at(str(index), "rate"):
                if not 0 <= rate <= 1 or rate * PARTS % 1:
                    raise ValidationFailed("A rate is from 0 to 1 with at most six decimal places: 0.21 is 21 %.")
        gathering.raise_if_any()


def _check_places(draft: DeliveryDraft) -> None:
    if unknown := [country for country in draft.countries if country not in COUNTRIES]:
        raise ValidationFailed(f"{unknown[0]!r} is not an ISO 3166 country code such as DE.", path=("countries",))


def _check_days(draft: DeliveryDraft) -> None:
    low, high = draft.days_min, draft.days_max
    with under("estimated_days"):
        if (low is None) != (high is None):
            raise ValidationFailed("Give both numbers of days, or none.")
        for name, days in (("minimum", low), ("maximum", high)):
            if days is not None and not 0 <= days <= MOST_DAYS:
                raise ValidationFailed(f"It takes 0 to {MOST_DAYS} days.", path=(name,))
        if low is not None and high is not None and low > high:
            raise ValidationFailed("The maximum is the minimum or more.", path=("maximum",))


_REGION: Final = select(Region.id).where(Region.id == bindparam("region_id"))
_INSERT: Final = insert(DeliveryOption).values({name: bindparam(name) for name in ("id", "region_id", *FIELDS)})
_CREATE: Final = _INSERT.on_conflict_do_nothing(
    index_elements=["region_id", "code"], index_where=DeliveryOption.archived_at.is_(None)
).returning(DeliveryOption)


async def create(tx: Tx, region_id: UUID, draft: DeliveryDraft, actor: Actor) -> DeliveryOption:
    if await tx.scalar(_REGION, region_id=region_id) is None:
        raise NotFound(path=("region_id",))
    await check_usable(tx, draft.tax_class_code, "option", "tax_class_code")
    made = await tx.first(_CREATE, id=new_id(), region_id=region_id, **draft.row)
    if made is None:
        raise _taken()
    difference = audit.changed({}, {"region_id": region_id, **draft.row})
    await audit.record(tx, actor, "deliveryOptionCreate", _subject(made.id), difference)
    return made


_LOCK: Final = (
    select(DeliveryOption)
    .where(DeliveryOption.id == bindparam("option_id"), DeliveryOption.archived_at.is_(None))
    .with_for_update(key_share=True)
)
_TAKEN: Final = (
    select(DeliveryOption.id)
    .where(DeliveryOption.region_id == bindparam("region_id"), DeliveryOption.code == bindparam("code"))
    .where(DeliveryOption.id != bindparam("option_id"), DeliveryOption.archived_at.is_(None))
)
_UPDATE: Final = (
    update(DeliveryOption)
    .where(DeliveryOption.id == bindparam("option_id"))
    .values({name: bindparam(name) for name in FIELDS})
    .values(updated_at=func.clock_timestamp())
    .returning(DeliveryOption)
)


async def change(tx: Tx, option_id: UUID, draft: DeliveryDraft, actor: Actor) -> DeliveryOption:
    """Makes it what the draft says. Carts that chose it are priced anew; orders keep what was agreed."""
    before = await _lock(tx, option_id)
    if await tx.scalar(_TAKEN, region_id=before.region_id, code=draft.code, option_id=option_id):
        raise _taken()
    if draft.tax_class_code != before.tax_class_code:
        await check_usable(tx, draft.tax_class_code, "option", "tax_class_code")
    after = await tx.one(_UPDATE, option_id=option_id, **draft.row)
    difference = audit.changed({name: getattr(before, name) for name in FIELDS}, draft.row)
    await audit.record(tx, actor, "deliveryOptionUpdate", _subject(option_id), difference)
    return after


_ARCHIVE: Final = (
    update(DeliveryOption)
    .where(DeliveryOption.id == bindparam("option_id"))
    .values(archived_at=func.clock_timestamp(), updated_at=func.clock_timestamp())
    .returning(DeliveryOption)
)


async def archive(tx: Tx, option_id: UUID, actor: Actor) -> DeliveryOption:
    """Nobody can choose it any more; its code is free again."""
    await _lock(tx, option_id)
    archived = await tx.one(_ARCHIVE, option_id=option_id)
    difference = audit.changed({"archived": False}, {"archived": True})
    await audit.record(tx, actor, "deliveryOptionArchive", _subject(option_id), difference)
    return archived


async def _lock(tx: Tx, option_id: UUID) -> DeliveryOption:
    found = await tx.first(_LOCK, option_id=option_id)
    if found is None:
        raise NotFound(path=("option_id",))
    return found


def _taken() -> ValidationFailed:
    return ValidationFailed("The region has a way of delivery with this code.", path=("option", "code"))


def _subject(option_id: UUID) -> str:
    return f"delivery_option:{option_id}"
