"""GraphQL over HTTP and SSE: one endpoint. What it shares with WebSockets stands in server/operation.py."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Final, cast

import orjson
from anyio import CancelScope
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

from resolvers.context import Ctx
from resolvers.request_error import Forbidden, RequestError
from schema import Schema
from server.cookies import SessionCookies
from server.document import NAMES, RequestedDocuments
from server.errors import failed_request, refused_request
from server.graphiql import graphiql_page
from server.operation import Asked, Contexts, answer_of, check_operation_name

LARGEST_BODY: Final = 100 * 1024
FORMS: Final = frozenset({"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})
"""The kinds of bodies that need no preflight; without one it is as if it were text."""
STATUS: Final = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "DOCUMENT_NOT_TRUSTED": 403,
    "DOCUMENT_NOT_FOUND": 404,
    "PERSISTED_QUERY_NOT_FOUND": 200,  # an invitation to send the text; clients of Apollo expect it like this
}


def check_is_no_form(request: Request) -> None:
    """Pages of other sites send such bodies without asking first (preflight), so they are refused unread."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind in FORMS:
        raise Forbidden("Send JSON, with Content-Type: application/json; forms of other sites cannot send that.")


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

    def __init__(self, schema: Schema, contexts: Contexts, documents: RequestedDocuments) -> None:
        super().__init__(schema, subscription_protocols=(GRAPHQL_SSE_PROTOCOL,), graphql_ide="graphiql")
        self._graphiql = graphiql_page()
        self._contexts, self._documents = contexts, documents
        self._ending = asyncio.Event()

    def end_streams(self) -> None:
        """The process is about to end: their clients are to go on elsewhere, now and not when they are cut off."""
        self._ending.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            await self._read_body(request)
            check_is_no_form(request)
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
        check_operation_name(data.operation_name)

        async def parameters() -> Mapping[str, object]:
            if request.method == "GET":
                return request.query_params
            return self.decode_json(await request.get_body())

        data.query = await self._documents.text(data.query, data.extensions, parameters)
        return data

    async def create_streaming_response(
        self,
        request: Request | WebSocket,
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,
        headers: Mapping[str, str],
    ) -> Response:
        chunks = cast("AsyncGenerator[str]", stream())
        return await super().create_streaming_response(
            request, lambda: until(self._ending, chunks), sub_response, headers
        )

    async def render_graphql_ide(self, request: Request) -> Response:
        return HTMLResponse(self._graphiql)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Ctx:
        cookies = request.state.cookies = SessionCookies(request, self._contexts.cookies, self._contexts.tokens)
        peer, sets_cookies = request.client.host if request.client else "", isinstance(response, Response)
        ctx = await self._contexts.make(
            Asked(request.headers, peer, cookies, request.state.request_id, sets_cookies=sets_cookies)
        )
        if isinstance(response, Response):
            cookies.answer = response
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
        return cast("dict[str, object]", decoded)

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        return cast(GraphQLHTTPResponse, answer_of(request.state.ctx, result))


async def until(ending: asyncio.Event, chunks: AsyncGenerator[str]) -> AsyncGenerator[str]:
    """Breaks off, without saying that the stream is complete: so its client knows that there is more."""
    ended = asyncio.create_task(ending.wait())
    try:
        async with aclosing(chunks):
            while True:
                following = asyncio.create_task(_next(chunks))
                try:
                    await asyncio.wait({following, ended}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not following.done():
                        following.cancel()
                        with CancelScope(shield=True):  # who hung up cancels every wait, and it has to end first
                            await asyncio.wait({following})
                if following.cancelled() or (chunk := following.result()) is None:
                    return
                yield chunk
    finally:
        ended.cancel()


async def _next(chunks: AsyncGenerator[str]) -> str | None:
    return await anext(chunks, None)
