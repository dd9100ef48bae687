"""Where an operation takes place: in which sales channel, and what is read in another place than it."""

from typing import NamedTuple
from uuid import UUID

from db.connection import Read
from domain.channel import Bound, find_open
from domain.refusal import Refusal
from resolvers import ids
from resolvers.request_error import BadUserInput, Forbidden

ARGUMENT = "channel"


class Place(NamedTuple):
    """The region, the channel and the customer of the cart through which one came to a thing: it is read there.

    Customer null: a guest's cart.
    """

    region: UUID
    channel: UUID
    customer: UUID | None = None


async def find_channel(read: Read, named: str | None, bound: Bound | None) -> UUID:
    """The one that was named, else that of the caller's key. What a key is not bound to is as if it did not exist.

    Ask only if a channel was named or there is such a key: the default one needs no looking up.
    """
    if named is None:
        return _of_key(bound)
    try:
        channel = ids.decode("Channel", named)
    except Refusal as refusal:
        raise BadUserInput(refusal.message, ARGUMENT) from None
    found = channel in bound.channels if bound is not None else await find_open(read, channel) is not None
    if not found:
        raise BadUserInput("There is no such sales channel, or the API key is not bound to it.", ARGUMENT)
    return channel


def _of_key(bound: Bound | None) -> UUID:
    if bound is None or not bound.channels:
        raise Forbidden("All sales channels of this API key are archived.")
    if len(bound.channels) == 1:
        return next(iter(bound.channels))
    if bound.default is None:
        raise BadUserInput("The API key is bound to several sales channels: say in which one.", ARGUMENT)
    return bound.default
