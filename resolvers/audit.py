"""The audit log: who did what to what, the newest first."""

from collections.abc import Mapping
from itertools import product
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select
from strawberry.utils.str_converters import to_camel_case

from db import AuditEntry, Staff
from domain.refusal import ValidationFailed
from resolvers import ids
from resolvers.batches import one
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort

NEWEST_FIRST: Final = Sort("audit_entry.id", (AuditEntry.id,), descending=True)
FILTERS: Final = {
    "subject": AuditEntry.subject == bindparam("subject"),
    "staff_id": AuditEntry.staff_id == bindparam("staff_id"),
}
staff_name = one(select(Staff.id, Staff.name), Staff.id)


def _listed(*names: str) -> Listed:
    return Listed(select(AuditEntry).where(*(FILTERS[name] for name in names)), NEWEST_FIRST)


LISTS: Final = {
    tuple(chosen): _listed(*chosen)
    for chosen in (
        [name for name, wanted in zip(FILTERS, which, strict=True) if wanted] for which in product((0, 1), repeat=2)
    )
}
"""By the filters that are given."""


async def log(ctx: Ctx, args: PageArgs, subject: str | None, staff_id: str | None) -> Page:
    given: dict[str, Any] = {}
    if subject is not None:
        given["subject"] = _stored(subject)
    if staff_id is not None:
        given["staff_id"] = ids.decode("Staff", staff_id, "staffId")
    return await LISTS[tuple(given)].page(ctx, args, **given)


def public_subject(stored: str) -> str:
    """`api_key:<uuid>` as the id that clients know: kinds are written like tables, types like classes."""
    kind, _, key = stored.partition(":")
    return ids.encode(_type(kind), UUID(key))


def public_difference(difference: Mapping[str, Any]) -> dict[str, Any]:
    """By the names of the schema."""
    return {to_camel_case(name): pair for name, pair in difference.items()}


def _stored(public: str) -> str:
    prefix = public.rpartition("_")[0]
    for type_ in (type_ for type_, known in ids.PREFIXES.items() if known == prefix):
        return f"{_kind(type_)}:{ids.decode(type_, public, 'subject')}"
    raise ValidationFailed("This is the id of nothing here.", path=("subject",))


def _type(kind: str) -> str:
    return "".join(part.title() for part in kind.split("_"))


def _kind(type_: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type_).lstrip("_")
