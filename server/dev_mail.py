"""`/dev/mail`: the mails that this machine would have sent. For development; a production server has no such address.

What is in a mail may come from anybody: its HTML is shown in a frame that may do nothing, under a policy that loads
nothing.
"""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import escape
from pathlib import Path
from typing import Final
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

NEWEST: Final = 200
SHOWN: Final = ("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe")
OURS: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'"
THEIRS: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'"
)
PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<body style="font-family: sans-serif; max-width: 60em; margin: 2em auto"><h1>{title}</h1>{body}</body></html>
"""


def routes(folder: Path) -> list[Route]:
    """The pages over the mails of a folder."""

    async def listed(_request: Request) -> Response:
        mails = await run_in_threadpool(_newest, folder)
        rows = "".join(
            f"<tr><td>{_said(mail, 'Date')}</td><td>{_said(mail, 'To')}</td>"
            f'<td><a href="/dev/mail/{name}">{_said(mail, "Subject")}</a></td></tr>'
            for name, mail in mails
        )
        empty = "<p>None yet. They come here as long as MAIL_URL is not set.</p>"
        return _page("Mails", f"<table cellpadding=6>{rows}</table>" if rows else empty)

    async def one(request: Request) -> Response:
        name: UUID = request.path_params["name"]
        mail = await run_in_threadpool(_read, folder / f"{name}.eml")
        if mail is None:
            return _page("There is no such mail", "", 404)
        head = "".join(f"<tr><th align=left>{it}</th><td>{_said(mail, it)}</td></tr>" for it in SHOWN if mail[it])
        frame = f'<iframe sandbox src="/dev/mail/{name}/html" style="width: 100%; height: 30em"></iframe>'
        text = escape(_part(mail, "plain"))
        return _page(_said(mail, "Subject"), f"<table cellpadding=6>{head}</table><pre>{text}</pre>{frame}")

    async def html(request: Request) -> Response:
        mail = await run_in_threadpool(_read, folder / f"{request.path_params['name']}.eml")
        if mail is None:
            return _page("There is no such mail", "", 404)
        return HTMLResponse(_part(mail, "html"), headers=_headers(THEIRS))

    return [
        Route("/dev/mail", listed),
        Route("/dev/mail/{name:uuid}", one),
        Route("/dev/mail/{name:uuid}/html", html),
    ]


def _newest(folder: Path) -> list[tuple[str, EmailMessage]]:
    files = sorted(folder.glob("*.eml"), key=lambda file: file.stat().st_mtime, reverse=True)[:NEWEST]
    return [(file.stem, mail) for file in files if (mail := _read(file)) is not None]


def _read(file: Path) -> EmailMessage | None:
    try:
        mail = message_from_bytes(file.read_bytes(), policy=default)
    except FileNotFoundError:
        return None
    assert isinstance(mail, EmailMessage)
    return mail


def _said(mail: EmailMessage, header: str) -> str:
    return escape(str(mail[header] or ""))


def _part(mail: EmailMessage, subtype: str) -> str:
    found = mail.get_body((subtype,))
    return "" if found is None else str(found.get_content())


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(PAGE.format(title=title, body=body), status, _headers(OURS))


def _headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
