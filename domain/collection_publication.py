"""Where and when collections are shown: in which sales channels, each with a window of time, as products are.

Of its products only those are seen that are for sale in the channel themselves.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement

from db import Collection, CollectionChannel
from db.collection import CollectionStatus
from domain.channel import CHOSEN
from domain.publishing import Publishing

COLLECTIONS: Final = Publishing("collection", Collection, CollectionChannel)
publish_new: Final = COLLECTIONS.publish_new


def shown_in(channel: Any) -> ColumnElement[bool]:
    """Whether a row of `collection` is published, in the channel, and within its window there now."""
    return (Collection.status == CollectionStatus.PUBLISHED) & COLLECTIONS.is_in(channel)


SHOWN: Final = shown_in(CHOSEN)
"""In the channel that a statement's parameter `channel` names; null: the default one."""
