"""Items of subscriptions that are executed once for all who are to get the same, and written as JSON once.

A source event that may be shared is a `Shareable`; who gets the same of it is an audience, which only the context can
tell. What depends on anything else makes the execution personal: then everybody's own is executed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import orjson
from graphql import ExecutionResult, OperationDefinitionNode
from graphql.execution.values import VariableValues

from engine.documents import Document


class Shareable(Protocol):
    """Equal events are one object."""

    executed: dict[Any, Any]
    """Executions of it, by the operation and the audience."""

    def audience(self, context: Any) -> Any:
        """Who gets the same as whoever has this context; null: nobody else."""
        ...

    def context(self, context: Any, audience: Any) -> Any:
        """What an execution for all of them knows. Its `is_personal` says whether it asked for more than that."""
        ...

    def adopt(self, context: Any, shared: Any) -> None:
        """Takes over what the execution found out that belongs to its answer."""
        ...


class Written(dict[str, Any]):
    """Data of an answer together with its JSON."""

    json: bytes = b""


@dataclass(frozen=True)
class Operation:
    """What is asked of each event: a document's operation with its variables, as far as items depend on them."""

    document: Document
    name: str | None
    given: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, document: Document, operation: OperationDefinitionNode, values: VariableValues) -> Self:
        name = operation.name.value if operation.name else None
        below = document.below_root(operation)
        return cls(document, name, tuple((name, repr(values.coerced.get(name))) for name in below))

    @property
    def is_personal(self) -> bool:
        return self.name in self.document.personal


@dataclass(frozen=True)
class Shared:
    """An execution for an audience. Data null: it was personal, or something went wrong."""

    data: Written | None
    context: Any


_running: Final[set[asyncio.Task[Any]]] = set()


async def shared(
    event: Shareable, operation: Operation, context: Any, execute: Callable[[Any], Any]
) -> ExecutionResult:
    """`execute(context)` runs the operation on the event for a context."""
    audience = None if operation.is_personal else event.audience(context)
    if audience is None:
        return await _awaited(execute(context))
    key = operation.document.text, operation.name, operation.given, audience
    done: Any = event.executed.get(key)
    if done is None:
        done = asyncio.create_task(_execute(event, key, execute, event.context(context, audience)))
        event.executed[key] = done
        _running.add(done)
        done.add_done_callback(_running.discard)
    if not isinstance(done, Shared):
        done = await asyncio.shield(done)  # who goes away takes nobody's answer along
    if done.data is None:
        if done.context.is_personal:
            operation.document.personal.add(operation.name)
        return await _awaited(execute(context))
    event.adopt(context, done.context)
    return ExecutionResult(done.data, None)


async def _execute(event: Shareable, key: Any, execute: Callable[[Any], Any], context: Any) -> Shared:
    done = event.executed[key] = Shared(await _written(execute, context), context)
    return done


async def _written(execute: Callable[[Any], Any], context: Any) -> Written | None:
    try:
        result = await _awaited(execute(context))
    except Exception:  # everybody's own execution tells what is wrong
        return None
    finally:
        await context.close()
    if result.errors or result.data is None or context.is_personal:
        return None
    data = Written(result.data)
    data.json = orjson.dumps(result.data)
    return data


async def _awaited(result: Awaitable[Any] | Any) -> Any:
    return await result if hasattr(result, "__await__") else result
