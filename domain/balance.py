"""Balances of customers, gift cards and store credit: a ledger, and what orders hold of it.

They pay for an order, after tax, and are never a discount. What an order takes is held while it is pending, spent when
it is placed, given back when it came to nothing. A hold has no time of its own: it ends with its order's attempt.
Balances are locked in the order of their ids, after payments and before stock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import text

from db import Balance
from db.balance import EntryReason
from db.connection import Tx, new_id
from db.workflow import ActorKind
from domain.actor import SYSTEM, Actor
from domain.money import Money
from domain.refusal import ErrorCode, Refusal

LARGEST: Final = 10**15
"""No balance is raised above this, so that sums of it always fit."""


@dataclass(eq=False)
class InsufficientBalance(Refusal):
    """`available` is what could be taken away: what pending orders hold cannot."""

    available: Money | None = None
    code = ErrorCode.INSUFFICIENT_BALANCE


@dataclass(eq=False)
class BalanceChanged(Refusal):
    """A gift card or the store credit does not have any more what the cart counts on; nothing was charged."""

    message: str = "A gift card or the store credit pays something else than before; look at the cart again."
    code = ErrorCode.BALANCE_CHANGED


@dataclass(frozen=True)
class Taking:
    """What an order takes of a balance: more than 0, in the order in which they are listed."""

    balance_id: UUID
    amount: int


@dataclass(frozen=True)
class Change:
    """A change of a balance by somebody."""

    delta: int
    reason: EntryReason
    actor: Actor
    note: str | None = None

    @property
    def by(self) -> dict[str, Any]:
        return {**by(self.actor), "note": self.note, "reason": self.reason}


def by(actor: Actor) -> dict[str, Any]:
    """Who stands with an entry."""
    return {
        "actor_kind": actor.kind,
        "staff_id": actor.id if actor.kind == ActorKind.STAFF else None,
        "api_key_id": actor.api_key_id,
    }


def spread_over(total: int, available: Sequence[int]) -> list[int]:
    """What each of several balances pays of a total, the first ones first; never more than it has."""
    parts: list[int] = []
    for free in available:
        parts.append(max(0, min(free, total)))
        total -= parts[-1]
    return parts


async def hold(tx: Tx, order_id: UUID, takings: Sequence[Taking]) -> None:
    """Holds all of it for the pending order, or refuses with `BalanceChanged`; a second call changes nothing."""
    if not takings:
        return
    rows = [
        {"id": new_id(), "balance": taking.balance_id, "amount": taking.amount, "position": position}
        for position, taking in enumerate(takings, 1)
    ]
    held = await tx.records(_HOLD, order_id=order_id, takings=rows)
    if len(held) < len(rows):
        raise BalanceChanged(path=("cart_id",))


async def spend(tx: Tx, order_id: UUID, actor: Actor = SYSTEM) -> None:
    """The order is placed: what it held has been paid with. A second call finds nothing left to spend."""
    await tx.run(_SPEND, order_id=order_id, **by(actor))


async def release(tx: Tx, order_id: UUID) -> None:
    """Gives back what a pending order held; a second call finds nothing left to give."""
    await tx.run(_RELEASE, order_id=order_id)


async def refundable(tx: Tx, order_id: UUID) -> int:
    """What an order spent of balances and did not get back yet."""
    return sum(row.left for row in await tx.records(_LOCK_SPENT, order_id=order_id))


async def give_back(tx: Tx, order_id: UUID, amount: int, actor: Actor = SYSTEM) -> list[Taking]:
    """Gives back up to `amount` of what a placed order spent, what was spent last first: how much to which balance.

    Less than was asked for when there is less left of it. It goes to the balance even if the card is over or disabled:
    the money is the customer's, and staff see it there. Who calls it twice gives back twice.
    """
    spent = await tx.records(_LOCK_SPENT, order_id=order_id)
    spent.sort(key=lambda row: -row.position)
    parts = spread_over(amount, [row.left for row in spent])
    given = [Taking(row.balance_id, part) for row, part in zip(spent, parts, strict=True) if part]
    if given:
        rows = [{"balance": taking.balance_id, "amount": taking.amount} for taking in given]
        await tx.run(_GIVE_BACK, order_id=order_id, givings=rows, **by(actor))
    return given


async def change(tx: Tx, balance_id: UUID, wanted: Change, path: str = "amount") -> Balance:
    """The balance after a change with its entry. Refuses to take away what there is not, or what is held."""
    if abs(wanted.delta) <= LARGEST:
        changed = await tx.records(_CHANGE, balance_id=balance_id, delta=wanted.delta, largest=LARGEST, **wanted.by)
        if changed:
            return cast(Balance, changed[0])
    (found,) = await tx.records(_BALANCE, balance_id=balance_id)
    free = Money(found.amount - found.held, found.currency)
    if wanted.delta > 0:
        raise InsufficientBalance("A balance cannot become as large as this.", path=(path,), available=free)
    raise InsufficientBalance(f"Only {free.amount} {free.currency} can be taken away.", path=(path,), available=free)


# One statement: rows that do not have it (any more) are not updated, and get no hold; the caller counts. What the
# order holds already counts as held. The CHECK on the balance is what would refuse at last.
_HOLD: Final = text(
    """
    WITH taking AS (
        SELECT * FROM jsonb_to_recordset(:takings) AS t (id uuid, balance uuid, amount bigint, position integer)
    ), had AS (
        SELECT hold.balance_id FROM balance_hold AS hold
        JOIN taking ON taking.balance = hold.balance_id AND taking.amount = hold.amount
        WHERE hold.order_id = :order_id AND hold.state = 'held'
    ), locked AS (
        SELECT balance.id FROM balance JOIN taking ON taking.balance = balance.id
        WHERE balance.id NOT IN (SELECT balance_id FROM had)
        ORDER BY balance.id FOR UPDATE OF balance
    ), taken AS (
        UPDATE balance SET held = balance.held + taking.amount
        FROM taking JOIN locked ON locked.id = taking.balance
        WHERE balance.id = taking.balance AND balance.amount - balance.held >= taking.amount
          AND balance.disabled_at IS NULL
          AND (balance.expires_at IS NULL OR balance.expires_at > clock_timestamp())
        RETURNING balance.id
    ), made AS (
        INSERT INTO balance_hold (id, order_id, balance_id, position, amount, state)
        SELECT taking.id, CAST(:order_id AS uuid), taking.balance, taking.position, taking.amount, 'held'
        FROM taking JOIN taken ON taken.id = taking.balance
        RETURNING balance_id
    )
    SELECT balance_id FROM made UNION ALL SELECT balance_id FROM had
    """
)
_SPEND: Final = text(
    """
    WITH closed AS (
        UPDATE balance_hold SET state = 'spent' WHERE order_id = :order_id AND state = 'held'
        RETURNING balance_id, amount
    ), locked AS (
        SELECT balance.id FROM balance JOIN closed ON closed.balance_id = balance.id
        ORDER BY balance.id FOR UPDATE OF balance
    ), lowered AS (
        UPDATE balance SET held = balance.held - closed.amount, amount = balance.amount - closed.amount
        FROM closed JOIN locked ON locked.id = closed.balance_id
        WHERE balance.id = closed.balance_id
        RETURNING balance.id
    )
    INSERT INTO balance_entry (balance_id, delta, reason, order_id, actor_kind, staff_id, api_key_id)
    SELECT closed.balance_id, -closed.amount, 'spent', CAST(:order_id AS uuid), :actor_kind,
        CAST(:staff_id AS uuid), CAST(:api_key_id AS uuid)
    FROM closed JOIN lowered ON lowered.id = closed.balance_id ORDER BY closed.balance_id
    """
)
_RELEASE: Final = text(
    """
    WITH closed AS (
        UPDATE balance_hold SET state = 'released' WHERE order_id = :order_id AND state = 'held'
        RETURNING balance_id, amount
    ), locked AS (
        SELECT balance.id FROM balance JOIN closed ON closed.balance_id = balance.id
        ORDER BY balance.id FOR UPDATE OF balance
    )
    UPDATE balance SET held = balance.held - closed.amount
    FROM closed JOIN locked ON locked.id = closed.balance_id
    WHERE balance.id = closed.balance_id
    """
)
# Both are locked, so that of two who give back at once the second sees what the first has left.
_LOCK_SPENT: Final = text(
    """
    SELECT hold.balance_id, hold.position, hold.amount - hold.given_back AS left
    FROM balance JOIN balance_hold AS hold ON hold.balance_id = balance.id
    WHERE hold.order_id = :order_id AND hold.state = 'spent'
    ORDER BY balance.id FOR UPDATE OF balance, hold
    """
)
_GIVE_BACK: Final = text(
    """
    WITH giving AS (
        SELECT * FROM jsonb_to_recordset(:givings) AS t (balance uuid, amount bigint)
    ), noted AS (
        UPDATE balance_hold SET given_back = given_back + giving.amount FROM giving
        WHERE order_id = :order_id AND state = 'spent' AND balance_id = giving.balance
        RETURNING balance_id, giving.amount
    ), raised AS (
        UPDATE balance SET amount = balance.amount + noted.amount FROM noted WHERE balance.id = noted.balance_id
    )
    INSERT INTO balance_entry (balance_id, delta, reason, order_id, actor_kind, staff_id, api_key_id)
    SELECT balance_id, amount, 'refunded', CAST(:order_id AS uuid), :actor_kind,
        CAST(:staff_id AS uuid), CAST(:api_key_id AS uuid)
    FROM noted ORDER BY balance_id
    """
)
_CHANGE: Final = text(
    """
    WITH changed AS (
        UPDATE balance SET amount = amount + :delta
        WHERE id = :balance_id AND amount + :delta BETWEEN held AND CAST(:largest AS bigint)
        RETURNING *
    ), entered AS (
        INSERT INTO balance_entry (balance_id, delta, reason, actor_kind, staff_id, api_key_id, note)
        SELECT id, :delta, :reason, :actor_kind, CAST(:staff_id AS uuid), CAST(:api_key_id AS uuid), :note
        FROM changed
    )
    SELECT * FROM changed
    """
)
_BALANCE: Final = text("SELECT * FROM balance WHERE id = :balance_id")
