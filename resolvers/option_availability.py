"""What a product page greys out: for every value whether it leads to a variant, and to one that can be bought.

Everything is loaded for all products of a level at once, whatever is selected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from db import OptionValue, ProductOption, Variant
from domain.availability import AvailabilityStatus
from domain.option_availability import Candidate, reach
from domain.product import MOST_OPTIONS
from domain.translation import translated
from engine.batch import Batch
from resolvers.batches import itself, many, shared
from resolvers.catalog import available_of_variant, product_by_id, variant_in_place
from resolvers.context import Ctx
from resolvers.place import Place
from resolvers.price import price_of_variant
from resolvers.request_error import BadUserInput

Selected = tuple[tuple[str, str], ...]
Key = tuple[UUID, Selected, Place | None]
"""A product, what is selected by names, and the place; null: that of the operation."""

_VALUES: Final = (
    select(
        ProductOption.product_id,
        ProductOption.id.label("option_id"),
        ProductOption.name.label("option_own_name"),
        translated(ProductOption, "name", "option_name"),
        OptionValue.id,
        OptionValue.name.label("own_name"),
        translated(OptionValue, "name"),
    )
    .join(OptionValue, OptionValue.option_id == ProductOption.id)
    .order_by(ProductOption.rank, ProductOption.id, OptionValue.rank, OptionValue.id)
)
_values_of_product = shared(many(_VALUES, ProductOption.product_id), product=itself)
_VARIANTS: Final = select(
    Variant.product_id, Variant.id, Variant.combination, Variant.manage_stock, Variant.quantity_min
).where(Variant.archived_at.is_(None))
_variants_of_product = shared(many(_VARIANTS, Variant.product_id), product=itself)


@dataclass(frozen=True)
class _Choices:
    """The values of a product, as rows in the merchant's order."""

    rows: Sequence[Any]

    @property
    def options(self) -> dict[UUID, list[Any]]:
        options: dict[UUID, list[Any]] = {}
        for row in self.rows:
            options.setdefault(row["option_id"], []).append(row)
        return options

    def selected(self, names: Selected) -> dict[UUID, UUID | None]:
        """By option the value that is named, in the operation's language or as it was written; null: there is no such
        value. An option that there is not has null as well, under an id of nothing.
        """
        found: dict[UUID, UUID | None] = {}
        for name, value in names:
            own = self._named(self.rows, name, "option_name", "option_own_name")
            rows = [row for row in self.rows if own is not None and row["option_id"] == own["option_id"]]
            chosen = self._named(rows, value, "name", "own_name")
            found[_NOTHING if own is None else own["option_id"]] = None if chosen is None else chosen["id"]
        return found

    @staticmethod
    def _named(rows: Sequence[Any], name: str, *columns: str) -> Any:
        return next((row for column in columns for row in rows if row[column] == name), None)


async def _availability(ctx: Ctx, keys: list[Key]) -> list[Any]:
    products = list(dict.fromkeys(product for product, _, _ in keys))
    values = dict(zip(products, await ctx.loaded.load_many(_values_of_product, products), strict=True))
    candidates = await _candidates(ctx, list(dict.fromkeys((product, place) for product, _, place in keys)))
    return [_told(_Choices(values[product]), selected, candidates[product, place]) for product, selected, place in keys]


def _told(choices: _Choices, names: Selected, candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    selected = choices.selected(names)
    options = choices.options
    found = reach({option: [row["id"] for row in rows] for option, rows in options.items()}, selected, candidates)
    return [
        {
            "name": rows[0]["option_name"],
            "values": [
                {"name": row["name"], "selected": selected.get(option) == row["id"], **found[row["id"]]._asdict()}
                for row in rows
            ],
        }
        for option, rows in options.items()
    ]


async def _candidates(ctx: Ctx, keys: list[tuple[UUID, Place | None]]) -> dict[Any, list[Candidate]]:
    """The live variants by product and place. Three statements in all: what is for sale, prices, stock."""
    found = await ctx.loaded.load_many(_variants_of_product, [product for product, _ in keys])
    sold = await ctx.loaded.load_many(product_by_id, keys)
    pairs = [(row, place) for rows, (_, place) in zip(found, keys, strict=True) for row in rows]
    prices = await ctx.loaded.load_many(price_of_variant, [(row["id"], row["quantity_min"], at) for row, at in pairs])
    stock = await ctx.loaded.load_many(available_of_variant, [(row["id"], row["manage_stock"]) for row, _ in pairs])
    buyable = {
        (row["id"], place): price is not None and there["status"] != AvailabilityStatus.OUT_OF_STOCK
        for (row, place), price, there in zip(pairs, prices, stock, strict=True)
    }
    return {
        (product, place): [
            Candidate(frozenset(row["combination"]), shown is not None and buyable[row["id"], place]) for row in rows
        ]
        for (product, place), rows, shown in zip(keys, found, sold, strict=True)
    }


async def _by_selected(ctx: Ctx, keys: list[Key]) -> list[Any]:
    """The live variant that has exactly the selected values; null unless every option has one."""
    products = [product for product, _, _ in keys]
    values = await ctx.loaded.load_many(_values_of_product, products)
    variants = await ctx.loaded.load_many(_variants_of_product, products)
    wanted = [
        _exactly(_Choices(rows), selected, live)
        for rows, live, (_, selected, _) in zip(values, variants, keys, strict=True)
    ]
    named = [(key, place) for key, (_, _, place) in zip(wanted, keys, strict=True) if key is not None]
    rows = dict(zip(named, await ctx.loaded.load_many(variant_in_place, named), strict=True))
    return [key and rows[key, place] for key, (_, _, place) in zip(wanted, keys, strict=True)]


def _exactly(choices: _Choices, names: Selected, live: Sequence[Any]) -> UUID | None:
    chosen = choices.selected(names)
    if chosen.keys() != choices.options.keys():
        return None
    return next((row["id"] for row in live if set(row["combination"]) == set(chosen.values())), None)


option_availability = shared(Batch("option availability", _availability), product=itemgetter(0))
variant_by_selected = shared(Batch("variant by selected options", _by_selected), product=itemgetter(0))


def selected_keys(products: Sequence[Any], selected: Sequence[Any]) -> list[Key]:
    names = tuple((one.name, one.value) for one in selected)
    if len(names) > MOST_OPTIONS or len({name for name, _ in names}) < len(names):
        raise BadUserInput(f"Select one value of each option, of at most {MOST_OPTIONS}.", "selected")
    return [(product["id"], names, product.get("place")) for product in products]


_NOTHING: Final = UUID(int=0)
