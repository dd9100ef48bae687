"""One resolution everywhere: the statement gives what a plain reading of the rules gives, whatever prices there are."""

import random
from datetime import datetime
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from db import PriceList, PriceListGroup
from db.connection import new_id
from domain import price
from domain.price import PriceDraft, Wanted
from domain.price_history import Spell, _shown
from domain.processes.shop import Shop
from domain.region import RegionDraft, upsert_region
from tests import given
from tests.pricing import DAY, NOW, Listed, Read, group, read_plainly

FINLAND = RegionDraft("fi", "Finland", "EUR", False, ("FI",))
SPAIN = RegionDraft("es", "Spain", "EUR", True, ("ES",))
QUANTITIES = (1, 2, 3, 5, 9, 10, 11)
VARIANTS = 24


class World:
    """A shop with any prices in any lists, and the same in plain values."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.currency: dict[UUID, str] = {}
        self.lists: list[Listed] = []
        self.rows: list[PriceDraft] = []
        self.groups_of: dict[UUID | None, frozenset[UUID]] = {None: frozenset()}

    async def fill(self, shop: Shop) -> None:
        self.currency = {await self._region(shop, draft): draft.currency for draft in REGIONS}
        sam, kim = await given.customer(shop), await given.customer(shop, "kim@shop.example")
        trade, press = await group(shop, "Trade", sam, kim), await group(shop, "Press", kim)
        self.groups_of |= {sam: frozenset({trade}), kim: frozenset({trade, press})}
        values = tuple(str(n) for n in range(VARIANTS))
        cup = await given.product(shop, options={"Size": values}, stock=None, prices={"GBP": 1})
        self.lists = [self._list(trade, press) for _ in range(14)]
        async with shop.tx() as tx:
            await tx.insert(PriceList, [_row(one) for one in self.lists])
            of_groups = [{"price_list_id": one.id, "group_id": g} for one in self.lists for g in one.groups or ()]
            await tx.insert(PriceListGroup, of_groups)
        self.rows = list({row.key: row for variant in cup.keys for row in self._prices(variant)}.values())
        await given.prices(shop, *self.rows)

    async def _region(self, shop: Shop, draft: RegionDraft) -> UUID:
        async with shop.tx() as tx:
            return await upsert_region(tx, draft)

    def _list(self, *groups: UUID) -> Listed:
        some = self.random
        audience = some.choice([None, None, {groups[0]}, {groups[1]}, set(groups), set()])
        return Listed(
            new_id(),
            some.choice(["sale", "override"]),
            some.randint(1, 3),
            some.choices(["active", "draft", "archived"], (6, 1, 1))[0],
            some.choice([None, None, NOW - DAY, NOW, NOW + DAY]),
            some.choice([None, None, NOW + 2 * DAY, NOW + 3 * DAY]),
            None if audience is None else frozenset(audience),
        )

    def _prices(self, variant: UUID) -> list[PriceDraft]:
        some = self.random
        return [
            PriceDraft(
                variant,
                some.choice(["EUR", "EUR", "USD"]),
                some.randint(1, 9),
                some.choice([None, None, 5, 12]),
                some.choice([None, None, *self.currency]),
                some.choice([1, 1, 2, 3, 10]),
                some.choice([None, None, None, *(one.id for one in self.lists)]),
            )
            for _ in range(some.choice([1, 8, 16, 30]))
        ]

    def read(self, wanted: Wanted, at: datetime, groups: frozenset[UUID]) -> Read | None:
        theirs = groups | self.groups_of[wanted.customer_id]
        return read_plainly(self.rows, self.lists, wanted, self.currency[wanted.region_id], at=at, groups=theirs)


REGIONS = (given.EUROPE, given.AMERICA, FINLAND, SPAIN)


def _row(one: Listed) -> dict[str, Any]:
    columns = ("id", "kind", "priority", "status", "starts_at", "ends_at")
    return {**{name: getattr(one, name) for name in columns}, "name": "Internal", "for_groups": one.groups is not None}


def found(row: Any) -> Read | None:
    return row and Read(row["amount"], row["original"], row["compare_at"], row["min_quantity"], row["list_id"])


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_price_is_what_the_rules_say(shop: Shop, seed: int) -> None:
    world = World(seed)
    await world.fill(shop)
    variants = {row.variant_id for row in world.rows}
    wanted = [Wanted(*case) for case in product(variants, QUANTITIES, world.currency, world.groups_of) if any(case[:1])]
    press = max(world.groups_of.values(), key=len)
    seen: set[Any] = set()
    for at, groups in ((NOW, frozenset[UUID]()), (NOW - 2 * DAY, frozenset[UUID]()), (NOW + 2 * DAY, press)):
        expected = [world.read(one, at, groups) for one in wanted]
        rows = await price.best(shop.read, wanted, at=at, groups=list(groups))
        differing = [case for case in zip(wanted, map(found, rows), expected, strict=True) if case[1] != case[2]]
        assert differing == []
        seen |= {e and (e.list_id is None, e.amount < e.original) for e in expected}
    assert len(wanted) > 1900
    assert seen == {None, (True, False), (False, False), (False, True)}  # all there can be


async def test_ladders_and_the_public_price_of_the_past_are_read_by_the_same_rules(shop: Shop) -> None:
    world = World(3)
    await world.fill(shop)
    variants = sorted({row.variant_id for row in world.rows})
    wanted = [Wanted(*case) for case in product(variants, (7,), world.currency, world.groups_of)]
    ladders = await price.ladders(shop.read, wanted)
    for one, ladder in zip(wanted, ladders, strict=True):
        reads = [(n, world.read(one._replace(quantity=n), NOW, frozenset())) for n in range(1, 12)]
        shown = [(n, read and (read.amount, read.original, read.compare_at)) for n, read in reads]
        steps = [
            (n, now) for (n, now), (_, before) in zip(shown, [(0, None), *shown[:-1]], strict=True) if now != before
        ]
        assert [(row["quantity"], (row["amount"], row["original"], row["compare_at"])) for row in ladder] == steps
    for variant, region in product(variants, world.currency):
        spells = [
            Spell(
                row.amount or 0,
                row.compare_at,
                row.region_id is not None,
                NOW - 9 * DAY,
                None,
                of.id,
                of.kind,
                of.priority,
            )
            for row in world.rows
            for of in (Listed(None, None), *world.lists)  # pyright: ignore[reportArgumentType]
            if row.variant_id == variant
            and row.currency == world.currency[region]
            and row.min_quantity == 1
            and row.region_id in {None, region}
            and row.price_list_id == of.id
            and (of.id is None or of.applies(NOW, frozenset()))
        ]
        read = world.read(Wanted(variant, 1, region), NOW, frozenset())
        assert (public := _shown(spells, NOW)) is read or (public and read and public.amount == read.amount)
