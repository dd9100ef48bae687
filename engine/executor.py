"""The hook: graphql-core's executor, with plans where they reach and graphql-core's own way everywhere else."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import Any, Final, cast

from graphql import (
    ExecutionResult,
    GraphQLObjectType,
    OperationType,
)
from graphql.execution.collect_fields import collect_fields, collect_subfields
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from engine.known import arguments_of
from engine.leaves import HandOver
from engine.plan import Planner, Selection, plan_key
from engine.run import Runner
from engine.shared import Operation, shared

READING: Final = (OperationType.QUERY,)


class BreadthFirstExecutor(StrawberryGraphQLCoreExecutionContext):
    """Queries as a whole, and below the root field of mutations and subscriptions their payloads and items."""

    def execute_operation(self, serially: bool | None = None) -> Any:
        if self.operation.operation not in READING:
            if hasattr(self.root_value, "executed"):
                return self._shared(serially)
            return super().execute_operation(serially)

        def handed_over() -> Any:
            return super(BreadthFirstExecutor, self).execute_operation(serially)

        return self._planned_or_handed_over(self._query, handed_over)

    def execute_collected_subfields(  # noqa: PLR0917 - as in graphql-core
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Any,
        grouped_field_set: Any,
        new_defer_usages: Sequence[Any],
        delivery_group_map: Any,
    ) -> Any:
        execute = super().execute_collected_subfields
        if path.prev is not None or self.operation.operation in READING:
            return execute(parent_type, source_value, path, grouped_field_set, new_defer_usages, delivery_group_map)

        def handed_over() -> Any:
            return execute(parent_type, source_value, path, grouped_field_set, new_defer_usages, delivery_group_map)

        def planned() -> Awaitable[Any]:
            return self._payload(parent_type, source_value, path.key, grouped_field_set)

        return self._planned_or_handed_over(planned, handed_over)

    async def _planned_or_handed_over(
        self, planned: Callable[[], Awaitable[Any]], handed_over: Callable[[], Any]
    ) -> Any:
        try:
            try:
                if self.context_value.refused is not None:
                    raise self.context_value.refused
                return await planned()
            except Exception as error:
                self.context_value.handed_over(error)
            result = handed_over()
            return await result if isawaitable(result) else result
        except CancelledError:
            self.context_value.loaded.abandon()
            raise

    async def _shared(self, serially: bool | None) -> Any:
        """An item that others get as well."""
        document = self.context_value.document

        def execute(context: Any) -> Any:
            executor = cast(BreadthFirstExecutor, cast(Any, self).build_per_event_executor(self.root_value))
            executor.context_value = context
            context.document = document
            return executor.execute_here(serially)

        if document is None:
            return await _awaited(self.execute_here(serially))
        operation = Operation.of(document, self.operation, self.variable_values)
        return await shared(self.root_value, operation, self.context_value, execute)

    def execute_here(self, serially: bool | None = False) -> Any:
        """For this context alone, whoever else gets the same."""
        return super().execute_operation(serially)

    async def _query(self) -> ExecutionResult:
        root = cast(GraphQLObjectType, self.schema.query_type)

        def collect() -> Any:
            return collect_fields(
                self.schema, self.fragments, self.variable_values, root, self.operation, self.hide_suggestions
            ).grouped_field_set

        selection = self._selection(root, None, collect)
        (data,) = await self._runner().objects(selection, [self.root_value])
        self.context_value.planned(selection)
        return ExecutionResult(data, None)

    async def _payload(self, type_: GraphQLObjectType, source: Any, name: str, grouped: Any) -> dict[str, Any]:
        """`name` of the root field in the answer says which fields were merged there, the type which are selected."""
        selection = self._selection(type_, name, lambda: grouped)
        (payload,) = await self._runner().objects(selection, [source])
        self.context_value.planned(selection)
        return payload

    def _selection(self, type_: GraphQLObjectType, place: str | None, collect: Callable[[], Any]) -> Selection:
        """The plan of this document for what is selected here; made when it is first needed."""
        if self.middleware_manager is not None and self.middleware_manager.middlewares:
            raise HandOver("middleware wants to see every field")
        document = self.context_value.document
        if document is None:
            return self._planner().selection(type_, collect())
        key = plan_key(document, self.operation, type_.name, place, self.variable_values.coerced)
        plan = document.plans.get(key)
        if plan is None:
            try:
                plan = self._planner().selection(type_, collect())
            except HandOver as refusal:
                plan = str(refusal)
            document.keep(key, plan)
        if isinstance(plan, str):
            raise HandOver(plan)
        return plan

    def _planner(self) -> Planner:
        def collect(type_: GraphQLObjectType, details: list[Any]) -> dict[str, list[Any]]:
            collected = collect_subfields(
                self.schema, self.fragments, self.variable_values, self.operation, type_, details, self.hide_suggestions
            )
            return cast(Any, collected.grouped_field_set)

        default = cast(Any, self.schema)._strawberry_schema.config.default_resolver
        return Planner(collect, self.schema.get_possible_types, default)

    def _runner(self) -> Runner:
        arguments = arguments_of(self.schema, self.variable_values, hide_suggestions=self.hide_suggestions)
        return Runner(self.context_value, arguments)


async def _awaited(result: Any) -> Any:
    return await result if isawaitable(result) else result
