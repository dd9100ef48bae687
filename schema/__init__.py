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
from resolvers.context import Ctx
from schema.balance_errors import BALANCE_ERRORS
from schema.build import COLUMN, MODEL, NEEDS, value_of
from schema.context import ContextDirective, choose, in_context
from schema.errors import ERROR_TYPES
from schema.file_errors import FILE_ERRORS
from schema.operation import MaySubscribeOnly, NeedsStream, OneOperation, OnlySubscribing
from schema.roots import Mutation, Query, Subscription
from schema.scalars import SCALARS
from schema.ticket_errors import TICKET_ERRORS
from schema.ticket_event import TYPES as TICKET_EVENTS
from schema.warning import WARNING_TYPES

ONLY_BEHIND_INTERFACES: tuple[type, ...] = (
    *ERROR_TYPES,
    *WARNING_TYPES,
    *BALANCE_ERRORS,
    *FILE_ERRORS,
    *TICKET_ERRORS,
    *TICKET_EVENTS.values(),
)


class Schema(strawberry.Schema):
    """Strawberry's schema, which is not to wrap every field because there is a directive on operations."""

    documents: Documents
    """Those that were run before."""
    breadth_first: bool = False

    def get_extensions(self, sync: bool = False) -> list[SchemaExtension]:
        del sync
        return [KnownDocuments(self.documents), OneOperation(), OnlySubscribing(), ContextDirective()]

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

        def begin(operation: OperationDefinitionNode, variables: VariableValues) -> None:
            ctx.read_on_one_connection()
            if operation.directives:
                choose(schema, ctx, operation, variables)
            ctx.executing()

        return await run_known(schema, self.documents.find(query), name, variables, context=ctx, begin=begin)

    async def stream(self, *args: Any, **kwargs: Any) -> Any:
        """Ends after an item that could not be told, so that whoever resumes with the last `seq` misses nothing."""
        return _until_one_is_lost(await super().stream(*args, **kwargs))

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Errors are told and logged where they leave the server, with the request's id (server/errors.py)."""


async def _until_one_is_lost(results: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    async with aclosing(results):
        async for result in results:
            yield result
            if result.errors and result.data is None:
                return


def build_schema(
    query: type = Query,
    mutation: type | None = Mutation,
    subscription: type | None = Subscription,
    *,
    breadth_first: bool = True,
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
