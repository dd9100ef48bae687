"""`POST /webhooks/payments/{provider}`: what providers tell by themselves, verified by the provider's own adapter."""

import logging
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from db.unavailable import TRY_AGAIN
from domain.payment_provider import WebhookRefused
from domain.processes.receive_webhook import receive_webhook
from domain.processes.shop import Shop

LARGEST: Final = 256 * 1024
_log = logging.getLogger(__name__)


class TooLarge(Exception):
    """More than anybody has to say."""


async def payment_webhook(request: Request) -> Response:
    """2xx once all of it is committed; anything else and the provider has to tell again."""
    shop: Shop = request.state.shop
    name = request.path_params["provider"]
    provider = shop.providers.get(name)
    if provider is None:
        return _answer("there is no such provider", 404)
    try:
        reports = provider.parse_webhook(dict(request.headers), await _body(request))
        await receive_webhook(shop, name, reports)
    except TooLarge:
        return _answer("the body is too large", 413)
    except WebhookRefused as refused:
        _log.warning("a webhook that claims to be from %s is refused: %s", name, refused)
        return _answer("the signature does not fit", 401)
    except ClientDisconnect:
        return _answer("the body is incomplete", 400)
    except TRY_AGAIN as trouble:
        _log.warning("a webhook of %s could not be taken now: %r", name, trouble)
        return _answer("try again", 503)
    except Exception:
        _log.exception("a webhook of %s failed", name)
        return _answer("something went wrong on our side", 500)
    return JSONResponse({"received": len(reports)})


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise TooLarge
    return bytes(body)


def _answer(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status)
