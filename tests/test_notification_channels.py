"""Another way to tell people is one file, and the guide to it says what is so."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import plugins
from db.notification import NotificationKind
from domain.notification import NotificationChannel
from domain.notification_choice import REQUIRED
from domain.processes.shop import Shop
from plugins.wording import TEMPLATES
from server.channels import make_channels
from tests import customers, given, notices
from tests.api import ROOT, Api
from tests.notices import told
from tests.test_notifications import late, worker, write

GUIDE = (ROOT / "docs" / "notifications.md").read_text()
(CHANNEL,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
(TEMPLATE,) = re.findall(r"```jinja\n(.*?)```", GUIDE, re.DOTALL)


class Chat:
    """A chat of staff, over real HTTP."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.status = 200
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                chat.said.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(chat.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def chat() -> Iterator[Chat]:
    running = Chat()
    yield running
    running.close()


@pytest.fixture
def channel(chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NotificationChannel:
    """That of the guide, as the only file that was added."""
    (tmp_path / "notify_chat.py").write_text(CHANNEL)
    monkeypatch.setattr(plugins, "__path__", [*plugins.__path__, str(tmp_path)])
    post: Any = notices.telling(Shop(None, {}), customers.Outbox()).post  # type: ignore[arg-type]
    assert [one.name for one in make_channels(post, {})] == ["email"]
    found = make_channels(post, {"CHAT_URL": chat.url})
    assert [one.name for one in found] == ["chat", "email"]
    return found[0]


async def test_a_second_channel_is_one_file_and_everybody_chooses_over_each(
    shop: Shop, api: Api, chat: Chat, channel: NotificationChannel
) -> None:
    toni = await worker(shop, "de")
    ticket = await given.ticket(shop, api)
    assert len(await told(shop, channel)) == 2
    assert chat.said == []
    await write(shop, ticket, "Hello?")
    (mail,) = await told(shop, channel)
    link = f"https://admin.example/tickets/{ticket.id}"
    (said,) = chat.said
    assert said["text"] == f"Nachricht vom Kunden: Banner (Bestellung 1001) {link}"
    assert said["id"] != str(mail.reference)
    off = """INSERT INTO notification_opt_out (recipient, kind, channel) VALUES (:toni, 'overdue', 'chat')"""
    await customers.execute(shop, off, toni=f"staff:{toni.id}")
    await late(shop, ticket)
    assert [mail.template for mail in await told(shop, channel)] == ["staff_overdue"]
    assert len(chat.said) == 1
    chat.status = 410
    await write(shop, ticket, "Hello??")
    assert len(await told(shop, channel)) == 1
    found = await customers.rows(shop, "SELECT channel, state, reason FROM notification ORDER BY id DESC LIMIT 2")
    assert sorted(map(tuple, (row.values() for row in found))) == [
        ("chat", "failed", "status 410"),
        ("email", "sent", ""),
    ]


async def test_what_the_guide_asks_can_be_asked(shop: Shop, api: Api) -> None:
    choose, failed = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)
    _, sam = await customers.signed_in(shop, api)
    chosen = (await sam(choose))["notificationPreferencesSet"]
    assert chosen["userErrors"] == []
    assert chosen["notificationPreferences"]["locale"] == "de-AT"
    off = [one["kind"] for one in chosen["notificationPreferences"]["preferences"] if not one["enabled"]]
    assert off == ["DELIVERED"]
    staff = await customers.staff(shop, api, "notifications:read")
    assert await staff(failed) == {"notifications": {"nodes": []}}


def test_the_guide_tells_of_every_kind_and_shows_a_template_as_it_is() -> None:
    table = dict(re.findall(r"^\| `([A-Z_]+)` \|.*\| (yes|no) \|$", GUIDE, re.MULTILINE))
    assert table == {kind.name: "no" if kind in REQUIRED else "yes" for kind in NotificationKind}
    assert (TEMPLATES / "en" / "message_posted.jinja").read_text() == TEMPLATE
