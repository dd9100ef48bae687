"""The shop that the access matrix is tried in: two customers who have everything, staff, and all who may call."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from argon2 import PasswordHasher
from sqlalchemy import func, insert, update

from db import (
    ApiKey,
    Category,
    Collection,
    CustomerAddress,
    CustomerGroup,
    CustomerGroupMember,
    OptionValue,
    Product,
    ProductCategory,
    ProductCollection,
    Role,
)
from db.catalog import ProductStatus
from db.connection import new_id
from db.session import ApiKeyKind
from db.workflow import ActorKind
from domain import api_key, session
from domain import ticket_move as tickets
from domain.actor import EVERYTHING, SYSTEM, Actor
from domain.address import Address
from domain.api_key import CreateApiKey
from domain.collection_publication import publish_new
from domain.permission import PERMISSIONS
from domain.price import PriceDraft
from domain.processes.shop import Shop
from domain.product import MediaDraft, ProductDraft, VariantDraft
from domain.session import Device
from domain.ticket_move import Move
from resolvers import ids
from tests import (
    carts,
    channels,
    given,
    matrix_balances,
    matrix_delivery,
    matrix_details,
    matrix_files,
    matrix_goods,
    matrix_notifications,
    matrix_prices,
    matrix_stock,
    matrix_tax,
    matrix_tickets,
)
from tests.access import Bought, bought, token
from tests.api import Api
from tests.keys import default_channel

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""What passwords are worth here is tested elsewhere."""
OPENING = Actor(ActorKind.STAFF, new_id(), frozenset({"tickets:write"}))


@dataclass(frozen=True)
class Person:
    """A customer who bought something, has a cart that lacks nothing, and one that lacks everything."""

    email: str
    key: UUID
    api: Api
    bought: Bought
    cart: given.Cart
    bare: given.Cart
    things: Mapping[str, str]
    """An id of theirs, by kind."""


@dataclass(frozen=True)
class MatrixWorld:
    shop: Shop
    api: Api
    sam: Person
    kim: Person
    things: Mapping[str, str]
    """Ids of the shop's own things, by kind."""
    only: Mapping[str, Api]
    """Staff who have one permission, by that."""
    all_but: Mapping[str, Api]
    """Staff who have every permission but one, by that."""
    keys: Mapping[str, Api]
    """Programs with a secret key that has every scope but one, by that; and with all, and with one that is harmless."""
    together: Mapping[tuple[str, ...], Api]
    """Staff who have some permissions: all, one half of them, the other, the halves of those, and so on to each."""
    live: Api
    """Who has a token of Sam's for subscriptions."""

    @property
    def powerless(self) -> Api:
        """Staff who may do nothing."""
        return self.only[NOTHING]

    @property
    def almighty(self) -> Api:
        """Staff who may do everything."""
        return self.all_but[NOTHING]

    @property
    def token_holder(self) -> Api:
        """Nobody, with the tokens of Sam's cart and of Sam's order in the headers."""
        headers = {"x-cart-token": self.sam.cart.token, "x-access-token": self.sam.bought.access_token}
        return Api(self.api.http, headers, self.api.database)

    def callers(self, needs: str) -> dict[str, Api]:
        """Columns of the matrix for a field that needs a permission, but for what permissions add."""
        return {
            "anonymous": self.api,
            "sam, whose it is": self.sam.api,
            "kim": self.kim.api,
            "sam's tokens": self.token_holder,
            "sam's live token": self.live,
            "staff without": self.all_but.get(needs, self.powerless),
            "key without": self.keys.get(needs, self.keys[NOTHING]),
            "key with all": self.keys[EVERYTHING],
        }

    @property
    def theirs(self) -> list[UUID]:
        """Keys of what is Sam's, and of what is the shop's, but for goods and for what everybody's things name."""
        owned = [*self.sam.things.items(), *self.things.items()]
        return [ids.decode(kind, public) for kind, public in owned if kind not in GOODS | NAMED_BY_ALL]


def halves(group: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [group[: len(group) // 2], group[len(group) // 2 :]]


def halved(group: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The group, its halves, theirs, and so on, but for single ones."""
    return [] if len(group) == 1 else [group, *(part for half in halves(group) for part in halved(half))]


ALL = tuple(PERMISSIONS)
NOTHING = "none"
GOODS = frozenset(
    {
        "Category",
        "Collection",
        "DeliveryOption",
        "Media",
        "OptionValue",
        "Product",
        "ProductOption",
        "Region",
        "Variant",
    }
)
"""Kinds of which everybody may see everything that is published, so that no id of theirs is anybody's."""
NAMED_BY_ALL = frozenset({"Workflow"})
"""Kim's tickets name it as Sam's do. Nothing of a workflow is ever changed: it gets a next version."""


async def matrix_world(shop: Shop, api: Api) -> MatrixWorld:
    await given.regions(shop)
    things = {**await catalogue(shop, api), **await people_and_programs(shop)}
    things |= await matrix_tickets.things_of_the_shop(shop)
    things |= await matrix_tax.things(shop)
    things["GiftCard"] = await matrix_balances.gift_card(shop)
    await matrix_details.of_the_shop(shop, things["GiftCard"])
    sam = await person(shop, api, things["Variant"], "sam@shop.example")
    kim = await person(shop, api, things["Variant"], "kim@shop.example")
    await matrix_details.still_undecided(shop, api, things["Variant"])
    things["DeliveryOption"] = await matrix_delivery.free_delivery(shop)
    things |= await matrix_prices.things(shop, things["Variant"], things["CustomerGroup"])
    await matrix_details.ways_of_delivery(shop)
    await matrix_goods.goods(shop, things["Category"])
    group = ids.decode("CustomerGroup", things["CustomerGroup"])
    async with shop.tx() as tx:
        await tx.insert(CustomerGroupMember, [{"group_id": group, "customer_id": sam.key}])
    only = {p: await staff(shop, api, f"only {p}", p) for p in PERMISSIONS}
    only[NOTHING] = await staff(shop, api, NOTHING)
    all_but = {p: await staff(shop, api, f"all but {p}", *(PERMISSIONS.keys() - {p})) for p in PERMISSIONS}
    all_but[NOTHING] = await staff(shop, api, "all", *PERMISSIONS)
    keys = {p: await program(shop, api, *(PERMISSIONS.keys() - {p})) for p in PERMISSIONS}
    keys |= {NOTHING: await program(shop, api, "audit:read"), EVERYTHING: await program(shop, api, *PERMISSIONS)}
    together = {group: await staff(shop, api, f"one of {i}", *group) for i, group in enumerate(halved(ALL)[1:])}
    together |= {ALL: all_but[NOTHING], **{(p,): only[p] for p in PERMISSIONS}}
    for worker in (all_but[NOTHING], keys[EVERYTHING]):  # so that both are in the audit log
        await worker.done("customerGroupUpdate", {"groupId": things["CustomerGroup"], "name": "Friends"}, "__typename")
        await matrix_details.adjusted(worker, things["GiftCard"], sam.things["Customer"])
    things |= await matrix_stock.shelves(shop, all_but[NOTHING], keys[EVERYTHING])
    for table in ("customer", "staff"):
        told = f"UPDATE {table} SET password_hash = :hash, locale = 'de'"
        await carts.execute(shop, told, hash=CHEAP.hash(given.PASSWORD))
    live = await sam.api.done("liveTokenCreate", {}, "liveToken")
    return MatrixWorld(shop, api, sam, kim, things, only, all_but, keys, together, api.signed_in(live["liveToken"]))


async def people_and_programs(shop: Shop) -> dict[str, str]:
    """What belongs to the shop and to none of those who call: somebody who works there, a role, a key, a group."""
    keys = {kind: new_id() for kind in ("Role", "CustomerGroup", "Session")}
    shown = await default_channel(shop)
    lee = await given.staff(shop, email="lee@shop.example")
    async with shop.tx() as tx:
        await tx.insert(Role, [{"id": keys["Role"], "name": "Packers", "permissions": []}])
        await tx.insert(CustomerGroup, [{"id": keys["CustomerGroup"], "name": "Regulars"}])
        until = datetime.now(UTC) + timedelta(days=30)
        made = await api_key.create(tx, CreateApiKey(ApiKeyKind.PUBLISHABLE, "Shop window", (), until, shown), SYSTEM)
        revoked = await api_key.create(tx, CreateApiKey(ApiKeyKind.PUBLISHABLE, "Old window", channels=shown), SYSTEM)
        await api_key.revoke(tx, revoked.row.id, SYSTEM)
        begun = await session.begin(tx, ActorKind.STAFF, lee, Device("a desk"))
    till = await channels.made(shop)
    keys |= {"Staff": lee, "ApiKey": made.row.id, "Session": begun.session_id, "Channel": ids.decode("Channel", till)}
    return {kind: ids.encode(kind, key) for kind, key in keys.items() if kind in ids.PREFIXES}


async def staff(shop: Shop, api: Api, name: str, *permissions: str) -> Api:
    email = f"{name.replace(' ', '-').replace(':', '-')}@shop.example"
    staff_id = await given.staff(shop, *permissions, email=email)
    return api.signed_in(await token(shop, ActorKind.STAFF, staff_id))


async def program(shop: Shop, api: Api, *scopes: str) -> Api:
    async with shop.tx() as tx:
        made = await api_key.create(tx, CreateApiKey(ApiKeyKind.SECRET, "A program", scopes), SYSTEM)
        await tx.run(update(ApiKey).values(last_used_at=func.now()))  # noted already, so that no use of it writes
    return api.signed_in(made.key)


async def person(shop: Shop, api: Api, variant: str, email: str) -> Person:
    """Signed in, with a ticket that was moved and written on."""
    key = await given.customer(shop, email)
    as_them = api.signed_in(await token(shop, ActorKind.CUSTOMER, key))
    brief = {"print_text": "Hello"}
    await carts.execute(shop, "UPDATE customer SET confirmed_at = now() WHERE id = :id", id=key)
    theirs = await bought(shop, as_them, variant, email, brief=brief, quantity=4)
    async with shop.tx() as tx:
        await tickets.move(tx, Move(ids.decode("Ticket", theirs.ticket), "designing_artwork", None), OPENING)
    await as_them.done("ticketPostMessage", {"ticketId": theirs.ticket, "body": "Hello"}, "ticket { id }")
    cart = await given.cart(as_them, {"variantId": variant, "quantity": 2, "brief": brief}, email=email)
    made = await as_them.done("cartCreate", {}, f"token cart {{ id {given.TOTAL} }}")
    bare = given.Cart(made["cart"]["id"], made["token"], made["cart"]["totals"]["total"]["gross"])
    found = await as_them("query ($id: ID!) { cart(id: $id) { lines { id } } }", {"id": cart.id})
    things = {
        "Customer": ids.encode("Customer", key),
        "CustomerAddress": ids.encode("CustomerAddress", await address(shop, key)),
        "Session": ids.encode("Session", await other_session(shop, key)),
        "Cart": cart.id,
        "CartLine": found["cart"]["lines"][0]["id"],
        "Order": theirs.order,
        "OrderLine": theirs.line,
        "Ticket": theirs.ticket,
        **await matrix_tickets.things_of(shop, theirs.order, theirs.line, theirs.ticket),
        **await matrix_notifications.things_of(shop, theirs.order, theirs.ticket),
        "File": await matrix_files.file(shop, attached=True, ticket_id=ids.decode("Ticket", theirs.ticket)),
        "StoreCredit": await matrix_balances.store_credit(shop, key, theirs.order, cart, bare),
    }
    await matrix_details.of_a_person(shop, theirs, cart)
    return Person(email, key, as_them, theirs, cart, bare, things)


async def address(shop: Shop, customer: UUID) -> UUID:
    address_id, kept = new_id(), asdict(Address(last_name="Baker", address1="Kade 1", city="Utrecht", country="NL"))
    async with shop.tx() as tx:
        await tx.insert(CustomerAddress, [{"id": address_id, "customer_id": customer, "address": kept}])
    return address_id


async def other_session(shop: Shop, customer: UUID) -> UUID:
    """On another device than the one they call from."""
    async with shop.tx() as tx:
        return (await session.begin(tx, ActorKind.CUSTOMER, customer, Device("a telephone"))).session_id


BANNER = ProductDraft(
    handle="banner",
    title="Banner",
    description="Large",
    status=ProductStatus.PUBLISHED,
    vendor="Potter & Sons",
    type="Print",
    tags=("large",),
    seo_title="A banner",
    seo_description="To be hung up",
    options=("Size",),
    variants=(
        VariantDraft(
            values=("L",), sku="BANNER-L", barcode="4006381333931", manage_stock=True, image="https://img.example/a.jpg"
        ),
    ),
    media=(MediaDraft("https://img.example/a.jpg", "A"),),
)
PARTS = """query ($id: ID!) {
  product(by: { id: $id }) { options { id values { id } } media { id } } regions { id } }"""
BRIEF = {
    "type": "object",
    "properties": {
        "print_text": {"type": "string", "title": "Text", "description": "As it is printed", "pattern": ".",
                       "minLength": 0, "maxLength": 99, "default": "…"},
        "colours": {"type": "integer", "minimum": 1, "maximum": 4},
        "side": {"enum": ["front", "back"]},
    },
}  # fmt: skip


async def catalogue(shop: Shop, api: Api) -> dict[str, str]:
    """One product that has all that a product can have; the ids of its parts by kind."""
    (sold,) = await given.products(shop, BANNER)
    (key,) = sold.keys
    await given.prices(shop, PriceDraft(key, "EUR", 1000, 1200), PriceDraft(key, "USD", 1100))
    await given.counted(shop, key, "main", 50)
    product = ids.decode("Product", sold.product)
    category, collection = new_id(), new_id()
    async with shop.tx() as tx:
        await tx.run(insert(Category).values(id=category, handle="print", name="Print", rank=0))
        await tx.run(insert(Collection).values(id=collection, handle="new", title="New"))
        await tx.run(insert(ProductCategory).values(product_id=product, category_id=category))
        await tx.run(insert(ProductCollection).values(product_id=product, collection_id=collection, rank="a0"))
        await publish_new(tx, [collection])
        await tx.run(update(Product).where(Product.id == product).values(brief_schema=BRIEF))
        await tx.run(update(OptionValue).values(swatch_color="#b5651d"))
    found = await api(PARTS, {"id": sold.product})
    (option,), (media,) = found["product"]["options"], found["product"]["media"]
    return {
        "Product": sold.product,
        "Variant": sold.variant,
        "Category": ids.encode("Category", category),
        "Collection": ids.encode("Collection", collection),
        "Media": media["id"],
        "ProductOption": option["id"],
        "OptionValue": option["values"][0]["id"],
        "Region": found["regions"][0]["id"],
    }
