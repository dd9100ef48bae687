"""In development mails lie in a folder and are shown at /dev/mail; a production server has no such page."""

import re
from pathlib import Path

import pytest

from db.connection import new_id
from domain.mail import Mail
from plugins import mail as mails
from plugins.mail import ConsoleMailer
from tests.api import running_app
from tests.test_mail import PRODUCTION, SENDER, mail

EVIL = "</pre><script>alert(1)</script>"


async def test_mails_are_kept_and_shown_without_letting_them_do_anything(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mailer = ConsoleMailer(SENDER, tmp_path / "mail")
    sent = mail("message_posted", title=EVIL, quote=EVIL)
    async with running_app(database_url, COUNTERFOIL_HOME=str(tmp_path)) as api:
        assert "None yet" in (await api.http.get("/dev/mail")).text
        await mailer.send(sent)
        await mailer.send(sent)  # again: it is one mail
        await mailer.send(mail("proof_ready", title="Banner", version="2", to="kim@shop.example"))
        listed = await api.http.get("/dev/mail")
        links = re.findall(r'href="(/dev/mail/[0-9a-f-]{36})"', listed.text)
        assert len(links) == 2
        assert links[1] == f"/dev/mail/{sent.reference}"
        assert "kim@shop.example" in listed.text
        shown, html = await api.http.get(links[1]), await api.http.get(f"{links[1]}/html")
        assert f'<iframe sandbox src="{links[1]}/html"' in shown.text
        for page in (listed, shown, html):
            assert "<script" not in page.text
            assert page.headers["content-security-policy"].count("default-src 'none'") == 1
            assert page.headers["cache-control"] == "no-store"
        assert html.headers["content-security-policy"].startswith("sandbox; ")
        assert "https://shop.example/account/confirm?token=abc" in shown.text
        for path in (f"/dev/mail/{new_id()}", f"/dev/mail/{new_id()}/html", "/dev/mail/..%2fsecret", "/dev/mail/x"):
            assert (await api.http.get(path)).status_code == 404
    assert "New message about" in capsys.readouterr().out
    kept = tmp_path / "mail" / f"{sent.reference}.eml"
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_a_production_server_has_no_such_page_and_keeps_no_mails(database_url: str, tmp_path: Path) -> None:
    await ConsoleMailer(SENDER, tmp_path / "mail").send(mail())
    async with running_app(database_url, **PRODUCTION, COUNTERFOIL_HOME=str(tmp_path)) as api:
        for path in ("/dev/mail", f"/dev/mail/{new_id()}"):
            assert (await api.http.get(path)).status_code == 404


async def test_the_folder_keeps_the_newest_mails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mails, "MOST_KEPT", 2)
    sent: list[Mail] = [mail() for _ in range(4)]
    for one in sent:
        await ConsoleMailer(SENDER, tmp_path).send(one)
    assert sorted(file.stem for file in tmp_path.iterdir()) == [str(one.reference) for one in sent[2:]]
