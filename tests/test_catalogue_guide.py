"""docs/catalogue.md: a catalogue is built and shown by its operations, in its order; its commands exist."""

import re
from dataclasses import dataclass, field
from typing import Any

from typer.main import get_command

from domain.processes.refresh_collections import refresh_collections
from domain.processes.refresh_listing import refresh_listing
from domain.processes.shop import Shop
from server.cli import app
from tests import customers
from tests.api import ROOT, Api
from tests.test_readme import blocks

GUIDE = (ROOT / "docs" / "catalogue.md").read_text()
OPERATIONS = {re.findall(r"(?:query|mutation) (\w+)", block)[0]: block for block in blocks("graphql", GUIDE)}
PERMISSIONS = (
    "categories:write", "collections:write", "prices:read", "prices:write", "products:publish", "products:read",
    "products:write", "regions:write",
)  # fmt: skip
SIZES: list[dict[str, Any]] = [{"name": "S"}, {"name": "L"}]
COLORS: list[dict[str, Any]] = [{"name": "Kraft", "swatchColor": "#c8a165"}, {"name": "White"}]
CHOICES: list[dict[str, Any]] = [
    {"name": "Size", "valueForExisting": "S", "values": SIZES},
    {"name": "Color", "valueForExisting": "Kraft", "translations": {"de": {"name": "Farbe"}}, "values": COLORS},
]


def region(code: str, currency: str, *countries: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "name": code, "currency": currency, "taxInclusive": True, "countries": countries, **more}


@dataclass
class Guide:
    """Sends its operations, each of which must succeed."""

    api: Api
    staff: Api
    used: set[str] = field(default_factory=set[str])

    async def answers(self, operation: str, **variables: Any) -> Any:
        """A page, to somebody who has not signed in."""
        self.used.add(operation)
        return await self.api(OPERATIONS[operation], variables)

    async def shows(self, operation: str, **variables: Any) -> Any:
        """The same of one root field."""
        (shown,) = (await self.answers(operation, **variables)).values()
        return shown

    async def does(self, operation: str, **variables: Any) -> Any:
        """A write; of several the last one."""
        self.used.add(operation)
        payloads = list((await self.staff(OPERATIONS[operation], variables)).values())
        assert [payload["userErrors"] for payload in payloads] == [[] for _ in payloads]
        return payloads[-1]

    async def refuses(self, operation: str, **variables: Any) -> Any:
        """The errors of one that must not succeed."""
        self.used.add(operation)
        (payload,) = (await self.staff(OPERATIONS[operation], variables)).values()
        assert payload["userErrors"]
        return payload["userErrors"]


async def made(guide: Guide) -> tuple[str, str]:
    """A product with a matrix of variants in a category below another; with the first of them."""
    europe = region("eu", "EUR", "DE", "FR", isDefault=True)
    await guide.does("Regions", europe=europe, japan=region("jp", "JPY", "JP"), kuwait=region("kw", "KWD", "KW"))
    root = (await guide.does("Category", input={"name": "Packaging"}))["category"]
    boxes = (await guide.does("Category", input={"name": "Boxes", "parentId": root["id"]}))["category"]
    assert (boxes["handle"], boxes["ancestors"]) == ("boxes", [{"name": "Packaging"}])
    product = (await guide.does("Make", input={"title": "Printed box", "type": "Box", "tags": ["eco"]}))["product"][
        "id"
    ]
    await guide.does("Choices", input={"productId": product, "options": CHOICES})
    matrix = await guide.does("Matrix", product=product)
    assert matrix["variantsCreated"] == 3
    variants = {node["title"]: node["id"] for node in matrix["product"]["variants"]["nodes"]}
    assert list(variants) == ["S / Kraft", "S / White", "L / Kraft", "L / White"]
    await guide.does("Furnish", product=product, categories=[boxes["id"]])
    return product, variants["S / Kraft"]


async def priced(guide: Guide, variant: str) -> None:
    amounts = [("EUR", 1, "2.50"), ("EUR", 100, "2.00"), ("JPY", 1, "500"), ("KWD", 1, "1.234")]
    rows = [{"variantId": variant, "currency": c, "minQuantity": q, "amount": a} for c, q, a in amounts]
    written = (await guide.does("Prices", rows=rows))["results"]
    assert [one["outcome"] for one in written] == ["CREATED"] * 4
    sale = (await guide.does("Sale", input={"name": "Autumn", "kind": "SALE", "status": "ACTIVE"}))["priceList"]["id"]
    await guide.does("Prices", rows=[{"variantId": variant, "currency": "EUR", "amount": "1.99", "priceListId": sale}])


async def published(guide: Guide, product: str) -> None:
    by_rule = {"match": "ALL", "conditions": [{"field": "TAG", "operator": "EQUALS", "value": "eco"}]}
    await guide.does("Collection", input={"title": "Eco", "status": "PUBLISHED", "rules": by_rule})
    by_hand = await guide.does("Collection", input={"title": "Ours", "status": "PUBLISHED"})
    await guide.does("Fill", collection=by_hand["collection"]["id"], products=[product])
    assert (await guide.shows("Sitemap"))["nodes"] == []
    assert (await guide.does("Publish", product=product))["product"]["admin"] == {"status": "PUBLISHED"}


async def test_a_catalogue_is_built_and_shown_as_the_guide_says(shop: Shop, api: Api) -> None:
    guide = Guide(api, await customers.staff(shop, api, *PERMISSIONS))
    product, small = await made(guide)
    start = await guide.shows("Start")
    assert (start["region"]["code"], start["currencies"]) == ("eu", ["EUR", "JPY", "KWD"])
    assert (start["locales"], start["limits"]["pageSize"]) == ([], 100)
    await priced(guide, small)
    await published(guide, product)
    await refresh_collections(shop)
    await refresh_listing(shop)

    home = await guide.answers("Home")
    assert [(one["name"], one["productCount"]) for one in home["categories"]["nodes"]] == [("Packaging", 1)]
    german = [{"handle": "printed-box", "title": "Bedruckte Schachtel"}]
    shown = {one["title"]: one["products"]["nodes"] for one in home["collections"]["nodes"]}
    assert shown == {"Eco": german, "Ours": german}
    page = await guide.shows("CategoryPage", handle="boxes")
    assert page["ancestors"] == [{"name": "Packaging", "handle": "packaging"}]
    listed = await guide.shows("CategoryList", category=page["id"], types=["Box"])
    assert (listed["products"]["totalCount"], listed["products"]["nodes"][0]["handle"]) == (1, "printed-box")
    types = next(facet for facet in listed["facets"] if facet["kind"] == "TYPE")
    assert types["values"] == [{"value": "Box", "label": "Box", "count": 1, "selected": True}]
    for color in ("Farbe", "Color"):
        selected = [{"name": "Size", "value": "S"}, {"name": color, "value": "Kraft"}]
        shown = await guide.shows("ProductPage", handle="printed-box", selected=selected)
        sold = shown["variantBySelectedOptions"]
        assert sold["id"] == small, color
        assert sold["price"]["amount"] == {"formatted": "1,99\N{NO-BREAK SPACE}€"}
        assert sold["price"]["compareAt"] == {"formatted": "2,50\N{NO-BREAK SPACE}€"}
        assert [tier["minQuantity"] for tier in sold["price"]["tiers"]] == [1, 100]
    assert (await guide.shows("Sitemap"))["nodes"] == [{"handle": "printed-box"}]

    (wrong,) = await guide.refuses("Variants", rows=[{"externalId": "no", "sku": ""}], onError="ABORT")
    assert wrong["path"] == ["rows", "0", "sku"]
    version = (await guide.does("Rename", product=product, title="Printed carton"))["product"]["version"]
    (conflict,) = await guide.refuses("Rename", product=product, title="Box", ifVersion=version - 1)
    assert (conflict["code"], conflict["currentVersion"]) == ("VERSION_CONFLICT", version)
    assert guide.used == OPERATIONS.keys()


def test_the_commands_of_the_guide_exist() -> None:
    commands = [line.split("#")[0].split() for block in blocks("sh", GUIDE) for line in block.splitlines()]
    assert len(commands) == 2
    for program, *words in commands:
        assert program == "counterfoil"
        command: Any = get_command(app)
        for word in words:
            command = command.commands[word] if hasattr(command, "commands") else command
        assert not hasattr(command, "commands"), words
