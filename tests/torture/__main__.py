"""`make torture`: kills everything that takes part in a checkout, again and again, and looks whether all adds up.

First each failpoint kills the process that reaches it, once; then processes are killed and PostgreSQL is stopped at
random moments; then answers are lost after their effect. In between and at the end nothing may be missing or double.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress, TaskID

from db.connection import connect
from domain.cart_line import AddLine
from domain.durable import by_event
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from plugins.manual_payment import ManualPayment
from server.serve import end_on_sigterm
from tests import given
from tests.api import Server
from tests.completion import many_carts
from tests.conftest import roomy
from tests.redis_server import running_redis
from tests.test_failpoints import all_failpoints
from tests.torture.crowd import Crowd
from tests.torture.live import torture_live
from tests.torture.losing import LosingProxy
from tests.torture.machines import Cluster, Machines
from tests.torture.reckoning import settled, wrongs

STAFF: Final = "torture@shop.example"
ELSEWHERE: Final = frozenset({"before_prepare_order_payment", "after_prepare_order_payment", "after_change_begun"})
"""Failpoints of what nobody does here; the tests of the suite reach them."""
PATIENCE: Final = 20.0
"""Seconds without a failpoint reached for the first time, after which the others are taken for unreachable."""
out = Console(highlight=False)


@dataclass
class Torture:
    shop: Shop
    machines: Machines
    basket: list[AddLine]
    progress: Progress
    told: dict[str, str] = field(default_factory=dict[str, str])
    kills: int = 0

    async def failpoints(self, names: list[str], task: TaskID) -> set[str]:
        """Each kills the process that reaches it first, once; returns those that nobody reached."""
        marks = {name: self.machines.folder / f"reached-{name}" for name in names}
        self.machines.restart(",".join(f"{name}:kill={mark}" for name, mark in marks.items()))

        async def until_reached(crowd: Crowd) -> None:
            reached, since = 0, time.monotonic()
            while reached < len(marks) and time.monotonic() - since < PATIENCE and not crowd.over:
                now = sum(mark.exists() for mark in marks.values())
                if now > reached:
                    reached, since = now, time.monotonic()
                    self.progress.update(task, completed=reached)
                await asyncio.sleep(0.1)

        await self._shopping(until_reached, 60 * len(names))
        reached = {name for name, mark in marks.items() if mark.exists()}
        self.kills += len(reached)
        self.progress.console.print(f"  not reached: {', '.join(sorted(set(names) - reached)) or 'none'}")
        self.machines.restart()
        return set(names) - reached

    async def random_kills(self, count: int, seed: int, task: TaskID) -> None:
        chance = random.Random(seed)

        async def kill(crowd: Crowd) -> None:
            for done in range(1, count + 1):
                before = len(crowd.orders)
                await asyncio.sleep(chance.uniform(0.2, 1.2))
                kind = chance.choice(list(self.machines.kinds))
                await asyncio.to_thread(self.machines.kinds[kind])
                self.kills += 1
                self.progress.update(task, completed=done, description=f"{kind} killed, {before} orders")
                if crowd.over:
                    return

        await self._shopping(kill, 100 * count)

    async def lost_answers(self, count: int, task: TaskID) -> int:
        """The first answer to each of so many completions is lost; returns how many were."""
        lost: set[bytes] = set()

        def loses(body: bytes) -> bool:
            if b"cartComplete" not in body or body in lost:
                return False
            lost.add(body)
            return True

        proxy = LosingProxy(self.machines.url, loses)
        async with proxy.running() as url:

            async def until_lost(crowd: Crowd) -> None:
                while proxy.lost < count and not crowd.over:
                    self.progress.update(task, completed=proxy.lost)
                    await asyncio.sleep(0.1)
                self.progress.update(task, completed=count)

            await self._shopping(until_lost, count + 100, url, {"success": 1})
        return proxy.lost

    async def _shopping(
        self,
        meanwhile: Callable[[Crowd], Awaitable[None]],
        carts: int,
        url: str | None = None,
        tokens: dict[str, int] | None = None,
    ) -> None:
        """Customers buy while something happens; then all that is under way ends, and everything has to add up."""
        bought = iter(await many_carts(self.shop, *[self.basket] * carts))
        crowd = Crowd(url or self.machines.url, self.machines.provider_url, bought, await self._staff())
        crowd.tokens = tokens or crowd.tokens
        shopping = asyncio.create_task(crowd.shop())
        try:
            await meanwhile(crowd)
            crowd.over = True
            await asyncio.wait_for(shopping, 120)
        except BaseException:
            shopping.cancel()
            raise
        if next(bought, None) is None:
            raise AssertionError("there were too few carts: nobody was left to be disturbed")
        self.told |= crowd.orders
        took = await settled(self.shop, self.machines.provider_url)
        found = crowd.strange + await wrongs(self.shop, self.machines.provider_url, self.told)
        counts = ", ".join(f"{told} {count:,}" for told, count in sorted(crowd.answers.items()))
        self.progress.console.print(
            f"  {len(crowd.orders):,} orders, {len(crowd.refunded):,} refunds; settled in {took:.1f} s"
        )
        self.progress.console.print(f"  [dim]{counts}")
        if found:
            raise AssertionError("\n".join(found[:20]))

    async def _staff(self) -> str:
        api_of = Server(None, self.machines.url, self.machines.log)  # pyright: ignore[reportArgumentType]
        async with api_of.api() as api:
            return (await given.signed_in(api, STAFF, as_staff=True)).headers["authorization"].removeprefix("Bearer ")


async def basket_of(shop: Shop) -> list[AddLine]:
    """Two cups and a lid; of both there is enough."""
    await given.regions(shop)
    cup, lid = [await given.product(shop, name, stock=1_000_000) for name in ("cup", "lid")]
    return [AddLine(cup.keys[0], 2), AddLine(lid.keys[0], 1)]


async def torture(machines: Machines, kills: int, losses: int, seed: int) -> None:
    shop = Shop(
        await connect(machines.cluster.url, reactions=by_event(REACTIONS), min_size=0), {"manual": ManualPayment()}
    )
    with Progress(*Progress.get_default_columns(), console=out) as progress:
        basket = await basket_of(shop)
        await given.staff(shop, "orders:read", "orders:refund", "payments:read", email=STAFF)
        machines.start()
        run = Torture(shop, machines, basket, progress)
        names = [name for name in all_failpoints() if name not in ELSEWHERE]
        left = await run.failpoints(names, progress.add_task(f"{len(names)} failpoints", total=len(names)))
        await run.random_kills(kills, seed, progress.add_task("random kills", total=kills))
        lost = await run.lost_answers(losses, progress.add_task("lost answers", total=losses))
    await shop.database.close()
    orders = len(run.told)
    out.print(f"{run.kills} kills and {lost:,} lost answers: {orders:,} orders, each once and paid once. Seed {seed}.")
    if left:
        raise AssertionError(f"nobody reached {', '.join(sorted(left))}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument(
        "--kills", type=int, default=100, help="at random moments, besides one for each failpoint (100)"
    )
    parser.add_argument("--losses", type=int, default=1_000, help="answers that are lost after their effect (1,000)")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the random moments"
    )
    parser.add_argument("--live", action="store_true", help="readers of streams instead of customers who check out")
    parser.add_argument("--readers", type=int, default=1_000, help="of streams (1,000)")
    parser.add_argument("--updates", type=int, default=10_000, help="that each of them has to be told (10,000)")
    options = parser.parse_args()
    end_on_sigterm()
    with ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cft", dir=roomy())))
            machines = Machines(Cluster(folder / "pg", stack), folder)
            stack.callback(machines.stop)
            if options.live:
                redis = stack.enter_context(running_redis())
                asyncio.run(torture_live(machines, redis, options.readers, options.updates, options.seed))
            else:
                asyncio.run(torture(machines, options.kills, options.losses, options.seed))
        except AssertionError as wrong:
            out.print(f"[red]Not all adds up (seed {options.seed}):[/]\n{wrong}", markup=True)
            sys.exit(1)


if __name__ == "__main__":
    main()
