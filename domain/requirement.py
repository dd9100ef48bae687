"""What a cart still lacks, as data: a checkout shows it, and nothing is completed while there is any."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID


class Step(StrEnum):
    """The page of a checkout on which something is asked for."""

    CART = "cart"
    CONTACT = "contact"
    ADDRESS = "address"
    DELIVERY = "delivery"
    BRIEF = "brief"
    PAYMENT = "payment"


class RequirementCode(StrEnum):
    LINES = "lines"
    FOR_SALE = "for_sale"
    QUANTITY = "quantity"
    EMAIL = "email"
    SHIPPING_ADDRESS = "shipping_address"
    DELIVERY = "delivery"
    QUOTE = "quote"
    BRIEF = "brief"


@dataclass(frozen=True)
class Requirement:
    """Something that is missing: `mutation` supplies it, at `path` of its input."""

    code: RequirementCode
    step: Step
    message: str
    mutation: str
    path: tuple[str, ...]
    line_id: UUID | None = None


_LINE: Final = {
    RequirementCode.FOR_SALE: (
        Step.CART,
        "This line is no longer for sale here.",
        "cartRemoveLines",
        ("lineIds",),
    ),
    RequirementCode.QUANTITY: (
        Step.CART,
        "This line's quantity is not one that can be ordered any more.",
        "cartUpdateLines",
        ("lines", "quantity"),
    ),
    RequirementCode.BRIEF: (
        Step.BRIEF,
        "This line needs its brief before it can be ordered.",
        "cartSetBrief",
        ("brief",),
    ),
}


def of_line(code: RequirementCode, line_id: UUID) -> Requirement:
    return Requirement(code, *_LINE[code], line_id)


NO_LINES: Final = Requirement(RequirementCode.LINES, Step.CART, "The cart is empty.", "cartAddLines", ("lines",))
NO_EMAIL: Final = Requirement(
    RequirementCode.EMAIL, Step.CONTACT, "An e-mail address is needed.", "cartSetCustomer", ("email",)
)
NO_ADDRESS: Final = Requirement(
    RequirementCode.SHIPPING_ADDRESS,
    Step.ADDRESS,
    "A shipping address is needed.",
    "cartSetAddresses",
    ("shippingAddress",),
)
NO_DELIVERY: Final = Requirement(
    RequirementCode.DELIVERY, Step.DELIVERY, "Choose how it is to be delivered.", "cartSetDelivery", ("optionId",)
)
NOWHERE: Final = Requirement(
    RequirementCode.DELIVERY,
    Step.DELIVERY,
    "Nothing delivers this to the shipping address.",
    "cartSetAddresses",
    ("shippingAddress",),
)
NO_TAXES: Final = Requirement(
    RequirementCode.QUOTE,
    Step.PAYMENT,
    "The taxes are not known for the cart as it is now; read it anew, or complete it: they are asked for then.",
    "cartComplete",
    ("cartId",),
)
NO_QUOTE: Final = Requirement(
    RequirementCode.QUOTE,
    Step.DELIVERY,
    "The price of the delivery is not known for the cart as it is now; choose it anew.",
    "cartSetDelivery",
    ("optionId",),
)
