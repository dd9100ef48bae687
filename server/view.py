"""GraphQL over HTTP and SSE: one endpoint, one way to establish the actor, one way to show errors."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, cast

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.base import BaseRequestProtocol
from strawberry.http.streaming import HTTPStreamTransport, SSETransport
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from domain.processes.shop import Shop
from resolvers import ids
from resolvers.context import ContextChoice, Ctx
from resolvers.request_error import RequestError
from resolvers.trace import Trace
from schema import Schema
from server.api_keys import ApiKeys
from server.authentication import Authentication
from server.cookies import CookieRules, SessionCookies
from server.document import NAMES, RequestedDocuments
from server.errors import failed_request, public_error, refused_request
from server.graphiql import graphiql_page
from server.relay import Relay
from server.tokens import Argon2Passwords, SignedTokens

LARGEST_BODY: Final = 100 * 1024
STATUS: Final = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "DOCUMENT_NOT_TRUSTED": 403,
    "DOCUMENT_NOT_FOUND": 404,
    "PERSISTED_QUERY_NOT_FOUND": 200,  # an invitation to send the text; clients of Apollo expect it like this
}


class EventStream(SSETransport):
    """Streams read: a write that a closing connection could cut off midway is refused."""

    def accepts(self, accept: str) -> bool:
        """Who takes JSON as well gets JSON: urql lists all that it can read with every query and mutation."""
        return super().accepts(accept) and "json" not in accept.lower()

    def encode_event(self, event: str, data: str | None = None) -> str:
        """Lines end with a line feed alone: urql finds no event else, and the standard allows it."""
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        return super().encode_comment(comment).replace("\r\n", "\n")

    def allowed_operation_types(self, allowed_operation_types: set[OperationType]) -> Iterable[OperationType]:
        return set(allowed_operation_types) - {OperationType.MUTATION}


class GraphQLEndpoint(GraphQL[Ctx, None]):
    stream_transport_classes_by_protocol: Mapping[str, type[HTTPStreamTransport]] = {GRAPHQL_SSE_PROTOCOL: EventStream}

    def __init__(
        self,
        schema: Schema,
        shop: Shop,
        relay: Relay,
        tokens: SignedTokens,
        passwords: Argon2Passwords,
        *,
        api_keys: ApiKeys,
        cookies: CookieRules,
        debug: bool = False,
        trusted_only: bool = False,
    ) -> None:
        super().__init__(schema, subscription_protocols=(GRAPHQL_SSE_PROTOCOL,), graphql_ide="graphiql")
        self._graphiql = graphiql_page()
        self._shop, self._relay, self._tokens, self._passwords = shop, relay, tokens, passwords
        self._authentication, self._cookies, self._debug = Authentication(tokens, api_keys), cookies, debug
        self._documents = RequestedDocuments(shop.read, schema.documents, trusted_only=trusted_only)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            await self._read_body(request)
            response = await self.run(request)
        except HTTPException as error:
            code = "PAYLOAD_TOO_LARGE" if error.status_code == 413 else "BAD_REQUEST"
            response = self._refused(request, error.reason, code, error.status_code)
        except RequestError as error:
            status = STATUS.get(error.extensions["code"], 400)
            response = self._refused(request, error.message, error.extensions["code"], status)
        except ClientDisconnect:
            return
        except Exception as error:
            answer, status = failed_request(error, request.state.request_id)
            response = Response(orjson.dumps(answer), status, media_type="application/json")
        await response(scope, receive, send)

    async def _read_body(self, request: Request) -> None:
        """Reads it here, as far as it may go: what is larger is refused before it is in memory."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise HTTPException(413, f"A request has at most {LARGEST_BODY:,} bytes.")
        request._body = bytes(body)  # pyright: ignore[reportPrivateUsage] - where Starlette keeps what was read

    def _refused(self, request: Request, message: str, code: str, status: int) -> Response:
        answer = refused_request(message, code, request.state.request_id)
        response = Response(orjson.dumps(answer), status, media_type="application/json")
        if hasattr(request.state, "cookies"):  # who was refused before an operation ran may have to lose one
            response.headers.raw.extend(h for h in request.state.cookies.answer.headers.raw if h[0] == b"set-cookie")
        return response

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        """Strawberry shows it to whoever sends no query; by GET a document is named otherwise as well."""
        return not {*NAMES, "extensions"} & request.query_params.keys() and super().should_render_graphql_ide(request)

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """The request with the text of its document, however it named it."""
        data = cast(GraphQLRequestData, await super().parse_http_body(request))  # never a batch: see decode_json

        async def parameters() -> Mapping[str, object]:
            if request.method == "GET":
                return request.query_params
            return self.decode_json(await request.get_body())

        data.query = await self._documents.text(data.query, data.extensions, parameters)
        return data

    async def render_graphql_ide(self, request: Request) -> Response:
        return HTMLResponse(self._graphiql)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Ctx:
        headers = request.headers
        cookies = request.state.cookies = SessionCookies(request, self._cookies, self._tokens)
        trace = trace_asked_for(headers.get("x-debug")) if self._debug else None
        shop = self._shop if trace is None else trace.of(self._shop)
        peer = request.client.host if request.client else ""
        caller = await self._authentication.establish(shop.read, headers, peer, cookies)
        if isinstance(response, Response):
            cookies.answer = response
        ctx = Ctx(
            shop=shop,
            tokens=self._tokens,
            passwords=self._passwords,
            live=self._relay,
            actor=replace(caller.actor, request_id=request.state.request_id),
            request_id=request.state.request_id,
            choice=context_choice(headers.get("x-shop-context", "")),
            cart_token=headers.get("x-cart-token"),
            access_token=headers.get("x-access-token"),
            subscribes_only=caller.live is not None,
            live_order=caller.live.order if caller.live is not None else None,
            buyer_address=caller.buyer_address,
            device=caller.device,
            cookies=cookies if isinstance(response, Response) else None,
            trace=trace,
        )
        request.state.ctx = ctx
        return ctx

    def decode_json(self, data: str | bytes) -> dict[str, object]:
        """Only an object is a request: batches are off, and anything else is nonsense."""
        try:
            decoded = orjson.loads(data)
        except (orjson.JSONDecodeError, RecursionError):
            raise HTTPException(400, "The body is not JSON.") from None
        if not isinstance(decoded, dict):
            raise HTTPException(400, "The body must be one JSON object with a query.")
        known = cast("dict[str, object]", decoded)
        if not isinstance(known.get("operationName"), str | None):
            raise HTTPException(400, "operationName must be a string.")
        return known

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        ctx: Ctx = request.state.ctx
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [public_error(error, ctx.request_id) for error in result.errors]
        extensions: dict[str, Any] = {}
        region = ctx.resolved_region
        if region is not None:
            extensions["context"] = {
                "region": ids.encode("Region", region.id),
                "currency": region.currency,
                "country": ctx.choice.country,
                "locale": ctx.choice.locale,
            }
        if ctx.trace is not None:
            extensions["execution"] = ctx.trace.told()
        if extensions:
            answer["extensions"] = extensions
        return cast(GraphQLHTTPResponse, answer)


def trace_asked_for(header: str | None) -> Trace | None:
    """`X-Debug: execution` asks for `extensions.execution`."""
    if header is None:
        return None
    if header.strip() != "execution":
        raise RequestError("X-Debug is written like this: execution")
    return Trace()


def context_choice(header: str) -> ContextChoice:
    """`X-Shop-Context: country=DE, locale=de-DE`: the arguments of `@inContext`, by commas."""
    given: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = part.partition("=")
        known = name.strip() in ContextChoice.__dataclass_fields__
        if not known or not value.strip() or not value.isprintable():
            raise RequestError("X-Shop-Context is written like this: country=DE, locale=de-DE")
        given[name.strip()] = value.strip()
    return ContextChoice(**given)
