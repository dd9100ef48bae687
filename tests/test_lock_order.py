"""Rows are locked in one order of kinds by everybody, so that no two transactions wait for each other in a circle."""

import pytest

from tests.locks import advised, in_order, locked, recorded
from tests.matrix import Walk, document, root_fields
from tests.matrix_examples import ARGUMENTS
from tests.matrix_rows import KNOWN, example_of, given_by, refused
from tests.matrix_world import MatrixWorld
from tests.snapshot import Snapshot

AT_LEAST = {
    "categoryMove": ["category"],
    "cartAddLines": ["cart"],
    "cartComplete": ["cart", "order", "payment", "stock level"],
    "customerErase": ["customer", "cart", "order"],
    "productUpdate": ["catalogue", "product"],
    "pricesUpsert": ["catalogue", "price list"],
    "regionUpdate": ["regions"],
    "ticketMove": ["order", "ticket"],
    "variantUpdate": ["catalogue", "product", "variant"],
}
"""What some are known to lock, over all their transactions: should the recording go blind, this tells."""


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1 FROM cart", []),
        ("SELECT * FROM cart WHERE id = $1 FOR UPDATE", ["cart"]),
        ('SELECT * FROM cart JOIN "order" ON true FOR NO KEY UPDATE', ["cart", "order"]),
        ('SELECT * FROM cart AS c JOIN "order" AS o ON true FOR UPDATE OF o, c', ["order", "cart"]),
        ("UPDATE stock_level AS level SET on_hand = 1 FROM cart", ["stock_level"]),
        (
            "WITH l AS (SELECT id FROM stock_level ORDER BY id FOR UPDATE) UPDATE ticket SET x = 1",
            ["stock_level", "ticket"],
        ),
        ("DELETE FROM cart_line WHERE id = (SELECT id FROM ticket LIMIT 1)", ["cart_line"]),
        ("INSERT INTO cart (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 1", ["cart"]),
        ("INSERT INTO cart (id) VALUES (1)", []),
    ],
)
def test_what_a_statement_locks_is_read_off_its_text(sql: str, tables: list[str]) -> None:
    assert locked(sql) == tables


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT pg_advisory_xact_lock(hashtext('counterfoil.catalog'))", ["counterfoil.catalog"]),
        ("SELECT pg_advisory_xact_lock_shared(hashtext('counterfoil.catalog'))", ["counterfoil.catalog"]),
        (
            "SELECT pg_advisory_xact_lock(hashtext('counterfoil.price_list'), hashtext($1))",
            ["counterfoil.price_list Sale"],
        ),
        ("SELECT pg_try_advisory_xact_lock(hashtext($1::VARCHAR)) AS x", ["Sale"]),
        ("SELECT hashtext('a')", []),
    ],
)
def test_what_it_locks_besides_rows_has_a_name(sql: str, names: list[str]) -> None:
    assert advised(sql, ["Sale"]) == names


async def test_every_mutation_locks_kinds_of_rows_in_one_order(
    there: MatrixWorld, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong: dict[str, list[list[str]]] = {}
    for name in root_fields("Mutation"):
        transactions = await locks_of(there, name, snapshot, monkeypatch)
        if not all(map(in_order, transactions)):
            wrong[name] = transactions
        for kind in AT_LEAST.get(name, ()):
            assert any(kind in kinds for kinds in transactions), (name, transactions)
    assert wrong == {}


async def locks_of(
    world: MatrixWorld, name: str, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> list[list[str]]:
    """Of each transaction of a mutation that succeeds, for whoever it does, the kinds that it locked, in order."""
    for caller in (world.sam.api, world.token_holder, world.almighty, world.api):
        given = await given_by(example_of("Mutation", name), world, world.sam)
        with monkeypatch.context() as patching:
            recordings = recorded(patching)
            sent = document("Mutation", name, Walk(ARGUMENTS, KNOWN))
            answer = await caller.answer(sent, {"input": dict(given)})
        await snapshot.bring_back(await snapshot.now())
        caller.http.cookies.clear()
        if not refused(answer, f"Mutation__{name}"):
            return [recording.kinds for recording in recordings]
    raise AssertionError(f"{name} succeeds for nobody: {answer}")
