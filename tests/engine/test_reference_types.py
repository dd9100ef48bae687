"""What graphql-core's tests of interfaces, unions and abstract types are about (see test_reference.py)."""

from typing import Any

import pytest

from tests.engine.archive import Wrong, tells

BOOK: dict[str, Any] = {"kind": "Book", "title": "Dune", "pages": 412, "after": None}
FILM: dict[str, Any] = {"kind": "Film", "title": "Arrakis", "minutes": 137, "after": "book"}
FILM["parts"], BOOK["parts"] = [BOOK, FILM], []
ROWS: dict[str, Any] = {
    "book": BOOK,
    "film": FILM,
    "ada": {
        "kind": "Person",
        "title": "Ada",
        "shelf": [FILM, BOOK, FILM],
        "favourite": BOOK,
        "likes": [BOOK, {"kind": "Person", "title": "Bob"}, None, FILM],
    },
}


async def test_a_union_is_told_by_what_each_member_selects() -> None:
    document = """{ person(id: "ada") { shelf { __typename ... on Book { title pages } ... on Film { minutes title } }
        favourite { ... on Film { minutes } } } }"""
    film = {"__typename": "Film", "minutes": 137, "title": "Arrakis"}
    book = {"__typename": "Book", "title": "Dune", "pages": 412}
    await tells(document, {"person": {"shelf": [film, book, film], "favourite": {}}}, planned=True, rows=ROWS)


async def test_an_interface_is_told_by_its_own_fields_and_those_of_each_type() -> None:
    document = """{ person(id: "ada") { likes { title ... on Book { pages } ...F
        ... on Work { after { title ... on Book { pages } } } } } } fragment F on Film { minutes }"""
    likes = [
        {"title": "Dune", "pages": 412, "after": None},
        {"title": "Bob"},
        None,
        {"title": "Arrakis", "minutes": 137, "after": {"title": "Dune", "pages": 412}},
    ]
    context = await tells(document, {"person": {"likes": likes}}, planned=True, rows=ROWS)
    assert context.asked_for == [["ada"], ["book"]]


async def test_conditions_may_be_interfaces_inside_of_interfaces_and_unions() -> None:
    document = """{ person(id: "ada") { favourite { ...OfMedium ... on Work { parts { __typename } } }
        shelf { ...OfEntry } } film: work(id: "film") { ...OfWork } }
        fragment OfMedium on Medium { __typename ... on Book { pages } ... on Film { minutes } }
        fragment OfEntry on Entry { title ... on Work { ... on Film { minutes } } }
        fragment OfWork on Work { ... on Medium { ... on Film { minutes } } parts { ...OfEntry ... on Book { pages } } }
        """
    film = {"title": "Arrakis", "minutes": 137}
    data = {
        "person": {
            "favourite": {"__typename": "Book", "pages": 412, "parts": []},
            "shelf": [film, {"title": "Dune"}, film],
        },
        "film": {"minutes": 137, "parts": [{"title": "Dune", "pages": 412}, film]},
    }
    await tells(document, data, planned=True, rows=ROWS)


async def test_abstract_types_are_introspected_by_graphql_core() -> None:
    document = """{ entry: __type(name: "Entry") { kind fields { name } interfaces { name } possibleTypes { name } }
        work: __type(name: "Work") { kind fields { name } interfaces { name } possibleTypes { name } }
        medium: __type(name: "Medium") { kind fields { name } interfaces { name } possibleTypes { name } } }"""

    def named(*names: str) -> list[dict[str, str]]:
        return [{"name": name} for name in names]

    entry = {"kind": "INTERFACE", "fields": named("title"), "interfaces": []}
    work = {"kind": "INTERFACE", "fields": named("title", "after", "parts"), "interfaces": named("Entry")}
    medium = {"kind": "UNION", "fields": None, "interfaces": None, "possibleTypes": named("Book", "Film")}
    data = {
        "entry": {**entry, "possibleTypes": named("Book", "Film", "Person")},
        "work": {**work, "possibleTypes": named("Book", "Film")},
        "medium": medium,
    }
    await tells(document, data, planned=False)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("Person", "Runtime Object type 'Person' is not a possible type for 'Work'."),
        (
            "Nobody",
            "Abstract type 'Work' was resolved to a type 'Nobody' that does not exist inside the schema.",
        ),
        (
            "Entry",
            "Abstract type 'Work' was resolved to a non-object type 'Entry'.",
        ),
        (
            None,
            "Abstract type 'Work' must resolve to an Object type at runtime for field 'Query.work'. "
            "Either the 'Work' type should provide a 'resolve_type' function or each possible type "
            "should provide an 'is_type_of' function.",
        ),
        (
            5,
            "Abstract type 'Work' must resolve to an Object type at runtime for field 'Query.work' with value "
            "{'kind': 5, 'title': 'T'}, received '5', which is not a valid Object type name.",
        ),
    ],
)
async def test_what_is_of_no_possible_type_is_an_error_where_it_stands(kind: Any, message: str) -> None:
    rows = {**ROWS, "odd": {"kind": kind, "title": "T"}}
    document = '{ work(id: "odd") { title } book: work(id: "book") { title } }'
    await tells(document, {"work": None, "book": {"title": "Dune"}}, Wrong("work", message), planned=False, rows=rows)


async def test_one_of_no_possible_type_in_a_list_that_must_be_whole_takes_it_along() -> None:
    rows = {**ROWS, "odd": {"kind": "Person", "title": "T"}}
    message = "Runtime Object type 'Person' is not a possible type for 'Work'."
    document = '{ works(ids: ["book", "odd"]) { title } book: work(id: "book") { title } }'
    data = {"works": None, "book": {"title": "Dune"}}
    await tells(document, data, Wrong("works.1", message), planned=False, rows=rows)
