"""`counterfoil stock reconcile`: whether levels are what their movements and reservations add up to."""

from typing import Final

from rich.console import Console
from rich.progress import Progress

from domain import stock_ledger
from domain.processes.shop import Shop
from domain.stock_ledger import Difference

SHOWN: Final = 1_000
"""Lines; a shop of which more is wrong has lost its ledger, and the number tells it."""


async def reconcile(shop: Shop, out: Console, err: Console, *, repair: bool) -> int:
    """Prints each difference with what to do; how many there are still."""
    with Progress(*Progress.get_default_columns(), console=err, transient=True) as progress:
        levels = await stock_ledger.count(shop.read)
        task = progress.add_task("levels", total=levels)
        found = await stock_ledger.differences(shop.read, lambda done: progress.update(task, completed=done))
    for difference in found[:SHOWN]:
        _tell(difference, out)
    if len(found) > SHOWN:
        out.print(f"… and {len(found) - SHOWN:,} more.")
    repaired = sum([await _repaired(shop, difference) for difference in found]) if repair else 0
    told = f"{levels:,} levels were looked at; {len(found):,} differ"
    out.print(f"{told}, {repaired:,} of them are repaired." if repair else f"{told}.")
    return len(found) - repaired


async def _repaired(shop: Shop, difference: Difference) -> bool:
    async with shop.tx() as tx:
        return await stock_ledger.repair(tx, difference.level_id)


def _tell(difference: Difference, out: Console) -> None:
    for sentence in difference.sentences:
        out.print(f"{difference.item} in {difference.location}: {sentence}.", markup=False)
