"""The root fields that are about tickets, workflows and what is sent. Those of the roots begin with them."""

from typing import Any

import strawberry

from resolvers import fulfilment, ticket, ticket_board, ticket_reply, ticket_work, workflow
from resolvers.context import PUBLIC, Ctx
from resolvers.page import Page
from resolvers.ticket_board import TicketSort
from schema import fulfilment as fulfilment_types
from schema import ticket as types
from schema import ticket_reply as reply_types
from schema import ticket_work as work
from schema import workflow as workflow_types
from schema.build import arg, mutation, optional, query, subscription, view
from schema.node import PAGE_ARGS, Connection, page_args
from schema.ticket_board import TicketBoard, TicketFilter

ACCESS_TOKEN = optional(str, "The order's token; by default that of the header `X-Access-Token`.")


async def _tickets(ctx: Ctx, state: str | None, filter: Any, sort: TicketSort, **args: Any) -> Page:  # noqa: A002
    return await ticket_board.tickets(ctx, page_args(**args), state, filter, sort)


async def _ticket(ctx: Ctx, id: str, access_token: str | None) -> Any:  # noqa: A002
    return await ticket.ticket(ctx, id, access_token)


async def _board(ctx: Ctx, workflow: str, filter: Any, per_column: int) -> Any:  # noqa: A002
    return await ticket_board.board(ctx, workflow, filter, per_column)


@view()
class TicketQuery:
    """Reads."""

    ticket: types.Ticket | None = query(
        _ticket,
        PUBLIC,
        "A ticket: of one's own order, with the order's access token, or with `tickets:read` any.",
        id=arg(strawberry.ID, "Which one."),
        access_token=ACCESS_TOKEN,
    )
    tickets: Connection[types.Ticket] = query(
        _tickets,
        "tickets:read",
        "All tickets, oldest first. Needs `tickets:read`.",
        state=optional(str, "Only those in the state of this code."),
        filter=optional(TicketFilter, "Only those."),
        sort=arg(TicketSort, "In which order.", TicketSort.OLDEST),
        **PAGE_ARGS,
    )
    ticket_board: TicketBoard | None = query(
        _board,
        "tickets:read",
        "The board of a workflow; null if there is none of this code. Needs `tickets:read`.",
        workflow=arg(str, "Code of the workflow.", "default"),
        filter=optional(TicketFilter, "Only these tickets."),
        per_column=arg(int, "How many tickets of each column are shown, 1 to 100; `tickets` has the others.", 50),
    )
    workflows: list[workflow_types.Workflow] = query(
        workflow.workflows, "tickets:read", "The newest version of each workflow, by code. Needs `tickets:read`."
    )
    workflow: workflow_types.Workflow | None = query(
        workflow.workflow,
        "tickets:read",
        "A workflow. Needs `tickets:read`.",
        code=arg(str, "Which one."),
        version=optional(int, "Which version; by default the newest."),
    )
    canned_replies: list[reply_types.CannedReply] = query(
        ticket_reply.replies, "tickets:read", "What staff say often, by code. Needs `tickets:read`."
    )


@view()
class TicketMutation:
    """Writes."""

    ticket_move: work.TicketMovePayload = mutation(
        work.TicketMoveInput,
        ticket_work.move,
        "tickets:write",
        "Moves a ticket to another state, to another place on the board, or both. Needs `tickets:write`.",
    )
    tickets_move: work.TicketsMovePayload = mutation(
        work.TicketsMoveInput,
        ticket_work.move_many,
        "tickets:write",
        "Moves several tickets to a state, all or none. Needs `tickets:write`.",
    )
    ticket_post_message: work.TicketPostMessagePayload = mutation(
        work.TicketPostMessageInput,
        ticket_work.post_message,
        PUBLIC,
        "Writes on a ticket: on one's own, with the order's access token, or with `tickets:write` on any.",
    )
    ticket_submit_brief: work.TicketSubmitBriefPayload = mutation(
        work.TicketSubmitBriefInput,
        ticket_work.submit_brief,
        PUBLIC,
        "Says what is to be made: of one's own ticket, with the order's access token, or with `tickets:write` of any. "
        "Another brief withdraws the approval of a proof.",
    )
    ticket_upload_proof: work.TicketUploadProofPayload = mutation(
        work.TicketUploadProofInput,
        ticket_work.upload_proof,
        "tickets:write",
        "Shows how it is going to look. Needs `tickets:write`.",
    )
    ticket_decide_proof: work.TicketDecideProofPayload = mutation(
        work.TicketDecideProofInput,
        ticket_work.decide_proof,
        PUBLIC,
        "Approves a proof or asks for changes: of one's own ticket, with the order's access token, or with "
        "`tickets:write` of any, as staff write down what they were told.",
    )
    ticket_mark_read: work.TicketMarkReadPayload = mutation(
        work.TicketMarkReadInput,
        ticket_work.mark_read,
        PUBLIC,
        "Says up to where one has read: a customer for their side, staff with `tickets:read` for themselves.",
    )
    ticket_assign: work.TicketAssignPayload = mutation(
        work.TicketAssignInput, ticket_work.assign, "tickets:write", "Says who does a ticket. Needs `tickets:write`."
    )
    ticket_set_due: work.TicketSetDuePayload = mutation(
        work.TicketSetDueInput,
        ticket_work.set_due,
        "tickets:write",
        "Says until when a ticket is to be done. Needs `tickets:write`.",
    )
    ticket_set_priority: work.TicketSetPriorityPayload = mutation(
        work.TicketSetPriorityInput,
        ticket_work.set_priority,
        "tickets:write",
        "Says how urgent a ticket is. Needs `tickets:write`.",
    )
    ticket_split: work.TicketSplitPayload = mutation(
        work.TicketSplitInput,
        ticket_work.split,
        "tickets:write",
        "Makes a part of a ticket a ticket of its own. Needs `tickets:write`.",
    )
    canned_reply_create: reply_types.CannedReplyCreatePayload = mutation(
        reply_types.CannedReplyCreateInput,
        ticket_reply.create,
        "tickets:write",
        "Keeps what is said often. Needs `tickets:write`.",
    )
    canned_reply_update: reply_types.CannedReplyUpdatePayload = mutation(
        reply_types.CannedReplyUpdateInput,
        ticket_reply.update,
        "tickets:write",
        "Changes what is said often. Needs `tickets:write`.",
    )
    canned_reply_delete: reply_types.CannedReplyDeletePayload = mutation(
        reply_types.CannedReplyDeleteInput,
        ticket_reply.remove,
        "tickets:write",
        "Forgets what was said often. Needs `tickets:write`.",
    )
    workflow_create: workflow_types.WorkflowCreatePayload = mutation(
        workflow_types.WorkflowCreateInput, workflow.create, "workflows:write", "Makes one. Needs `workflows:write`."
    )
    workflow_update: workflow_types.WorkflowUpdatePayload = mutation(
        workflow_types.WorkflowUpdateInput,
        workflow.update,
        "workflows:write",
        "Makes the next version of a workflow; running tickets stay on theirs. Needs `workflows:write`.",
    )
    fulfilment_create: fulfilment_types.FulfilmentCreatePayload = mutation(
        fulfilment_types.FulfilmentCreateInput,
        fulfilment.create,
        "orders:fulfil",
        "Books what was sent; tickets follow. Needs `orders:fulfil`.",
    )
    fulfilment_deliver: fulfilment_types.FulfilmentDeliverPayload = mutation(
        fulfilment_types.FulfilmentDeliverInput,
        fulfilment.deliver,
        "orders:fulfil",
        "Books that something has arrived; tickets follow. Needs `orders:fulfil`.",
    )
    fulfilment_update: fulfilment_types.FulfilmentUpdatePayload = mutation(
        fulfilment_types.FulfilmentUpdateInput,
        fulfilment.update,
        "orders:fulfil",
        "Says how to follow what was sent. Needs `orders:fulfil`.",
    )


@view()
class TicketSubscription:
    """Streams."""

    ticket_events: types.TicketStreamItem = subscription(
        ticket.ticket_events,
        PUBLIC,
        "A ticket, live: its state first, then every change once and in order. With `afterSeq` the changes at once.",
        ticket_id=arg(strawberry.ID, "Which ticket."),
        access_token=ACCESS_TOKEN,
        after_seq=optional(int, "The last `seq` that was seen."),
    )
