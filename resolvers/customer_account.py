"""A customer's account: registering, proving addresses, passwords.

What can be asked without signing in is answered alike, and takes as long, whether or not there is such an account.
"""

from datetime import timedelta
from typing import Any, Final

from db.session import Purpose
from domain import customer as customers
from domain import customer_email
from domain.address import normalised_email
from domain.attempt import Limit
from domain.customer import Profile, check_password
from domain.processes import customer_account
from domain.refusal import Gathering
from resolvers import password
from resolvers.context import Ctx
from resolvers.customer import PASSWORD, customer_by_id, own_id, shown_again
from resolvers.session import SIGN_IN, Limits, counted_attempt, succeeded

REGISTER: Final = Limits(
    Limit("registering an account", 5, timedelta(hours=1)),
    Limit("registering from an address", 30, timedelta(hours=1)),
)
MAIL: Final = Limits(
    Limit("mail to an account", 5, timedelta(hours=1)),
    Limit("mails from an address", 30, timedelta(hours=1)),
)
"""Nobody's mailbox is filled, and nobody's account is asked for, without limit."""


async def register(ctx: Ctx, given: Any) -> dict[str, Any]:
    gathering = Gathering()
    email, profile = "", Profile()
    with gathering.at():
        email = normalised_email(given.email)
    with gathering.at():
        check_password(given.password)
    with gathering.at():
        profile = Profile(first_name=given.first_name, last_name=given.last_name)
    gathering.raise_if_any()
    await counted_attempt(ctx, REGISTER, f"customer {email}")
    password_hash = await ctx.passwords.hashed(given.password)
    async with ctx.shop.tx() as tx:
        await customers.register(tx, email, password_hash, profile)
    return {}


async def confirm(ctx: Ctx, given: Any) -> dict[str, Any]:
    """The mail alone proves nothing of who made the account: somebody may have registered another's address and waits
    for its owner to follow the link, and for the orders that would then be in the account.
    """
    token = ctx.tokens.read_single_use_token(Purpose.CONFIRM_EMAIL, given.token)
    known = await customers.to_be_confirmed(ctx.read, token, ctx.actor)
    await password.shown_again(ctx, known, given.password, who=f"customer {known.id}", limits=PASSWORD)
    return {"customer": await customer_account.confirm(ctx.shop, token, ctx.actor)}


async def request_password_reset(ctx: Ctx, given: Any) -> dict[str, Any]:
    email = normalised_email(given.email)
    await counted_attempt(ctx, MAIL, f"customer {email}")
    async with ctx.shop.tx() as tx:
        await customers.request_reset(tx, email)
    return {}


async def reset_password(ctx: Ctx, given: Any) -> dict[str, Any]:
    check_password(given.password)
    token = ctx.tokens.read_single_use_token(Purpose.RESET_PASSWORD, given.token)
    # Hashing is dear, so what no signature proves is not hashed.
    password_hash = await ctx.passwords.hashed(given.password) if token is not None else ""
    changed = await customer_account.reset_password(ctx.shop, token, password_hash, ctx.actor)
    async with ctx.shop.tx() as tx:
        # Whoever guessed at the old password has not locked its owner out of the new one.
        await succeeded(tx, SIGN_IN, f"customer {changed.email}")
    return {"customer": changed}


async def change_password(ctx: Ctx, given: Any) -> dict[str, Any]:
    check_password(given.new_password, "new_password")
    known = await shown_again(ctx, given.current_password, "current_password")
    password_hash = await ctx.passwords.hashed(given.new_password)
    async with ctx.shop.tx() as tx:
        await customers.change_password(tx, known, password_hash, ctx.actor.session_id)
    return {"customer": await ctx.load(customer_by_id, known.id)}


async def request_email_change(ctx: Ctx, given: Any) -> dict[str, Any]:
    new_email = normalised_email(given.new_email, "new_email")
    known = await shown_again(ctx, given.password)
    await counted_attempt(ctx, MAIL, f"customer {new_email}")
    async with ctx.shop.tx() as tx:
        await customer_email.request(tx, known.id, new_email)
    return {}


async def confirm_email_change(ctx: Ctx, given: Any) -> dict[str, Any]:
    read = ctx.tokens.read_single_use_token
    tokens = {side: token for side in customer_email.SIDES if (token := read(side, given.token))}
    side, token = next(iter(tokens.items()), (Purpose.CONFIRM_OLD_EMAIL, None))
    return {"completed": await customer_account.confirm_email_change(ctx.shop, token, side, ctx.actor)}


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    profile = Profile(first_name=given.first_name, last_name=given.last_name, phone=given.phone)
    async with ctx.shop.tx() as tx:
        return {"customer": await customers.change_profile(tx, own_id(ctx), profile)}
