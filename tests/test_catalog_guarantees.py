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
from domain.catalog import upsert_products
from domain.processes.shop import Shop
from domain.product import MediaDraft, Outcome, ProductDraft, Upserted, VariantDraft
from domain.refusal import ValidationFailed, refusals_of
from tests.test_shopify_import import changed_tables, everything


def shirt(**changes: Any) -> ProductDraft:
    """Two options, three variants."""
    variants = (
        VariantDraft(values=("S", "Red"), sku="S-RED"),
        VariantDraft(values=("M", "Red"), sku="M-RED"),
        VariantDraft(values=("M", "Blue")),
    )
    draft = ProductDraft(handle="shirt", title="Shirt", options=("Size", "Colour"), variants=variants)
    return replace(draft, **changes)


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


def insert_variant(values: str = ":shirt_s:, :shirt_blue:", sku: str = "NULL") -> str:
    return (
        f"INSERT INTO variant (id, product_id, title, sku, rank, combination) SELECT :new:, :shirt:, 'new', "
        f"{sku}, 9, ARRAY(SELECT unnest(ARRAY[{values}]::uuid[]) AS v ORDER BY v)"
    )


def link(option: str, value: str, product: str = "shirt") -> str:
    return (
        "INSERT INTO variant_option_value (variant_id, option_id, product_id, value_id) "
        f"VALUES (:new:, :{option}:, :{product}:, :{value}:)"
    )


NEW, SIZE_S = insert_variant(), link("shirt_size", "shirt_s")
COLOUR_RED, COLOUR_BLUE = link("shirt_colour", "shirt_red"), link("shirt_colour", "shirt_blue")
ARCHIVE = "UPDATE variant SET archived_at = now() WHERE id = :s_red:"
RESTORE = "UPDATE variant SET archived_at = NULL WHERE id = :s_red:"
STRIP = "DELETE FROM variant_option_value WHERE variant_id = :s_red:"
LENGTH = "INSERT INTO product_option (id, product_id, name, rank) VALUES (:new:, :shirt:, 'Length', 3)"
CHECK_NOW, CHECK_LATER = "SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED"
TWICE = UniqueViolationError
FOREIGN = ForeignKeyViolationError
INCOMPLETE = CheckViolationError
ATTEMPTS: dict[str, tuple[type[PostgresError], list[str]]] = {
    "a second variant of the same values": (TWICE, [insert_variant(":shirt_s:, :shirt_red:")]),
    "a variant changed into another": (
        TWICE,
        ["UPDATE variant SET combination = (SELECT combination FROM variant WHERE id = :s_red:) WHERE id = :m_red:"],
    ),
    "a bulk change that makes all the same": (TWICE, ["UPDATE variant SET combination = '{}' WHERE sku <> 'HAT'"]),
    "a twin restored from the archive": (
        TWICE,
        [ARCHIVE, insert_variant(":shirt_s:, :shirt_red:"), SIZE_S, COLOUR_RED, RESTORE],
    ),
    "no values": (INCOMPLETE, [NEW]),
    "no combination": (INCOMPLETE, [insert_variant(""), SIZE_S, COLOUR_BLUE]),
    "a value missing": (INCOMPLETE, [NEW, SIZE_S]),
    "a value missing and not named": (INCOMPLETE, [insert_variant(":shirt_s:"), SIZE_S]),
    "another value than the combination says": (INCOMPLETE, [NEW, SIZE_S, COLOUR_RED]),
    "two values of one option": (TWICE, [NEW, SIZE_S, link("shirt_size", "shirt_m")]),
    "a value of another option": (FOREIGN, [NEW, link("shirt_size", "shirt_blue")]),
    "a value of another product": (FOREIGN, [NEW, link("shirt_size", "hat_s")]),
    "an option of another product": (FOREIGN, [NEW, link("hat_size", "hat_s")]),
    "a link that names another product": (FOREIGN, [NEW, link("hat_size", "hat_s", product="hat")]),
    "a value changed behind the combination": (
        INCOMPLETE,
        ["UPDATE variant_option_value SET value_id = :shirt_blue: WHERE value_id = :shirt_red:"],
    ),
    "a value changed to one of another option": (
        FOREIGN,
        ["UPDATE variant_option_value SET value_id = :shirt_m: WHERE value_id = :shirt_red:"],
    ),
    "a value taken away": (INCOMPLETE, [STRIP]),
    "a value moved to another variant": (
        INCOMPLETE,
        [ARCHIVE, STRIP, "UPDATE variant_option_value SET variant_id = :s_red: WHERE variant_id = :m_red:"],
    ),
    "a value in use deleted": (FOREIGN, ["DELETE FROM option_value WHERE id = :shirt_s:"]),
    "an option in use deleted": (FOREIGN, ["DELETE FROM product_option WHERE id = :shirt_size:"]),
    "an option that no variant has a value for": (INCOMPLETE, [LENGTH]),
    "an option moved here from another product": (
        INCOMPLETE,
        [
            "INSERT INTO product (id, handle, title) VALUES (:new:, 'bare', 'Bare')",
            LENGTH.replace(":shirt:", ":new:"),
            CHECK_NOW,
            "UPDATE product_option SET product_id = :shirt: WHERE id = :new:",
        ],
    ),
    "a variant moved to another product": (FOREIGN, ["UPDATE variant SET product_id = :hat: WHERE id = :s_red:"]),
    "a variant restored without its values": (INCOMPLETE, [ARCHIVE, STRIP, CHECK_NOW, CHECK_LATER, RESTORE]),
    "an SKU that a live variant has": (TWICE, [insert_variant(sku="'HAT'")]),
    "a combination of nothing": (NotNullViolationError, ["UPDATE variant SET combination = NULL WHERE id = :s_red:"]),
    "an image of another product": (
        FOREIGN,
        [
            "INSERT INTO media (id, product_id, url, rank) VALUES (:new:, :hat:, 'https://e.example/1.jpg', 1)",
            "UPDATE variant SET media_id = :new: WHERE id = :s_red:",
        ],
    ),
}


async def test_the_database_refuses_every_attempt(rows: Rows) -> None:
    before = await everything(rows.shop.database)
    outcomes: dict[str, type[BaseException] | None] = {}
    for attempt, (_, statements) in ATTEMPTS.items():
        try:
            await rows.run(*statements)
            outcomes[attempt] = None
        except PostgresError as error:
            outcomes[attempt] = type(error)
    assert outcomes == {attempt: expected for attempt, (expected, _) in ATTEMPTS.items()}
    assert await changed_tables(rows.shop.database, before) == set()


async def test_the_database_takes_a_complete_variant_in_any_order_of_its_parts(rows: Rows) -> None:
    await rows.run(NEW, COLOUR_BLUE, SIZE_S)


async def test_an_archived_variant_is_in_nobodys_way(rows: Rows) -> None:
    await rows.run(ARCHIVE)
    await rows.run(insert_variant(":shirt_s:, :shirt_red:", "'S-RED'"), SIZE_S, COLOUR_RED)


RACES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "the same variant twice": (
        [],
        [NEW, SIZE_S, COLOUR_BLUE],
        [statement.replace(":new:", ":newer:") for statement in (NEW, SIZE_S, COLOUR_BLUE)],
    ),
    "a variant without an option that is being added": (
        ["UPDATE variant SET archived_at = now() WHERE product_id = :shirt:"],
        [NEW, SIZE_S, COLOUR_BLUE],
        [LENGTH],
    ),
    "a variant restored while its values are taken away": ([ARCHIVE], [RESTORE], [STRIP]),
    "two variants with one SKU": (
        [],
        ["UPDATE variant SET sku = 'ONE' WHERE id = :s_red:"],
        ["UPDATE variant SET sku = 'ONE' WHERE id = :hat_variant:"],
    ),
}


@pytest.mark.parametrize("race", RACES)
async def test_of_two_connections_that_cannot_both_be_right_one_is_refused(rows: Rows, race: str) -> None:
    before, *sides = RACES[race]
    await rows.run(*before)

    async def side(statements: list[str]) -> None:
        async with rows.shop.tx() as tx:
            await rows.within(tx, *statements, CHECK_NOW)
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
def test_a_draft_that_makes_no_sense_cannot_be_made(changes: dict[str, Any], path: tuple[str, ...]) -> None:
    with pytest.raises(ValidationFailed) as refused:
        shirt(**changes)
    assert refused.value.path == path


async def test_everything_wrong_with_the_skus_of_a_batch_is_told_at_once(rows: Rows) -> None:
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


async def test_two_products_can_change_skus(rows: Rows) -> None:
    swapped = shirt(variants=(VariantDraft(values=("S", "Red"), sku="HAT"),))
    await write(rows.shop, swapped, replace(HAT, variants=(VariantDraft(values=("S",), sku="S-RED"),)))
    skus = await rows.shop.database.pool.fetch("SELECT id, sku FROM variant WHERE archived_at IS NULL ORDER BY sku")
    assert [(row.id, row.sku) for row in skus] == [(rows.ids["s_red"], "HAT"), (rows.ids["hat_variant"], "S-RED")]


async def test_the_number_of_statements_does_not_depend_on_the_number_of_products(shop: Shop) -> None:
    async def statements(name: str, count: int) -> int:
        drafts = [shirt(handle=f"{name}-{i}", variants=(VariantDraft(values=("S", "Red")),)) for i in range(count)]
        before = shop.database.statements
        await write(shop, *drafts)
        return shop.database.statements - before

    assert [await statements("shirt", 1), await statements("coat", 50)] == [13, 13]
    assert [await statements("shirt", 1), await statements("coat", 50)] == [7, 7]


@pytest.mark.parametrize("keep", [frozenset[str](), frozenset({"media_id", "media", "sku", "vendor"})])
async def test_media_that_a_draft_does_not_have_go_unless_they_are_kept(shop: Shop, keep: frozenset[str]) -> None:
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
    assert ([(row.n, row.rank) for row in found], variant.sku, product.vendor) == (
        ([("1", 1), ("2", 2)], "A", "Acme") if keep else ([("2", 1)], None, "")
    )
    assert (variant.media_id is None) == (not keep)
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
async def test_whatever_a_product_becomes_it_is_what_its_draft_says(rows: Rows, drafts: list[ProductDraft]) -> None:
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
