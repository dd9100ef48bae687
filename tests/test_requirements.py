"""Every requirement that a cart can have names a mutation that supplies it, at a place that its input has."""

from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

from db.connection import new_id
from domain import requirement
from domain.processes.shop import Shop
from domain.requirement import Requirement, RequirementCode
from schema import build_schema
from tests import carts, deliveries, given
from tests.api import Api

TYPES = build_schema()._schema.type_map
ALL = [value for value in vars(requirement).values() if isinstance(value, Requirement)]
ALL += [requirement.of_line(code, new_id()) for code in requirement._LINE]
REQUIRED = "requirements { code mutation path lineId }"


def test_each_names_a_mutation_and_a_part_of_its_input() -> None:
    mutations = TYPES["Mutation"]
    assert isinstance(mutations, GraphQLObjectType)
    assert {one.code for one in ALL} == set(RequirementCode)
    for one in ALL:
        here = get_named_type(mutations.fields[one.mutation].args["input"].type)
        for part in one.path:
            assert isinstance(here, GraphQLInputObjectType)
            here = get_named_type(here.fields[part].type)


async def test_each_goes_by_what_it_names(shop: Shop, api: Api) -> None:
    """One after the other, each by its own mutation and the value that a customer would give."""
    await given.regions(shop)
    cup = await given.product(shop, "cup", brief_schema=given.BRIEF, brief_due="before_order")
    gone = await given.product(shop, "gone")
    option = await deliveries.option(shop, countries=("NL",))
    cart = await carts.bare(api)
    nowhere = {**given.ADDRESS, "country": "DE"}

    async def needs() -> list[tuple[str, str, list[str], str | None]]:
        return [tuple(one.values()) for one in (await deliveries.seen(api, cart, REQUIRED))["requirements"]]

    steps = [
        ("LINES", "cartAddLines", "lines", lambda _: [{"variantId": cup.variant}, {"variantId": gone.variant}]),
        ("FOR_SALE", "cartRemoveLines", "lineIds", lambda line: [line]),
        ("QUANTITY", "cartUpdateLines", "lines", lambda line: [{"lineId": line, "quantity": 4}]),
        ("EMAIL", "cartSetCustomer", "email", lambda _: "sam@shop.example"),
        ("SHIPPING_ADDRESS", "cartSetAddresses", "shippingAddress", lambda _: nowhere),
        ("DELIVERY", "cartSetAddresses", "shippingAddress", lambda _: given.ADDRESS),
        ("DELIVERY", "cartSetDelivery", "optionId", lambda _: option),
        ("BRIEF", "cartSetBrief", "brief", lambda _: {"print_text": "Hello"}),
    ]
    for code, mutation, argument, value in steps:
        first = next(one for one in await needs() if one[0] == code)
        assert (first[1], first[2][0]) == (mutation, argument)
        line = {"lineId": first[3]} if code == "BRIEF" else {}
        await api.done(mutation, {**cart.key, **line, argument: value(first[3])}, "cart { id }")
        assert [one for one in await needs() if one[:2] == (code, mutation)] == []
        if code == "LINES":
            await carts.execute(shop, "UPDATE product SET status = 'draft' WHERE handle = 'gone'")
            await carts.execute(shop, "UPDATE variant SET quantity_min = 4 WHERE sku = 'CUP-1'")
    assert await needs() == []
