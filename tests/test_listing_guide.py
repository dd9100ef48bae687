"""docs/listing.md: every document of it runs, and finds what it says."""

import re

from domain.processes.refresh_listing import refresh_listing
from domain.processes.shop import Shop
from tests import given, taxonomy
from tests.api import ROOT, Api

GUIDE = (ROOT / "docs" / "listing.md").read_text()


async def test_the_guides_documents_run_as_they_stand_there(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    paper = await given.product(shop, "paper-cup", options={"Size": ("S", "L")}, type="Cup", tags=["eco"])
    dear = await given.product(shop, "dear-cup", options={"Size": ("S", "L")}, type="Cup", prices={"EUR": 2001})
    await taxonomy.made_category(shop, "Cups", None, paper, dear)
    await taxonomy.made_collection(shop, "Gifts", dear, paper)
    await refresh_listing(shop)
    documents = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)
    lists, page, search = [await api(document) for document in documents]
    assert page["category"]["productCount"] == 2
    assert page["category"]["products"] == {"nodes": [{"handle": "paper-cup"}], "totalCount": 1}
    assert page["collection"]["order"] == "MANUAL"
    assert [node["handle"] for node in page["collection"]["products"]["nodes"]] == ["dear-cup", "paper-cup"]
    assert [node["handle"] for node in lists["products"]["nodes"]] == ["paper-cup"]
    found = search["search"]
    assert [node["handle"] for node in found["products"]["nodes"]] == ["paper-cup"]
    size = next(one for one in found["facets"] if one["name"] == "Size")
    assert [(value["value"], value["count"]) for value in size["values"]] == [("L", 1), ("S", 1)]
    assert found["facets"][-1]["minimum"] == {"formatted": "10,00\N{NO-BREAK SPACE}€"} or found["facets"][-1]["minimum"]
