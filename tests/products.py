"""Staff who work on products, and what tests look at of these."""

from typing import Any

from sqlalchemy import text

from db.catalog import ProductStatus
from domain.processes.shop import Shop
from domain.product import ProductDraft, VariantDraft
from tests import given
from tests.api import Api

ALL = ("products:read", "products:write", "products:publish")
ADMIN = (
    """admin { status externalId hsCode discountable workflowCode priceQuantity translations archivedAt updatedAt }"""
)
PRODUCT = f"""product {{ id handle title subtitle description vendor type tags seo {{ title description }} material
  originCountry weightGrams dimensions {{ lengthMm widthMm heightMm }} metadata briefSchema briefDue version
  variants {{ nodes {{ title sku selectedOptions {{ name value }} }} }} {ADMIN} }}"""
AUDIT = text("SELECT action, difference FROM audit_entry WHERE subject LIKE 'product:%' ORDER BY id")


async def staff(shop: Shop, api: Api, *permissions: str) -> Api:
    return await given.caller(shop, api, "staff", *(permissions or ALL))


async def audited(shop: Shop) -> list[tuple[str, Any]]:
    return [(row.action, row.difference) for row in await shop.read.records(AUDIT)]


async def created(api: Api, title: str = "Paper cup", **more: Any) -> dict[str, Any]:
    return (await api.done("productCreate", {"title": title, **more}, PRODUCT))["product"]


async def refused(api: Api, mutation: str, given_: dict[str, Any]) -> list[tuple[str, str]]:
    """Type and path of each refusal."""
    payload = await api.do(mutation, given_, "__typename")
    return [(error["__typename"], ".".join(error["path"])) for error in payload["userErrors"]]


async def published(api: Api, product_id: str) -> None:
    for status in ("PROPOSED", "PUBLISHED"):
        await api.done("productSetStatus", {"id": product_id, "status": status}, "product { id }")


async def shown(api: Api, product_id: str, select: str = "handle") -> Any:
    """As anybody sees it, or null."""
    document = f"query ($id: ID!) {{ product(by: {{ id: $id }}) {{ {select} }} }}"
    return (await api(document, {"id": product_id}))["product"]


async def for_staff(api: Api, product_id: str) -> Any:
    document = f"query ($id: ID!) {{ product: adminProduct(by: {{ id: $id }}) {PRODUCT.removeprefix('product')} }}"
    return (await api(document, {"id": product_id}))["product"]


def draft(handle: str, skus: dict[str, str]) -> ProductDraft:
    """A published product with a variant for each size, with its SKU."""
    variants = tuple(VariantDraft(values=(size,), sku=sku) for size, sku in skus.items())
    status = ProductStatus.PUBLISHED
    return ProductDraft(handle=handle, title=handle.title(), status=status, options=("Size",), variants=variants)


async def execute(shop: Shop, *statements: str) -> None:
    async with shop.tx() as tx:
        for statement in statements:
            await tx.run(text(statement))
