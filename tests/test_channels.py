"""What staff do with sales channels: make, change, archive them, and publish products there."""

from typing import Any

import pytest

from domain.processes.shop import Shop
from tests import channels, customers, given
from tests.access import random
from tests.api import Api
from tests.customers import errors

CHANNEL = "channel { id code name isDefault archivedAt }"
WRITER = ("channels:read", "channels:write", "products:publish")
PUBLICATION = "publication { productId channel { code } publishedFrom publishedUntil }"
EARLY, LATE = "2030-01-01T00:00:00Z", "2030-02-01T00:00:00Z"


async def audited(shop: Shop) -> list[tuple[str, Any]]:
    rows = await customers.rows(
        shop, "SELECT action, difference FROM audit_entry WHERE action ~ '^(channel|product)' ORDER BY id"
    )
    return [(row["action"], row["difference"]) for row in rows]


async def stored(shop: Shop) -> list[Any]:
    return [
        await customers.rows(shop, f"SELECT * FROM {table} ORDER BY 1, 2")
        for table in ("channel", "product_channel", "audit_entry")
    ]


async def test_a_shop_begins_with_one_channel_in_which_everything_is(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, *WRITER)
    cup = await given.product(shop)
    listed = await staff("{ channels { nodes { code name isDefault archivedAt } totalCount } }")
    only = {"code": "default", "name": "Default", "isDefault": True, "archivedAt": None}
    assert listed["channels"] == {"nodes": [only], "totalCount": 1}
    shown = await staff(
        "query ($id: ID!) { productPublications(productId: $id) { productId channel { code } publishedFrom } }",
        {"id": cup.product},
    )
    everywhere = {"productId": cup.product, "channel": {"code": "default"}, "publishedFrom": None}
    assert shown == {"productPublications": [everywhere]}


async def test_channels_are_made_renamed_and_archived(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, *WRITER)
    made = (await staff.done("channelCreate", {"code": "till-1", "name": " Till "}, CHANNEL))["channel"]
    assert made == {"id": made["id"], "code": "till-1", "name": "Till", "isDefault": False, "archivedAt": None}
    await staff.done("channelUpdate", {"id": made["id"]}, CHANNEL)
    await staff.done("channelUpdate", {"id": made["id"], "name": None, "isDefault": None}, CHANNEL)
    renamed = await staff.done("channelUpdate", {"id": made["id"], "name": "Counter"}, CHANNEL)
    assert renamed["channel"] == {**made, "name": "Counter"}
    archived = (await staff.done("channelArchive", {"id": made["id"]}, CHANNEL))["channel"]
    again = (await staff.done("channelArchive", {"id": made["id"]}, CHANNEL))["channel"]
    assert archived == again
    assert archived["archivedAt"] is not None
    assert await staff(f'{{ node(id: "{made["id"]}") {{ ... on Channel {{ code }} }} }}') == {
        "node": {"code": "till-1"}
    }
    (create, rename, archive) = await audited(shop)
    assert create == ("channelCreate", {"code": [None, "till-1"], "name": [None, "Till"]})
    assert rename == ("channelUpdate", {"name": ["Till", "Counter"]})
    assert (archive[0], list(archive[1])) == ("channelArchive", ["archived_at"])


async def test_another_channel_becomes_the_default_one_and_only_it(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, *WRITER)
    cup, box = await given.product(shop), await given.product(shop, "box")
    till = await channels.made(shop)
    await channels.published(shop, box.product, till)
    assert await channels.handles(api) == ["paper-cup", "box"]
    assert (await staff.done("channelUpdate", {"id": till, "isDefault": True}, CHANNEL))["channel"]["isDefault"] is True
    listed = await staff("{ channels { nodes { code isDefault } } }")
    assert listed["channels"]["nodes"] == [{"code": "default", "isDefault": False}, {"code": "till", "isDefault": True}]
    assert await channels.handles(api) == ["box"]
    await given.product(shop, "lid")
    assert await channels.handles(api) == ["box", "lid"]
    assert (await api(f'{{ node(id: "{cup.product}") {{ id }} }}'))["node"] is None


@pytest.mark.parametrize(
    ("mutation", "wrong", "path"),
    [
        ("channelCreate", {"code": "default", "name": "x"}, ["code"]),
        ("channelCreate", {"code": "", "name": "x"}, ["code"]),
        ("channelCreate", {"code": "Web", "name": "x"}, ["code"]),
        ("channelCreate", {"code": "a" * 101, "name": "x"}, ["code"]),
        ("channelCreate", {"code": "web\n", "name": "x"}, ["code"]),
        ("channelCreate", {"code": "web", "name": " "}, ["name"]),
        ("channelUpdate", {"name": "a\nb"}, ["name"]),
        ("channelUpdate", {"name": "x" * 101}, ["name"]),
        ("channelUpdate", {"isDefault": False}, ["isDefault"]),
        ("channelArchive", {}, ["id"]),
    ],
)
async def test_a_channel_that_cannot_be_is_refused(
    shop: Shop, api: Api, mutation: str, wrong: dict[str, Any], path: list[str]
) -> None:
    """Among them: archiving the default one, and that a shop has none."""
    staff = await customers.staff(shop, api, *WRITER)
    which = {} if mutation == "channelCreate" else {"id": await channels.default(shop)}
    before = await stored(shop)
    payload = await staff.do(mutation, {**which, **wrong}, CHANNEL)
    assert errors(payload) == [("ValidationFailed", path)]
    assert await stored(shop) == before


async def test_an_archived_channel_is_no_default_gets_no_products_and_no_keys(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, *WRITER, "api_keys:write")
    cup, till = await given.product(shop), await channels.made(shop)
    await channels.published(shop, cup.product, till)
    await channels.archived(shop, till)
    before = await stored(shop)
    there = {"productId": cup.product, "channelId": till}
    key = {"kind": "PUBLISHABLE", "name": "Web", "channelIds": [await channels.default(shop), till]}
    for mutation, given_, refusal in (
        ("channelUpdate", {"id": till, "isDefault": True}, ("ValidationFailed", ["isDefault"])),
        ("productPublish", there, ("NotFound", ["channelId"])),
        ("apiKeyCreate", key, ("NotFound", ["channelIds", "1"])),
    ):
        assert errors(await staff.do(mutation, given_, "__typename")) == [refusal]
    assert await stored(shop) == before
    await staff.done("productUnpublish", there, "productId")
    assert len(await customers.rows(shop, "SELECT * FROM product_channel")) == 1


async def test_staff_publish_products_in_channels_for_a_while(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, *WRITER)
    cup, till = await given.product(shop), await channels.made(shop)
    there = {"productId": cup.product, "channelId": till}
    window = {"publishedFrom": EARLY, "publishedUntil": LATE}
    shown = await staff.done("productPublish", {**there, **window}, PUBLICATION)
    told = {"publishedFrom": "2030-01-01T00:00:00+00:00", "publishedUntil": "2030-02-01T00:00:00+00:00"}
    assert shown["publication"] == {"productId": cup.product, "channel": {"code": "till"}, **told}
    await staff.done("productPublish", {**there, **window}, PUBLICATION)
    shown = await staff.done("productPublish", {**there, "publishedFrom": None}, PUBLICATION)
    assert (shown["publication"]["publishedFrom"], shown["publication"]["publishedUntil"]) == (None, None)
    for _ in range(2):
        assert (await staff.done("productUnpublish", there, "productId"))["productId"] == cup.product
    key = str((await customers.rows(shop, "SELECT id FROM channel WHERE code = 'till'"))[0]["id"])
    at = ["2030-01-01T00:00:00+00:00", "2030-02-01T00:00:00+00:00"]
    assert await audited(shop) == [
        ("channelCreate", {"code": [None, "till"], "name": [None, "till"]}),
        ("productPublish", {"channel": [None, key], "from": [None, at[0]], "until": [None, at[1]]}),
        ("productPublish", {"from": [at[0], None], "until": [at[1], None]}),
        ("productUnpublish", {"channel": [key, None]}),
    ]


async def test_without_a_channel_the_default_one_is_meant(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, *WRITER)
    cup = await given.product(shop)
    await staff.done("productUnpublish", {"productId": cup.product, "channelId": None}, "productId")
    assert await channels.handles(api) == []
    shown = await staff.done("productPublish", {"productId": cup.product}, PUBLICATION)
    assert shown["publication"]["channel"] == {"code": "default"}
    assert await channels.handles(api) == ["paper-cup"]


async def test_a_publication_that_cannot_be_is_refused(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, *WRITER)
    cup, till = await given.product(shop), await channels.made(shop)
    there = {"productId": cup.product, "channelId": till}
    before = await stored(shop)
    for given_, refusals in (
        ({**there, "publishedFrom": LATE, "publishedUntil": EARLY}, [("ValidationFailed", ["publishedUntil"])]),
        ({**there, "publishedFrom": EARLY, "publishedUntil": EARLY}, [("ValidationFailed", ["publishedUntil"])]),
        ({**there, "publishedFrom": "2030-01-01T00:00:00"}, [("ValidationFailed", ["publishedFrom"])]),
        (
            {"productId": random("Product"), "channelId": random("Channel")},
            [("NotFound", ["productId"]), ("NotFound", ["channelId"])],
        ),
        ({**there, "productId": till}, [("ValidationFailed", ["productId"])]),
        ({**there, "channelId": cup.product}, [("ValidationFailed", ["channelId"])]),
    ):
        assert errors(await staff.do("productPublish", given_, PUBLICATION)) == refusals, given_
    assert await stored(shop) == before


@pytest.mark.parametrize("permission", [None, "channels:read", "channels:write", "products:publish"])
async def test_staff_need_the_permission(shop: Shop, api: Api, permission: str | None) -> None:
    staff = await customers.staff(shop, api, *([permission] if permission else []))
    cup, default = await given.product(shop), await channels.default(shop)
    input_ = f'productId: "{cup.product}"'
    reads = ["{ channels { totalCount } }", f"{{ productPublications({input_}) {{ productId }} }}"]
    writes = [
        'mutation { channelCreate(input: { code: "a", name: "A" }) { userErrors { code } } }',
        f'mutation {{ channelUpdate(input: {{ id: "{default}", name: "A" }}) {{ userErrors {{ code }} }} }}',
        f'mutation {{ channelArchive(input: {{ id: "{default}" }}) {{ userErrors {{ code }} }} }}',
    ]
    publishes = [
        f"mutation {{ productPublish(input: {{ {input_} }}) {{ userErrors {{ code }} }} }}",
        f"mutation {{ productUnpublish(input: {{ {input_} }}) {{ userErrors {{ code }} }} }}",
    ]
    documents = {"channels:read": reads, "channels:write": writes, "products:publish": publishes}
    for needed, listed in documents.items():
        for document in listed:
            codes = [e["extensions"]["code"] for e in (await staff.answer(document)).get("errors", [])]
            assert codes == ([] if needed == permission else ["FORBIDDEN"]), document
    node = await staff(f'{{ node(id: "{default}") {{ id }} }}')
    assert (node["node"] is not None) == (permission == "channels:read")
