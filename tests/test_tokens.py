"""Tokens: which ones are the shop's own, how its keys are replaced, and that none is good for another purpose."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest

from db.connection import new_id
from db.session import Purpose
from db.workflow import ActorKind
from domain import session
from domain.actor import OrderAccess
from domain.processes.shop import Shop
from domain.session import Device
from server import tokens as tokens_
from server.settings import WrongSetting, read_settings
from server.tokens import ACCESS, KeyRing, SignedTokens, key_id
from tests import carts, given
from tests.api import SECRET, Api, running_app

OTHER = "another secret that is long enough to be used"
OLD = "an old secret of the shop that it does not sign with"
NOW = datetime.now(UTC)
CREATE = {"query": "mutation { cartCreate(input: {}) { token } }"}


async def begun(shop: Shop, subject: UUID, kind: ActorKind = ActorKind.CUSTOMER) -> UUID:
    async with shop.tx() as tx:
        return (await session.begin(tx, kind, subject, Device())).session_id


def claims_of(subject: UUID, session_id: UUID, **changed: Any) -> dict[str, Any]:
    """What an access token says; None leaves one out."""
    told = {
        "iss": "counterfoil",
        "aud": "access",
        "sub": str(subject),
        "kind": "customer",
        "sid": str(session_id),
        "exp": NOW + timedelta(hours=1),
        **changed,
    }
    return {name: value for name, value in told.items() if value is not None}


def signed(claims: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256", **headers: Any) -> str:
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": key_id(SECRET), **headers})


def by_hand(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    """Whatever a library would refuse to write."""
    parts = (json.dumps(part, default=lambda at: int(at.timestamp())).encode() for part in (header, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), signature])


def wrong_claims(claims: Callable[..., dict[str, Any]], toni: UUID, tonis: UUID) -> dict[str, str]:
    return {
        "expired": signed(claims(exp=NOW - timedelta(seconds=1))),
        "without an end": signed(claims(exp=None)),
        "an end that is no time": signed(claims(exp=1e300)),
        "not yet valid": signed(claims(nbf=NOW + timedelta(hours=1))),
        "for another audience": signed(claims(aud="order")),
        "for cookies": signed(claims(aud="access_cookie")),
        "without an audience": signed(claims(aud=None)),
        "of another issuer": signed(claims(iss="somebody")),
        "without an issuer": signed(claims(iss=None)),
        "without a subject": signed(claims(sub=None)),
        "of a subject that is no id": signed(claims(sub="sam")),
        "without a kind": signed(claims(kind=None)),
        "of an unknown kind": signed(claims(kind="owner")),
        "of the system": signed(claims(kind="system")),
        "a customer as staff": signed(claims(kind="staff")),
        "without a session": signed(claims(sid=None)),
        "of no session": signed(claims(sid=str(new_id()))),
        "of a session that is no id": signed(claims(sid=7)),
        "of somebody else's session": signed(claims(sid=str(tonis))),
        "of somebody else for one's own session": signed(claims(sub=str(toni))),
        "another in somebody's session": signed(claims(sub=str(toni), kind="staff")),
    }


def wrong_signatures(claims: dict[str, Any]) -> dict[str, str]:
    good = signed(claims)
    header, body, signature = good.split(".")
    told = {"alg": "HS256", "typ": "JWT", "kid": key_id(SECRET)}
    return {
        "of another secret": signed(claims, OTHER),
        "of another secret that it names": signed(claims, OTHER, kid=key_id(OTHER)),
        "of an unknown key": signed(claims, kid="0" * 8),
        "of a key that is no name": by_hand({**told, "kid": [1]}, claims, signature),
        "of a key that is a file": by_hand({**told, "kid": "/dev/null"}, claims, signature),
        "naming no key": jwt.encode(claims, SECRET, algorithm="HS256"),
        "with a key set of its own": signed(claims, jku="https://evil.example/keys.json"),
        "with a key of its own": signed(claims, jwk={"kty": "oct", "k": "c2VjcmV0"}),
        "with a certificate of its own": signed(claims, x5u="https://evil.example/cert.pem"),
        "of no algorithm": by_hand({**told, "alg": "none"}, claims),
        "of no algorithm, in other letters": by_hand({**told, "alg": "nOnE"}, claims),
        "of no algorithm with a signature": by_hand({**told, "alg": "none"}, claims, signature),
        "of another algorithm": signed(claims, algorithm="HS384"),
        "of a public key's algorithm": by_hand({**told, "alg": "RS256"}, claims, signature),
        "unsigned": f"{header}.{body}.",
        "without its signature": f"{header}.{body}",
        "with another body": f"{header}.{signed({**claims, 'sub': str(new_id())}).split('.')[1]}.{signature}",
        "an order's": SignedTokens(SECRET).order_token(OrderAccess(new_id(), 1)),
        "garbage": "garbage",
        "empty": "",
        "dots": "..",
        "two tokens": f"{good} {good}",
        "not ASCII": "ÿ.ÿ.ÿ",
        "very long": "x" * 60_000,
    }


async def test_a_token_that_is_not_the_shops_opens_nothing_and_runs_nothing(shop: Shop, api: Api) -> None:
    """Fault 21: nothing in a token chooses how it is checked, but which of our own keys it names."""
    await given.regions(shop)
    sam, toni = await given.customer(shop), await given.staff(shop, "tickets:read")
    sams, tonis = await begun(shop, sam), await begun(shop, toni, ActorKind.STAFF)

    async def refused(authorization: str, why: str) -> None:
        header = {"authorization": authorization.encode("latin-1")}
        answer = await api.http.post("/graphql", json=CREATE, headers=header)
        assert answer.status_code == 401, why
        (error,) = answer.json()["errors"]
        assert error["extensions"] == {"code": "UNAUTHENTICATED", "requestId": answer.headers["x-request-id"]}, why
        assert "data" not in answer.json()

    def claims(**changed: Any) -> dict[str, Any]:
        return claims_of(sam, sams, **changed)

    for why, token in {**wrong_claims(claims, toni, tonis), **wrong_signatures(claims())}.items():
        await refused(f"Bearer {token}", why)
    for scheme in ("Basic", "Token", "Bearer:", ""):
        await refused(f"{scheme} {signed(claims())}", scheme)
    assert await carts.stored(shop) == []
    for scheme in ("Bearer", "bearer", "BEARER"):
        await Api(api.http, {"authorization": f"{scheme} {signed(claims())}"}).done("cartCreate", {}, "token")
    assert [row["customer_id"] for row in await carts.stored(shop)] == [sam] * 3


async def test_a_secret_is_replaced_without_signing_anybody_out(shop: Shop, database_url: str) -> None:
    sam = await given.customer(shop)
    given_ = {"email": "sam@shop.example", "password": given.PASSWORD}
    async with running_app(database_url, JWT_SECRET=OLD) as before:
        old = (await before.done("customerSignIn", given_, "accessToken"))["accessToken"]
    async with running_app(database_url, JWT_SECRET=SECRET, JWT_SECRETS_OLD=f"{OTHER}, {OLD}") as api:
        new = (await api.done("customerSignIn", given_, "accessToken"))["accessToken"]
        for token in (old, new):
            assert len((await api.signed_in(token)("{ mySessions { id } }"))["mySessions"]) == 2
    async with running_app(database_url, JWT_SECRET=SECRET) as after:
        assert (await after.signed_in(new)("{ mySessions { current } }"))["mySessions"][0] == {"current": True}
        assert (await after.signed_in(old).raw("{ mySessions { id } }")).status_code == 401
    assert [jwt.get_unverified_header(token)["kid"] for token in (old, new)] == [key_id(OLD), key_id(SECRET)]
    assert jwt.decode(new, SECRET, algorithms=["HS256"], audience="access")["sub"] == str(sam)


def test_an_old_secret_signs_nothing_and_no_name_tells_a_secret() -> None:
    ring = SignedTokens(SECRET, OLD)
    for token in (
        ring.access_token(ActorKind.CUSTOMER, new_id(), new_id())[0],
        ring.order_token(OrderAccess(new_id(), 1)),
        ring.single_use_token(Purpose.RESET_PASSWORD, new_id()),
    ):
        assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": key_id(SECRET)}
    assert len({key_id(secret) for secret in (SECRET, OLD, OTHER)}) == 3


def test_a_link_is_good_for_its_purpose_and_no_other() -> None:
    """Fault 18: a token for one thing is none for another."""
    ring, token_id = SignedTokens(SECRET), new_id()
    for purpose in Purpose:
        token = ring.single_use_token(purpose, token_id)
        good_for = [other for other in Purpose if ring.read_single_use_token(other, token) is not None]
        assert good_for == [purpose]
        assert ring.read_single_use_token(purpose, token) == token_id
        assert ring.read_access_token(token) is ring.read_access_token(token, cookie=True) is None
        assert ring.read_order_token(token) is None
    access = ring.access_token(ActorKind.CUSTOMER, new_id(), new_id())[0]
    order = ring.order_token(OrderAccess(new_id(), 1))
    for other in (access, order):
        assert [ring.read_single_use_token(purpose, other) for purpose in Purpose] == [None] * len(Purpose)
    audiences = {tokens_.ACCESS, tokens_.ACCESS_COOKIE, tokens_.ORDER, *map(str, Purpose)}
    assert len(audiences) == 3 + len(Purpose)


def test_a_link_ends_by_itself() -> None:
    ring = KeyRing((SECRET,))
    claims = {"iss": "counterfoil", "aud": "reset_password", "jti": str(new_id())}
    for wrong in ({"exp": NOW - timedelta(seconds=1)}, {}, {"exp": NOW + timedelta(hours=1), "jti": "x"}):
        token = ring.sign({**claims, **wrong})
        assert SignedTokens(SECRET).read_single_use_token(Purpose.RESET_PASSWORD, token) is None


def test_a_token_for_cookies_is_of_other_keys_than_one_in_answers() -> None:
    ring, who = SignedTokens(SECRET, cookies=(OTHER, OLD)), (ActorKind.CUSTOMER, new_id(), new_id())
    answered, _ = ring.access_token(*who)
    in_cookie, _ = ring.access_token(*who, cookie=True)
    assert ring.read_access_token(answered) is not None
    assert ring.read_access_token(in_cookie, cookie=True) is not None
    assert ring.read_access_token(answered, cookie=True) is ring.read_access_token(in_cookie) is None
    before, _ = SignedTokens(SECRET, cookies=(OLD,)).access_token(*who, cookie=True)
    assert ring.read_access_token(before, cookie=True) is not None
    assert KeyRing((SECRET,)).read(in_cookie, ACCESS, []) is None


@pytest.mark.parametrize("name", ["JWT_SECRETS_OLD", "COOKIE_SECRETS_OLD"])
def test_an_old_secret_that_is_too_short_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(WrongSetting, match=f"{name} has a secret of fewer than 32"):
        read_settings({name: f"{OLD},short"})
