"""Staff make a product, change what is said about it, and translate it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import bindparam, func, select, update

from db import OptionValue, Product, ProductOption, Variant, VariantOptionValue, Workflow
from db.connection import Tx, new_id
from domain import audit, handle
from domain.actor import Actor
from domain.catalog_lock import among_others, lock_product
from domain.handle import taken
from domain.product import DEFAULT_OPTION, DEFAULT_VALUE
from domain.product_details import DETAILS, check_details, check_texts
from domain.publication import publish_new
from domain.refusal import Gathering, ValidationFailed
from domain.tax_class import check_usable
from domain.translation import canonical

_BY_DEFAULT: Final = {"handle", "discountable", "brief_due", "price_quantity"}
"""What a new product has by itself, and cannot be without."""


@dataclass(frozen=True)
class CreateProduct:
    """`given` is by the names of `DETAILS`; without a handle one is made of the title."""

    given: Mapping[str, Any]
    columns: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        title = {"title": self.given.get("title")}
        told = {name: value for name, value in self.given.items() if value is not None or name not in _BY_DEFAULT}
        object.__setattr__(self, "columns", check_details({**told, **title}))


@dataclass(frozen=True)
class UpdateProduct:
    """What `given` does not name stays as it is; null empties what may be empty."""

    id: UUID
    given: Mapping[str, Any]
    if_version: int | None = None
    columns: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", check_details(self.given))


@dataclass(frozen=True)
class TranslateProduct:
    """All texts of one locale; those that are null fall back, and without any the locale goes."""

    id: UUID
    locale: str
    texts: Mapping[str, str | None]
    if_version: int | None = None
    kept: Mapping[str, str] = field(init=False)
    canonical: str = field(init=False)

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("locale"):
            object.__setattr__(self, "canonical", canonical(self.locale))
        with gathering.at():
            object.__setattr__(self, "kept", check_texts(self.texts))
        gathering.raise_if_any()


async def create(tx: Tx, command: CreateProduct, actor: Actor) -> Product:
    """A draft in the default sales channel, with the one variant that a product without options has."""
    await among_others(tx)
    columns = dict(command.columns)
    await _check_workflow(tx, columns)
    await check_usable(tx, columns.get("tax_class_code"), "tax_class_code")
    wanted = columns.pop("handle", None)
    try:
        made: Any = await handle.made(tx, Product, columns, wanted, columns["title"])
    except UniqueViolationError as error:
        raise in_use(error) from None
    await publish_new(tx, [made.id])
    await _default_variant(tx, made.id)
    told = audit.changed({}, {name: made[name] for name in {*columns, "handle"}})
    await audit.record(tx, actor, "productCreate", subject(made.id), told)
    return made


async def change(tx: Tx, command: UpdateProduct, actor: Actor) -> Product:
    """As it was already changes nothing, its version neither."""
    before = await lock_editable(tx, command.id, command.if_version)
    await _check_workflow(tx, command.columns)
    if (code := command.columns.get("tax_class_code")) != before.tax_class_code:
        await check_usable(tx, code, "tax_class_code")
    return await written(tx, before, command.columns, actor, "productUpdate")


async def translate(tx: Tx, command: TranslateProduct, actor: Actor) -> Product:
    before = await lock_editable(tx, command.id, command.if_version)
    others = {locale: texts for locale, texts in before.translations.items() if locale != command.canonical}
    translations = {**others, command.canonical: command.kept} if command.kept else others
    return await written(tx, before, {"translations": translations}, actor, "productSetTranslations")


async def lock_editable(tx: Tx, product_id: UUID, if_version: int | None, path: str = "id") -> Any:
    """The product, unless it is archived: what nobody sees is restored before it is worked on."""
    product = await lock_product(tx, product_id, if_version, path)
    if product.archived_at is not None:
        raise ValidationFailed("The product is archived: restore it first.", path=(path,))
    return product


async def written(tx: Tx, before: Any, columns: Mapping[str, Any], actor: Actor, action: str) -> Any:
    """The product with these columns; what is as it was is neither written nor told."""
    difference = audit.changed({name: before[name] for name in columns}, columns)
    if not difference:
        return before
    row = {name: before[name] for name in _COLUMNS} | dict(columns)
    try:
        after = await tx.one(_WRITE, product_id=before.id, **{_PLACE + name: value for name, value in row.items()})
    except UniqueViolationError as error:
        raise in_use(error) from None
    await audit.record(tx, actor, action, subject(before.id), difference)
    return after


def subject(product_id: UUID) -> str:
    return f"product:{product_id}"


async def _default_variant(tx: Tx, product_id: UUID) -> None:
    option, value, variant = new_id(), new_id(), new_id()
    owner = {"product_id": product_id}
    await tx.insert(ProductOption, [{"id": option, **owner, "name": DEFAULT_OPTION, "rank": 1}])
    await tx.insert(OptionValue, [{"id": value, "option_id": option, "name": DEFAULT_VALUE, "rank": 1}])
    row = {"id": variant, **owner, "title": DEFAULT_VALUE, "rank": 1, "combination": [value]}
    await tx.insert(Variant, [row])
    await tx.insert(VariantOptionValue, [{"variant_id": variant, "option_id": option, **owner, "value_id": value}])


async def _check_workflow(tx: Tx, columns: Mapping[str, Any]) -> None:
    code = columns.get("workflow_code")
    if code is not None and await tx.scalar(_WORKFLOW, code=code) is None:
        raise ValidationFailed("There is no workflow with this code.", path=("workflow_code",))


def in_use(error: UniqueViolationError) -> ValidationFailed:
    """What a unique index says about the columns of a product."""
    if cast("Any", error).constraint_name == "uq_product_external_id":
        return ValidationFailed("Another product has this external id.", path=("external_id",))
    return taken()


_WORKFLOW: Final = select(Workflow.id).where(Workflow.code == bindparam("code")).limit(1)
_COLUMNS: Final = (*DETAILS, "translations", "status", "archived_at")
_PLACE: Final = "to_"
"""In front of the names of parameters, as a column's own name is taken by the statement."""
_WRITE: Final = (
    update(Product)
    .where(Product.id == bindparam("product_id"))
    .values(
        {Product.__table__.c[name]: bindparam(_PLACE + name, type_=Product.__table__.c[name].type) for name in _COLUMNS}
    )
    .values(version=Product.version + 1, updated_at=func.now())
    .returning(Product)
)
