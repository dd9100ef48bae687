"""Writing the options of a product, and with them the values that its variants have."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db import OptionValue, ProductOption, Variant, VariantOptionValue
from db.connection import Tx
from domain import audit, catalog_lock
from domain.actor import Actor
from domain.option import Choices, choices_of, made_title, made_translations, was_made
from domain.option_set import OptionPlan, SetOptions, check_variants, planned
from domain.refusal import Gathering, NotFound


async def set_options(tx: Tx, command: SetOptions, actor: Actor, *, if_version: int | None = None) -> None:
    """Makes the options of the product what the command says; variants follow, archived ones too.

    A title that is made of values, and its translations, are made anew.
    """
    product_id = command.product_id
    await catalog_lock.lock_editable(tx, product_id, if_version)
    before = (await choices_of(tx, [product_id]))[product_id]
    variants = await tx.records(_VARIANTS, product=product_id)
    plan = planned(command, before)
    check_variants(plan, before, variants, command)
    await _check_media(tx, plan)
    await _write(tx, plan, before)
    after = (await choices_of(tx, [product_id]))[product_id]
    if moved := plan.added or plan.gone_options or plan.gone_values:
        await _move(tx, plan, before, variants)
        await _drop(tx, plan)
        after = (await choices_of(tx, [product_id]))[product_id]
    difference = audit.changed({"options": _told(before)}, {"options": _told(after)})
    retitled = await _retitle(tx, before, after, variants)
    if difference or moved or retitled:
        await tx.run(_TOUCH, product=product_id)
        await audit.record(tx, actor, "productSetOptions", f"product:{product_id}", difference)


async def _check_media(tx: Tx, plan: OptionPlan) -> None:
    named = {row["swatch_media_id"] for row in plan.values} - {None}
    if not named:
        return
    there = {row.id for row in await tx.records(_MEDIA, media=list(named), product=plan.product_id)}
    gathering = Gathering()
    for i, option in enumerate(plan.options):
        own = [row for row in plan.values if row["option_id"] == option["id"]]
        for j, row in enumerate(own):
            with gathering.at("options", str(i), "values", str(j), "swatch_media_id"):
                if row["swatch_media_id"] not in {None, *there}:
                    raise NotFound("The product has no such picture.")
    gathering.raise_if_any()


async def _write(tx: Tx, plan: OptionPlan, before: Choices) -> None:
    """What is new or differs. Names are unique, so those that change are given up before another takes them."""
    values = {value.id: value for option in before.options for value in option.values}
    await _upsert(tx, ProductOption, plan.options, {option.row.id: option.row for option in before.options})
    await _upsert(tx, OptionValue, plan.values, values)


async def _upsert(tx: Tx, model: Any, rows: Sequence[dict[str, Any]], stored: Mapping[UUID, Any]) -> None:
    differing = [row for row in rows if row["id"] in stored and any(stored[row["id"]][k] != v for k, v in row.items())]
    if renamed := [row["id"] for row in differing if row["name"] != stored[row["id"]].name]:
        await tx.run(_NAMELESS[model], ids=renamed)
    await tx.update(model, differing)
    await tx.insert(model, [row for row in rows if row["id"] not in stored])


async def _move(tx: Tx, plan: OptionPlan, before: Choices, variants: Sequence[Any]) -> None:
    """Gives every variant, archived ones too, its new combination: no two of them meet on the way, as what is added
    is in no former one, and else each gets smaller.
    """
    await tx.run(_UNLINK, product=plan.product_id, options=list(plan.gone_options), values=list(plan.gone_values))
    rows: list[dict[str, Any]] = []
    for variant in variants:
        values = before.value_of(variant.combination)
        ids = {option: value.id for option, value in values.items() if value.id not in plan.gone_values}
        if (combination := plan.combination_after(ids)) != variant.combination:
            rows.append({"id": variant.id, "combination": combination})
    await tx.update(Variant, rows)
    await tx.insert(
        VariantOptionValue,
        (
            {"variant_id": variant.id, "option_id": option, "product_id": plan.product_id, "value_id": value}
            for variant in variants
            for option, value in plan.added.items()
        ),
    )


async def _drop(tx: Tx, plan: OptionPlan) -> None:
    await tx.run(_DROP_VALUES, options=list(plan.gone_options), values=list(plan.gone_values))
    await tx.run(_DROP_OPTIONS, options=list(plan.gone_options))


async def _retitle(tx: Tx, before: Choices, after: Choices, variants: Iterable[Any]) -> int:
    """Titles that were made of the values; how many are others now."""
    combinations = {row.id: row.combination for row in await tx.records(_VARIANTS, product=after.product_id)}
    rows: list[dict[str, Any]] = []
    for variant in variants:
        former, now = _in_order(before, variant.combination), _in_order(after, combinations[variant.id])
        made = {"title": made_title(now), "translations": made_translations(now)}
        if was_made(variant.title, former) and now and any(variant[name] != made[name] for name in made):
            rows.append({"id": variant.id, **made})
    await tx.update(Variant, rows)
    return len(rows)


def _in_order(choices: Choices, combination: Iterable[UUID]) -> list[Any]:
    values = choices.value_of(combination)
    return [values[option.row.id] for option in choices.options if option.row.id in values]


def _told(choices: Choices) -> list[dict[str, Any]]:
    return [
        {"name": o.row.name, "translations": o.row.translations, "values": [_told_value(v) for v in o.values]}
        for o in choices.options
    ]


def _told_value(value: Any) -> dict[str, Any]:
    media = value.swatch_media_id
    swatch = {"swatch_color": value.swatch_color, "swatch_media_id": media and str(media)}
    given = {name: part for name, part in {**swatch, "translations": value.translations}.items() if part}
    return {"name": value.name, **given}


_VARIANTS: Final = text(
    """
    SELECT id, title, translations, combination, archived_at FROM variant WHERE product_id = :product ORDER BY rank, id
    """
)
_MEDIA: Final = text("SELECT id FROM media WHERE id = ANY(CAST(:media AS uuid[])) AND product_id = :product")
_NAMELESS: Final[Mapping[Any, Any]] = {
    ProductOption: text("UPDATE product_option SET name = CAST(id AS text) WHERE id = ANY(CAST(:ids AS uuid[]))"),
    OptionValue: text("UPDATE option_value SET name = CAST(id AS text) WHERE id = ANY(CAST(:ids AS uuid[]))"),
}
_UNLINK: Final = text(
    """
    DELETE FROM variant_option_value
    WHERE variant_id IN (SELECT id FROM variant WHERE product_id = :product)
      AND (option_id = ANY(CAST(:options AS uuid[])) OR value_id = ANY(CAST(:values AS uuid[])))
    """
)
_DROP_VALUES: Final = text(
    "DELETE FROM option_value WHERE id = ANY(CAST(:values AS uuid[])) OR option_id = ANY(CAST(:options AS uuid[]))"
)
_DROP_OPTIONS: Final = text("DELETE FROM product_option WHERE id = ANY(CAST(:options AS uuid[]))")
_TOUCH: Final = text("UPDATE product SET version = version + 1, updated_at = now() WHERE id = :product")
