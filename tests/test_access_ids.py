"""Every id that can be given, to whatever field: that of somebody else's thing opens no more than one of nothing."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLList, GraphQLNonNull

from domain.permission import PERMISSIONS
from domain.processes.shop import Shop
from resolvers import ids
from resolvers.context import PUBLIC, SIGNED_IN_STAFF
from resolvers.node import KINDS
from tests.access import counted, random
from tests.api import Api
from tests.matrix import ROOTS, Walk, document, needed, root_fields
from tests.matrix_accounts import Example
from tests.matrix_examples import ARGUMENTS
from tests.matrix_rows import example_of, given_by, queries_of
from tests.matrix_world import GOODS, MatrixWorld, Person, matrix_world
from tests.snapshot import Snapshot, changed, taken

Path = tuple[str | int, ...]
FOUND_NOTHING = {
    "Query": ("__{}': None", "__{}': []", "__nodes': []"),
    "Mutation": ("'NOT_FOUND'", "'NOT_FOR_SALE'"),
    "Subscription": ("'BAD_USER_INPUT'",),
}
"""What answers say of nothing, by the kind of operation."""
KIND = {prefix: kind for kind, prefix in ids.PREFIXES.items()}


def positions(type_: Any, value: Any, path: Path = ()) -> Iterator[Path]:
    """Where ids stand in a value of a type."""
    if isinstance(type_, GraphQLNonNull):
        yield from positions(type_.of_type, value, path)
    elif isinstance(type_, GraphQLList):
        for i, part in enumerate(value or ()):
            yield from positions(type_.of_type, part, (*path, i))
    elif isinstance(type_, GraphQLInputObjectType):
        for name, part in value.items():
            yield from positions(type_.fields[name].type, part, (*path, name))
    elif type_.name == "ID" and value is not None:
        yield path


def at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def replaced(value: Any, path: Path, new: Any) -> Any:
    changed_ = deepcopy(value)
    at(changed_, path[:-1])[path[-1]] = new
    return changed_


@dataclass(frozen=True)
class Try:
    """A field, one place in its input for an id, and valid input about the things of whoever asks."""

    kind: str
    name: str
    example: Example
    path: Path
    of: str
    """What the id is of."""

    @property
    def needs(self) -> str:
        return needed(root_fields(self.kind)[self.name])

    def __str__(self) -> str:
        return f"{self.kind}.{self.name} {'.'.join(map(str, self.path))}"

    async def variables(self, world: MatrixWorld, who: Person) -> dict[str, Any]:
        given = dict(await given_by(self.example, world, who))
        return {"input": given} if self.kind == "Mutation" else given


async def tries(world: MatrixWorld) -> list[Try]:
    found: list[Try] = []
    for kind in ROOTS:
        for name, called in root_fields(kind).items():
            examples = queries_of(name).values() if kind == "Query" else [example_of(kind, name)]
            for example in examples:
                blank = Try(kind, name, example, (), "")
                given = await blank.variables(world, world.kim)
                places = [p for n, value in given.items() for p in positions(called.args[n].type, value, (n,))]
                found += [Try(kind, name, example, p, KIND[at(given, p).rpartition("_")[0]]) for p in places]
    return found


async def told(caller: Api, tried: Try, variables: Mapping[str, Any]) -> tuple[str, int]:
    """The whole answer as text, without what is of the request alone, and how many statements it took."""
    asked = document(tried.kind, tried.name, Walk(ARGUMENTS))
    if tried.kind == "Subscription":
        assert caller.database is not None
        before = caller.database.statements
        items = [item async for item in caller.events(asked, dict(variables))]
        answer, statements = {"items": items}, caller.database.statements - before
    else:
        answer, statements = await counted(caller, asked, dict(variables))
    for error in [error for part in answer.get("items", [answer]) for error in part.get("errors", ())]:
        error["extensions"].pop("requestId")
    timeless = re.sub(r"/files/[^'?]+", "/files/for a while", str(answer))  # or it would differ by when it was asked
    return timeless.replace(str(at(variables, tried.path)), "the id"), statements


async def refused_without_a_trace(
    snapshot: Snapshot, caller: Api, tried: Try, variables: Mapping[str, Any]
) -> tuple[str, int]:
    before = await snapshot.now()
    answer = await told(caller, tried, variables)
    after = await snapshot.now()
    assert changed(before, after) == set(), f"{tried} changed something"
    await snapshot.bring_back(after)
    return answer


def who_tries(world: MatrixWorld, tried: Try) -> Api:
    """Somebody who may call the field at all."""
    if tried.needs in PERMISSIONS:
        return world.only[tried.needs]
    return world.powerless if tried.needs == SIGNED_IN_STAFF else world.kim.api


async def test_an_id_of_somebody_elses_thing_is_answered_as_one_of_nothing(shop: Shop, api: Api) -> None:
    """In the same bytes and by the same number of statements; and neither changes anything."""
    world = await matrix_world(shop, api)
    snapshot = await taken(shop)
    all_tries = await tries(world)
    assert {tried.of for tried in all_tries} >= {"Cart", "CartLine", "Order", "Ticket", "Customer"}
    for tried in all_tries:
        if tried.of in GOODS or tried.needs in PERMISSIONS:
            continue
        caller = who_tries(world, tried)
        own, sams = await tried.variables(world, world.kim), await tried.variables(world, world.sam)
        foreign = replaced(own, tried.path, at(sams, tried.path))
        nothing = replaced(own, tried.path, random(tried.of))
        answers = [await refused_without_a_trace(snapshot, caller, tried, given) for given in (foreign, nothing)]
        assert answers[0] == answers[1], str(tried)


async def test_an_id_of_nothing_is_found_by_nobody(shop: Shop, api: Api) -> None:
    """Neither by those who may do everything."""
    world = await matrix_world(shop, api)
    snapshot = await taken(shop)
    for tried in await tries(world):
        given = await tried.variables(world, world.kim)
        caller = who_tries(world, tried)
        answer, _ = await refused_without_a_trace(
            snapshot, caller, tried, replaced(given, tried.path, random(tried.of))
        )
        words = FOUND_NOTHING[tried.kind]
        assert tried.name == "nodes" or any(word.format(tried.name) in answer for word in words), (str(tried), answer)


async def test_an_id_of_another_kind_is_refused_where_it_stands(shop: Shop, api: Api) -> None:
    world = await matrix_world(shop, api)
    snapshot = await taken(shop)
    for tried in await tries(world):
        if tried.name in {"node", "nodes"} or tried.path == ("subject",):
            continue  # they take all kinds
        given = await tried.variables(world, world.kim)
        key = ids.decode(tried.of, at(given, tried.path))
        for other in sorted(KINDS.values()):
            if other == tried.of:
                continue
            wrong = replaced(given, tried.path, ids.encode(other, key))
            answer, _ = await refused_without_a_trace(snapshot, who_tries(world, tried), tried, wrong)
            if tried.kind == "Mutation":
                place = [str(part) for part in tried.path[1:]]
                assert "'VALIDATION_FAILED'" in answer, (str(tried), other, answer)
                assert f"'path': {place}" in answer, (str(tried), other, answer)
            else:
                assert f"'argument': '{'.'.join(map(str, tried.path))}'" in answer, (str(tried), other, answer)


async def test_node_never_takes_a_thing_of_one_kind_for_one_of_another(shop: Shop, api: Api) -> None:
    """The key of each thing, asked for as a thing of every kind: there is one answer, of its own type."""
    world = await matrix_world(shop, api)
    query = "query ($id: ID!) { node(id: $id) { __typename id } }"
    staff = world.only["orders:read"]
    for kind, public in {**world.things, **world.sam.things}.items():
        for other in sorted(KINDS.values()):
            asked = ids.encode(other, ids.decode(kind, public))
            for caller in (world.sam.api, world.kim.api, staff, world.api):
                found = (await caller(query, {"id": asked}))["node"]
                assert found in (None, {"__typename": other, "id": asked})
                assert found is None or other == kind, (kind, other)


def test_ids_without_a_kind_that_node_knows_cannot_be_asked_for() -> None:
    """Whatever implements `Node` can be asked for by its id, so that a rule of who may see it is written."""
    assert needed(root_fields("Query")["node"]) == PUBLIC
    assert set(KINDS.values()) <= set(ids.PREFIXES)
