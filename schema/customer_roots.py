"""The root fields that are about customers. Those of `Query` and `Mutation` begin with them."""

from typing import Any

import strawberry

from resolvers import customer, customer_account, customer_address, customer_data, customer_group
from resolvers.context import PUBLIC, SIGNED_IN_CUSTOMER, Ctx
from resolvers.page import Page
from schema import customer_account as account
from schema import customer_admin as admin
from schema.build import arg, mutation, optional, query, view
from schema.customer import Customer, CustomerGroup
from schema.node import PAGE_ARGS, Connection, page_args


async def _customer(ctx: Ctx, id: str) -> Any:  # noqa: A002
    return await customer.customer(ctx, id)


async def _customers(ctx: Ctx, email: str | None, **args: Any) -> Page:
    return await customer.customers(ctx, page_args(**args), email)


async def _groups(ctx: Ctx, **args: Any) -> Page:
    return await customer_group.groups(ctx, page_args(**args))


@view()
class CustomerQuery:
    """Reads."""

    me: Customer | None = query(customer.me, PUBLIC, "The customer who has signed in; null for anybody else.")
    customer: Customer | None = query(
        _customer, "customers:read", "A customer. Needs `customers:read`.", id=arg(strawberry.ID, "Which one.")
    )
    customers: Connection[Customer] = query(
        _customers,
        "customers:read",
        "All customers, oldest accounts first. Needs `customers:read`.",
        email=optional(str, "Only those whose address begins like this."),
        **PAGE_ARGS,
    )
    customer_groups: Connection[CustomerGroup] = query(
        _groups, "customers:read", "Groups of customers, by name. Needs `customers:read`.", **PAGE_ARGS
    )


@view()
class CustomerMutation:
    """Writes."""

    customer_register: account.CustomerRegisterPayload = mutation(
        account.CustomerRegisterInput,
        customer_account.register,
        PUBLIC,
        "Makes an account and mails a link that proves its address. Known addresses get the same answer.",
    )
    customer_confirm: account.CustomerConfirmPayload = mutation(
        account.CustomerConfirmInput,
        customer_account.confirm,
        PUBLIC,
        "Proves the address of an account. Orders that guests placed with it become those of the account.",
    )
    customer_request_password_reset: account.CustomerRequestPasswordResetPayload = mutation(
        account.CustomerRequestPasswordResetInput,
        customer_account.request_password_reset,
        PUBLIC,
        "Mails a link for a new password, if there is such an account.",
    )
    customer_reset_password: account.CustomerResetPasswordPayload = mutation(
        account.CustomerResetPasswordInput,
        customer_account.reset_password,
        PUBLIC,
        "Chooses a new password by a mailed link. It proves the address too, and ends all sign-ins.",
    )
    customer_change_password: account.CustomerChangePasswordPayload = mutation(
        account.CustomerChangePasswordInput,
        customer_account.change_password,
        SIGNED_IN_CUSTOMER,
        "Chooses a new password and ends all other sign-ins.",
    )
    customer_request_email_change: account.CustomerRequestEmailChangePayload = mutation(
        account.CustomerRequestEmailChangeInput,
        customer_account.request_email_change,
        SIGNED_IN_CUSTOMER,
        "Asks for another address; it counts when the present and the new one have confirmed it.",
    )
    customer_confirm_email_change: account.CustomerConfirmEmailChangePayload = mutation(
        account.CustomerConfirmEmailChangeInput,
        customer_account.confirm_email_change,
        PUBLIC,
        "Confirms a change of address for one of the two addresses.",
    )
    customer_update: account.CustomerUpdatePayload = mutation(
        account.CustomerUpdateInput, customer_account.update, SIGNED_IN_CUSTOMER, "Changes one's name and number."
    )
    customer_address_create: account.CustomerAddressCreatePayload = mutation(
        account.CustomerAddressCreateInput, customer_address.create, SIGNED_IN_CUSTOMER, "Keeps an address."
    )
    customer_address_update: account.CustomerAddressUpdatePayload = mutation(
        account.CustomerAddressUpdateInput, customer_address.update, SIGNED_IN_CUSTOMER, "Changes a kept address."
    )
    customer_address_delete: account.CustomerAddressDeletePayload = mutation(
        account.CustomerAddressDeleteInput, customer_address.delete, SIGNED_IN_CUSTOMER, "Forgets a kept address."
    )
    customer_export: account.CustomerExportPayload = mutation(
        account.CustomerExportInput, customer_data.export, SIGNED_IN_CUSTOMER, "Shows all that is stored about oneself."
    )
    customer_erase: account.CustomerErasePayload = mutation(
        account.CustomerEraseInput,
        customer_data.erase,
        SIGNED_IN_CUSTOMER,
        "Erases what is known of oneself, for good. Refused while a payment is under way.",
    )
    customer_export_by_staff: admin.CustomerExportByStaffPayload = mutation(
        admin.CustomerExportByStaffInput,
        customer_data.export_for_staff,
        "customers:export",
        "Shows all that is stored about a customer. Needs `customers:export`.",
    )
    customer_erase_by_staff: admin.CustomerEraseByStaffPayload = mutation(
        admin.CustomerEraseByStaffInput,
        customer_data.erase_for_staff,
        "customers:erase",
        "Erases what is known of a customer, for good. Needs `customers:erase`.",
    )
    customer_group_create: admin.CustomerGroupCreatePayload = mutation(
        admin.CustomerGroupCreateInput,
        customer_group.create,
        "customers:write",
        "Makes a group. Needs `customers:write`.",
    )
    customer_group_update: admin.CustomerGroupUpdatePayload = mutation(
        admin.CustomerGroupUpdateInput,
        customer_group.update,
        "customers:write",
        "Renames a group. Needs `customers:write`.",
    )
    customer_group_delete: admin.CustomerGroupDeletePayload = mutation(
        admin.CustomerGroupDeleteInput,
        customer_group.delete,
        "customers:write",
        "Deletes a group. Needs `customers:write`.",
    )
    customer_group_add_members: admin.CustomerGroupAddMembersPayload = mutation(
        admin.CustomerGroupAddMembersInput,
        customer_group.add_members,
        "customers:write",
        "Puts customers into a group. Needs `customers:write`.",
    )
    customer_group_remove_members: admin.CustomerGroupRemoveMembersPayload = mutation(
        admin.CustomerGroupRemoveMembersInput,
        customer_group.remove_members,
        "customers:write",
        "Takes customers out of a group. Needs `customers:write`.",
    )
