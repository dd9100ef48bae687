"""Rules of collections: what each condition finds, and that what cannot be a rule is refused where it stands."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st
from sqlalchemy import select

from db import Product, Region
from db.connection import new_id
from domain import collection_rule
from domain.collection_rule import OPERATORS, Condition, InRegion, RuleField, RuleMatch, RuleOperator, Rules
from domain.processes.shop import Shop
from domain.refusal import Refusal, refusals_of
from tests import customers, given, taxonomy

F, Op = RuleField, RuleOperator


async def found(shop: Shop, *conditions: Condition, match: RuleMatch = RuleMatch.ALL) -> set[str]:
    wanted = collection_rule.matches(Rules(match, conditions))
    return set(await shop.read.scalars(select(Product.handle).where(wanted)))


async def shelves(shop: Shop) -> dict[str, UUID]:
    """Three products that differ in everything; the region Europe by its code, and categories by name."""
    await given.regions(shop)
    size = {"Size": ("Small", "Large")}
    cup = await given.product(shop, "cup", type="Cup", vendor="Acme 100%", tags=["Paper", "sale"], options=size)
    box = await given.product(shop, "box", type="Box", vendor="acme", tags=["Paper"], prices={"EUR": 250}, stock=0)
    await given.product(shop, "lid", type="cup lid", vendor="Lids_Ltd", prices={"USD": 300}, stock=None)
    await customers.execute(
        shop, """UPDATE product SET metadata = '{"season": "winter", "n": 3}' WHERE handle = 'cup'"""
    )
    await customers.execute(shop, """UPDATE product SET metadata = '{"season": null}' WHERE handle = 'box'""")
    await customers.execute(shop, "UPDATE product SET created_at = now() - interval '10 days' WHERE handle = 'lid'")
    print_ = await taxonomy.made_category(shop, "Print")
    below = await taxonomy.made_category(shop, "Cups", print_, cup)
    await taxonomy.made_category(shop, "Boxes", None, box)
    europe = await shop.read.one_scalar(select(Region.id).where(Region.code == "eu"))
    return {"eu": europe, "Print": print_, "Cups": below}


async def test_each_condition_finds_what_it_says(shop: Shop) -> None:
    at = await shelves(shop)
    week_ago = datetime.now(UTC) - timedelta(days=7)
    euros: Any = lambda minor: InRegion(at["eu"], "EUR", minor)  # noqa: E731
    wanted: list[tuple[Condition, set[str]]] = [
        (Condition(F.TYPE, Op.EQUALS, "CUP"), {"cup"}),
        (Condition(F.TYPE, Op.NOT_EQUALS, "cup"), {"box", "lid"}),
        (Condition(F.TYPE, Op.STARTS_WITH, "cup"), {"cup", "lid"}),
        (Condition(F.TYPE, Op.ENDS_WITH, "LID"), {"lid"}),
        (Condition(F.VENDOR, Op.CONTAINS, "%"), {"cup"}),
        (Condition(F.VENDOR, Op.CONTAINS, "_"), {"lid"}),
        (Condition(F.VENDOR, Op.NOT_CONTAINS, "acme"), {"lid"}),
        (Condition(F.TITLE, Op.EQUALS, "box"), {"box"}),
        (Condition(F.TAG, Op.EQUALS, "paper"), {"cup", "box"}),
        (Condition(F.TAG, Op.NOT_EQUALS, "SALE"), {"box", "lid"}),
        (Condition(F.CATEGORY, Op.EQUALS, at["Print"]), {"cup"}),
        (Condition(F.CATEGORY, Op.NOT_EQUALS, at["Print"]), {"box", "lid"}),
        (Condition(F.OPTION, Op.EQUALS, "large", "size"), {"cup"}),
        (Condition(F.OPTION, Op.NOT_EQUALS, "large", "size"), {"box", "lid"}),
        (Condition(F.PRICE, Op.LESS_THAN, euros(1000)), {"box"}),
        (Condition(F.PRICE, Op.EQUALS, euros(1000)), {"cup"}),
        (Condition(F.PRICE, Op.GREATER_THAN, euros(249)), {"cup", "box"}),
        (Condition(F.AVAILABLE, Op.EQUALS, True), {"cup", "lid"}),
        (Condition(F.AVAILABLE, Op.EQUALS, False), {"box"}),
        (Condition(F.METADATA, Op.EQUALS, "winter", "season"), {"cup"}),
        (Condition(F.METADATA, Op.EQUALS, "3", "n"), {"cup"}),
        (Condition(F.METADATA, Op.NOT_EQUALS, "winter", "season"), {"box", "lid"}),
        (Condition(F.METADATA, Op.IS_SET, None, "season"), {"cup", "box"}),
        (Condition(F.METADATA, Op.IS_NOT_SET, None, "season"), {"lid"}),
        (Condition(F.CREATED_AT, Op.LESS_THAN, week_ago), {"lid"}),
        (Condition(F.CREATED_AT, Op.GREATER_THAN, week_ago), {"cup", "box"}),
    ]
    assert {condition: await found(shop, condition) for condition, _ in wanted} == dict(wanted)
    assert {condition.field for condition, _ in wanted} == set(RuleField)
    paper, cheap = Condition(F.TAG, Op.EQUALS, "paper"), Condition(F.PRICE, Op.LESS_THAN, euros(1000))
    lids = Condition(F.TYPE, Op.ENDS_WITH, "lid")
    assert await found(shop, paper, cheap) == {"box"}
    assert await found(shop, cheap, lids, match=RuleMatch.ANY) == {"box", "lid"}


async def test_the_price_of_a_region_comes_before_that_of_its_currency_and_lists_do_not_count(shop: Shop) -> None:
    at = await shelves(shop)
    price = "INSERT INTO price (id, variant_id, currency, region_id, min_quantity, amount, price_list_id) SELECT "
    of_cup = "gen_random_uuid(), v.id, 'EUR', {}, {}, {}, {} FROM variant v JOIN product p ON p.id = v.product_id "
    of_cup += "WHERE p.handle = 'cup'"
    listed = new_id()
    await customers.execute(
        shop, "INSERT INTO price_list (id, name, kind, status) VALUES (:id, 'Sale', 'sale', 'active')", id=listed
    )
    await customers.execute(shop, price + of_cup.format("NULL", 10, 1, "NULL"))
    await customers.execute(shop, price + of_cup.format("NULL", 1, 2, f"'{listed}'"))
    cheap = Condition(F.PRICE, Op.LESS_THAN, InRegion(at["eu"], "EUR", 1000))
    assert await found(shop, cheap) == {"box"}
    await customers.execute(shop, price + of_cup.format(f"'{at['eu']}'", 1, 999, "NULL"))
    assert await found(shop, cheap) == {"box", "cup"}


@pytest.mark.parametrize(
    ("field", "operator", "value", "key", "paths"),
    [
        (F.TYPE, Op.LESS_THAN, "x", None, [("operator",)]),
        (F.PRICE, Op.CONTAINS, "x", None, [("operator",), ("value",)]),
        (F.TAG, Op.EQUALS, None, None, [("value",)]),
        (F.TAG, Op.EQUALS, "", None, [("value",)]),
        (F.TAG, Op.EQUALS, "x" * 256, None, [("value",)]),
        (F.TAG, Op.EQUALS, "x", "size", [("key",)]),
        (F.OPTION, Op.EQUALS, "x", None, [("key",)]),
        (F.METADATA, Op.EQUALS, "x", "", [("key",)]),
        (F.METADATA, Op.IS_SET, "x", "k", [("value",)]),
        (F.AVAILABLE, Op.EQUALS, "maybe", None, [("value",)]),
        (F.CATEGORY, Op.EQUALS, "cups", None, [("value",)]),
        (F.CREATED_AT, Op.LESS_THAN, "yesterday", None, [("value",)]),
    ],
)
def test_what_is_no_condition_is_refused_where_it_is_wrong(
    field: RuleField, operator: RuleOperator, value: Any, key: str | None, paths: list[tuple[str, ...]]
) -> None:
    with pytest.raises((Refusal, ExceptionGroup)) as refused:
        Condition(field, operator, value, key)
    assert [refusal.path for refusal in refusals_of(refused.value)] == paths


@pytest.mark.parametrize("count", [0, 61])
def test_a_rule_has_one_to_sixty_conditions(count: int) -> None:
    with pytest.raises(Refusal) as refused:
        Rules(RuleMatch.ALL, (Condition(F.TAG, Op.EQUALS, "x"),) * count)
    assert refused.value.path == ("conditions",)


_VALUES: dict[RuleField, st.SearchStrategy[Any]] = {
    F.CATEGORY: st.uuids(),
    F.PRICE: st.builds(InRegion, st.uuids(), st.sampled_from(["EUR", "JPY", "KWD"]), st.integers(0, 10**12)),
    F.AVAILABLE: st.booleans(),
    F.CREATED_AT: st.datetimes(timezones=st.just(UTC)),
}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from(RuleField))
    operator = draw(st.sampled_from(OPERATORS[field]))
    text = st.text(min_size=1, max_size=255)
    value = None if operator in {Op.IS_SET, Op.IS_NOT_SET} else draw(_VALUES.get(field, text))
    return Condition(field, operator, value, draw(text) if field in collection_rule.KEYED else None)


@generated(st.builds(Rules, st.sampled_from(RuleMatch), st.lists(conditions(), min_size=1, max_size=5).map(tuple)))
def test_rules_are_read_as_they_were_stored(rules: Rules) -> None:
    assert collection_rule.read(collection_rule.stored(rules)) == rules
