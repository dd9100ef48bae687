"""Making what a product file says of the shop: regions, price lists, categories and whatever else products name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncpg import DataError, IntegrityConstraintViolationError

from db.connection import Tx
from domain.processes.shop import Shop
from domain.refusal import Refusal, refusals_of
from domain.shopify_columns import own_label
from domain.shopify_rows import Problem
from domain.shopify_shop import FILE, KINDS, define, in_order, read_places

AT_ONCE: Final = 50
"""So many in one transaction."""
_NO_DEFINITION: Final = (KeyError, TypeError, ValueError, AttributeError)
Lined = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Defined:
    """Definitions of a file with their lines."""

    file: str
    found: Sequence[tuple[int, Any]]

    def problem(self, line: int, message: str) -> Problem:
        return Problem(self.file, line, own_label("shop.definition"), message)

    async def repeat(self, tx: Tx) -> None:
        """Makes all of them that can be made, in a transaction that is rolled back afterwards."""
        places = await read_places(tx)
        for _, definition in in_order(self.found):
            await define(tx, definition, places)


async def define_all(shop: Shop, defined: Defined, tell: Callable[[Problem], None], *, dry_run: bool) -> None:
    """Makes each of them, or makes it what it is to be. Tells what cannot be made; the others are."""
    for line, definition in defined.found:
        if not isinstance(definition, dict) or definition.get("define") not in {*KINDS, FILE}:  # pyright: ignore[reportUnknownMemberType]
            tell(defined.problem(line, f"Define one of {', '.join(KINDS)}, as an export does."))
    if dry_run:
        return
    listed = list(in_order(defined.found))
    for start in range(0, len(listed), AT_ONCE):
        chunk = listed[start : start + AT_ONCE]
        if await _made(shop, chunk) is None:
            continue
        for line, definition in chunk:
            if (wrong := await _made(shop, [(line, definition)])) is not None:
                tell(defined.problem(line, wrong))


async def _made(shop: Shop, chunk: Sequence[Lined]) -> str | None:
    """Null, or what is the matter with one of them; then none is made."""
    try:
        async with shop.tx() as tx:
            places = await read_places(tx)
            for _, definition in chunk:
                await define(tx, definition, places)
    except (Refusal, ExceptionGroup) as error:
        told = [refusal.message for refusal in refusals_of(error)]
        if not told:
            raise
        return " ".join(told)
    except (IntegrityConstraintViolationError, DataError) as error:
        return f"The shop cannot have this: {error}."
    except _NO_DEFINITION:
        return "This is not as an export writes it: see docs/import.md."
    return None
