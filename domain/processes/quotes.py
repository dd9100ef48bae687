"""Asking others about a cart, and keeping what they say: with no transaction open, no lock and no connection held."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import new_id
from db.delivery import QuoteKind
from domain.processes.shop import Shop

GOOD_FOR: Final = 900.0
"""Seconds."""
ASK_AGAIN_AFTER: Final = 60.0
"""Seconds, of a provider that gave no answer."""
_log = logging.getLogger(__name__)
Said = list[dict[str, Any]]


@dataclass(frozen=True)
class Question:
    """`hash` is of all that the answer may depend on; `ask` null: no such provider is known to this process."""

    kind: QuoteKind
    provider: str
    hash: str
    ask: Callable[[], Awaitable[Said]] | None


async def ask_all(shop: Shop, cart_id: UUID, questions: Sequence[Question]) -> None:
    """Asks all at once, and keeps what they say for as long as the cart is what it was.

    One that fails or takes too long is not asked again for a minute; what counts meanwhile is said by the kind.
    """
    answers = await asyncio.gather(*(answer(shop, question) for question in questions))
    kept = [_row(cart_id, question, said) for question, said in zip(questions, answers, strict=True)]
    async with shop.tx() as tx:
        await tx.run(_KEEP, rows=kept)


async def answer(shop: Shop, question: Question) -> Said | None:
    """Null: there is none, or none in time, or none that could be right."""
    if question.ask is None:
        _log.error("%s is to be asked of %s, which is no provider of this shop", question.kind, question.provider)
        return None
    try:
        async with asyncio.timeout(shop.quote_within):
            return await question.ask()
    except Exception:
        _log.exception("provider %s gave no answer about %s", question.provider, question.kind)
        return None


def _row(cart_id: UUID, question: Question, said: Said | None) -> Mapping[str, Any]:
    seconds = ASK_AGAIN_AFTER if said is None else GOOD_FOR
    about = {"kind": str(question.kind), "provider": question.provider, "hash": question.hash}
    return {"id": new_id(), "cart_id": cart_id, **about, "offers": said, "seconds": seconds}


# The cart may have gone meanwhile. Sorted as they are, two that ask for the same cart never wait for each other.
_KEEP: Final = text(
    """
    INSERT INTO quote (id, cart_id, kind, provider, hash, offers, expires_at)
    SELECT given.id, cart.id, kind, provider, hash, CASE WHEN jsonb_typeof(offers) = 'array' THEN offers END,
        clock_timestamp() + make_interval(secs => seconds)
    FROM jsonb_to_recordset(:rows) AS given
        (id uuid, cart_id uuid, kind text, provider text, hash text, offers jsonb, seconds double precision)
    JOIN cart ON cart.id = given.cart_id
    ORDER BY kind, provider
    ON CONFLICT (cart_id, kind, provider) DO UPDATE
    SET hash = excluded.hash, offers = excluded.offers, expires_at = excluded.expires_at, created_at = now()
    """
)
