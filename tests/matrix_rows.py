"""The access matrix as lines of a file: who gets what of every field."""

import csv
import inspect
import io
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from graphql import get_named_type, is_required_argument

from domain.permission import PERMISSIONS
from tests import matrix_examples as examples
from tests.api import Api
from tests.matrix import (
    SCHEMA,
    Asked,
    Cells,
    Walk,
    asked,
    document,
    found,
    more_of,
    needed,
    possible,
    root_fields,
)
from tests.matrix_accounts import Example, Given
from tests.matrix_world import NOTHING, MatrixWorld, Person, halves
from tests.snapshot import Snapshot, changed
from tests.streaming import streaming

Rows = dict[str, dict[str, str]]
"""By field a cell for each column."""
WITHOUT, WITH = "staff without", "staff with"


async def matrix(world: MatrixWorld, snapshot: Snapshot) -> Rows:
    rows = await reads(world)
    for kind, trying in (("Mutation", written), ("Subscription", watched)):
        for name in root_fields(kind):
            rows |= await tried_by_all(world, kind, name, trying, snapshot)
    return dict(sorted(rows.items()))


def as_text(rows: Mapping[str, Mapping[str, str]]) -> str:
    """CSV: one line for each field, sorted."""
    columns = list(next(iter(rows.values())))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["field", *columns])
    writer.writerows([key, *(cells[column] for column in columns)] for key, cells in rows.items())
    return out.getvalue()


async def given_by(example: Example, world: MatrixWorld, who: Person) -> Given:
    made = example(world, who)
    return await made if inspect.isawaitable(made) else made


def example_of(kind: str, name: str) -> Example:
    listed = {"Mutation": examples.MUTATIONS, "Subscription": examples.SUBSCRIPTIONS}[kind]
    assert name in listed, f"say in matrix_examples.{kind.upper()}S with which input {name} is to be tried"
    return listed[name]


def queries_of(name: str) -> dict[str, Example]:
    arguments = root_fields("Query")[name].args.values()
    nothing: dict[str, Example] = {"": lambda *_: {}}
    assert name in examples.QUERIES or not any(map(is_required_argument, arguments)), (
        f"say in matrix_examples.QUERIES with which arguments {name} is to be tried"
    )
    return examples.QUERIES.get(name, nothing)


def about_oneself(name: str) -> bool:
    """A query that takes no permission and that names nothing: its answer is about whoever asks."""
    called = root_fields("Query")[name]
    return needed(called) not in PERMISSIONS and not any(map(is_required_argument, called.args.values()))


async def reads(world: MatrixWorld) -> Rows:
    """Of all queries about Sam's things, and of all types behind them."""
    sams = await own_ids(world)
    columns: dict[str, Cells] = {}
    by_permission: dict[str, Cells] = {permission: {} for permission in PERMISSIONS}
    for name, called in root_fields("Query").items():
        needs = needed(called)
        for label, example in queries_of(name).items():

            async def of(caller: Api, name: str = name, label: str = label, example: Example = example) -> Cells:
                return (await read_by(world, caller, name, (label, example), sams)).cells

            got = {who: await of(caller) for who, caller in world.callers(needs).items()}
            for who, cells in got.items():
                merge(columns.setdefault(who, {}), cells)
            for permission, cells in (await with_each(world, needs, of, got[WITHOUT])).items():
                merge(by_permission[permission], cells)
    return {
        line: {
            "needs": needs_of(line),
            **{who: cells.get(line, "-") for who, cells in columns.items()},
            WITH: gained(columns[WITHOUT].get(line, "-"), {p: c.get(line, "-") for p, c in by_permission.items()}),
        }
        for line in every_field().union(*columns.values(), *by_permission.values())
    }


async def with_each(
    world: MatrixWorld, needs: str, of: Callable[[Api], Awaitable[Cells]], without: Cells
) -> dict[str, Cells]:
    """What each permission alone gets of a field that needs one, or none; `without` is what staff get without it.

    Whoever has all others gets nothing of a field that needs one, so none of those does. Of other fields: what many get
    together no more than without any, none of them gets alone.
    """
    if needs in PERMISSIONS:
        return {**dict.fromkeys(PERMISSIONS, without), needs: await of(world.only[needs])}
    found: dict[str, Cells] = {}
    ahead = [tuple(PERMISSIONS)]
    while ahead:
        group = ahead.pop()
        got = await of(world.together[group])
        if got == without or len(group) == 1:
            found |= dict.fromkeys(group, got)
        else:
            ahead += halves(group)
    return found


async def own_ids(world: MatrixWorld) -> set[str]:
    """What Sam is shown by queries about oneself."""
    shown: set[str] = set()
    for name in filter(about_oneself, root_fields("Query")):
        for example in queries_of(name).items():
            shown |= (await read_by(world, world.sam.api, name, example, None)).ids
    return shown


async def read_by(
    world: MatrixWorld, caller: Api, name: str, labelled: tuple[str, Example], sams: set[str] | None
) -> Asked:
    """What a caller gets of a query about Sam's things; the query itself goes by its label."""
    label, example = labelled
    given = await given_by(example, world, world.sam)
    got = await asked(caller, name, given, Walk(examples.ARGUMENTS), sams if about_oneself(name) else None)
    root = f"Query.{name}"
    return Asked({f"{k} ({label})" if label and k == root else k: cell for k, cell in got.cells.items()}, got.ids)


def merge(into: Cells, more: Cells) -> None:
    for key, cell in more.items():
        into[key] = more_of(into.get(key, "-"), cell)


def gained(without: str, by_permission: Mapping[str, str]) -> str:
    """Which permissions get something else than none does, and what if it is no value."""
    more = {p: cell for p, cell in by_permission.items() if cell != without and p != NOTHING}
    if len(more) > 1 and len(set(more.values())) == 1 and more.keys() == PERMISSIONS.keys():
        return f"any: {more.popitem()[1]}"
    return "; ".join(p if cell == "value" else f"{p}: {cell}" for p, cell in more.items())


def needs_of(line: str) -> str:
    root, _, name = line.partition(" ")[0].partition(".")
    return needed(root_fields(root)[name]) if root in {"Query", "Mutation", "Subscription"} else ""


def reachable(root: str) -> set[str]:
    """Types behind the root fields."""
    met: set[str] = set()
    ahead = [get_named_type(field.type) for field in root_fields(root).values()]
    while ahead:
        for type_ in possible(ahead.pop()):
            if type_.name not in met:
                met.add(type_.name)
                ahead += [get_named_type(field.type) for field in type_.fields.values()]
    return met


def every_field() -> set[str]:
    """Of types that queries reach."""
    return {f"{name}.{field}" for name in reachable("Query") for field in SCHEMA.type_map[name].fields}  # pyright: ignore


KNOWN = frozenset(reachable("Query"))
"""Types that queries show: who gets what of them is found out by those."""


async def tried_by_all(world: MatrixWorld, kind: str, name: str, trying: Any, snapshot: Snapshot) -> Any:
    """The lines of a root field and of what only its payload has."""
    needs = needed(root_fields(kind)[name])
    columns = {who: await trying(world, name, caller, snapshot) for who, caller in world.callers(needs).items()}

    async def of(caller: Api) -> Cells:
        return await trying(world, name, caller, snapshot)

    by_permission = await with_each(world, needs, of, columns[WITHOUT])
    root = f"{kind}.{name}"
    lines = {line for cells in (*columns.values(), *by_permission.values()) for line in cells}
    return {
        line: {
            "needs": needs if line == root else "",
            **{who: cells.get(line, "-") for who, cells in columns.items()},
            WITH: gained(columns[WITHOUT].get(line, "-"), {p: c.get(line, "-") for p, c in by_permission.items()}),
        }
        for line in sorted(lines)
    }


async def written(world: MatrixWorld, name: str, caller: Api, snapshot: Snapshot) -> Cells:
    """What a mutation does for a caller. Refused, it shows nothing and changes nothing; all is brought back."""
    example = example_of("Mutation", name)
    given = await given_by(example, world, world.sam)
    before, theirs = snapshot.prints, snapshot.prints_of_theirs
    if inspect.iscoroutinefunction(example):
        before = await snapshot.now()
        theirs = snapshot.prints_of_theirs | await snapshot.now_of_theirs(changed(snapshot.prints, before))
    answer = await caller.answer(document("Mutation", name, Walk(examples.ARGUMENTS, KNOWN)), {"input": dict(given)})
    after = await snapshot.now()
    touched = changed(before, after)
    if touched:
        touched = changed(theirs, await snapshot.now_of_theirs(touched))
    await snapshot.bring_back(after)
    caller.http.cookies.clear()
    cells = {k: cell for k, cell, _ in found(answer.get("data")) if k.partition(".")[0] not in KNOWN}
    refusal = refused(answer, f"Mutation__{name}")
    if refusal:
        assert changed(before, after) == set(), f"{name} was refused and changed something"
        shown = {key for key, cell in cells.items() if cell == "value"} - {f"Mutation.{name}"}
        assert shown == set(), f"{name} was refused and shows something"
        return {f"Mutation.{name}": refusal}
    return {**cells, f"Mutation.{name}": "changes it" if touched else "does it"}


def refused(answer: Any, root: str) -> str:
    """The codes with which a mutation was refused, each with its path; nothing if it was not."""
    if errors := answer.get("errors"):
        return ", ".join(sorted({error["extensions"]["code"] for error in errors}))
    return ", ".join(f"{e['code']} {'.'.join(e['path'])}".strip() for e in answer["data"][root]["userErrors"])


async def watched(world: MatrixWorld, name: str, caller: Api, _snapshot: Snapshot) -> Cells:
    """What the first item of a stream is for a caller."""
    example = examples.ENDLESS.get(name) or example_of("Subscription", name)
    given = await given_by(example, world, world.sam)
    walk = Walk(examples.ARGUMENTS, KNOWN)
    async with (
        streaming(caller) as watching,
        aclosing(watching.events(document("Subscription", name, walk), dict(given))) as items,
    ):
        answer = await anext(items)
    if errors := answer.get("errors"):
        return {f"Subscription.{name}": errors[0]["extensions"]["code"]}
    return {key: cell for key, cell, _ in found(answer.get("data")) if key.startswith("Subscription.")}
