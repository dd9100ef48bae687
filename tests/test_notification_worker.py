"""Notifications by a real worker and a real mail server: over its death, and while the mail server is away."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from domain.processes.shop import Shop
from tests import customers, given
from tests.api import Api, Server, free_port
from tests.test_mail import Mailbox, mail_server, texts, working

STATES = "SELECT kind, state, tries FROM notification ORDER BY id"


async def test_a_worker_that_dies_before_it_notes_a_mail_sends_the_same_one_again(
    shop: Shop, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    """Nobody can exclude this duplicate with SMTP; its reference lets mail programs show one of two."""
    await given.regions(shop)
    cup = await given.product(shop, workflow_code=None)
    mailbox, once = Mailbox(), tmp_path / "killed"
    with mail_server(mailbox) as url:
        server = start_server(FAILPOINT=f"after_notification_sent:kill={once}", MAIL_URL=url)
        async with server.api() as api:
            await given.order(api, {"variantId": cup.variant, "quantity": 1})
            await given.until(once.exists)

            async def sent() -> bool:
                return {row["state"] for row in await customers.rows(shop, STATES)} == {"sent"}

            await given.until(sent, within=60)
    first, second = mailbox.received
    assert first["Message-ID"] == second["Message-ID"]
    assert texts(first)[0].partition("?token=")[2] != ""
    # Signed again, so the token's end may be a second later; it is of the same row, and so good once.
    assert len(await customers.rows(shop, "SELECT id FROM single_use_token")) == 1
    (row,) = await customers.rows(shop, "SELECT id, tries FROM notification")
    # Two: whoever goes on for the dead one does not wait until that one would hold it no longer.
    assert (first["Message-ID"], row["tries"]) == (f"<{row['id']}@localhost.localdomain>", 2)


async def test_what_could_not_be_sent_waits_for_the_mail_server_and_comes_once(
    shop: Shop, api: Api, database_url: str
) -> None:
    await given.regions(shop)
    cup = await given.product(shop, workflow_code=None)
    mailbox, port = Mailbox(), free_port()

    async def failed() -> bool:
        rows = await customers.rows(shop, "SELECT state, reason FROM notification")
        return len(rows) == 5 and {tuple(row.values()) for row in rows} == {("failed", "SMTPConnectError")}

    async def all_sent() -> bool:
        return Counter(row["state"] for row in await customers.rows(shop, STATES)) == {"sent": 5}

    async with working(database_url, shop, f"smtp://127.0.0.1:{port}"):
        line = {"variantId": cup.variant, "quantity": 1}
        await asyncio.gather(*(given.order(api, line, email=f"{n}@shop.example") for n in range(5)))
        await given.until(failed)
        with mail_server(mailbox, port):
            await given.until(all_sent)
            await asyncio.sleep(0.5)  # for what would come twice
    told = sorted((message["To"], message["Subject"].partition(" ")[0]) for message in mailbox.received)
    assert told == [(f"{n}@shop.example", "Your") for n in range(5)]
