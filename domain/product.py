"""What a product is to be, as drafts that cannot be wrong, and what became of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from db.catalog import ProductStatus
from domain.handle import is_handle
from domain.refusal import Gathering, ValidationFailed

MOST_OPTIONS: Final = 10
MOST_VARIANTS: Final = 2_000
LONGEST_NAME: Final = 255
DEFAULT_OPTION: Final = "Title"
DEFAULT_VALUE: Final = "Default Title"
"""A product without options has this one option with this one value."""


@dataclass(frozen=True, slots=True)
class MediaDraft:
    url: str
    alt: str = ""


@dataclass(frozen=True, slots=True)
class ValueDraft:
    """A value of an option; `image` is the URL of one of the product's media."""

    name: str
    translations: Mapping[str, Any] = field(default_factory=dict[str, Any])
    color: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class OptionDraft:
    """What there is of an option besides its name; values in their order, also those that no variant has."""

    translations: Mapping[str, Any] = field(default_factory=dict[str, Any])
    values: tuple[ValueDraft, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantDraft:
    """`values` are one per option of the product, in their order; `image` is the URL of one of its media."""

    values: tuple[str, ...] = (DEFAULT_VALUE,)
    sku: str | None = None
    barcode: str | None = None
    manage_stock: bool = True
    allow_backorder: bool = False
    requires_shipping: bool = True
    taxable: bool = True
    weight_grams: int = 0
    weight_unit: str = "g"
    image: str | None = None
    own_title: str | None = None
    """Null: one that it has of its own stays, else its title is made of its values."""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Other columns as they are to be; those that it does not name stay."""
    keep: frozenset[str] = frozenset()
    """Columns that stay as they are if the variant exists."""

    @property
    def title(self) -> str:
        return " / ".join(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDraft:
    """A product as a whole, as it is to be: what it does not name any more goes.

    `keep` names columns of the product or of its variants, "media", "options" or "variants", that stay as they are if
    the product exists. With an `id` it is that product, whatever handle it has had.
    """

    handle: str
    title: str
    description: str = ""
    """HTML; sanitised when written."""
    status: ProductStatus = ProductStatus.DRAFT
    vendor: str = ""
    type: str = ""
    tags: tuple[str, ...] = ()
    seo_title: str | None = None
    seo_description: str | None = None
    options: tuple[str, ...] = (DEFAULT_OPTION,)
    choices: tuple[OptionDraft, ...] = ()
    """One for each option. Empty: values are those of the variants, and what they have besides their names stays."""
    variants: tuple[VariantDraft, ...] = (VariantDraft(),)
    media: tuple[MediaDraft, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Other columns as they are to be; those that it does not name stay."""
    keep: frozenset[str] = frozenset()
    id: UUID | None = None
    bare: bool = False
    """It may have no variants at all."""
    archived: bool | None = None
    """With its variants. Null: that is not said, and a product that is archived is refused."""
    archived_at: datetime | None = None
    """Since when. Null: one that is archived already stays so, else from now on."""

    def __post_init__(self) -> None:
        gathering = Gathering()
        for path, message in (*_faults(self), *_variant_faults(self)):
            with gathering.at(*path):
                raise ValidationFailed(message)
        gathering.raise_if_any()


Fault = tuple[tuple[str, ...], str]


def _faults(draft: ProductDraft) -> Iterator[Fault]:
    if not is_handle(draft.handle):
        yield ("handle",), "Write a handle of letters, digits and hyphens, such as blue-shirt."
    if not draft.title:
        yield ("title",), "Write the product's title."
    if not draft.options or len(set(draft.options)) < len(draft.options) or not all(map(_fits, draft.options)):
        yield ("options",), f"Give each option a name of its own, of at most {LONGEST_NAME} characters."
    if len(draft.options) > MOST_OPTIONS:
        yield ("options",), f"A product has at most {MOST_OPTIONS} options."
    if draft.choices and len(draft.choices) != len(draft.options):
        yield ("options",), "Say of each option what its values are, or of none."
    urls = {media.url for media in draft.media}
    if not all(_fits(v.name) and (v.image is None or v.image in urls) for o in draft.choices for v in o.values):
        yield ("options",), f"A value has at most {LONGEST_NAME} characters, and its picture is one of the product's."
    if not (0 if draft.bare else 1) <= len(draft.variants) <= MOST_VARIANTS:
        yield ("variants",), f"A product has 1 to {MOST_VARIANTS:,} variants: split it into several products."
    for i, media in enumerate(draft.media):
        if not re.fullmatch(r"(?:https?://|/media/)\S{1,2000}", media.url):
            yield ("media", str(i), "url"), "Write the address of an image, such as https://example.com/a.jpg."


def _fits(name: str) -> bool:
    """What is part of an index has to be short."""
    return 0 < len(name) <= LONGEST_NAME


def _variant_faults(draft: ProductDraft) -> Iterator[Fault]:
    skus: set[str] = set()
    combinations: set[tuple[str, ...]] = set()
    urls = {media.url for media in draft.media}
    for i, variant in enumerate(draft.variants):
        path = ("variants", str(i))
        if len(variant.values) != len(draft.options) or not all(map(_fits, variant.values)):
            advice = f"Give the variant one value for each option, of at most {LONGEST_NAME} characters."
            yield (*path, "values"), advice
        if variant.values in combinations:
            yield (*path, "values"), f"Another variant is {variant.title} too: change or remove one."
        if variant.sku is not None and not _fits(variant.sku):
            yield (*path, "sku"), f"Write an SKU of at most {LONGEST_NAME} characters, or none."
        if variant.sku is not None and variant.sku in skus:
            yield (*path, "sku"), f"Another variant has the SKU {variant.sku} too: give each its own."
        if not 0 <= variant.weight_grams < 2**31:
            yield (*path, "weight_grams"), "Write the weight in grams, such as 250."
        if variant.image is not None and variant.image not in urls:
            yield (*path, "image"), "Name an image of the product."
        combinations.add(variant.values)
        skus |= {variant.sku} if variant.sku else set()


class Outcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Upserted:
    """`variant_ids` are in the order of the draft's variants."""

    product_id: UUID
    variant_ids: tuple[UUID, ...]
    outcome: Outcome
