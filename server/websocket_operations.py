"""The operations of one WebSocket: each with an actor, a context and loaders of its own, and ended with it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol, Self

from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType
from uuid_utils import uuid7

from resolvers.context import Ctx
from resolvers.request_error import RequestError
from schema import Schema
from server.document import RequestedDocuments
from server.errors import failed_request, refused_request
from server.operation import answer_of, check_parameters
from server.websocket_messages import (
    TOO_MANY_INITIALISATIONS,
    Close,
    Closed,
    Message,
    Messages,
    operation_id,
    subscribed,
)

ALLOWED: Final = frozenset({OperationType.QUERY, OperationType.SUBSCRIPTION})
"""A write would be cut off midway when the connection is."""
SUBSCRIBER_EXISTS: Final = 4409


class Caller(Protocol):
    async def context(self, request_id: str) -> Ctx:
        """For one operation: who asks is established anew. Refuses whoever is not let in any more."""
        ...


@dataclass(frozen=True)
class Runs:
    """What operations are run by."""

    schema: Schema
    documents: RequestedDocuments

    async def results(self, ctx: Ctx, payload: Mapping[str, Any]) -> AsyncGenerator[ExecutionResult]:
        check_parameters(payload)

        async def parameters() -> Mapping[str, object]:
            return payload

        extensions = payload.get("extensions")
        return await self.schema.stream(
            await self.documents.text(payload.get("query"), extensions, parameters),
            variable_values=payload.get("variables"),
            context_value=ctx,
            operation_name=payload.get("operationName"),
            operation_extensions=extensions,
            allowed_operation_types=ALLOWED,
        )


class Operations:
    """So many at once. One that has ended has given its place back before its client is told."""

    def __init__(self, messages: Messages, caller: Caller, runs: Runs, most: int) -> None:
        self._messages, self._caller, self._runs, self._most = messages, caller, runs, most
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        """Cancelled, and not over yet."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Nothing goes on when this is over. That the client has gone is no failure."""
        for id_ in list(self._running):
            self._end(id_)
        while self._ending:
            await asyncio.wait(self._ending)
        return isinstance(error, Closed)

    async def follow(self) -> None:
        """Does what the client says, until it goes."""
        while True:
            message = await self._messages.next()
            if message["type"] == "subscribe":
                await self._begin(*subscribed(message))
            elif message["type"] == "complete":
                self._end(operation_id(message))
            else:
                raise Close(TOO_MANY_INITIALISATIONS, "Too many initialisation requests")

    async def _begin(self, id_: str, payload: Message) -> None:
        if id_ in self._running:
            raise Close(SUBSCRIBER_EXISTS, f"Subscriber for {id_} already exists")
        while self._ending and len(self._running) + len(self._ending) >= self._most:
            await asyncio.wait(self._ending, return_when=asyncio.FIRST_COMPLETED)
        if len(self._running) >= self._most:
            message = f"A connection has at most {self._most} operations at once; complete some first."
            refused = refused_request(message, "TOO_MANY_REQUESTS", str(uuid7()))
            await self._messages.send({"id": id_, "type": "error", "payload": refused["errors"]})
            return
        self._running[id_] = asyncio.create_task(self._run(id_, payload))

    def _end(self, id_: str) -> None:
        """The client wants no more of it; ids of what has ended mean nothing."""
        task = self._running.pop(id_, None)
        if task is not None:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _run(self, id_: str, payload: Message) -> None:
        with suppress(Closed):
            errors = await self._told(id_, payload)
            self._running.pop(id_, None)
            last = {"type": "complete"} if errors is None else {"type": "error", "payload": errors}
            await self._messages.send({"id": id_, **last})

    async def _told(self, id_: str, payload: Message) -> list[Message] | None:
        """Sends what it answers; the errors with which it ended, if it did not run or could not go on."""
        request_id = str(uuid7())
        try:
            ctx = await self._caller.context(request_id)
            try:
                async with aclosing(await self._runs.results(ctx, payload)) as results:
                    async for result in results:
                        answer = answer_of(ctx, result)
                        if _is_failure(result):
                            return answer["errors"]
                        await self._messages.send({"id": id_, "type": "next", "payload": answer})
                        del result, answer  # a stream that waits does not hold what it has told
            finally:
                await ctx.close()
        except RequestError as error:
            return refused_request(error.message, error.extensions["code"], request_id)["errors"]
        except Closed:
            raise
        except Exception as error:
            return failed_request(error, request_id)[0]["errors"]
        return None


def _is_failure(result: ExecutionResult) -> bool:
    """It is the operation that failed and not a field of its answer, which would have a place in it."""
    return result.data is None and bool(result.errors) and all(error.path is None for error in result.errors or ())
