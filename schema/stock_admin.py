"""Inputs and payloads of what staff write of stock."""

import strawberry

from db.stock import StockMovementReason
from schema.build import given, input_type, required, view
from schema.catalog import Variant
from schema.errors import Payload
from schema.stock import StockItem, StockLevel, StockLocation, StockSettings


def idempotency_key() -> str:
    return required("Your own, new for each thing that is to be done; sent again with it, it is done once.")


def note() -> str | None:
    return given("For who reads the movements later; at most 500 characters.")


@input_type
class StockItemFilter:
    """Which items; all that is given holds."""

    sku: str | None = given("The item's own number, or that of a variant that takes it.")
    title: str | None = given("A part of the title; upper and lower case are the same.")


@input_type
class StockLocationCreateInput:
    """A new location."""

    code: str = required("1 to 50 letters, digits, dots, dashes and underscores; unique.")
    name: str = required("For staff.")
    priority: int = required("1 to 1,000; 1 is taken from first.")
    idempotency_key: str = idempotency_key()


@view()
class StockLocationCreatePayload(Payload):
    """A new location."""

    stock_location: StockLocation | None = strawberry.field(description="The location.")


@input_type
class StockLocationUpdateInput:
    """Changes of a location; what is left out or null stays."""

    stock_location_id: strawberry.ID = required("Which one.")
    code: str | None = given("Another code.")
    name: str | None = given("Another name.")
    priority: int | None = given("Another priority.")
    idempotency_key: str = idempotency_key()


@view()
class StockLocationUpdatePayload(Payload):
    """A location as it is now."""

    stock_location: StockLocation | None = strawberry.field(description="The location.")


@input_type
class StockLocationArchiveInput:
    """A location that is given up."""

    stock_location_id: strawberry.ID = required("Which one. Nothing lies there, is promised of it or may be owed.")
    idempotency_key: str = idempotency_key()


@view()
class StockLocationArchivePayload(Payload):
    """A location as it is now."""

    stock_location: StockLocation | None = strawberry.field(description="The location.")


@input_type
class StockItemCreateInput:
    """A new item, of which nothing lies anywhere yet."""

    title: str = required("For staff.")
    sku: str | None = given("Its own number; unique.")
    idempotency_key: str = idempotency_key()


@view()
class StockItemCreatePayload(Payload):
    """A new item."""

    stock_item: StockItem | None = strawberry.field(description="The item.")


@input_type
class StockItemUpdateInput:
    """Changes of an item; what is left out or null stays."""

    stock_item_id: strawberry.ID = required("Which one.")
    title: str | None = given("Another title.")
    sku: str | None = given("Another number; empty: none of its own.")
    idempotency_key: str = idempotency_key()


@view()
class StockItemUpdatePayload(Payload):
    """An item as it is now."""

    stock_item: StockItem | None = strawberry.field(description="The item.")


@input_type
class VariantStockItemInput:
    """A part of what one unit of a variant takes."""

    stock_item_id: strawberry.ID = required("The item.")
    quantity: int = required("How many of it: 1 for what is sold as it lies there.")


@input_type
class VariantSetStockItemsInput:
    """All that one unit of a variant takes from now on. Orders that were placed are sent as they were placed."""

    variant_id: strawberry.ID = required("Which variant.")
    items: list[VariantStockItemInput] = required(
        "At most 50, each once. None: nobody has counted the variant, so it is out of stock unless it is not tracked."
    )
    idempotency_key: str = idempotency_key()


@view()
class VariantSetStockItemsPayload(Payload):
    """A variant as it is now."""

    variant: Variant | None = strawberry.field(description="The variant.")


@input_type
class StockAdjustRow:
    """How many came or went of an item in a location."""

    stock_item_id: strawberry.ID = required("The item.")
    stock_location_id: strawberry.ID = required("The location.")
    delta: int = required("How many came, or below 0, went.")


@input_type
class StockAdjustInput:
    """What came and went."""

    rows: list[StockAdjustRow] = required("1 to 250; each item in each location once. All are written, or none.")
    reason: StockMovementReason = required("`ADJUSTMENT`, `COUNT`, `LOSS`, `RECEIPT` or `RETURN`.")
    note: str | None = note()
    idempotency_key: str = idempotency_key()


@view()
class StockAdjustPayload(Payload):
    """Levels as they are now."""

    stock_levels: list[StockLevel] | None = strawberry.field(description="In the order of the rows.")


@input_type
class StockSetRow:
    """What was counted of an item in a location."""

    stock_item_id: strawberry.ID = required("The item.")
    stock_location_id: strawberry.ID = required("The location.")
    on_hand: int = required("What lies there.")
    change_from: int = required("`onHand` as it was shown to whoever counted; 0 where there was no level.")


@input_type
class StockSetInput:
    """What was counted."""

    rows: list[StockSetRow] = required("1 to 250; each item in each location once. All are written, or none.")
    note: str | None = note()
    idempotency_key: str = idempotency_key()


@view()
class StockSetPayload(Payload):
    """Levels as they are now."""

    stock_levels: list[StockLevel] | None = strawberry.field(description="In the order of the rows.")


@input_type
class StockTransferRow:
    """What moves from one location to another."""

    stock_item_id: strawberry.ID = required("The item.")
    from_location_id: strawberry.ID = required("Where it lies.")
    to_location_id: strawberry.ID = required("Where it goes.")
    quantity: int = required("How many; they are promised to nobody.")


@input_type
class StockTransferInput:
    """What moves."""

    rows: list[StockTransferRow] = required("1 to 250, done one after another. All are written, or none.")
    note: str | None = note()
    idempotency_key: str = idempotency_key()


@view()
class StockTransferPayload(Payload):
    """Levels as they are now."""

    stock_levels: list[StockLevel] | None = strawberry.field(
        description="Each once: those that something was taken from, in the order of the rows, then the others."
    )


@input_type
class StockBackorderLimitRow:
    """How many of an item may be sold beyond what lies in a location."""

    stock_item_id: strawberry.ID = required("The item.")
    stock_location_id: strawberry.ID = required("The location.")
    backorder_limit: int = required("How many; 0: none.")


@input_type
class StockSetBackorderLimitInput:
    """How many may be sold beyond what lies there."""

    rows: list[StockBackorderLimitRow] = required(
        "1 to 250; each item in each location once. All are written, or none."
    )
    idempotency_key: str = idempotency_key()


@view()
class StockSetBackorderLimitPayload(Payload):
    """Levels as they are now."""

    stock_levels: list[StockLevel] | None = strawberry.field(description="In the order of the rows.")


@input_type
class StockSettingsUpdateInput:
    """What goes for all stock."""

    shown_quantity: int = required("Shoppers are told of no more units than this: 1 to 1,000,000.")
    idempotency_key: str = idempotency_key()


@view()
class StockSettingsUpdatePayload(Payload):
    """Settings as they are now."""

    stock_settings: StockSettings | None = strawberry.field(description="The settings.")
