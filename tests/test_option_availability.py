"""A product page asks which values still lead to a variant, and to one that can be bought; and which variant it is."""

from itertools import product as every
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given as cases
from hypothesis import strategies as st

from db.catalog import ProductStatus
from domain.option_availability import Candidate, Reach, reach
from domain.price import PriceDraft
from domain.processes.shop import Shop
from domain.product import ProductDraft, VariantDraft
from domain.region import LocationDraft, upsert_location
from domain.stock import StockCount, set_counts
from tests import given
from tests.api import Api
from tests.variants import options

IDS = [[uuid4() for _ in range(3)] for _ in range(3)]
OPTIONS = [uuid4() for _ in range(3)]
SETS = st.sets(st.sampled_from(list(every(*IDS))), max_size=10)
SELECTED = st.tuples(*(st.none() | st.sampled_from([*ids, None, "nothing"]) for ids in IDS))


@cases(SETS, st.sets(st.integers(0, 9)), SELECTED)
def test_a_value_leads_where_a_plain_reading_of_all_variants_says(
    variants: set[tuple[UUID, ...]], buyable: set[int], selected: tuple[Any, ...]
) -> None:
    listed = [(values, i in buyable) for i, values in enumerate(sorted(variants))]
    found = reach(
        {option: IDS[i] for i, option in enumerate(OPTIONS)},
        {OPTIONS[i]: None if v == "nothing" else v for i, v in enumerate(selected) if v is not None},
        [Candidate(frozenset(values), can) for values, can in listed],
    )
    for i, ids in enumerate(IDS):
        for value in ids:
            fitting = [
                can
                for values, can in listed
                if values[i] == value
                and all(wanted is None or values[j] == wanted for j, wanted in enumerate(selected) if j != i)
            ]
            assert found[value] == Reach(bool(fitting), any(fitting))


ASKED = """query ($selected: [SelectedOptionInput!]!, $handle: String!) @inContext(country: NL) {
  product(by: {handle: $handle}) {
    optionAvailability(selected: $selected) { name values { name selected exists available } }
    variantBySelectedOptions(selected: $selected) { title price { amount { amount } } } } }"""


async def cups(shop: Shop, *handles: str) -> list[given.Sold]:
    """Large in kraft is sold out, small in white has no price; there is no large one in white."""
    await given.regions(shop)
    values = [("Small", "Kraft"), ("Large", "Kraft"), ("Small", "White"), ("Small", "Black")]
    drafts = [
        ProductDraft(
            handle=handle,
            title="Cup",
            status=ProductStatus.PUBLISHED,
            options=("Size", "Paper"),
            variants=tuple(VariantDraft(values=pair, manage_stock=pair[1] != "Black") for pair in values),
        )
        for handle in handles
    ]
    made = await given.products(shop, *drafts)
    for sold in made:
        await given.prices(shop, *(PriceDraft(sold.keys[i], "EUR", 100 + i) for i in (0, 1, 3)))
        async with shop.tx() as tx:
            place = await upsert_location(tx, LocationDraft("main", "Main"))
            await set_counts(tx, [StockCount(sold.keys[i], place, count) for i, count in enumerate((5, 0, 5))])
    return made


def told(product: dict[str, Any]) -> dict[str, str]:
    """`+` can be bought, `-` exists, ` ` does not; `*` is selected."""
    return {
        value["name"]: ("+" if value["available"] else "-" if value["exists"] else " ")
        + ("*" if value["selected"] else "")
        for option in product["optionAvailability"]
        for value in option["values"]
    }


async def test_a_product_page_is_told_what_can_still_be_chosen(shop: Shop, api: Api) -> None:
    await cups(shop, "cup")

    async def ask(**selected: str) -> tuple[dict[str, str], Any]:
        product = (await api(ASKED, {"handle": "cup", "selected": options(**selected)}))["product"]
        variant = product["variantBySelectedOptions"]
        return told(product), variant and (variant["title"], variant["price"] and variant["price"]["amount"]["amount"])

    assert await ask() == ({"Small": "+", "Large": "-", "Kraft": "+", "White": "-", "Black": "+"}, None)
    assert await ask(Size="Large") == ({"Small": "+", "Large": "-*", "Kraft": "-", "White": " ", "Black": " "}, None)
    assert await ask(Size="Small", Paper="Black") == (
        {"Small": "+*", "Large": " ", "Kraft": "+", "White": "-", "Black": "+*"},
        ("Small / Black", "1.03"),
    )
    assert await ask(Size="Small", Paper="White") == (
        {"Small": "-*", "Large": " ", "Kraft": "+", "White": "-*", "Black": "+"},
        ("Small / White", None),
    )
    nothing = {"Small": " ", "Large": " ", "Kraft": " ", "White": " ", "Black": " "}
    assert await ask(Size="Large", Paper="White", Length="Long") == (
        {**nothing, "Large": " *", "White": " *"},
        None,
    )
    assert await ask(Length="Long") == (nothing, None), "what it does not have at all is not passed over"
    assert await ask(Length="Long", Size="Small", Paper="Black") == (
        {**nothing, "Small": " *", "Black": " *"},
        None,
    )
    assert (await ask(Size="Huge"))[0] == {**nothing, "Small": "+", "Large": "-"}
    await shop.database.pool.execute("DELETE FROM product_channel")
    assert (await api(ASKED, {"handle": "cup", "selected": []}))["product"] is None
    staff = await given.caller(shop, api, "staff", "products:read")
    unpublished = await staff(ASKED.replace("product(", "product: adminProduct("), {"handle": "cup", "selected": []})
    assert set(told(unpublished["product"]).values()) == {"-"}, "what is not for sale cannot be bought"


async def test_values_are_understood_as_they_are_shown_and_as_they_were_written(shop: Shop, api: Api) -> None:
    await cups(shop, "cup")
    await shop.database.pool.execute(
        """UPDATE option_value SET translations = '{"de": {"name": "Groß"}}' WHERE name = 'Large'"""
    )
    await shop.database.pool.execute(
        """UPDATE product_option SET translations = '{"de": {"name": "Größe"}}' WHERE name = 'Size'"""
    )
    german = ASKED.replace("country: NL", 'country: NL, locale: "de-DE"')
    for name, value in (("Größe", "Groß"), ("Size", "Large"), ("Größe", "Large")):
        selected = [{"name": name, "value": value}, {"name": "Paper", "value": "Kraft"}]
        product = (await api(german, {"handle": "cup", "selected": selected}))["product"]
        assert told(product)["Groß"] == "-*"
        assert product["variantBySelectedOptions"]["title"] == "Large / Kraft"


async def test_an_option_that_is_selected_twice_is_refused(shop: Shop, api: Api) -> None:
    await cups(shop, "cup")
    for selected in (
        [*options(Size="Small"), *options(Size="Large")],
        [{"name": str(i), "value": ""} for i in range(11)],
    ):
        answer = await api.answer(ASKED, {"handle": "cup", "selected": selected})
        assert answer["errors"][0]["extensions"]["argument"] == "selected"


async def test_availability_costs_as_many_statements_for_many_products_as_for_one(shop: Shop, api: Api) -> None:
    await cups(shop, *(f"cup-{i}" for i in range(4)))
    assert api.database is not None
    costs: list[int] = []
    for first in (1, 4):
        before = api.database.statements
        data = await api(
            """query ($first: Int!) @inContext(country: NL) { products(first: $first) { nodes {
              optionAvailability(selected: [{name: "Size", value: "Small"}]) { values { available } }
              variantBySelectedOptions(selected: [{name: "Size", value: "Small"}]) { title } } } }""",
            {"first": first},
        )
        assert len(data["products"]["nodes"]) == first
        costs.append(api.database.statements - before)
    assert costs[0] == costs[1]


async def test_a_variant_is_found_by_its_id_and_its_sku_while_it_is_for_sale(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup")
    query = "query ($by: VariantBy!) { variant(by: $by) { id sku product { handle } quantityRule { minimum } } }"
    shown = {"id": cup.variant, "sku": "CUP-1", "product": {"handle": "cup"}, "quantityRule": {"minimum": 1}}
    for by in ({"id": cup.variant}, {"sku": "CUP-1"}):
        assert (await api(query, {"by": by}))["variant"] == shown
    assert (await api(query, {"by": {"sku": "cup-1"}}))["variant"] is None
    answer = await api.answer(query, {"by": {"id": cup.product}})
    assert answer["errors"][0]["extensions"]["argument"] == "by.id"
    for hidden in ("UPDATE variant SET archived_at = now()", "UPDATE product SET status = 'draft'"):
        await shop.database.pool.execute("UPDATE variant SET archived_at = NULL")
        await shop.database.pool.execute(hidden)
        for by in ({"id": cup.variant}, {"sku": "CUP-1"}):
            assert (await api(query, {"by": by}))["variant"] is None
