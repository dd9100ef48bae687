"""Beginning carts and changing them."""

import strawberry

from schema.build import given, input_type, one_of_input, required, view
from schema.cart import Cart, CartPayload
from schema.errors import Payload
from schema.scalars import CountryCode, CurrencyCode, Json


@input_type
class CartWrite:
    """What every write to a cart names."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    if_version: int | None = given("The `version` that this is meant for; refused if the cart has another.")


@input_type
class CartLineInput:
    """Units of a variant to be added."""

    variant_id: strawberry.ID = required("What.")
    quantity: int = given("How many: 1 to 1,000,000.", 1)
    brief: Json | None = given("About the work on it, as the product's `briefSchema` says.")


@input_type
class CartLineUpdateInput:
    """A new quantity of a line."""

    line_id: strawberry.ID = required("Which line.")
    quantity: int = required("How many from now on; 0 removes the line.")


@input_type
class AddressInput:
    """A postal address."""

    first_name: str | None = given("Given name.")
    last_name: str = required("Family name.")
    company: str | None = given("Company.")
    address1: str = required("Street and number.")
    address2: str | None = given("Floor, door, building.")
    postal_code: str | None = given("Postal code.")
    city: str = required("City or town.")
    province: str | None = given("State, province or the like.")
    country: CountryCode = required("Country.")
    phone: str | None = given("For the carrier.")


@input_type
class CartCreateInput:
    """A new cart in the region of the context."""

    lines: list[CartLineInput] | None = given("What is in it from the beginning.")
    email: str | None = given("Contact.")


@input_type
class CartAddLinesInput(CartWrite):
    """Lines to be added to a cart."""

    lines: list[CartLineInput] = required("What to add; the same variant and brief accumulate.")


@input_type
class CartUpdateLinesInput(CartWrite):
    """New quantities for lines of a cart."""

    lines: list[CartLineUpdateInput] = required("The changes.")


@input_type
class CartRemoveLinesInput(CartWrite):
    """Lines to be taken out of a cart."""

    line_ids: list[strawberry.ID] = required("Which lines.")


@input_type
class CartSetCustomerInput(CartWrite):
    """Who the order will be for. A signed-in customer becomes the cart's owner."""

    email: str = required("Contact of the order.")


@input_type
class CartSetAddressesInput(CartWrite):
    """Where the order will go."""

    shipping_address: AddressInput = required("Where it is sent.")
    billing_address: AddressInput | None = given("Where the bill goes; by default where it is sent.")


@input_type
class CartSetBriefInput(CartWrite):
    """The brief of a line."""

    line_id: strawberry.ID = required("Which line.")
    brief: Json | None = given("About the work on it, as the product's `briefSchema` says; null: none any more.")


@input_type
class CartSetMetadataInput(CartWrite):
    """The storefront's own data about a cart or a line."""

    line_id: strawberry.ID | None = given("Which line; by default the cart itself.")
    metadata: Json = required(
        "An object of at most 8,192 bytes. It replaces what was there; everybody who sees the cart sees it."
    )


@one_of_input
class CartPlaceInput:
    """Where something is bought, by one of these."""

    region: strawberry.ID | None = given("A region.")
    country: CountryCode | None = given("The region of this country.")
    currency: CurrencyCode | None = given("The region with this currency, if there is one only.")


@input_type
class CartSetContextInput(CartWrite):
    """Another place to buy in; everything is priced anew there."""

    to: CartPlaceInput = required("Where.")


@input_type
class CartSetDeliveryInput(CartWrite):
    """How a cart is delivered."""

    option_id: strawberry.ID = required("One of `Cart.deliveryOptions`.")


@input_type
class CartMergeInput(CartWrite):
    """A cart that is to become part of the customer's."""

    into_cart_id: strawberry.ID | None = given(
        "Another cart of the customer's; by default the one changed last. Without one this cart becomes theirs."
    )


@input_type
class CartCreateFromOrderInput:
    """The same again."""

    order_id: strawberry.ID = required("What was ordered.")
    access_token: str | None = given("The order's token; by default that of the header `X-Access-Token`.")


@view()
class CartCreatePayload(Payload):
    """The new cart and its secret."""

    cart: Cart | None = strawberry.field(description="The cart.")
    token: str | None = strawberry.field(description="Its secret, told this once: whoever has it has the cart.")


@view()
class CartAddLinesPayload(CartPayload):
    """The cart with the new lines."""


@view()
class CartUpdateLinesPayload(CartPayload):
    """The cart with the new quantities."""


@view()
class CartRemoveLinesPayload(CartPayload):
    """The cart without the lines."""


@view()
class CartSetCustomerPayload(CartPayload):
    """The cart with its contact."""


@view()
class CartSetAddressesPayload(CartPayload):
    """The cart with its addresses."""


@view()
class CartSetBriefPayload(CartPayload):
    """The cart with the brief."""


@view()
class CartSetMetadataPayload(CartPayload):
    """The cart with the data."""


@view()
class CartSetContextPayload(CartPayload):
    """The cart where it is bought now; `warnings` tell every price that is another one."""


@view()
class CartSetDeliveryPayload(CartPayload):
    """The cart with its delivery."""


@view()
class CartMergePayload(CartPayload):
    """The customer's cart with everything."""

    token: str | None = strawberry.field(
        description="Where the cart itself became the customer's: its new secret. The old one is good for nothing."
    )


@view()
class CartCreateFromOrderPayload(CartPayload):
    """The new cart and its secret; `warnings` tell what was left out."""

    token: str | None = strawberry.field(description="Its secret, told this once.")
