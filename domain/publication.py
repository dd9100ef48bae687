"""Where and when products are for sale: in which sales channels, each with a window of time."""

from typing import Any, Final

from sqlalchemy import ColumnElement, select

from db import Channel, Product, ProductChannel
from db.catalog import ProductStatus
from domain.channel import CHOSEN
from domain.publishing import Publishing

PRODUCTS: Final = Publishing("product", Product, ProductChannel)
publish_new: Final = PRODUCTS.publish_new


def for_sale_in(channel: Any) -> ColumnElement[bool]:
    """Whether a row of `product` is published, in the channel, and within its window there now."""
    return (Product.status == ProductStatus.PUBLISHED) & Product.archived_at.is_(None) & PRODUCTS.is_in(channel)


def for_sale_in_cart(channel: Any) -> ColumnElement[bool]:
    """The same in the channel of a cart, which may have been archived since; who asks for a channel cannot name
    an archived one.
    """
    is_open = select(Channel.id).where(Channel.id == channel, Channel.archived_at.is_(None)).exists()
    return for_sale_in(channel) & is_open


FOR_SALE: Final = for_sale_in(CHOSEN)
"""In the channel that a statement's parameter `channel` names; null: the default one."""
