"""What is refused about gift cards and store credit."""

from domain import balance, cover, gift_card
from schema.build import column, view
from schema.errors import UserError
from schema.money import Money


@view(balance.InsufficientBalance)
class InsufficientBalance(UserError):
    """There is less money than was to be taken away, or would be more than a balance can hold."""

    available: Money | None = column("What can be taken away: what orders that are being paid hold cannot.")


@view(balance.BalanceChanged)
class BalanceChanged(UserError):
    """A gift card or the store credit pays something else than the cart counts on. Nothing was charged; look again."""


@view(gift_card.GiftCardNotUsable)
class GiftCardNotUsable(UserError):
    """The code cannot be used for this cart; why is not told."""


@view(cover.StoreCreditNotUsable)
class StoreCreditNotUsable(UserError):
    """Store credit is spent by its customer, signed in, in their own cart."""


BALANCE_ERRORS: tuple[type, ...] = (BalanceChanged, GiftCardNotUsable, InsufficientBalance, StoreCreditNotUsable)
