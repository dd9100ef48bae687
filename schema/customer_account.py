"""What customers do with their accounts: registering, passwords, addresses, their data."""

import strawberry

from schema.build import given, input_type, required, view
from schema.cart_write import AddressInput
from schema.customer import Customer, CustomerAddress
from schema.errors import Payload
from schema.scalars import Json

TOKEN = "The token of the link that was mailed."  # noqa: S105 - a description
PASSWORD = "The present password."  # noqa: S105 - a description
NEW_PASSWORD = "The new password, 12 to 200 characters."  # noqa: S105 - a description


@input_type
class CustomerRegisterInput:
    """A new account."""

    email: str = required("Their address. A link is mailed to it that proves it to be theirs.")
    password: str = required("12 to 200 characters.")
    first_name: str | None = given("Given name.")
    last_name: str | None = given("Family name.")


@view()
class CustomerRegisterPayload(Payload):
    """The same whether or not there was an account already; the mail says which."""


@input_type
class CustomerConfirmInput:
    """Proof of an e-mail address, by who made the account: whoever else gets the mail does not know the password."""

    token: str = required(TOKEN)
    password: str = required("The password that the account was made with.")


@view()
class CustomerConfirmPayload(Payload):
    """An account whose address is proven."""

    customer: Customer | None = strawberry.field(description="Whose account it is. Orders of it need a sign-in.")


@input_type
class CustomerRequestPasswordResetInput:
    """Somebody who forgot their password."""

    email: str = required("Their address.")


@view()
class CustomerRequestPasswordResetPayload(Payload):
    """The same whether or not there is such an account."""


@input_type
class CustomerResetPasswordInput:
    """A new password for who got the mail."""

    token: str = required(TOKEN)
    password: str = required(NEW_PASSWORD)


@view()
class CustomerResetPasswordPayload(Payload):
    """An account with a new password; all its sign-ins have ended."""

    customer: Customer | None = strawberry.field(description="Whose account it is.")


@input_type
class CustomerChangePasswordInput:
    """A new password for who knows the present one."""

    current_password: str = required(PASSWORD)
    new_password: str = required(NEW_PASSWORD)


@view()
class CustomerChangePasswordPayload(Payload):
    """An account with a new password; its other sign-ins have ended."""

    customer: Customer | None = strawberry.field(description="Whose account it is.")


@input_type
class CustomerRequestEmailChangeInput:
    """Another address for the account."""

    password: str = required(PASSWORD)
    new_email: str = required("The new address.")


@view()
class CustomerRequestEmailChangePayload(Payload):
    """The same whether or not the new address has an account. A link is mailed to both addresses."""


@input_type
class CustomerConfirmEmailChangeInput:
    """One side's confirmation."""

    token: str = required(TOKEN)


@view()
class CustomerConfirmEmailChangePayload(Payload):
    """What has become of the change."""

    completed: bool | None = strawberry.field(
        description="Both addresses have confirmed it, and the new one counts. False: the other one is still to."
    )


@input_type
class CustomerUpdateInput:
    """What is to change; what is left out stays."""

    first_name: str | None = given("Given name.")
    last_name: str | None = given("Family name.")
    phone: str | None = given("Telephone number.")


@view()
class CustomerUpdatePayload(Payload):
    """The account as it is now."""

    customer: Customer | None = strawberry.field(description="Who it is.")


@input_type
class CustomerAddressCreateInput:
    """An address to be kept; an account has at most 50."""

    address: AddressInput = required("The address.")
    default_shipping: bool | None = given("Orders go there; the former default is one no more.")
    default_billing: bool | None = given("Bills go there; the former default is one no more.")


@input_type
class CustomerAddressUpdateInput:
    """What is to change; what is left out stays."""

    address_id: strawberry.ID = required("Which one.")
    address: AddressInput | None = given("Replaces the whole address.")
    default_shipping: bool | None = given("Orders go there; the former default is one no more.")
    default_billing: bool | None = given("Bills go there; the former default is one no more.")


@input_type
class CustomerAddressDeleteInput:
    """An address that is kept no longer."""

    address_id: strawberry.ID = required("Which one.")


@view()
class CustomerAddressCreatePayload(Payload):
    """An address that is kept."""

    customer_address: CustomerAddress | None = strawberry.field(description="The address.")


@view()
class CustomerAddressUpdatePayload(Payload):
    """An address as it is now."""

    customer_address: CustomerAddress | None = strawberry.field(description="The address.")


@view()
class CustomerAddressDeletePayload(Payload):
    """The account without it."""

    customer: Customer | None = strawberry.field(description="Whose it was.")


@input_type
class CustomerExportInput:
    """Asking for one's data."""

    password: str = required(PASSWORD)


@view()
class CustomerExportPayload(Payload):
    """Everything that is stored about a customer."""

    data: Json | None = strawberry.field(
        description="Profile, addresses, sign-ins, carts, orders with their lines and messages; amounts in minor units."
    )


@input_type
class CustomerEraseInput:
    """Being forgotten."""

    password: str = required(PASSWORD)


@view()
class CustomerErasePayload(Payload):
    """Nothing of the customer is known any more; orders are kept without saying whose they are."""
