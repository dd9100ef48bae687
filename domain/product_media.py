"""Pictures of products, in the merchant's order: at an address elsewhere, never asked by us, or uploaded here."""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import bindparam, func, select, text, update

from db import Media, Product
from db.connection import Tx, new_id
from domain import audit, storage
from domain import file as files
from domain.actor import Actor
from domain.product_change import lock_editable, subject
from domain.refusal import Gathering, NotFound, ValidationFailed, under

LONGEST_ALT: Final = 500
MOST_MEDIA: Final = 250
_ADDRESS: Final = re.compile(r"https?://[^\s/?#\\@]+(?:[/?#]\S*)?", re.IGNORECASE)
LONGEST_ADDRESS: Final = 2_000


@dataclass(frozen=True)
class AddMedia:
    """By `url`, or by `file_id` of what was uploaded. `address` is that of the API, which the address of an uploaded
    picture begins with.
    """

    product_id: UUID
    alt: str
    url: str | None = None
    file_id: UUID | None = None
    address: str = ""
    if_version: int | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("alt"):
            check_alt(self.alt)
        with gathering.at("image", "url"):
            if self.url is not None:
                check_address(self.url)
        gathering.raise_if_any()


@dataclass(frozen=True)
class UpdateMedia:
    """What `given` does not name stays: `alt`, and of pictures elsewhere `url`."""

    id: UUID
    given: Mapping[str, Any]
    if_version: int | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("alt"):
            check_alt(self.given.get("alt") or "")
        with gathering.at("url"):
            if "url" in self.given:
                check_address(self.given["url"] or "")
        gathering.raise_if_any()


def check_alt(alt: str) -> None:
    if len(alt) > LONGEST_ALT or not alt.isprintable():
        raise ValidationFailed(f"A description has at most {LONGEST_ALT} characters on one line.")


def check_address(url: str) -> None:
    if len(url) > LONGEST_ADDRESS or not url.isprintable() or not _ADDRESS.fullmatch(url):
        raise ValidationFailed("Write the address of an image, such as https://example.com/a.jpg.")


async def add(tx: Tx, command: AddMedia, actor: Actor) -> Media:
    """Behind those that the product has."""
    await lock_editable(tx, command.product_id, command.if_version, "product_id")
    file = None
    if command.file_id is not None:
        with under("image"):
            file = await files.attach_media(tx, command.file_id, command.product_id, actor)
    url = command.url if file is None else command.address + storage.media_path(file.id, file.sha256)
    row = {"product_id": command.product_id, "url": url, "alt": command.alt.strip(), "file_id": file and file.id}
    try:
        (media,) = await tx.records(_ADD, id=new_id(), **row)
    except UniqueViolationError:
        with under("image"):
            raise _twice() from None
    if media.rank > MOST_MEDIA and await tx.one_scalar(_COUNT, product_id=command.product_id) > MOST_MEDIA:
        raise ValidationFailed(f"A product has at most {MOST_MEDIA} pictures.", path=("product_id",))
    await _touched(tx, command.product_id, actor, "productAddMedia", {"media": [None, url]})
    return media


async def change(tx: Tx, command: UpdateMedia, actor: Actor) -> Media:
    """As it was already changes nothing."""
    before = await _media(tx, command.id, command.if_version)
    wanted = {"alt": before.alt, "url": before.url} | {k: v for k, v in command.given.items() if k in {"alt", "url"}}
    wanted["alt"] = (wanted["alt"] or "").strip()
    if before.file_id is not None and wanted["url"] != before.url:
        raise ValidationFailed("This picture was uploaded: its address is given by the shop.", path=("url",))
    difference = audit.changed({"alt": before.alt, "url": before.url}, wanted)
    if not difference:
        return before
    try:
        after = await tx.one(_CHANGE, media_id=before.id, **{f"to_{name}": value for name, value in wanted.items()})
    except UniqueViolationError:
        raise _twice() from None
    await _touched(tx, before.product_id, actor, "productUpdateMedia", difference)
    return after


async def remove(
    tx: Tx, product_id: UUID, media_ids: Sequence[UUID], actor: Actor, *, if_version: int | None = None
) -> None:
    """Variants that showed them show none of their own. The bytes of uploaded ones stay: orders show them."""
    await lock_editable(tx, product_id, if_version, "product_id")
    listed = {row.id: row.url for row in await tx.all(_OF_PRODUCT, product_id=product_id)}
    _check_listed(media_ids, listed)
    if not media_ids:
        return
    await tx.run(_UNPICTURE, media=list(media_ids))
    await tx.run(_REMOVE, media=list(media_ids))
    gone = [listed[media_id] for media_id in dict.fromkeys(media_ids)]
    await _touched(tx, product_id, actor, "productRemoveMedia", {"media": [gone, None]})


async def reorder(
    tx: Tx, product_id: UUID, media_ids: Sequence[UUID], actor: Actor, *, if_version: int | None = None
) -> None:
    """`media_ids` are all that the product has, in the order in which they are to be."""
    await lock_editable(tx, product_id, if_version, "product_id")
    before = [row.id for row in await tx.all(_OF_PRODUCT, product_id=product_id)]
    _check_listed(media_ids, before)
    if sorted(before) != sorted(media_ids):
        raise ValidationFailed("Name all pictures of the product, each once.", path=("media_ids",))
    if before == list(media_ids):
        return
    await tx.update(Media, ({"id": media_id, "rank": rank} for rank, media_id in enumerate(media_ids, 1)))
    told = {"media": [[str(media_id) for media_id in ids] for ids in (before, media_ids)]}
    await _touched(tx, product_id, actor, "productReorderMedia", told)


def _check_listed(media_ids: Sequence[UUID], listed: Container[UUID]) -> None:
    gathering = Gathering()
    for i, media_id in enumerate(media_ids):
        with gathering.at("media_ids", str(i)):
            if media_id not in listed:
                raise NotFound("The product has no such picture.")
    gathering.raise_if_any()


async def _media(tx: Tx, media_id: UUID, if_version: int | None) -> Media:
    product_id = await tx.scalar(_PRODUCT_OF, media_id=media_id)
    if product_id is None:
        raise NotFound(path=("id",))
    await lock_editable(tx, product_id, if_version)
    found = await tx.first(_BY_ID, media_id=media_id)
    if found is None:
        raise NotFound(path=("id",))
    return found


async def _touched(tx: Tx, product_id: UUID, actor: Actor, action: str, difference: Mapping[str, Any]) -> None:
    await tx.run(_TOUCH, product_id=product_id)
    await audit.record(tx, actor, action, subject(product_id), difference)


def _twice() -> ValidationFailed:
    return ValidationFailed("The product has a picture with this address already.", path=("url",))


_BY_ID: Final = select(Media).where(Media.id == bindparam("media_id"))
_PRODUCT_OF: Final = select(Media.product_id).where(Media.id == bindparam("media_id"))
_OF_PRODUCT: Final = select(Media).where(Media.product_id == bindparam("product_id")).order_by(Media.rank, Media.id)
_COUNT: Final = select(func.count()).select_from(Media).where(Media.product_id == bindparam("product_id"))
_CHANGE: Final = (
    update(Media)
    .where(Media.id == bindparam("media_id"))
    .values(alt=bindparam("to_alt"), url=bindparam("to_url"))
    .returning(Media)
)
_UNPICTURE: Final = text("UPDATE variant SET media_id = NULL WHERE media_id = ANY(:media)")
_REMOVE: Final = text("DELETE FROM media WHERE id = ANY(:media)")
_TOUCH: Final = (
    update(Product)
    .where(Product.id == bindparam("product_id"))
    .values(version=Product.version + 1, updated_at=func.now())
)
_ADD: Final = text(
    """
    INSERT INTO media (id, product_id, url, alt, file_id, rank)
    SELECT :id, :product_id, :url, :alt, :file_id, coalesce(max(rank), 0) + 1
    FROM media WHERE product_id = CAST(:product_id AS uuid)
    RETURNING *
    """
)
