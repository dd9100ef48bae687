"""GraphQL over HTTP and SSE: one endpoint. What it shares with WebSockets stands in server/operation.py."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import ExitStack, aclosing
from functools import partial
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
from strawberry.http.streaming import SSETransport
from strawberry.http.types import QueryParams
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from resolvers.context import Ctx
from resolvers.request_error import Forbidden, RequestError
from resolvers.session import network
from schema import Schema
from server.cookies import SessionCookies
from server.document import NAMES, RequestedDocuments
from server.errors import failed_request, refused_request
from server.event_stream import COMPLETE, EventStream, next_event
from server.graphiql import graphiql_page
from server.lasting import goes_on
from server.media_type import JSON, media_type
from server.operation import Asked, Contexts, answer_of, check_operation_name
from server.places import NoPlace, Places, SocketLimits, person

LARGEST_BODY: Final = 100 * 1024
LARGEST_OF_STAFF: Final = 4 * 1024 * 1024
"""Room for 1,000 rows: of those who were given permissions, which is found out once a body needs it."""
FORMS: Final = frozenset({"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})
"""The kinds of bodies that need no preflight; without one it is as if it were text."""
STATUS: Final = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "DOCUMENT_NOT_TRUSTED": 403,
    "DOCUMENT_NOT_FOUND": 404,
    "TOO_MANY_REQUESTS": 429,
    "PERSISTED_QUERY_NOT_FOUND": 200,  # an invitation to send the text; clients of Apollo expect it like this
}


def check_is_no_form(request: Request) -> None:
    """Pages of other sites send such bodies without asking first (preflight), so they are refused unread."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind in FORMS:
        raise Forbidden("Send JSON, with Content-Type: application/json; forms of other sites cannot send that.")


class TooManyStreams(RequestError):
    """Somebody, or an address, has as many as it may have."""

    code = "TOO_MANY_REQUESTS"

    def __init__(self) -> None:
        super().__init__("There are too many streams from you at once; end some first.")


class StreamTransport(SSETransport):
    """Streams read: a write that a closing connection could cut off midway is refused."""

    def accepts(self, accept: str) -> bool:
        """Who takes JSON as well gets JSON: urql lists all that it can read with every query and mutation."""
        return super().accepts(accept) and "json" not in accept.lower()

    def allowed_operation_types(self, allowed_operation_types: set[OperationType]) -> Iterable[OperationType]:
        return set(allowed_operation_types) - {OperationType.MUTATION}


class GraphQLEndpoint(GraphQL[Ctx, None]):
    stream_transport_classes_by_protocol: Mapping[str, Any] = {GRAPHQL_SSE_PROTOCOL: StreamTransport}

    def __init__(self, schema: Schema, contexts: Contexts, documents: RequestedDocuments, limits: SocketLimits) -> None:
        super().__init__(schema, subscription_protocols=(GRAPHQL_SSE_PROTOCOL,), graphql_ide="graphiql")
        self._graphiql = graphiql_page()
        self._contexts, self._documents = contexts, documents
        self._of_address, self._of_caller = Places(limits.connections), Places(limits.connections)
        self._seconds_to_read = limits.seconds_to_read
        self._streams: set[EventStream] = set()
        self._is_ending = False

    def end_streams(self) -> None:
        """The process is about to end: their clients are to go on elsewhere, now and not when they are cut off."""
        self._is_ending = True
        for stream in self._streams:
            stream.break_off()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        with ExitStack() as places:
            request.state.places = places
            response = await self._response(request)
            if isinstance(response, EventStream):
                await response.begin(send)
                goes_on(scope, partial(self._stream, response, places.pop_all(), scope))
            elif response is not None:
                await response(scope, receive, send)

    async def _stream(self, stream: EventStream, places: ExitStack, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.add(stream)
        places.callback(self._streams.discard, stream)
        with places:
            if self._is_ending:
                stream.break_off()
            await stream.tell(scope, receive, send)

    async def _response(self, request: Request) -> Response | None:
        """Null: there is nobody any more to answer to."""
        try:
            await self._read_body(request)
            check_is_no_form(request)
            return self._as_asked(request, await self.run(request))
        except HTTPException as error:
            code = "PAYLOAD_TOO_LARGE" if error.status_code == 413 else "BAD_REQUEST"
            return self._refused(request, error.reason, code, error.status_code)
        except RequestError as error:
            status = STATUS.get(error.extensions["code"], 400)
            return self._refused(request, error.message, error.extensions["code"], status)
        except ClientDisconnect:
            return None
        except Exception as error:
            answer, status = failed_request(error, request.state.request_id)
            return Response(orjson.dumps(answer), status, media_type=_media_type(request))

    def _as_asked(self, request: Request, response: Response) -> Response:
        """In the media type that was asked for; the newer one goes with a status for what was not run."""
        asked = _media_type(request)
        if asked != JSON and response.media_type == JSON:
            response.headers["content-type"] = asked
            if request.state.was_refused:
                response.status_code = 400
        return response

    async def _read_body(self, request: Request) -> None:
        """Reads it here, as far as it may go: what is larger is refused before it is in memory."""
        body, most = bytearray(), LARGEST_BODY
        async for chunk in request.stream():
            body += chunk
            if most == LARGEST_BODY < len(body) and await self._contexts.may_write_much(request.headers):
                most = LARGEST_OF_STAFF
            if len(body) > most:
                raise HTTPException(413, f"A request has at most {most:,} bytes.")
        request._body = bytes(body)  # pyright: ignore[reportPrivateUsage] - where Starlette keeps what was read

    def _refused(self, request: Request, message: str, code: str, status: int) -> Response:
        answer = refused_request(message, code, request.state.request_id)
        response = Response(orjson.dumps(answer), status, media_type=_media_type(request))
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

    async def _create_streaming_response(
        self, request: Request, result: Any, protocol: Any, sub_response: Response
    ) -> EventStream:
        """Strawberry's would have six tasks and a queue for each stream; ours is server/event_stream.py."""
        del protocol  # the only one
        self._take_place(request)
        events = _events(request.state.ctx, result)
        headers = {**sub_response.headers, **StreamTransport.headers}
        return EventStream(events, sub_response.status_code or 200, headers, self._seconds_to_read)

    def _take_place(self, request: Request) -> None:
        """As with WebSockets: an address, and somebody who has signed in, can have so many streams at once."""
        places, actor = request.state.places, request.state.ctx.actor
        peer = request.client.host if request.client else ""
        try:
            places.enter_context(self._of_address.taken(network(peer) or None))
            places.enter_context(self._of_caller.taken(person(actor)))
        except NoPlace:
            raise TooManyStreams from None

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

    def parse_query_params(self, params: QueryParams) -> dict[str, Any]:
        """By GET these two are JSON of their own: objects, or null as in a body; Strawberry refuses what is neither."""
        given: dict[str, Any] = dict(params)
        for name in ("variables", "extensions"):
            if given.get(name):
                try:
                    given[name] = orjson.loads(given[name])
                except (orjson.JSONDecodeError, RecursionError):
                    raise HTTPException(400, f"The GraphQL operation's `{name}` is not JSON.") from None
        return given

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
        answer = answer_of(request.state.ctx, result)
        request.state.was_refused = result.data is None and not any(error.path for error in result.errors or ())
        if request.state.was_refused and _media_type(request) != JSON:
            del answer["data"]
        return cast(GraphQLHTTPResponse, answer)


def _media_type(request: Request) -> str:
    return media_type(request.headers.get("accept", ""))


async def _events(ctx: Ctx, results: AsyncGenerator[ExecutionResult]) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(results):
            async for result in results:
                yield next_event(orjson.dumps(answer_of(ctx, result)))
                del result  # a stream that waits does not hold what it has told
            yield COMPLETE
    finally:
        await ctx.close()
