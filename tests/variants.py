"""What tests of variants begin with: a shirt with two options, and staff who may change it."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from db.catalog import ProductStatus
from domain.processes.shop import Shop
from domain.product import MediaDraft, ProductDraft, VariantDraft
from resolvers import ids
from tests import given
from tests.api import Api

IMAGE = "https://img.example/red.jpg"
SHOWN = """id title sku barcode ean upc weightGrams lengthMm widthMm heightMm requiresShipping taxable metadata
    image { url } quantityRule { minimum maximum increment } selectedOptions { name value }
    staffDetails { externalId manageStock allowBackorder weightUnit translations archivedAt }"""
OPTIONS = "id version options { id name values { id name swatch { color image { url } } } }"
FACTS = """userErrors { __typename code message path
    ... on VariantCombinationExists { existingVariantId } ... on SkuTaken { variantId sku }
    ... on VariantExternalIdTaken { variantId externalId } ... on TooManyVariants { count limit }
    ... on VariantsWouldBeEqual { variantIds } ... on OptionValueInUse { value variantIds }
    ... on VersionConflict { currentVersion } }"""


@dataclass
class Shirt:
    """Sizes S and M, colours Red and Blue; of S there is no Blue one."""

    api: Api
    shop: Shop
    sold: given.Sold
    variants: dict[str, str] = field(default_factory=dict)
    """Ids by title."""

    @property
    def id(self) -> str:
        return self.sold.product

    async def do(self, mutation: str, given_: dict[str, Any], select: str = "__typename") -> dict[str, Any]:
        """The payload, with what errors say."""
        kind = mutation[0].upper() + mutation[1:]
        document = f"mutation ($input: {kind}Input!) {{ done: {mutation}(input: $input) {{ {select} {FACTS} }} }}"
        return (await self.api(document, {"input": given_}))["done"]

    async def refused(self, mutation: str, given_: dict[str, Any]) -> list[dict[str, Any]]:
        """Its errors without their messages; nothing else may have changed."""
        before = await everything(self.shop)
        payload = await self.do(mutation, given_)
        assert payload["userErrors"], "it was done"
        assert await everything(self.shop) == before
        return [
            {name: part for name, part in error.items() if name not in {"message", "code"}}
            for error in payload["userErrors"]
        ]

    async def live(self) -> list[str]:
        """Titles of the live variants, in their order."""
        rows = await self.shop.read.records(LIVE, product=ids.decode("Product", self.id))
        return [row.title for row in rows]

    async def version(self) -> int:
        return await self.shop.database.pool.fetchval(
            "SELECT version FROM product WHERE id = $1", ids.decode("Product", self.id)
        )


LIVE = text("SELECT title FROM variant WHERE product_id = :product AND archived_at IS NULL ORDER BY rank, id")
TABLES = ("product", "product_option", "option_value", "variant", "variant_option_value", "price", "audit_entry")


async def everything(shop: Shop) -> list[int]:
    """A print of all that writing variants could change."""
    return [
        await shop.database.pool.fetchval(f"SELECT coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {table} t")
        for table in TABLES
    ]


async def shirt(shop: Shop, api: Api, handle: str = "shirt", sku: str = "") -> Shirt:
    values = [("S", "Red"), ("M", "Red"), ("M", "Blue")]
    draft = ProductDraft(
        handle=handle,
        title="Shirt",
        status=ProductStatus.PUBLISHED,
        options=("Size", "Colour"),
        variants=tuple(VariantDraft(values=pair, sku=sku + "-".join(pair).upper()) for pair in values),
        media=(MediaDraft(IMAGE),),
    )
    (sold,) = await given.products(shop, draft)
    staff = await given.caller(shop, api, "staff", "products:write", "products:read")
    titles = (" / ".join(pair) for pair in values)
    return Shirt(staff, shop, sold, dict(zip(titles, sold.variants, strict=True)))


def options(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


S_BLUE = options(Size="S", Colour="Blue")
S_RED = options(Size="S", Colour="Red")


async def media_of(shirt: Shirt) -> str:
    key = await shirt.shop.database.pool.fetchval("SELECT id FROM media WHERE product_id = $1", key_of(shirt))
    return ids.encode("Media", key)


def key_of(shirt: Shirt) -> Any:
    return ids.decode("Product", shirt.id)
