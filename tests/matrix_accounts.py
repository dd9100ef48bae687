"""Examples for accounts: with what the fields of customers, staff, roles, sessions and keys are tried."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from pyotp import TOTP, random_base32
from sqlalchemy import text

from db.connection import new_id
from db.session import Purpose
from db.workflow import ActorKind
from domain import session, single_use
from domain.session import Device
from resolvers import ids
from server.seal import FernetSeal
from server.settings import DEVELOPMENT_SECRET
from server.tokens import SignedTokens
from tests import carts, given
from tests.api import SECRET
from tests.matrix_world import MatrixWorld, Person

Given = Mapping[str, Any]
Example = Callable[[MatrixWorld, Person], Given | Awaitable[Given]]
NEW_PASSWORD: Final = "another correct horse"


async def mailed(world: MatrixWorld, purpose: Purpose, subject_id: UUID, **data: Any) -> dict[str, Any]:
    """The token that a mail of this purpose holds."""
    async with world.shop.tx() as tx:
        token_id = await single_use.issue(tx, purpose, subject_id, **data)
    return {"token": SignedTokens(SECRET).single_use_token(purpose, token_id)}


def lee(world: MatrixWorld) -> UUID:
    return ids.decode("Staff", world.things["Staff"])


async def link_of_the_order(world: MatrixWorld, who: Person) -> Given:
    return await mailed(world, Purpose.ORDER_ACCESS, ids.decode("Order", who.bought.order))


async def confirmation(world: MatrixWorld, who: Person) -> Given:
    await carts.execute(world.shop, "UPDATE customer SET confirmed_at = NULL WHERE id = :id", id=who.key)
    return {**await mailed(world, Purpose.CONFIRM_EMAIL, who.key), "password": given.PASSWORD}


async def reset(world: MatrixWorld, who: Person) -> Given:
    return {**await mailed(world, Purpose.RESET_PASSWORD, who.key), "password": NEW_PASSWORD}


async def email_change(world: MatrixWorld, who: Person) -> Given:
    change = new_id()
    sql = "INSERT INTO email_change (customer_id, id, new_email) VALUES (:customer, :id, 'new@shop.example')"
    await carts.execute(world.shop, sql, customer=who.key, id=change)
    return await mailed(world, Purpose.CONFIRM_NEW_EMAIL, change)


async def refresh_of_a_customer(world: MatrixWorld, who: Person) -> Given:
    async with world.shop.tx() as tx:
        return {"refreshToken": (await session.begin(tx, ActorKind.CUSTOMER, who.key, Device())).refresh_token}


async def refresh_of_staff(world: MatrixWorld, _who: Person) -> Given:
    async with world.shop.tx() as tx:
        return {"refreshToken": (await session.begin(tx, ActorKind.STAFF, lee(world), Device())).refresh_token}


async def invitation(world: MatrixWorld, _who: Person) -> Given:
    await carts.execute(world.shop, "UPDATE staff SET password_hash = NULL WHERE id = :id", id=lee(world))
    return {**await mailed(world, Purpose.STAFF_INVITATION, lee(world)), "password": NEW_PASSWORD}


async def reset_of_staff(world: MatrixWorld, _who: Person) -> Given:
    return {**await mailed(world, Purpose.STAFF_RESET_PASSWORD, lee(world)), "password": NEW_PASSWORD}


async def second_factors(world: MatrixWorld, confirmed: str) -> dict[str, Any]:
    """Everybody who works there has the same one; a code of it."""
    secret = random_base32()
    sealed = FernetSeal([DEVELOPMENT_SECRET]).seal(secret)
    async with world.shop.tx() as tx:
        await tx.run(text(f"UPDATE staff SET totp_secret = :sealed, totp_confirmed_at = {confirmed}"), sealed=sealed)
    return {"code": TOTP(secret).now()}


async def begun_second_factor(world: MatrixWorld, _who: Person) -> Given:
    return await second_factors(world, "NULL")


async def second_factor(world: MatrixWorld, _who: Person) -> Given:
    return {**await second_factors(world, "now()"), "password": given.PASSWORD}


QUERIES: Final[dict[str, dict[str, Example]]] = {
    "auditLog": {
        "": lambda *_: {},
        "of staff": lambda world, _: {"staffId": world.things["Staff"]},
        "of a thing": lambda world, _: {"subject": world.things["ApiKey"]},
    },
    "customer": {"": lambda _, who: {"id": who.things["Customer"]}},
    "staffSessions": {"": lambda world, _: {"staffId": world.things["Staff"]}},
}
MUTATIONS: Final[dict[str, Example]] = {
    "accessLinkExchange": link_of_the_order,
    "apiKeyCreate": lambda *_: {"kind": "SECRET", "name": "Accounting", "scopes": ["api_keys:write"]},
    "apiKeyRevoke": lambda world, _: {"id": world.things["ApiKey"]},
    "apiKeyRotate": lambda world, _: {"id": world.things["ApiKey"]},
    "customerAddressCreate": lambda *_: {"address": given.ADDRESS},
    "customerAddressDelete": lambda _, who: {"addressId": who.things["CustomerAddress"]},
    "customerAddressUpdate": lambda _, who: {"addressId": who.things["CustomerAddress"], "address": given.ADDRESS},
    "customerChangePassword": lambda *_: {"currentPassword": given.PASSWORD, "newPassword": NEW_PASSWORD},
    "customerConfirm": confirmation,
    "customerConfirmEmailChange": email_change,
    "customerErase": lambda *_: {"password": given.PASSWORD},
    "customerEraseByStaff": lambda _, who: {"customerId": who.things["Customer"]},
    "customerExport": lambda *_: {"password": given.PASSWORD},
    "customerExportByStaff": lambda _, who: {"customerId": who.things["Customer"]},
    "customerGroupAddMembers": lambda world, who: {
        "groupId": world.things["CustomerGroup"],
        "customerIds": [who.things["Customer"]],
    },
    "customerGroupCreate": lambda *_: {"name": "Restaurants"},
    "customerGroupDelete": lambda world, _: {"groupId": world.things["CustomerGroup"]},
    "customerGroupRemoveMembers": lambda world, who: {
        "groupId": world.things["CustomerGroup"],
        "customerIds": [who.things["Customer"]],
    },
    "customerGroupUpdate": lambda world, _: {"groupId": world.things["CustomerGroup"], "name": "Irregulars"},
    "customerRefresh": refresh_of_a_customer,
    "customerRegister": lambda *_: {"email": "new@shop.example", "password": NEW_PASSWORD},
    "customerRequestEmailChange": lambda *_: {"password": given.PASSWORD, "newEmail": "new@shop.example"},
    "customerRequestPasswordReset": lambda _, who: {"email": who.email},
    "customerResetPassword": reset,
    "customerSignIn": lambda _, who: {"email": who.email, "password": given.PASSWORD},
    "customerSignOut": lambda *_: {"everywhere": True},
    "customerUpdate": lambda *_: {"firstName": "Robin"},
    "liveTokenCreate": lambda *_: {},
    "orderEndAccess": lambda _, who: {"orderId": who.bought.order},
    "orderSendAccessLink": lambda _, who: {"orderNumber": who.bought.number, "email": who.email},
    "roleCreate": lambda *_: {"name": "Accountants", "permissions": ["roles:write"]},
    "roleDelete": lambda world, _: {"roleId": world.things["Role"]},
    "roleUpdate": lambda world, _: {"roleId": world.things["Role"], "name": "Senders"},
    "sessionEnd": lambda _, who: {"sessionId": who.things["Session"]},
    "staffAcceptInvitation": invitation,
    "staffChangePassword": lambda *_: {"currentPassword": given.PASSWORD, "password": NEW_PASSWORD},
    "staffInvite": lambda world, _: {
        "email": "new@shop.example",
        "name": "Robin",
        "roleIds": [world.things["Role"]],
    },
    "staffRefresh": refresh_of_staff,
    "staffRequestPasswordReset": lambda *_: {"email": "lee@shop.example"},
    "staffResetPassword": reset_of_staff,
    "staffSessionEnd": lambda world, _: {"sessionId": world.things["Session"]},
    "staffSignIn": lambda *_: {"email": "lee@shop.example", "password": given.PASSWORD},
    "staffSignOut": lambda *_: {"everywhere": True},
    "staffTotpBegin": lambda *_: {"password": given.PASSWORD},
    "staffTotpConfirm": begun_second_factor,
    "staffTotpRemove": second_factor,
    "staffUpdate": lambda world, _: {
        "staffId": world.things["Staff"],
        "name": "Lee B.",
        "roleIds": [world.things["Role"]],
    },
}
