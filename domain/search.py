"""The search: from what somebody typed to the products that are meant, the best ones first.

A `SearchProvider` says what matches; who may see it, what a filter leaves of it and how it is paged is never its
business. The built-in one turns the text into a query of PostgreSQL's full text search, over documents per locale.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import Integer, Text, Uuid, all_, and_, any_, bindparam, cast, func, not_, select, text
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.orm import aliased

from db import Product, SearchDocument, SearchTitle
from db.connection import Read
from domain.publication import FOR_SALE
from domain.search_text import all_of, folded, languages, lexeme, one_error_apart, rests, words

MOST_HITS: Final = 1_000
MOST_NEAR: Final = 10
MOST_BEGUN: Final = 50
"""So many words that begin with what was typed, the shortest, are taken for what is meant."""
LONGEST_CODE: Final = 255
SHORTEST_PREFIX: Final = 2


@dataclass(frozen=True)
class Asked:
    """What somebody typed, the locales of the operation, the closest first, and the channel; null: the default one."""

    text: str
    locales: tuple[str, ...] = ()
    channel: UUID | None = None


@dataclass(frozen=True)
class Words:
    """Products whose documents match a query of PostgreSQL's text search, or whose SKU or barcode is `code`."""

    query: str | None
    code: str
    chain: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the condition that a product has to meet."""
        return "words" if self.query else "code"

    @property
    def parameters(self) -> dict[str, Any]:
        """What statements leave open that have it."""
        asked = {"query": self.query} if self.query else {"code": [self.code]}
        return {**asked, "chain": list(self.chain)}


@dataclass(frozen=True)
class Hits:
    """These products, the best one first; of more than `MOST_HITS` the others count for nothing."""

    products: Sequence[UUID]


class SearchProvider(Protocol):
    """`find` may well name products that nobody sees: they are left out by whoever asked it. It must not raise for any
    text, and answers the same text alike as long as nothing has changed, since each page of results asks anew.
    """

    async def find(self, read: Read, asked: Asked) -> Words | Hits: ...


class PostgresSearch:
    """Every word must be found, the last one as the beginning of a word. Only if nothing that can be seen matches are
    words taken for mistyped: then each may have a letter more, less or other.
    """

    async def find(self, read: Read, asked: Asked) -> Words:
        given = words(asked.text)
        code = folded(asked.text.strip()[:LONGEST_CODE]).replace("\0", "")
        typed = await self._typed(read, given, asked) if given else []
        choices = _choices(typed, unfinished=asked.text[-1:].isalnum())
        exact = Words(all_of(choices.values()) or None, code, asked.locales)
        if not choices or await read.scalar(_ANY, **exact.parameters, channel=asked.channel, rows=1):
            return exact
        near = await _near(read, {row.number: row.word for row in typed if row.number in choices})
        for number, found in near.items():
            choices[number] += map(lexeme, found)
        return Words(all_of(choices.values()), code, asked.locales) if near else exact

    async def _typed(self, read: Read, given: list[str], asked: Asked) -> list[Any]:
        return await read.records(_TYPED, words=given, languages=languages(asked.locales), most=MOST_BEGUN)


def _choices(typed: Sequence[Any], *, unfinished: bool) -> dict[int, list[str]]:
    """By the number of a word how it may stand in a document. What says nothing counts if it is alone."""
    last = max((row.number for row in typed), default=0) if unfinished else 0
    told = [row for row in typed if row.says or row.number == last] or typed
    found: dict[int, list[str]] = {}
    for row in told:
        own = [lexeme(one) for one in (*row.plain, *row.stems)]
        if row.number == last and len(row.word) >= SHORTEST_PREFIX and row.plain:
            own += map(lexeme, row.begun or ())
        if own:
            found[row.number] = own
    return found


async def _near(read: Read, typed: dict[int, str]) -> dict[int, list[str]]:
    """By the number of a word the known ones that are one typing error away."""
    pairs = [(number, rest) for number, word in typed.items() for rest in rests(word)]
    found: dict[int, list[str]] = defaultdict(list)
    if pairs:
        numbers, parts = (list(column) for column in zip(*pairs, strict=True))
        for row in await read.records(_NEAR, numbers=numbers, rests=parts):
            if one_error_apart(row.word, typed[row.number]) and len(found[row.number]) < MOST_NEAR:
                found[row.number].append(row.word)
    return found


# Of each word: as it is, without its endings in each language, and whether it says anything in the first of them. Of
# the last one the words that begin with it: by these the planner knows how frequent it is, by a prefix it does not.
_TYPED: Final = text(
    """
    SELECT given.number, given.word, tsvector_to_array(to_tsvector('simple', given.word)) AS plain,
        ARRAY(SELECT DISTINCT stem FROM unnest(CAST(:languages AS text[])) AS language,
            unnest(tsvector_to_array(to_tsvector(CAST(language AS regconfig), given.word))) AS stem) AS stems,
        to_tsvector(CAST((CAST(:languages AS text[]))[1] AS regconfig), given.word) <> '' AS says,
        CASE given.number WHEN cardinality(CAST(:words AS text[])) THEN ARRAY(
            SELECT known.word FROM search_word AS known
            WHERE known.rest >= given.word AND known.rest < given.word || chr(1114111) AND known.rest = known.word
            ORDER BY length(known.word), known.word LIMIT CAST(:most AS int)) END AS begun
    FROM unnest(CAST(:words AS text[])) WITH ORDINALITY AS given (word, number) ORDER BY given.number
    """
)
_NEAR: Final = text(
    """
    SELECT DISTINCT given.number, search_word.word
    FROM unnest(CAST(:numbers AS int[]), CAST(:rests AS text[])) AS given (number, rest)
    JOIN search_word ON search_word.rest = given.rest ORDER BY given.number, search_word.word LIMIT 5000
    """
)


_CODE: Final = bindparam("code", type_=ARRAY(Text))
CODE: Final = SearchDocument.codes.bool_op("@>")(_CODE)
_QUERY: Final = cast(bindparam("query", type_=Text), TSQUERY)
_TITLE, _TERMS, _DOCUMENT = (
    vector.bool_op("@@")(_QUERY) for vector in (SearchDocument.title, SearchDocument.terms, SearchDocument.document)
)
# That of the closest locale which the product has one in: what it is shown by. As cases of conditions and not of
# values, since the planner takes a comparison with a value that it cannot know for a rare one.
_IN_LOCALE: Final = text(
    """
    CASE
        WHEN (CAST(:chain AS text[]))[1] = ANY(search_document.locales)
            THEN search_document.locale = (CAST(:chain AS text[]))[1]
        WHEN (CAST(:chain AS text[]))[2] = ANY(search_document.locales)
            THEN search_document.locale = (CAST(:chain AS text[]))[2]
        WHEN (CAST(:chain AS text[]))[3] = ANY(search_document.locales)
            THEN search_document.locale = (CAST(:chain AS text[]))[3]
        ELSE search_document.locale = '' END
    """
)
_TITLE_IN_LOCALE: Final = text(
    """
    CASE
        WHEN (CAST(:chain AS text[]))[1] = ANY(search_title.locales)
            THEN search_title.locale = (CAST(:chain AS text[]))[1]
        WHEN (CAST(:chain AS text[]))[2] = ANY(search_title.locales)
            THEN search_title.locale = (CAST(:chain AS text[]))[2]
        WHEN (CAST(:chain AS text[]))[3] = ANY(search_title.locales)
            THEN search_title.locale = (CAST(:chain AS text[]))[3]
        ELSE search_title.locale = '' END
    """
)
_OF_PRODUCT: Final = and_(SearchDocument.product_id == Product.id, _IN_LOCALE)
FOUND: Final = select(SearchDocument.product_id).where(_OF_PRODUCT, _DOCUMENT).exists()
"""Whether a row of `product` matches the query of a statement's parameters. Whatever has the code does too: the words
of its numbers are among those of its document.
"""
CODED: Final = select(SearchDocument.product_id).where(_OF_PRODUCT, CODE).exists()
"""The same where there are no words in what was typed, and so no query."""
_CODED: Final = aliased(SearchDocument, name="coded")
# As an array that is made first: the planner, which knows nothing of how rare a number is, would walk all in order.
_THOSE: Final = func.array(select(_CODED.product_id).where(_CODED.codes.bool_op("@>")(_CODE)).scalar_subquery())
_NO_CODE: Final = SearchTitle.product_id != all_(_THOSE)


@dataclass(frozen=True)
class Tier:
    """How well documents match: `table` has their order, `length` and `product_id`."""

    table: type[SearchDocument] | type[SearchTitle]
    conditions: tuple[Any, ...]


TIERS: Final = (
    Tier(SearchDocument, (_OF_PRODUCT, SearchDocument.product_id == any_(_THOSE))),
    Tier(
        SearchTitle,
        (SearchTitle.product_id == Product.id, _TITLE_IN_LOCALE, SearchTitle.title.bool_op("@@")(_QUERY), _NO_CODE),
    ),
    Tier(SearchDocument, (_OF_PRODUCT, _TERMS, not_(_TITLE), not_(CODE))),
    Tier(SearchDocument, (_OF_PRODUCT, _DOCUMENT, not_(_TERMS), not_(CODE))),
)
"""The best first: its number, its title, what kind of thing it is, anything about it."""
HIT: Final = Product.id == any_(bindparam("hits", type_=ARRAY(Uuid)))
# The limit is a parameter so that PostgreSQL plans it anew for each query: its plan for all of them read everything.
_ANY: Final = select(Product.id).where(FOR_SALE, FOUND).limit(bindparam("rows", type_=Integer))
