"""The tree of categories: moves, order, breadcrumbs; and that no two moves, however close, make a cycle of it."""

import asyncio
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import select

from db import Category, CategoryAncestor
from db.connection import connect, new_id
from domain import category as categories
from domain.category import CategoryNotEmpty, MoveCategory
from domain.processes.shop import Shop
from domain.refusal import NotFound, Refusal, ValidationFailed
from tests import customers, given, taxonomy

MOVE = categories.move


async def move(shop: Shop, key: UUID, parent: UUID | None, before: UUID | None = None) -> None:
    async with shop.tx() as tx:
        await MOVE(tx, MoveCategory(key, parent, before), given.ADMINISTRATOR)


async def is_sound(shop: Shop) -> None:
    """What is kept of the ancestors is what the parents say."""
    names = {row.id: row.name for row in await shop.read.all(select(Category))}
    kept: dict[str, dict[int, str]] = {name: {} for name in names.values()}
    for row in await shop.read.all(select(CategoryAncestor)):
        kept[names[row.category_id]][row.depth] = names[row.ancestor_id]
    lines = await taxonomy.tree(shop)
    assert kept == {name: dict(enumerate([name, *reversed(line)])) for name, line in lines.items()}


async def grown(shop: Shop) -> dict[str, UUID]:
    """Print > Cups > Paper cups, Print > Boxes, Sale."""
    made = {"Print": await taxonomy.made_category(shop, "Print"), "Sale": await taxonomy.made_category(shop, "Sale")}
    made["Cups"] = await taxonomy.made_category(shop, "Cups", made["Print"])
    made["Boxes"] = await taxonomy.made_category(shop, "Boxes", made["Print"])
    made["Paper cups"] = await taxonomy.made_category(shop, "Paper cups", made["Cups"])
    return made


async def test_a_category_is_moved_with_all_that_is_below_it(shop: Shop) -> None:
    made = await grown(shop)
    await move(shop, made["Cups"], made["Sale"])
    assert await taxonomy.tree(shop) == {
        "Print": [], "Sale": [], "Cups": ["Sale"], "Boxes": ["Print"], "Paper cups": ["Sale", "Cups"]
    }  # fmt: skip
    await is_sound(shop)
    await move(shop, made["Cups"], None, made["Print"])
    assert (await taxonomy.tree(shop))["Paper cups"] == ["Cups"]
    await is_sound(shop)
    roots = select(Category.name).where(Category.parent_id.is_(None)).order_by(Category.rank, Category.id)
    assert await shop.read.scalars(roots) == ["Cups", "Print", "Sale"]
    (entry,) = await customers.rows(
        shop, "SELECT difference FROM audit_entry WHERE action = 'categoryMove' ORDER BY id LIMIT 1"
    )
    assert entry["difference"] == {"parent_id": [str(made["Print"]), str(made["Sale"])]}


@pytest.mark.parametrize(
    ("moved", "parent", "before", "refused"),
    [
        ("Print", "Print", None, ["parent_id"]),
        ("Print", "Paper cups", None, ["parent_id"]),
        ("Print", "nowhere", None, ["parent_id"]),
        ("nowhere", "Print", None, ["id"]),
        ("Cups", None, "Boxes", ["before_id"]),
        ("Cups", "Print", "Cups", ["before_id"]),
    ],
)
async def test_a_place_that_cannot_be_is_refused(
    shop: Shop, moved: str, parent: str | None, before: str | None, refused: list[str]
) -> None:
    made = {**await grown(shop), "nowhere": new_id()}
    was = await customers.rows(shop, "SELECT * FROM category ORDER BY id")
    with pytest.raises(Refusal) as refusal:
        await move(shop, made[moved], parent and made[parent], before and made[before])
    assert list(refusal.value.path) == refused
    assert await customers.rows(shop, "SELECT * FROM category ORDER BY id") == was
    await is_sound(shop)


async def test_siblings_are_ordered_by_hand_and_what_is_not_named_stays_behind(shop: Shop) -> None:
    made = {name: await taxonomy.made_category(shop, name) for name in "ABCD"}
    async with shop.tx() as tx:
        await categories.reorder(tx, None, [made["D"], made["B"]], given.ADMINISTRATOR)
    in_order = select(Category.name).order_by(Category.rank, Category.id)
    assert await shop.read.scalars(in_order) == ["D", "B", "A", "C"]
    below = await taxonomy.made_category(shop, "E", made["A"])
    for order, path in (([made["A"], made["A"]], ("category_ids",)), ([made["A"], below], ("category_ids", "1"))):
        async with shop.tx() as tx:
            with pytest.raises(Refusal) as refusal:
                await categories.reorder(tx, None, order, given.ADMINISTRATOR)
        assert refusal.value.path == path


async def test_the_tree_has_twenty_one_levels_and_no_more(shop: Shop) -> None:
    line: list[UUID | None] = [None]
    for level in range(21):
        line.append(await taxonomy.made_category(shop, f"level {level}", line[-1]))
    with pytest.raises(ValidationFailed, match="at most 21 levels"):
        await taxonomy.made_category(shop, "too deep", line[-1])
    pair = await taxonomy.made_category(shop, "pair")
    await taxonomy.made_category(shop, "of it", pair)
    with pytest.raises(ValidationFailed, match="at most 21 levels"):
        await move(shop, pair, line[-2])
    await move(shop, pair, line[-3])
    await is_sound(shop)


async def test_only_an_empty_category_can_be_deleted(shop: Shop) -> None:
    made = await grown(shop)
    cup = await given.product(shop)
    lone = await taxonomy.made_category(shop, "Lone", None, cup)
    for key, held in ((made["Print"], (2, 0)), (lone, (0, 1))):
        async with shop.tx() as tx:
            with pytest.raises(CategoryNotEmpty) as refusal:
                await categories.remove(tx, key, None, given.ADMINISTRATOR)
        assert (refusal.value.children, refusal.value.products) == held
    async with shop.tx() as tx:
        await categories.remove(tx, made["Boxes"], None, given.ADMINISTRATOR)
    assert set(await taxonomy.tree(shop)) == {"Print", "Sale", "Cups", "Paper cups", "Lone"}
    await is_sound(shop)


async def test_moves_at_the_same_moment_never_make_a_cycle(shop: Shop, database_url: str) -> None:
    """Forty connections move eight categories below one another, each a move that alone is right."""
    made = [await taxonomy.made_category(shop, name) for name in "ABCDEFGH"]
    database = await connect(database_url, max_size=40)
    crowd = Shop(database, {})
    draw = Random(7)

    async def moved(_: int) -> bool:
        key, parent = draw.sample(made, 2)
        try:
            await move(crowd, key, parent if draw.random() < 0.8 else None)
        except (ValidationFailed, NotFound):
            return False
        return True

    done = await asyncio.gather(*(moved(i) for i in range(200)))
    await database.close()
    assert 20 < sum(done) < 200
    await is_sound(shop)


@pytest.mark.parametrize("isolation", ["read_committed", "repeatable_read"])
async def test_the_database_alone_refuses_a_cycle_however_it_is_written(
    shop: Shop, database_url: str, isolation: str
) -> None:
    """Three who know nothing of the shop each put one category below the next, and see nothing of each other."""
    made = [await taxonomy.made_category(shop, name) for name in "ABC"]
    connections = [await asyncpg.connect(database_url) for _ in made]
    transactions = [connection.transaction(isolation=isolation) for connection in connections]
    for connection, transaction in zip(connections, transactions, strict=True):
        await transaction.start()
        await connection.fetch("SELECT * FROM category")

    async def written(i: int) -> bool:
        await connections[i].execute("SET LOCAL lock_timeout = '5s'")
        below = made[(i + 1) % 3]
        try:
            await connections[i].execute("UPDATE category SET parent_id = $1 WHERE id = $2", below, made[i])
            await transactions[i].commit()
        except asyncpg.PostgresError:
            await transactions[i].rollback()
            return False
        return True

    done = await asyncio.gather(*(written(i) for i in range(3)))
    for connection in connections:
        await connection.close()
    assert sum(done) == (2 if isolation == "read_committed" else 1)
    await is_sound(shop)


async def test_the_database_refuses_a_cycle_in_one_statement_and_what_it_keeps_cannot_be_wrong(shop: Shop) -> None:
    made = await grown(shop)
    statements: list[tuple[str, dict[str, Any], str]] = [
        ("UPDATE category SET parent_id = :below WHERE id = :id", {"below": made["Paper cups"]}, "cycle"),
        ("UPDATE category SET parent_id = :below WHERE id = :id", {"below": made["Print"]}, "parent_id"),
        ("DELETE FROM category WHERE id = :id", {}, "parent_id"),
    ]
    for statement, more, constraint in statements:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as error:
            await customers.execute(shop, statement, id=made["Print"], **more)
        assert constraint in (error.value.constraint_name or "")
    await is_sound(shop)
