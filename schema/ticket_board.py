"""The board of staff."""

import strawberry

from db.ticket import TicketPriority
from resolvers.ticket_board import TicketSort
from schema.build import enum, given, input_type, view
from schema.ticket import Ticket, TicketState

enum(TicketSort, "An order of tickets.", OLDEST="As they were opened.", RANK="As they lie on the board.")


@input_type
class TicketFilter:
    """Which tickets. All that is said must be so; what is left out or null says nothing."""

    workflow: str | None = given("Of this workflow, by its code, in whatever version.")
    assignee_id: strawberry.ID | None = given("Done by this member of staff.")
    unassigned: bool | None = given("Done by nobody; or with false by somebody.")
    priority: TicketPriority | None = given("As urgent as this.")
    overdue: bool | None = given("Late, or with false not late.")
    requires_action: bool | None = given("Waiting for the customer, or with false not.")
    unread: bool | None = given("With something that the caller has not read, or with false without.")
    order_id: strawberry.ID | None = given("Of this order.")
    search: str | None = given("The order's number, how its e-mail address begins, or a part of a line's title.")


@view()
class TicketBoardColumn:
    """A state with the tickets that are in it."""

    state: TicketState = strawberry.field(description="The state.")
    count: int = strawberry.field(description="How many tickets there are, also those that are not shown.")
    overdue_count: int = strawberry.field(description="How many of them are late.")
    tickets: list[Ticket] = strawberry.field(description="The first ones in the order of the board.")


@view()
class TicketBoard:
    """Tickets by state. What ended more than 14 days ago is not on it."""

    workflow: str = strawberry.field(description="Code of the workflow.")
    columns: list[TicketBoardColumn] = strawberry.field(
        description="The states of the newest version, then those of earlier ones in which tickets still are."
    )
