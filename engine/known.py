"""The short way of a query that has been run before: its plan, its variables, its answer.

graphql-core's executor and Strawberry's hooks are what a first run needs. Whatever is not as it was then, or goes
wrong, is left to them.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from graphql import GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from strawberry.types.arguments import convert_arguments

from engine.documents import Document
from engine.plan import PlannedField, Selection, plan_key
from engine.run import Runner
from engine.source import Related

PLAIN: Final = (str, int, type(None))
"""Arguments that nobody can change."""


Begin = Callable[[OperationDefinitionNode, VariableValues], Awaitable[None]]


async def run_known(
    schema: GraphQLSchema,
    document: Document | None,
    name: str | None,
    variables: Mapping[str, Any] | None,
    *,
    context: Any,
    begin: Begin | None = None,
) -> dict[str, Any] | None:
    """The data of the query of that name, or null if there is no plan for it, or if it failed: `context.refused`
    says why then. `begin` is told the variables before anything is resolved.
    """
    operation = document.query(name) if document is not None else None
    if document is None or operation is None:
        return None
    coerced = get_variable_values(schema, operation.variable_definitions or (), dict(variables or {}))
    if isinstance(coerced, list):
        return None
    root = cast(Any, schema.query_type).name
    plan = document.plans.get(plan_key(document, operation, root, None, coerced.coerced))
    if not isinstance(plan, Selection):
        return None
    context.document = document
    try:
        if begin is not None:
            await begin(operation, coerced)
        (data,) = await Runner(context, arguments_of(schema, coerced)).objects(plan, [None])
    except CancelledError:
        context.loaded.abandon()
        raise
    except Exception as error:
        context.refused = error
        return None
    context.planned(plan)
    return data


def arguments_of(
    schema: GraphQLSchema, variables: VariableValues, *, hide_suggestions: bool = True
) -> Callable[[PlannedField], dict[str, Any]]:
    """Coerces the arguments of a field, and prepares them as its source wants them."""
    strawberry = cast(Any, schema)._strawberry_schema

    def arguments(field: PlannedField) -> dict[str, Any]:
        if not field.definition.args:
            return {}
        if field.constant:
            return field.constant[0]
        given = get_argument_values(field.definition, field.node, variables, None, hide_suggestions)
        declared = field.definition.extensions["strawberry-definition"].arguments
        values = convert_arguments(given, declared, strawberry.schema_converter.scalar_registry, strawberry.config)
        if isinstance(field.source, Related) and field.source.prepare is not None:
            values = field.source.prepare(values)
        if field.constant is not None and all(isinstance(value, PLAIN) for value in values.values()):
            field.constant.append(values)  # the same each time, as no variable stands in them
        return values

    return arguments
