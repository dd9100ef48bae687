"""What a product page relies on: each variant has one value for each option, and no two are the same.

The first part goes past the domain and asks the database itself, also from two connections at once; the second
part writes through the domain, whatever the order of changes.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from asyncpg import (
    CheckViolationError,
    ForeignKeyViolationError,
    NotNullViolationError,
    PostgresError,
    UniqueViolationError,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db import Product, Variant
from db.connection import Tx, new_id
from domain.catalog import Outcome, Upserted, upsert_products
from domain.processes.shop import Shop
from domain.product import MediaDraft, ProductDraft, VariantDraft
from domain.refusal import ValidationFailed, refusals_of
from tests.test_shopify_import import changed_tables, everything


def shirt(**changes: Any) -> ProductDraft:
    """Two options, three variants."""
    variants = (
        VariantDraft(values=("S", "Red"), sku="S-RED"),
        VariantDraft(values=("M", "Red"), sku="M-RED"),
        VariantDraft(values=("M", "Blue")),
    )
    return replace(
        ProductDraft(handle="shirt", title="Shirt", options=("Size", "Colour"), variants=variants), **changes
    )


HAT = ProductDraft(handle="hat", title="Hat", options=("Size",), variants=(VariantDraft(values=("S",), sku="HAT"),))


async def write(shop: Shop, *drafts: ProductDraft) -> list[Upserted]:
    async with shop.tx() as tx:
        return await upsert_products(tx, drafts)


class Rows:
    """The ids of what the raw statements below are about."""

    def __init__(self, shop: Shop, ids: dict[str, UUID]) -> None:
        self.shop, self.ids = shop, ids

    async def run(self, *statements: str) -> None:
        """Runs statements in one transaction; `:name` stands for the id of that name."""
        async with self.shop.tx() as tx:
            await self.within(tx, *statements)

    async def within(self, tx: Tx, *statements: str) -> None:
        for statement in statements:
            for name, row_id in self.ids.items():
                statement = statement.replace(f":{name}:", f"'{row_id}'::uuid")  # noqa: PLW2901
            await tx._connection.execute(statement)

    async def healthy(self) -> bool:
        """Every live variant has one value for each option, its combination says which, and it is alone."""
        wrong = await self.shop.database.pool.fetchval(
            """
            SELECT count(*) FROM variant v WHERE archived_at IS NULL AND (
                combination IS DISTINCT FROM ARRAY(
                    SELECT value_id FROM product_option o
                    JOIN variant_option_value x ON x.option_id = o.id AND x.variant_id = v.id
                    JOIN option_value w ON w.id = x.value_id AND w.option_id = o.id
                    WHERE o.product_id = v.product_id ORDER BY value_id)
                OR cardinality(combination) <> (SELECT count(*) FROM product_option o WHERE o.product_id = v.product_id)
                OR EXISTS (SELECT FROM variant w WHERE w.id <> v.id AND w.product_id = v.product_id
                           AND w.combination = v.combination AND w.archived_at IS NULL))
            """
        )
        return wrong == 0


@pytest.fixture
async def rows(shop: Shop) -> AsyncIterator[Rows]:
    first, second = await write(shop, shirt(), HAT)
    found = await shop.database.pool.fetch(
        """
        SELECT p.handle || '_' || lower(o.name) AS name, o.id FROM product_option o JOIN product p ON p.id = product_id
        UNION ALL
        SELECT p.handle || '_' || lower(v.name), v.id FROM option_value v
        JOIN product_option o ON o.id = option_id JOIN product p ON p.id = product_id
        """
    )
    small, medium, blue = first.variant_ids
    rows = Rows(shop, {row.name: row.id for row in found})
    rows.ids |= {"shirt": first.product_id, "hat": second.product_id, "new": new_id(), "newer": new_id()}
    rows.ids |= {"s_red": small, "m_red": medium, "m_blue": blue, "hat_variant": second.variant_ids[0]}
    yield rows
    assert await rows.healthy()


def insert_variant(values: str = ":shirt_s:, :shirt_blue:", sku: str = "NULL", variant: str = "new") -> str:
    return (
        f"INSERT INTO variant (id, product_id, title, sku, rank, combination) SELECT :{variant}:, :shirt:, 'new', "
        f"{sku}, 9, ARRAY(SELECT unnest(ARRAY[{values}]::uuid[]) AS v ORDER BY v)"
    )


def link(option: str, value: str, variant: str = "new", product: str = "shirt") -> str:
    return (
        "INSERT INTO variant_option_value (variant_id, option_id, product_id, value_id) "
        f"VALUES (:{variant}:, :{option}:, :{product}:, :{value}:)"
    )


SIZE_S, COLOUR_BLUE = link("shirt_size", "shirt_s"), link("shirt_colour", "shirt_blue")
ATTEMPTS: dict[str, tuple[type[PostgresError], list[str]]] = {
    "a second variant of the same values": (
        UniqueViolationError,
        [insert_variant(":shirt_s:, :shirt_red:")],
    ),
    "a variant changed into another": (
        UniqueViolationError,
        ["UPDATE variant SET combination = (SELECT combination FROM variant WHERE id = :s_red:) WHERE id = :m_red:"],
    ),
    "a bulk change that makes all the same": (
        UniqueViolationError,
        ["UPDATE variant SET combination = '{}' WHERE product_id = :shirt:"],
    ),
    "a twin restored from the archive": (
        UniqueViolationError,
        [
            "UPDATE variant SET archived_at = now() WHERE id = :s_red:",
            insert_variant(":shirt_s:, :shirt_red:"),
            SIZE_S,
            link("shirt_colour", "shirt_red"),
            "UPDATE variant SET archived_at = NULL WHERE id = :s_red:",
        ],
    ),
    "no values": (CheckViolationError, [insert_variant()]),
    "no combination": (CheckViolationError, [insert_variant(""), SIZE_S, COLOUR_BLUE]),
    "a value missing": (CheckViolationError, [insert_variant(), SIZE_S]),
    "a value missing and not named": (CheckViolationError, [insert_variant(":shirt_s:"), SIZE_S]),
    "another value than the combination says": (
        CheckViolationError,
        [insert_variant(), SIZE_S, link("shirt_colour", "shirt_red")],
    ),
    "two values of one option": (
        UniqueViolationError,
        [insert_variant(), SIZE_S, link("shirt_size", "shirt_m")],
    ),
    "a value of another option": (ForeignKeyViolationError, [insert_variant(), link("shirt_size", "shirt_blue")]),
    "a value of another product": (ForeignKeyViolationError, [insert_variant(), link("shirt_size", "hat_s")]),
    "an option of another product": (ForeignKeyViolationError, [insert_variant(), link("hat_size", "hat_s")]),
    "a link that names another product": (
        ForeignKeyViolationError,
        [insert_variant(), link("hat_size", "hat_s", product="hat")],
    ),
    "a value changed behind the combination": (
        CheckViolationError,
        [
            "UPDATE variant_option_value SET value_id = :shirt_blue: "
            "WHERE variant_id = :s_red: AND option_id = :shirt_colour:"
        ],
    ),
    "a value changed to one of another option": (
        ForeignKeyViolationError,
        ["UPDATE variant_option_value SET value_id = :shirt_m: WHERE value_id = :shirt_red:"],
    ),
    "a value taken away": (CheckViolationError, ["DELETE FROM variant_option_value WHERE variant_id = :s_red:"]),
    "a value moved to another variant": (
        CheckViolationError,
        [
            "UPDATE variant SET archived_at = now() WHERE id = :s_red:",
            "DELETE FROM variant_option_value WHERE variant_id = :s_red:",
            "UPDATE variant_option_value SET variant_id = :s_red: WHERE variant_id = :m_red:",
        ],
    ),
    "a value in use deleted": (ForeignKeyViolationError, ["DELETE FROM option_value WHERE id = :shirt_s:"]),
    "an option in use deleted": (ForeignKeyViolationError, ["DELETE FROM product_option WHERE id = :shirt_size:"]),
    "an option that no variant has a value for": (
        CheckViolationError,
        ["INSERT INTO product_option (id, product_id, name, rank) VALUES (:new:, :shirt:, 'Length', 3)"],
    ),
    "an option moved here from another product": (
        CheckViolationError,
        [
            "INSERT INTO product (id, handle, title) VALUES (:new:, 'bare', 'Bare')",
            "INSERT INTO product_option (id, product_id, name, rank) VALUES (:new:, :new:, 'Length', 3)",
            "SET CONSTRAINTS ALL IMMEDIATE",
            "UPDATE product_option SET product_id = :shirt: WHERE id = :new:",
        ],
    ),
    "a variant moved to another product": (
        ForeignKeyViolationError,
        ["UPDATE variant SET product_id = :hat: WHERE id = :s_red:"],
    ),
    "a variant restored without its values": (
        CheckViolationError,
        [
            "UPDATE variant SET archived_at = now() WHERE id = :s_red:",
            "DELETE FROM variant_option_value WHERE variant_id = :s_red:",
            "SET CONSTRAINTS ALL IMMEDIATE",
            "SET CONSTRAINTS ALL DEFERRED",
            "UPDATE variant SET archived_at = NULL WHERE id = :s_red:",
        ],
    ),
    "an SKU that a live variant has": (UniqueViolationError, [insert_variant(sku="'HAT'")]),
    "a combination of nothing": (NotNullViolationError, ["UPDATE variant SET combination = NULL WHERE id = :s_red:"]),
    "an image of another product": (
        ForeignKeyViolationError,
        [
            "INSERT INTO media (id, product_id, url, rank) VALUES (:new:, :hat:, 'https://e.example/1.jpg', 1)",
            "UPDATE variant SET media_id = :new: WHERE id = :s_red:",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_the_database_refuses(rows: Rows, attempt: str):
    expected, statements = ATTEMPTS[attempt]
    before = await everything(rows.shop.database)
    with pytest.raises(expected):
        await rows.run(*statements)
    assert await changed_tables(rows.shop.database, before) == set()


async def test_the_database_takes_a_complete_variant_in_any_order_of_its_parts(rows: Rows):
    await rows.run(insert_variant(), COLOUR_BLUE, SIZE_S)


async def test_an_archived_variant_is_in_nobodys_way(rows: Rows):
    await rows.run("UPDATE variant SET archived_at = now() WHERE id = :s_red:")
    await rows.run(insert_variant(":shirt_s:, :shirt_red:", "'S-RED'"), SIZE_S, link("shirt_colour", "shirt_red"))


LENGTH = "INSERT INTO product_option (id, product_id, name, rank) VALUES (:new:, :shirt:, 'Length', 3)"
RACES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "the same variant twice": (
        [],
        [insert_variant(), SIZE_S, COLOUR_BLUE],
        [
            insert_variant(variant="newer"),
            link("shirt_size", "shirt_s", "newer"),
            link("shirt_colour", "shirt_blue", "newer"),
        ],
    ),
    "a variant without an option that is being added": (
        ["UPDATE variant SET archived_at = now() WHERE product_id = :shirt:"],
        [insert_variant(), SIZE_S, COLOUR_BLUE],
        [LENGTH],
    ),
    "a variant restored while its value is taken away": (
        ["UPDATE variant SET archived_at = now() WHERE id = :s_red:"],
        ["UPDATE variant SET archived_at = NULL WHERE id = :s_red:"],
        ["DELETE FROM variant_option_value WHERE variant_id = :s_red: AND option_id = :shirt_size:"],
    ),
    "two variants with one SKU": (
        [],
        ["UPDATE variant SET sku = 'ONE' WHERE id = :s_red:"],
        ["UPDATE variant SET sku = 'ONE' WHERE id = :hat_variant:"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("race", RACES)
async def test_of_two_connections_that_cannot_both_be_right_one_is_refused(rows: Rows, race: str):
    before, *sides = RACES[race]
    await rows.run(*before)

    async def side(statements: list[str]) -> None:
        async with rows.shop.tx() as tx:
            await rows.within(tx, *statements, "SET CONSTRAINTS ALL IMMEDIATE")
            await asyncio.sleep(0.2)  # Long enough for the other one to have written and been checked, too.

    results = await asyncio.gather(*map(side, sides), return_exceptions=True)
    assert sorted(isinstance(result, PostgresError) for result in results) == [False, True]


# --- through the domain ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"handle": "a shirt"}, ("handle",)),
        ({"handle": ""}, ("handle",)),
        ({"title": ""}, ("title",)),
        ({"options": ("Size", "Size")}, ("options",)),
        ({"variants": ()}, ("variants",)),
        ({"variants": (VariantDraft(values=("S",)),)}, ("variants", "0", "values")),
        ({"variants": (VariantDraft(values=("S", "")),)}, ("variants", "0", "values")),
        ({"variants": (VariantDraft(values=("S", "Red")),) * 2}, ("variants", "1", "values")),
        (
            {"variants": (VariantDraft(values=("S", "Red"), sku="A"), VariantDraft(values=("M", "Red"), sku="A"))},
            ("variants", "1", "sku"),
        ),
        ({"variants": (VariantDraft(values=("S", "Red"), weight_grams=-1),)}, ("variants", "0", "weight_grams")),
        ({"variants": (VariantDraft(values=("S", "Red"), image="https://e.example/1"),)}, ("variants", "0", "image")),
        ({"media": (MediaDraft("ftp://e.example/1"),)}, ("media", "0", "url")),
    ],
)
def test_a_draft_that_makes_no_sense_cannot_be_made(changes: dict[str, Any], path: tuple[str, ...]):
    with pytest.raises(ValidationFailed) as refused:
        shirt(**changes)
    assert refused.value.path == path


async def test_everything_wrong_with_the_skus_of_a_batch_is_told_at_once(rows: Rows):
    cap = ProductDraft(handle="cap", title="Cap", variants=(VariantDraft(sku="NEW"),))
    before = await everything(rows.shop.database)
    mug = ProductDraft(handle="mug", title="Mug", variants=(VariantDraft(sku="HAT"),))
    with pytest.raises(ExceptionGroup) as refused:
        await write(rows.shop, cap, replace(cap, handle="cup"), mug, replace(cap, variants=(VariantDraft(),)))
    assert [(r.path, r.message) for r in refusals_of(refused.value)] == [
        (("1", "variants", "0", "sku"), "The SKU NEW is in use by cap: give this variant its own."),
        (("2", "variants", "0", "sku"), "The SKU HAT is in use by hat: give this variant its own."),
        (("3", "handle"), "Another product of the batch has this handle."),
    ]
    assert await changed_tables(rows.shop.database, before) == set()


async def test_two_products_can_change_skus(rows: Rows):
    swapped = shirt(variants=(VariantDraft(values=("S", "Red"), sku="HAT"),))
    await write(rows.shop, swapped, replace(HAT, variants=(VariantDraft(values=("S",), sku="S-RED"),)))
    skus = await rows.shop.database.pool.fetch("SELECT id, sku FROM variant WHERE archived_at IS NULL ORDER BY sku")
    assert [(row.id, row.sku) for row in skus] == [
        (rows.ids["s_red"], "HAT"),
        (rows.ids["hat_variant"], "S-RED"),
    ]


async def test_the_number_of_statements_does_not_depend_on_the_number_of_products(shop: Shop):
    async def statements(name: str, count: int) -> int:
        drafts = [shirt(handle=f"{name}-{i}", variants=(VariantDraft(values=("S", "Red")),)) for i in range(count)]
        before = shop.database.statements
        await write(shop, *drafts)
        return shop.database.statements - before

    assert [await statements("shirt", 1), await statements("coat", 50)] == [12, 12]
    assert [await statements("shirt", 1), await statements("coat", 50)] == [7, 7]


@pytest.mark.parametrize("keep", [frozenset[str](), frozenset({"media_id", "media", "sku", "vendor"})])
async def test_media_that_a_draft_does_not_have_go_unless_they_are_kept(shop: Shop, keep: frozenset[str]):
    one, two = MediaDraft("https://e.example/1"), MediaDraft("https://e.example/2")
    pictured = (VariantDraft(values=("S", "Red"), sku="A", image=one.url),)
    drafts = [
        shirt(media=(one,), variants=pictured, vendor="Acme"),
        shirt(media=(two,), variants=(VariantDraft(values=("S", "Red")),), keep=keep),
    ]
    for draft in drafts:
        await write(shop, draft)
    found = await shop.database.pool.fetch("SELECT right(url, 1) AS n, rank FROM media ORDER BY rank")
    (variant,) = await shop.read.all(select(Variant))
    (product,) = await shop.read.all(select(Product))
    pairs = [(row.n, row.rank) for row in found]
    if keep:
        assert (pairs, variant.sku, variant.media_id is None, product.vendor) == (
            [("1", 1), ("2", 2)],
            "A",
            False,
            "Acme",
        )
    else:
        assert (pairs, variant.sku, variant.media_id, product.vendor) == ([("2", 1)], None, None, "")
    assert (await write(shop, drafts[1]))[0].outcome == Outcome.UNCHANGED


NAMES = ("Size", "Colour", "Length")


@st.composite
def products(draw: st.DrawFn) -> ProductDraft:
    """One of many shapes of the same product: other options, values, SKUs, orders."""
    options = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)))
    value = st.sampled_from(("a", "b", "c"))
    combinations = draw(st.lists(st.tuples(*(value for _ in options)), min_size=1, max_size=5, unique=True))
    skus = draw(st.permutations(["1", "2", "3", None, None]))
    pairs = zip(combinations, skus, strict=False)
    return shirt(options=options, variants=tuple(VariantDraft(values=values, sku=sku) for values, sku in pairs))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drafts=st.lists(products(), min_size=2, max_size=5))
async def test_whatever_a_product_becomes_it_is_what_its_draft_says(rows: Rows, drafts: list[ProductDraft]):
    for draft in drafts:
        (result,) = await write(rows.shop, draft)
        assert await rows.healthy()
        live = await rows.shop.read.all(
            select(Variant)
            .where(Variant.product_id == rows.ids["shirt"], Variant.archived_at.is_(None))
            .order_by(Variant.rank)
        )
        assert [(v.id, v.title, v.sku) for v in live] == [
            (variant_id, variant.title, variant.sku)
            for variant_id, variant in zip(result.variant_ids, draft.variants, strict=True)
        ]
        names = await rows.shop.database.pool.fetch(
            "SELECT o.name, array_agg(v.name ORDER BY v.rank) AS names FROM product_option o "
            "JOIN option_value v ON v.option_id = o.id WHERE product_id = $1 GROUP BY o.id ORDER BY o.rank",
            rows.ids["shirt"],
        )
        assert [(row.name, row["names"]) for row in names] == [
            (option, list(dict.fromkeys(v.values[i] for v in draft.variants))) for i, option in enumerate(draft.options)
        ]
        before = await everything(rows.shop.database)
        assert (await write(rows.shop, draft))[0].outcome == Outcome.UNCHANGED
        assert await changed_tables(rows.shop.database, before) == set()
