"""Collections, and the rules by which some have their products."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from db import Collection as Row
from db import CollectionChannel
from db.collection import CollectionOrder, CollectionStatus
from domain.collection_rule import RuleField, RuleMatch, RuleOperator
from resolvers import channel, collection, ids
from schema.build import (
    asks,
    column,
    derived,
    enum,
    given,
    input_type,
    loads,
    one_of_input,
    partial_input,
    required,
    view,
)
from schema.channel import Channel
from schema.errors import Payload
from schema.node import Connection, Node, public_id
from schema.product_filter import LIST_ARGS, list_args
from schema.scalars import Json
from schema.showcase import Picture, PictureInput, picture_of

if TYPE_CHECKING:
    from schema.catalog import Product, Seo

ProductType = Annotated["Product", strawberry.lazy("schema.catalog")]
SeoType = Annotated["Seo", strawberry.lazy("schema.catalog")]
IF_VERSION = "Only if this is still its version."
BY_DEFAULT = "Without it, the default one."
TEXTS = "Texts by locale and field: `title`, `description`, `seo_title`, `seo_description`."

enum(
    CollectionStatus,
    "Whether a collection can be seen, where it is published.",
    DRAFT="Not yet.",
    PUBLISHED="It can.",
    ARCHIVED="Not any more.",
)
enum(
    CollectionOrder,
    "In which order the products of a collection are shown.",
    MANUAL="As they were put by hand.",
    NEWEST="The newest first.",
    OLDEST="The oldest first.",
    TITLE="By their titles.",
    PRICE="The cheapest in the context's region first.",
    PRICE_DESC="The dearest in the context's region first.",
)
enum(
    RuleMatch,
    "How the conditions of a rule go together.",
    ALL="Every one must be true.",
    ANY="One is enough.",
)
enum(
    RuleField,
    "What a condition looks at.",
    TITLE="The title.",
    TYPE="The type.",
    VENDOR="The vendor.",
    TAG="The tags: one of them.",
    CATEGORY="The categories: one of them or of those above it. The value is the id of a category.",
    OPTION="The options of the variants that are for sale: `key` is the option's name, the value that of a value.",
    PRICE="The lowest base price of one unit in a region, before price lists. The value is an amount such as `12.50`.",
    AVAILABLE="Whether some variant can be bought. The value is `true` or `false`.",
    METADATA="An entry of the metadata, as text: `key` names it.",
    CREATED_AT="When it was made. The value is a time such as `2030-01-01T00:00:00Z`.",
)
enum(
    RuleOperator,
    "How a condition compares. Texts are compared without regard to capitals.",
    EQUALS="It is the value, or one of them is.",
    NOT_EQUALS="It is not, or none is.",
    STARTS_WITH="It begins with the value.",
    ENDS_WITH="It ends with the value.",
    CONTAINS="The value is a part of it.",
    NOT_CONTAINS="The value is no part of it.",
    LESS_THAN="It is less, or earlier.",
    GREATER_THAN="It is more, or later.",
    IS_SET="There is such an entry.",
    IS_NOT_SET="There is none.",
)


@view()
class CollectionCondition:
    """A condition on products."""

    field: RuleField = strawberry.field(description="What it looks at.")
    operator: RuleOperator = strawberry.field(description="How it compares.")
    value: str | None = strawberry.field(description="With what; null where the operator takes none.")
    key: str | None = strawberry.field(description="Which option, or which entry of the metadata.")
    region_id: strawberry.ID | None = strawberry.field(description="Of a condition on the price: where.")


@view()
class CollectionRules:
    """Which products a collection has by itself."""

    match: RuleMatch = strawberry.field(description="How the conditions go together.")
    conditions: list[CollectionCondition] = strawberry.field(description="The conditions.")


def _products_keys(collections: Sequence[Any], **args: Any) -> list[Any]:
    return collection.products_keys(collections, *list_args(**args))


@view(Row)
class Collection(Node):
    """Products that are shown together, chosen by hand or by a rule."""

    id: strawberry.ID = public_id("Collection")
    handle: str = column("For addresses; unique. Former ones lead here too.")
    title: str = column("Shown to shoppers.")
    description: str = column("Safe HTML.")
    seo: SeoType = derived(
        lambda row: {"title": row["seo_title"], "description": row["seo_description"]}, "What search engines are told."
    )
    image: Picture | None = derived(picture_of, "Its picture, if it has one.")
    external_id: str | None = asks(
        collection.external_id, "What another system calls it. Null without `collections:write`."
    )
    metadata: Json = column("What merchants and plug-ins note about it.")
    status: CollectionStatus = column("Whether it can be seen, where it is published.")
    by_rule: bool = column("A rule chooses its products.")
    order: CollectionOrder = derived(lambda row: row["product_order"], "In which order its products are shown.")
    version: int = column("Rises with every change that is made to it, and with its products where they are chosen.")
    products: Connection[ProductType] = loads(
        collection.products_of_collection,
        _products_keys,
        "What is for sale in it, in its order unless another one is asked for.",
        **LIST_ARGS,
    )
    product_count: int = loads(
        collection.product_count, "id", "How many products are for sale in it, counted up to 10,000."
    )
    rules: CollectionRules | None = asks(
        collection.rules, "By which rule it has its products; null: by none. Null without `collections:write`."
    )
    translations: Json | None = asks(
        collection.translations, "Texts by locale and field. Null without `collections:write`."
    )


@view(CollectionChannel)
class CollectionPublication:
    """That a collection is in a sales channel. It is seen there within the window, while its status is published."""

    collection_id: strawberry.ID = derived(lambda row: ids.encode("Collection", row["collection_id"]), "Which one.")
    channel: Channel = loads(channel.channel_by_id, "channel_id", "Where.")
    published_from: datetime | None = column("From when on; null: since ever.")
    published_until: datetime | None = column("Until when, that moment not included; null: for ever.")


@view()
class CollectionPreview:
    """What a rule would find now."""

    count: int = strawberry.field(description="How many products, those among them that are not for sale.")
    products: list[ProductType] = strawberry.field(description="The newest of them.")


@one_of_input
class CollectionBy:
    """Names a collection, by one of these."""

    id: strawberry.ID | None = given("By its id.")
    handle: str | None = given("By its handle, or one that it had.")


@input_type
class CollectionConditionInput:
    """A condition on products."""

    field: RuleField = required("What it looks at.")
    operator: RuleOperator = required("How it compares.")
    value: str | None = given("With what. Left out where the operator takes none.")
    key: str | None = given("Which option, or which entry of the metadata.")
    region_id: strawberry.ID | None = given(f"Of a condition on the price: in which region. {BY_DEFAULT}")


@input_type
class CollectionRulesInput:
    """Which products a collection has by itself."""

    match: RuleMatch = given("How the conditions go together.", RuleMatch.ALL)
    conditions: list[CollectionConditionInput] = required("1 to 60 conditions.")


@partial_input
class CollectionCreateInput:
    """A new collection, published in the default sales channel; what is seen there says its status."""

    title: str = required("Shown to shoppers, at most 255 characters.")
    rules: CollectionRulesInput | None = given("By which rule it has its products. Without it, by none.")
    status: CollectionStatus | None = given("Without it, a draft.")
    order: CollectionOrder | None = given("Of its products. Without it, by hand; by rule, the newest first.")
    handle: str | None = given("For addresses, unique. Without it, it is made of the title.")
    description: str | None = given("HTML; what is not safe is taken out.")
    seo_title: str | None = given("What search engines are told; null: its title.")
    seo_description: str | None = given("What search engines are told.")
    image: PictureInput | None = given("Its picture.")
    external_id: str | None = given("What another system calls it, unique.")
    metadata: Json | None = given("A JSON object of at most 16 KiB.")
    translations: Json | None = given(TEXTS)


@partial_input
class CollectionUpdateInput:
    """A collection that is to be another; what is left out stays, null empties."""

    id: strawberry.ID = required("Which one.")
    title: str | None = given("Shown to shoppers, at most 255 characters.")
    rules: CollectionRulesInput | None = given("Of one that has a rule: another one.")
    status: CollectionStatus | None = given("Whether it can be seen, where it is published.")
    order: CollectionOrder | None = given("Of its products.")
    handle: str | None = given("For addresses, unique. The former one goes on leading here.")
    description: str | None = given("HTML; what is not safe is taken out.")
    seo_title: str | None = given("What search engines are told; null: its title.")
    seo_description: str | None = given("What search engines are told.")
    image: PictureInput | None = given("Its picture; null: none.")
    external_id: str | None = given("What another system calls it, unique.")
    metadata: Json | None = given("A JSON object of at most 16 KiB, in place of what there is.")
    translations: Json | None = given(f"In place of what there is. {TEXTS}")
    if_version: int | None = given(IF_VERSION)


@input_type
class CollectionAddProductsInput:
    """Products that are to be in a collection by hand."""

    collection_id: strawberry.ID = required("In which one.")
    product_ids: list[strawberry.ID] = required("Which products, 1 to 1,000, in their order.")
    before_id: strawberry.ID | None = given("In front of which product of it. Without it, behind all.")
    if_version: int | None = given(IF_VERSION)


@input_type
class CollectionRemoveProductsInput:
    """Products that are not to be in a collection by hand any more."""

    collection_id: strawberry.ID = required("In which one.")
    product_ids: list[strawberry.ID] = required("Which products, 1 to 1,000.")
    if_version: int | None = given(IF_VERSION)


@input_type
class CollectionReorderInput:
    """Products of a collection by hand that are to stand elsewhere in it."""

    collection_id: strawberry.ID = required("In which one.")
    product_ids: list[strawberry.ID] = required("Which products, 1 to 1,000, in their new order.")
    before_id: strawberry.ID | None = given("In front of which other product of it. Without it, behind all.")
    if_version: int | None = given(IF_VERSION)


@input_type
class CollectionPublishInput:
    """A collection for a sales channel, or another window for one that is there."""

    collection_id: strawberry.ID = required("Which one.")
    channel_id: strawberry.ID | None = given(f"Where. {BY_DEFAULT}")
    published_from: datetime | None = given("From when on. Without it, at once.")
    published_until: datetime | None = given("Until when, that moment not included. Without it, for ever.")


@input_type
class CollectionUnpublishInput:
    """A collection that is to be in a sales channel no more."""

    collection_id: strawberry.ID = required("Which one.")
    channel_id: strawberry.ID | None = given(f"Where. {BY_DEFAULT}")


@view()
class CollectionCreatePayload(Payload):
    """A new collection."""

    collection: Collection | None = strawberry.field(description="The collection.")


@view()
class CollectionUpdatePayload(Payload):
    """A collection as it is now. What another rule finds is in it within a second."""

    collection: Collection | None = strawberry.field(description="The collection.")


@view()
class CollectionAddProductsPayload(Payload):
    """A collection with its new products."""

    collection: Collection | None = strawberry.field(description="The collection.")


@view()
class CollectionRemoveProductsPayload(Payload):
    """A collection without some products."""

    collection: Collection | None = strawberry.field(description="The collection.")


@view()
class CollectionReorderPayload(Payload):
    """A collection in its new order."""

    collection: Collection | None = strawberry.field(description="The collection.")


@view()
class CollectionPublishPayload(Payload):
    """Where and when the collection is shown."""

    publication: CollectionPublication | None = strawberry.field(description="The channel with the window.")


@view()
class CollectionUnpublishPayload(Payload):
    """The collection is not in the channel."""

    collection_id: strawberry.ID | None = strawberry.field(description="Which one.")
