"""Which operation of a request runs, where Strawberry is more lenient than the specification."""

from collections.abc import Iterator
from typing import Any, cast

from graphql import OperationDefinitionNode
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from resolvers.context import Ctx
from resolvers.request_error import Unauthenticated


class SeveralOperations(CannotGetOperationTypeError):
    """Which one is meant must be said; Strawberry would run the first."""

    def as_http_error_reason(self) -> str:
        return "The document has several operations: say by operationName which one is meant."


class NeedsStream(InvalidOperationTypeError):
    """A subscription was asked for as if it had one answer."""

    def as_http_error_reason(self, method: str) -> str:
        del method
        return "A subscription is a stream: ask for it with Accept: text/event-stream."


class OneOperation(SchemaExtension):
    """Refuses documents of several operations unless one is named."""

    def on_parse(self) -> Iterator[None]:
        yield
        running = self.execution_context
        definitions = running.graphql_document.definitions if running.graphql_document else ()
        operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
        if len(operations) > 1 and cast(Any, running)._provided_operation_name is None:
            raise SeveralOperations(None)


class MaySubscribeOnly(Unauthenticated):
    """A live token is shown to a browser on a foreign site: whoever steals it reads a stream for some minutes."""

    def __init__(self) -> None:
        super().__init__("A live token lets subscribe, and nothing else: sign in, or send the token of your order.")


class OnlySubscribing(SchemaExtension):
    """Refuses what is no subscription to those who have a live token, also where it would be answered by a stream."""

    def on_execute(self) -> Iterator[None]:
        running = self.execution_context
        if cast(Ctx, running.context).subscribes_only and running.operation_type is not OperationType.SUBSCRIPTION:
            raise MaySubscribeOnly
        yield
