"""Choosing how a cart is delivered."""

from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select

from db import Cart, DeliveryOption
from db.connection import Tx
from domain.assessment import Assessment, acknowledge
from domain.cart import touching
from domain.refusal import NotFound, ValidationFailed

_OF_REGION: Final = (
    select(DeliveryOption.id)
    .where(DeliveryOption.id == bindparam("option_id"), DeliveryOption.region_id == Cart.region_id)
    .correlate(Cart)
)
_CHOOSE: Final = touching().values(delivery_option_id=_OF_REGION.scalar_subquery())


async def choose(tx: Tx, cart: Cart, option_id: UUID) -> Assessment:
    """The cart with this delivery. Its price may have to be asked for (`chosen_unquoted`).

    Refuses what the cart cannot have, or what nobody can price before it is known where it goes.
    """
    assessment = await acknowledge(tx, await tx.one(_CHOOSE, cart_id=cart.id, option_id=option_id))
    way = next((way for way in assessment.market.ways if way.id == option_id), None)
    if way is None:
        raise NotFound("There is no such delivery where the cart is bought.", path=("option_id",))
    if assessment.delivery.chosen is None and assessment.delivery.chosen_unquoted is None:
        if assessment.delivery.is_needed and not way.is_local and cart.shipping_address is None:
            raise ValidationFailed("Say first where it is to be sent.", path=("option_id",))
        raise ValidationFailed("This cart cannot be delivered like this.", path=("option_id",))
    return assessment
