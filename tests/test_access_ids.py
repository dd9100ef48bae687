"""Every id that can be given, to whatever field: that of somebody else's thing opens no more than one of nothing."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLList, GraphQLNonNull

from domain.permission import PERMISSIONS
from resolvers import ids
from resolvers.context import PUBLIC, SIGNED_IN_STAFF
from resolvers.node import KINDS
from tests.access import counted, random
from tests.api import Api
from tests.matrix import ROOTS, Walk, document, needed, root_fields
from tests.matrix_accounts import Example
from tests.matrix_examples import ARGUMENTS
from tests.matrix_rows import KNOWN, example_of, given_by, queries_of
from tests.matrix_world import GOODS, MatrixWorld, Person
from tests.snapshot import Snapshot, changed

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
    """A field with valid input about the things of whoever asks, and the places in it for ids."""

    kind: str
    name: str
    example: Example

    @property
    def needs(self) -> str:
        return needed(root_fields(self.kind)[self.name])

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}"

    async def variables(self, world: MatrixWorld, who: Person) -> dict[str, Any]:
        given = dict(await given_by(self.example, world, who))
        return {"input": given} if self.kind == "Mutation" else given

    def places(self, given: Mapping[str, Any]) -> list[Path]:
        arguments = root_fields(self.kind)[self.name].args
        return [path for n, value in given.items() for path in positions(arguments[n].type, value, (n,))]

    def who_tries(self, world: MatrixWorld) -> Api:
        """Somebody who may call the field at all."""
        if self.needs in PERMISSIONS:
            return world.only[self.needs]
        return world.powerless if self.needs == SIGNED_IN_STAFF else world.kim.api


def kind_at(given: Any, path: Path) -> str:
    """What the id there is of."""
    return KIND[at(given, path).rpartition("_")[0]]


def tries() -> list[Try]:
    return [
        Try(kind, name, example)
        for kind in ROOTS
        for name in root_fields(kind)
        for example in (queries_of(name).values() if kind == "Query" else [example_of(kind, name)])
    ]


async def told(caller: Api, tried: Try, variables: Mapping[str, Any], path: Path, walk: Walk) -> tuple[str, int]:
    """The whole answer as text, without what is of the request alone, and how many statements it took."""
    asked = document(tried.kind, tried.name, walk)
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
    return timeless.replace(str(at(variables, path)), "the id"), statements


async def test_an_id_of_somebody_elses_thing_is_answered_as_one_of_nothing(
    there: MatrixWorld, snapshot: Snapshot
) -> None:
    """In the same bytes and by the same number of statements; and neither changes anything."""
    tried_of = set[str]()
    for tried in tries():
        if tried.needs in PERMISSIONS:
            continue
        caller = tried.who_tries(there)
        own, sams = await tried.variables(there, there.kim), await tried.variables(there, there.sam)
        before = await snapshot.now()
        for path in tried.places(own):
            kind = kind_at(own, path)
            if kind in GOODS:
                continue
            tried_of.add(kind)
            foreign, nothing = replaced(own, path, at(sams, path)), replaced(own, path, random(kind))
            answers = [await told(caller, tried, given, path, Walk(ARGUMENTS)) for given in (foreign, nothing)]
            assert answers[0] == answers[1], (str(tried), path)
        assert changed(before, await snapshot.now()) == set(), f"{tried} changed something"
        await snapshot.bring_back(await snapshot.now())
    assert tried_of >= {"Cart", "CartLine", "Order", "Ticket", "Customer"}


async def test_an_id_of_nothing_is_found_by_nobody_and_one_of_another_kind_is_refused_where_it_stands(
    there: MatrixWorld, snapshot: Snapshot
) -> None:
    """By those who may call the field, of each place. Of other kinds two, in turn: all ids are read in one way, by
    what they must be of.
    """
    kinds = cycle(sorted(KINDS.values()))
    for tried in tries():
        given = await tried.variables(there, there.kim)
        before = await snapshot.now()
        for path in tried.places(given):
            kind = kind_at(given, path)
            answer = await answered(there, tried, replaced(given, path, random(kind)), path)
            assert tried.name == "nodes" or any(words in answer for words in found_nothing(tried, path)), (
                str(tried),
                path,
                answer,
            )
            if tried.name in {"node", "nodes"} or path == ("subject",):
                continue  # they take all kinds
            for other in islice((other for other in kinds if other != kind), 2):
                wrong = replaced(given, path, ids.encode(other, ids.decode(kind, at(given, path))))
                answer = await answered(there, tried, wrong, path)
                for words in said_of_another_kind(tried, path):
                    assert words in answer, (str(tried), other, answer)
        assert changed(before, await snapshot.now()) == set(), f"{tried} changed something"
        await snapshot.bring_back(await snapshot.now())


async def answered(world: MatrixWorld, tried: Try, given: Mapping[str, Any], path: Path) -> str:
    """Of a mutation without what queries show, too."""
    walk = Walk(ARGUMENTS, KNOWN if tried.kind == "Mutation" else frozenset())
    answer, _ = await told(tried.who_tries(world), tried, given, path, walk)
    return answer


def found_nothing(tried: Try, path: Path) -> list[str]:
    """One of this is in the answer."""
    words = [words.format(tried.name) for words in FOUND_NOTHING[tried.kind]]
    of_staff = tried.needs in PERMISSIONS  # who are told what there is nothing to say of
    return [*words, f"'argument': '{path[0]}'"] if of_staff else words


def said_of_another_kind(tried: Try, path: Path) -> list[str]:
    """All of this is in the answer."""
    if tried.kind == "Mutation":
        return ["'VALIDATION_FAILED'", f"'path': {[str(part) for part in path[1:]]}"]
    return [f"'argument': '{'.'.join(map(str, path))}'"]


async def test_node_never_takes_a_thing_of_one_kind_for_one_of_another(there: MatrixWorld) -> None:
    """The key of each thing, asked for as a thing of every kind: there is one answer, of its own type."""
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    for kind, public in {**there.things, **there.sam.things}.items():
        asked = {ids.encode(other, ids.decode(kind, public)): other for other in KINDS.values()}
        for caller in (there.sam.api, there.kim.api, there.almighty, there.api):
            answered = (await caller(query, {"ids": list(asked)}))["nodes"]
            for (public_id, other), found in zip(asked.items(), answered, strict=True):
                assert found in (None, {"__typename": other, "id": public_id})
                assert found is None or other == kind, (kind, other)


def test_ids_without_a_kind_that_node_knows_cannot_be_asked_for() -> None:
    """Whatever implements `Node` can be asked for by its id, so that a rule of who may see it is written."""
    assert needed(root_fields("Query")["node"]) == PUBLIC
    assert set(KINDS.values()) <= set(ids.PREFIXES)
