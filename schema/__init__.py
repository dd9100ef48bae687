"""What clients see: the types as views of rows, the roots, the descriptions. No logic."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any, cast

import strawberry
from graphql import (
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    OperationDefinitionNode,
)
from graphql.execution.values import VariableValues
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from engine.documents import Documents, KnownDocuments
from engine.executor import BreadthFirstExecutor
from engine.known import run_known
from engine.known_stream import KnownStream
from engine.limits import Limits
from engine.shared import Operation
from resolvers.context import Ctx
from resolvers.request_error import RequestError
from schema.balance_errors import BALANCE_ERRORS
from schema.build import COLUMN, MODEL, NEEDS, value_of
from schema.category import CATEGORY_ERRORS
from schema.context import ContextDirective, choose, in_context
from schema.errors import ERROR_TYPES
from schema.file_errors import FILE_ERRORS
from schema.operation import MaySubscribeOnly, NeedsStream, OneOperation, OnlySubscribing
from schema.region_errors import REGION_ERRORS
from schema.roots import Mutation, Query, Subscription
from schema.scalars import SCALARS
from schema.ticket_errors import TICKET_ERRORS
from schema.ticket_event import TYPES as TICKET_EVENTS
from schema.variant_errors import VARIANT_ERRORS
from schema.warning import WARNING_TYPES

ONLY_BEHIND_INTERFACES: tuple[type, ...] = (
    *ERROR_TYPES,
    *WARNING_TYPES,
    *BALANCE_ERRORS,
    *CATEGORY_ERRORS,
    *FILE_ERRORS,
    *REGION_ERRORS,
    *TICKET_ERRORS,
    *TICKET_EVENTS.values(),
    *VARIANT_ERRORS,
)


class Schema(strawberry.Schema):
    """Strawberry's schema, which is not to wrap every field because there is a directive on operations."""

    documents: Documents
    """Those that were run before."""
    limits: Limits = Limits()
    breadth_first: bool = False

    def get_extensions(self, sync: bool = False) -> list[SchemaExtension]:
        del sync
        return [KnownDocuments(self.documents, self.limits), OneOperation(), OnlySubscribing(), ContextDirective()]

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        *args: Any,
        allowed_operation_types: Iterable[OperationType] | None = None,
        **kwargs: Any,
    ) -> ExecutionResult:
        """Queries and mutations; subscriptions are streams and have a way of their own."""
        if context_value.subscribes_only:
            raise MaySubscribeOnly
        allowed = set(allowed_operation_types or OperationType) - {OperationType.SUBSCRIPTION}
        try:
            if self.breadth_first and OperationType.QUERY in allowed:
                data = await self._known(query or "", kwargs.get("operation_name"), variable_values, context_value)
                if data is not None:
                    return ExecutionResult(data, None)
            return await super().execute(
                query, variable_values, context_value, *args, allowed_operation_types=allowed, **kwargs
            )
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                raise NeedsStream(error.operation_type) from None
            raise
        finally:
            await context_value.close()

    async def _known(
        self, query: str, name: str | None, variables: dict[str, Any] | None, ctx: Ctx
    ) -> dict[str, Any] | None:
        schema = cast(Any, self)._schema
        document = self.documents.find(query)
        if document is not None and document.cost(name, variables) > self.limits.cost:
            return None

        async def begin(operation: OperationDefinitionNode, variables: VariableValues) -> None:
            ctx.read_on_one_connection()
            if operation.directives:
                choose(schema, ctx, operation, variables)
            ctx.executing()
            await ctx.check_choice()

        return await run_known(schema, document, name, variables, context=ctx, begin=begin)

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        *args: Any,
        operation_name: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Ends after an item that could not be told, so that whoever resumes with the last `seq` misses nothing."""
        results = await self._known_stream(query or "", operation_name, variable_values, context_value)
        if results is not None:
            return results
        named = {"operation_name": operation_name, **kwargs}
        return _until_one_is_lost(await super().stream(query, variable_values, context_value, *args, **named))

    async def _known_stream(self, query: str, name: str | None, variables: dict[str, Any] | None, ctx: Ctx) -> Any:
        """Null: the document is new, or refused; the long way says why."""
        document = self.documents.find(query) if self.breadth_first and ctx.trace is None else None
        operation = document.subscription(name) if document is not None else None
        if document is None or operation is None or document.cost(name, variables) > self.limits.cost:
            return None
        schema = cast(Any, self)._schema

        def build(context: Any) -> Any:
            return cast(Any, BreadthFirstExecutor).build(schema, document.parsed, None, context, variables, name)

        executor = build(ctx)
        if isinstance(executor, list):
            return None
        choose(schema, ctx, operation, executor.variable_values)
        try:
            await ctx.check_choice()
        except RequestError:
            return None
        ctx.document = document
        ctx.executing()
        return KnownStream(Operation.of(document, operation, executor.variable_values), ctx, build).results()

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Errors are told and logged where they leave the server, with the request's id (server/errors.py)."""


async def _until_one_is_lost(results: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    async with aclosing(results):
        async for result in results:
            lost = result.errors and result.data is None
            yield result
            del result  # a stream that waits does not hold what it has told
            if lost:
                return


def build_schema(
    query: type = Query,
    mutation: type | None = Mutation,
    subscription: type | None = Subscription,
    *,
    breadth_first: bool = True,
    limits: Limits | None = None,
) -> Schema:
    """The executable schema, checked: every root field declares what it needs, every view agrees with its row.

    Without `breadth_first` graphql-core executes everything; answers are the same.
    """
    schema = Schema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        directives=[in_context],
        types=ONLY_BEHIND_INTERFACES,
        execution_context_class=BreadthFirstExecutor if breadth_first else None,
        config=StrawberryConfig(
            default_resolver=value_of,
            scalar_map=SCALARS,
            disable_field_suggestions=True,
        ),
    )
    schema.documents = Documents()
    schema.limits = limits or Limits()
    schema.breadth_first = breadth_first
    _check_needs(query, mutation, subscription)
    for type_ in cast(Any, schema)._schema.type_map.values():
        if isinstance(type_, GraphQLObjectType):
            type_.is_type_of = None  # rows are no instances of the classes here
            _check_view(type_)
        elif isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            type_.resolve_type = _type_name
    return schema


def _type_name(item: Any, _info: Any, _type: Any) -> str:
    """Whatever stands behind an interface or a union says itself what it is."""
    return item["__typename"]


def _check_needs(*roots: type | None) -> None:
    for root in filter(None, roots):
        for field in cast(Any, root).__strawberry_definition__.fields:
            if not field.metadata.get(NEEDS):
                raise TypeError(f"{root.__name__}.{field.python_name} must declare what it needs")


def _check_view(type_: GraphQLObjectType) -> None:
    """Plain fields name columns of the row; what may be null there may be null here."""
    definition = cast(Any, type_.extensions.get("strawberry-definition"))
    model = getattr(definition.origin, MODEL, None) if definition else None
    if model is None:
        return
    table = getattr(model, "__table__", None)
    for name, field in type_.fields.items():
        declared = field.extensions["strawberry-definition"]
        if not declared.metadata.get(COLUMN):
            continue
        column = declared.python_name
        if table is None:
            if column not in model.__dataclass_fields__:
                raise TypeError(f"{type_.name}.{name}: {model.__name__} has no field {column}")
        elif column not in table.c:
            raise TypeError(f"{type_.name}.{name}: the table {table.name} has no column {column}")
        elif table.c[column].nullable and isinstance(field.type, GraphQLNonNull):
            raise TypeError(f"{type_.name}.{name} must be nullable as {table.name}.{column} is")
