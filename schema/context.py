"""`@inContext`: region, country, channel and locale of an operation, said once and not on every field."""

from collections.abc import AsyncIterator
from enum import Enum
from typing import Annotated, Any, cast

import strawberry
from graphql import GraphQLSchema, OperationDefinitionNode, get_operation_ast
from graphql.execution.values import VariableValues, get_directive_values, get_variable_values
from strawberry import UNSET
from strawberry.directive import DirectiveLocation
from strawberry.extensions import SchemaExtension

from resolvers.context import ContextChoice, Ctx
from schema.scalars import CountryCode


@strawberry.directive(
    name="inContext",
    locations=[DirectiveLocation.QUERY, DirectiveLocation.MUTATION, DirectiveLocation.SUBSCRIPTION],
    description="Where the operation takes place: which prices, which language. Wins over `X-Shop-Context`.",
)
def in_context(
    region: Annotated[strawberry.ID | None, strawberry.argument(description="A region by its id.")] = UNSET,
    country: Annotated[CountryCode | None, strawberry.argument(description="The region of a country.")] = UNSET,
    channel: Annotated[strawberry.ID | None, strawberry.argument(description="A sales channel.")] = UNSET,
    locale: Annotated[str | None, strawberry.argument(description="BCP 47, for example `de-DE`.")] = UNSET,
) -> None:
    """Read once per operation by `ContextDirective`; Strawberry's own handling would cost on every field."""


def _text(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def choose(schema: GraphQLSchema, ctx: Ctx, operation: OperationDefinitionNode, variables: VariableValues) -> None:
    """Puts what `@inContext` says into the operation's context."""
    values = get_directive_values(cast(Any, schema.get_directive("inContext")), operation, variables)
    if values is not None:
        ctx.choice = ContextChoice(**{name: _text(value) for name, value in values.items()})


class ContextDirective(SchemaExtension):
    """Puts what `@inContext` says into the operation's context, and checks it, before anything is resolved."""

    async def on_execute(self) -> AsyncIterator[None]:
        running = self.execution_context
        document = running.graphql_document
        operation = get_operation_ast(document, running.operation_name) if document else None
        if operation is not None and operation.directives:
            schema = cast(GraphQLSchema, cast(Any, running.schema)._schema)
            coerced = get_variable_values(schema, operation.variable_definitions or (), running.variables or {})
            if not isinstance(coerced, list):  # errors in variables are the executor's to report
                choose(schema, running.context, operation, coerced)
        cast(Ctx, running.context).executing()
        await cast(Ctx, running.context).check_choice()
        yield
