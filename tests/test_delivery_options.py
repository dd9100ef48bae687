"""Ways of delivery as staff make them."""

from typing import Any

import pytest
from sqlalchemy import text

from domain.processes.shop import Shop
from resolvers import ids
from tests import deliveries, given
from tests.api import Api

OPTION = """deliveryOption { id code name position active kind provider countries taxTreatment region { code }
  tiers { weightGrams subtotal { amount } amount { amount currency } } freeFrom { amount } fallback { amount }
  taxRates { name rate } estimatedDays { minimum maximum } }"""


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


STANDARD: dict[str, Any] = {"code": "standard", "name": "Standard", "tiers": [{"amount": euros("4.95")}]}


async def staff(shop: Shop, api: Api) -> tuple[Api, str]:
    """Who may, and the id of a region."""
    await given.regions(shop)
    region = await shop.read.value(text("SELECT id FROM region WHERE code = 'eu'"))
    caller = await given.caller(shop, api, "staff", "delivery:read", "delivery:write")
    return caller, ids.encode("Region", region)


async def refused(shop: Shop, caller: Api, mutation: str, given_: dict[str, Any]) -> list[tuple[str, list[str]]]:
    everything = text("SELECT jsonb_agg(to_jsonb(o) ORDER BY id) FROM delivery_option AS o")
    before = await shop.read.value(everything)
    payload = await caller.do(mutation, given_, "deliveryOption { id }")
    assert payload["deliveryOption"] is None
    assert await shop.read.value(everything) == before
    return [(error["__typename"], error["path"]) for error in payload["userErrors"]]


async def test_a_way_of_delivery_is_made_changed_listed_and_archived(shop: Shop, api: Api) -> None:
    caller, region = await staff(shop, api)
    made = await caller.done("deliveryOptionCreate", {"regionId": region, "option": STANDARD}, OPTION)
    option = made["deliveryOption"]
    assert option == {
        "id": option["id"],
        "code": "standard",
        "name": "Standard",
        "position": 0,
        "active": True,
        "kind": "FLAT",
        "provider": "local",
        "countries": [],
        "taxTreatment": "REGION",
        "region": {"code": "eu"},
        "tiers": [{"weightGrams": None, "subtotal": None, "amount": euros("4.95")}],
        "freeFrom": None,
        "fallback": None,
        "taxRates": [],
        "estimatedDays": None,
    }
    steps = [{"amount": euros("5.00")}, {"weightGrams": 1000, "amount": euros("9.00")}, {"weightGrams": 30000}]
    changes = {
        "kind": "BY_WEIGHT",
        "tiers": steps,
        "countries": ["NL", "DE"],
        "freeFrom": euros("75.00"),
        "taxTreatment": "OWN",
        "taxRates": [{"name": "Low", "rate": "0.09"}],
        "estimatedDays": {"minimum": 1, "maximum": 3},
        "position": 2,
        "active": False,
    }
    update = {"optionId": option["id"], "option": {**STANDARD, **changes}}
    changed = (await caller.done("deliveryOptionUpdate", update, OPTION))["deliveryOption"]
    assert [(tier["weightGrams"], (tier["amount"] or {}).get("amount")) for tier in changed["tiers"]] == [
        (0, "5.00"),
        (1000, "9.00"),
        (30000, None),
    ]
    assert (changed["taxRates"], changed["freeFrom"]) == ([{"name": "Low", "rate": "0.09"}], {"amount": "75.00"})
    assert (changed["estimatedDays"], changed["active"]) == ({"minimum": 1, "maximum": 3}, False)
    await it_can_be_archived(shop, caller, region, option)
    await caller.done("deliveryOptionCreate", {"regionId": region, "option": STANDARD}, OPTION)
    log = "SELECT action, difference FROM audit_entry WHERE subject LIKE 'delivery_option:%' ORDER BY id"
    audited = await shop.read.records(text(log))
    assert [row.action for row in audited] == [
        "deliveryOptionCreate",
        "deliveryOptionUpdate",
        "deliveryOptionArchive",
        "deliveryOptionCreate",
    ]
    assert audited[1].difference["active"] == [True, False]


async def it_can_be_archived(shop: Shop, caller: Api, region: str, option: dict[str, Any]) -> None:
    """Once it was, it is in no list and cannot be changed."""
    query = "query ($id: ID!) { deliveryOptions(regionId: $id) { id code } }"
    assert (await caller(query, {"id": region}))["deliveryOptions"] == [{"id": option["id"], "code": "standard"}]
    archived = await caller.done("deliveryOptionArchive", {"optionId": option["id"]}, "deliveryOption { id }")
    assert archived["deliveryOption"] == {"id": option["id"]}
    assert (await caller(query, {"id": region}))["deliveryOptions"] == []
    node = await caller("query ($id: ID!) { node(id: $id) { id } }", {"id": option["id"]})
    assert node == {"node": {"id": option["id"]}}
    for mutation, part in (("deliveryOptionArchive", {}), ("deliveryOptionUpdate", {"option": STANDARD})):
        assert await refused(shop, caller, mutation, {"optionId": option["id"], **part}) == [("NotFound", ["optionId"])]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"code": " "}, ["code"]),
        ({"name": ""}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"position": -1}, ["position"]),
        ({"tiers": None}, ["tiers"]),
        ({"tiers": []}, ["tiers"]),
        ({"tiers": [{"amount": None}]}, ["tiers"]),
        ({"tiers": [{"amount": euros("-1.00")}]}, ["tiers", "0", "amount"]),
        ({"tiers": [{"amount": euros("1.001")}]}, ["tiers", "0", "amount", "amount"]),
        ({"tiers": [{"amount": {"amount": "1.00", "currency": "USD"}}]}, ["tiers", "0", "amount", "currency"]),
        ({"tiers": [{"weightGrams": 5, "amount": euros("1.00")}]}, ["tiers", "0", "weightGrams"]),
        ({"kind": "BY_WEIGHT", "tiers": [{"weightGrams": 5, "amount": euros("1.00")}]}, ["tiers"]),
        ({"kind": "BY_SUBTOTAL", "tiers": [*STANDARD["tiers"], *STANDARD["tiers"]]}, ["tiers"]),
        ({"freeFrom": euros("-0.01")}, ["freeFrom"]),
        ({"taxRates": [{"name": "VAT", "rate": "0.1"}]}, ["taxRates"]),
        ({"taxTreatment": "OWN", "taxRates": [{"name": "VAT", "rate": "1.1"}]}, ["taxRates", "0", "rate"]),
        ({"taxTreatment": "OWN", "taxRates": [{"name": "VAT", "rate": "0.0000001"}]}, ["taxRates", "0", "rate"]),
        ({"taxTreatment": "OWN", "taxRates": [{"name": "A", "rate": "0.1"}] * 2}, ["taxRates", "1", "name"]),
        ({"taxTreatment": "OWN", "taxRates": [{"name": " ", "rate": "0.1"}]}, ["taxRates", "0", "name"]),
        ({"taxTreatment": "OWN", "taxRates": [{"name": "a\nb", "rate": "0.1"}]}, ["taxRates", "0", "name"]),
        ({"taxTreatment": "OWN", "taxRates": [{"name": "x" * 256, "rate": "0.1"}]}, ["taxRates", "0", "name"]),
        ({"countries": ["XX"]}, ["countries"]),
        ({"provider": "dhl", "tiers": []}, ["provider"]),
        ({"estimatedDays": {"minimum": 3, "maximum": 2}}, ["estimatedDays", "maximum"]),
        ({"estimatedDays": {"minimum": -1, "maximum": 2}}, ["estimatedDays", "minimum"]),
        ({"estimatedDays": {"minimum": 1, "maximum": 366}}, ["estimatedDays", "maximum"]),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(
    shop: Shop, api: Api, changes: dict[str, Any], path: list[str]
) -> None:
    caller, region = await staff(shop, api)
    existing = await deliveries.option(shop, code="existing")
    option = {**STANDARD, **changes}
    try:
        told = await refused(shop, caller, "deliveryOptionCreate", {"regionId": region, "option": option})
    except AssertionError as error:
        assert "BAD_USER_INPUT" in str(error)  # noqa: PT017 - a country that is none is no value of the type
        assert path == ["countries"]
        return
    assert told == [("ValidationFailed", ["option", *path])]
    assert await refused(shop, caller, "deliveryOptionUpdate", {"optionId": existing, "option": option}) == told


async def test_two_ways_of_a_region_have_different_codes(shop: Shop, api: Api) -> None:
    caller, region = await staff(shop, api)
    await deliveries.option(shop)
    express = await deliveries.option(shop, code="express")
    taken = [("ValidationFailed", ["option", "code"])]
    assert await refused(shop, caller, "deliveryOptionCreate", {"regionId": region, "option": STANDARD}) == taken
    assert await refused(shop, caller, "deliveryOptionUpdate", {"optionId": express, "option": STANDARD}) == taken
    await deliveries.option(shop, "us")


async def test_what_is_nowhere_is_not_found(shop: Shop, api: Api) -> None:
    caller, _ = await staff(shop, api)
    nowhere = {"regionId": ids.encode("Region", given.new_id()), "option": STANDARD}
    assert await refused(shop, caller, "deliveryOptionCreate", nowhere) == [("NotFound", ["regionId"])]
    nothing = {"optionId": ids.encode("DeliveryOption", given.new_id())}
    assert await refused(shop, caller, "deliveryOptionArchive", nothing) == [("NotFound", ["optionId"])]
    found = await caller("query ($id: ID!) { deliveryOptions(regionId: $id) { id } }", {"id": nowhere["regionId"]})
    assert found == {"deliveryOptions": []}
