"""The short way of a subscription whose document was run before: its events, and each executed or found executed.

graphql-core and Strawberry would keep an executor, three generators and the last answer for each stream, also for
the thousands on which nothing happens. Here a stream that waits holds its source and what it asks, nothing else.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from graphql import ExecutionResult, GraphQLError, execution

from engine.executor import BreadthFirstExecutor
from engine.shared import Operation, Shareable, shared

Build = Callable[[Any], BreadthFirstExecutor]
"""An executor of the operation for a context."""


@dataclass(frozen=True)
class KnownStream:
    operation: Operation
    context: Any
    build: Build

    async def results(self) -> AsyncGenerator[ExecutionResult]:
        """As graphql-core answers a subscription, with what Strawberry makes of a stream that breaks off.

        Ends after an item that could not be told.
        """
        source: Any = await _begun(self.build(self.context))
        if isinstance(source, ExecutionResult):
            yield source
            return
        try:
            async with aclosing(source):
                while (event := await anext(source, None)) is not None:
                    result = await self._executed(event)
                    del event  # what was told is held by nobody who waits
                    lost = result.errors and result.data is None
                    yield result
                    del result
                    if lost:
                        return
                    self.context.loaded.clear()
        except Exception as error:
            yield ExecutionResult(None, [_told(error)])

    async def _executed(self, event: Any) -> ExecutionResult:
        def execute(context: Any) -> Any:
            executor = cast(BreadthFirstExecutor, cast(Any, self.build(context)).build_per_event_executor(event))
            context.document = self.operation.document
            return executor.execute_here()

        if hasattr(event, "executed"):
            return await shared(cast(Shareable, event), self.operation, self.context, execute)
        result = execute(self.context)
        return await result if hasattr(result, "__await__") else result


async def _begun(executor: BreadthFirstExecutor) -> Any:
    source: Any = cast(Any, execution).create_source_event_stream(executor)
    return await source if hasattr(source, "__await__") else source


def _told(error: Exception) -> GraphQLError:
    return error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
