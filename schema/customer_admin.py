"""What staff do with customers: groups, data, erasure."""

import strawberry

from schema.build import input_type, required, view
from schema.customer import CustomerGroup
from schema.errors import Payload
from schema.scalars import Json


@input_type
class CustomerGroupCreateInput:
    """A new group."""

    name: str = required("For staff; unique.")


@view()
class CustomerGroupCreatePayload(Payload):
    """A new group."""

    customer_group: CustomerGroup | None = strawberry.field(description="The group.")


@input_type
class CustomerGroupUpdateInput:
    """Another name."""

    group_id: strawberry.ID = required("Which group.")
    name: str = required("For staff; unique.")


@view()
class CustomerGroupUpdatePayload(Payload):
    """A group as it is now."""

    customer_group: CustomerGroup | None = strawberry.field(description="The group.")


@input_type
class CustomerGroupDeleteInput:
    """A group that is to be no more."""

    group_id: strawberry.ID = required("Which group.")


@view()
class CustomerGroupDeletePayload(Payload):
    """A group that is no more; who was in it stays."""

    group_id: strawberry.ID | None = strawberry.field(description="Which group it was.")


@input_type
class CustomerGroupAddMembersInput:
    """Customers for a group."""

    group_id: strawberry.ID = required("Which group.")
    customer_ids: list[strawberry.ID] = required("Who, 1 to 100; who is in it already stays in it.")


@view()
class CustomerGroupAddMembersPayload(Payload):
    """A group as it is now."""

    customer_group: CustomerGroup | None = strawberry.field(description="The group.")


@input_type
class CustomerGroupRemoveMembersInput:
    """Customers who leave a group."""

    group_id: strawberry.ID = required("Which group.")
    customer_ids: list[strawberry.ID] = required("Who, 1 to 100; who is not in it stays out of it.")


@view()
class CustomerGroupRemoveMembersPayload(Payload):
    """A group as it is now."""

    customer_group: CustomerGroup | None = strawberry.field(description="The group.")


@input_type
class CustomerExportByStaffInput:
    """A customer who asked for their data."""

    customer_id: strawberry.ID = required("Who.")


@view()
class CustomerExportByStaffPayload(Payload):
    """Everything that is stored about a customer."""

    data: Json | None = strawberry.field(description="The same as of `customerExport`.")


@input_type
class CustomerEraseByStaffInput:
    """A customer who asked to be forgotten."""

    customer_id: strawberry.ID = required("Who.")


@view()
class CustomerEraseByStaffPayload(Payload):
    """Nothing of the customer is known any more; orders are kept without saying whose they are."""
