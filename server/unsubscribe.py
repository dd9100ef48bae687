"""`/notifications/{token}`: whoever has a mail ends such mails, by one POST (RFC 8058) and without signing in.

Opening the address only asks: mail programs and virus scanners open addresses too.
"""

import logging
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from db.notification import NotificationKind
from db.unavailable import TRY_AGAIN
from domain.notification_choice import unsubscribe
from domain.processes.shop import Shop

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<body style="font-family: sans-serif; max-width: 36em; margin: 4em auto; padding: 0 1em"><h1>{title}</h1><p>{text}</p>
{form}</body></html>
"""
FORM: Final = '<form method="post"><button>Send me no more of them</button></form>'
_log = logging.getLogger(__name__)


async def unsubscribe_page(request: Request) -> Response:
    named = request.state.tokens.read_unsubscribe_token(request.path_params["token"])
    if named is None or not _is_known(*named):
        return _page("This link is not one of ours", "It may have been cut off; follow it from the mail again.", 404)
    if request.method != "POST":
        return _page("Send no more such mails?", "What an order needs you to know is sent in any case.", 200, FORM)
    shop: Shop = request.state.shop
    try:
        async with shop.tx() as tx:
            await unsubscribe(tx, *named)
    except TRY_AGAIN as trouble:
        _log.warning("somebody could not unsubscribe now: %r", trouble)
        return _page("That did not work", "Please try again in a minute.", 503, FORM)
    return _page("Done", "You get no more such mails.", 200)


def _is_known(recipient: str, kind: str, _channel: str) -> bool:
    """Of this version: a kind may have gone since."""
    try:
        UUID(recipient.partition(":")[2])
        return kind in {"", *NotificationKind}
    except ValueError:
        return False


def _page(title: str, text: str, status: int, form: str = "") -> Response:
    return HTMLResponse(PAGE.format(title=title, text=text, form=form), status, HEADERS)
