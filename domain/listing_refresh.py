"""Makes the rows anew that lists and the search are ordered, filtered and counted by (db/listing.py).

Set-based: so many products at a time, by as many statements for one as for hundreds. Only one transaction does it at
a time: of two that do not see each other the later one could write what was before.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, Uuid, any_, bindparam, cast, func, literal, null, select, text, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, insert

from db import Product, ProductListing, Region, Variant
from db.connection import Tx
from domain.price_resolution import resolved
from domain.search_text import LANGUAGES, PLAIN, SEPARATORS, SHORTEST_MISTYPED

AT_ONCE: Final = 300


async def begin(tx: Tx) -> bool:
    """Whether this transaction is the one that refreshes; else another one does, and will see to what is due."""
    return bool(await tx.scalar(_ALONE))


async def wait_for_turn(tx: Tx) -> None:
    await tx.scalar(_IN_TURN)


async def take_due(tx: Tx) -> list[UUID]:
    """Takes some of what is due off the queue, after having put onto it what the clock has made due."""
    await tx.run(_START)
    await tx.run(_CLOCK)
    due: list[UUID | None] = [row.product_id for row in await tx.records(_TAKE, rows=AT_ONCE)]
    if None in due:
        await tx.run(_ALL)
    return [product for product in due if product is not None]


async def refresh(tx: Tx, products: Sequence[UUID]) -> None:
    """Makes the rows of the products what the catalogue says now. What is equal already is not written."""
    given = sorted(products)
    await tx.run(_LISTINGS, products=given, at=None, groups=[])
    await tx.run(_FACETS, products=given)
    await tx.run(_DOCUMENTS, products=given, languages=LANGUAGES, plain=PLAIN, separators=SEPARATORS)
    await tx.run(_NO_MORE_DOCUMENTS, products=given)
    await tx.run(_TITLES, products=given)
    await tx.run(_WORDS, products=given, shortest=SHORTEST_MISTYPED)


async def forget_words(tx: Tx) -> None:
    await tx.run(text("TRUNCATE search_word"))


_ALONE: Final = select(func.pg_try_advisory_xact_lock(func.hashtext("counterfoil.listing")))
_IN_TURN: Final = select(func.pg_advisory_xact_lock(func.hashtext("counterfoil.listing")))
_ALL: Final = text("INSERT INTO listing_due (product_id) SELECT id FROM product ORDER BY id")
_TAKE: Final = text(
    """
    WITH taken AS (
        DELETE FROM listing_due
        WHERE id IN (SELECT id FROM listing_due ORDER BY id LIMIT CAST(:rows AS int) FOR UPDATE SKIP LOCKED)
        RETURNING product_id
    )
    SELECT DISTINCT product_id FROM taken
    """
)
_START: Final = text("INSERT INTO listing_clock (id) SELECT 1 WHERE NOT EXISTS (SELECT FROM listing_clock)")
# It is written only when a window has opened or closed since it was last.
_CLOCK: Final = text(
    """
    WITH passed AS (
        UPDATE listing_clock AS clock SET looked_at = statement_timestamp()
        FROM listing_clock AS before
        WHERE before.id = clock.id AND EXISTS (
            SELECT FROM price_list
            WHERE starts_at > before.looked_at AND starts_at <= statement_timestamp()
               OR ends_at > before.looked_at AND ends_at <= statement_timestamp())
        RETURNING before.looked_at AS since
    )
    INSERT INTO listing_due (product_id)
    SELECT DISTINCT variant.product_id
    FROM passed JOIN price_list AS list
      ON list.starts_at > passed.since AND list.starts_at <= statement_timestamp()
      OR list.ends_at > passed.since AND list.ends_at <= statement_timestamp()
    JOIN price ON price.price_list_id = list.id
    JOIN variant ON variant.id = price.variant_id
    """
)
_GIVEN: Final = any_(bindparam("products", type_=ARRAY(Uuid)))
# What is owed in one place takes nothing from another, as in domain/availability.py.
_STOCK: Final = (
    text(
        """
        SELECT variant.id AS variant_id,
               NOT variant.manage_stock OR coalesce(bool_and(item.ready), false) AS in_stock,
               NOT variant.manage_stock OR coalesce(bool_and(item.free), false) AS buyable
        FROM variant LEFT JOIN (
            SELECT link.variant_id,
                   coalesce(sum(greatest(on_hand - reserved - allocated, 0)), 0) >= link.quantity AS ready,
                   coalesce(sum(greatest(on_hand + backorder_limit - reserved - allocated, 0)), 0) >= link.quantity
                       AS free
            FROM variant_stock_item AS link
            JOIN variant AS of_product ON of_product.id = link.variant_id AND of_product.product_id = ANY(:products)
            LEFT JOIN stock_level AS level ON level.stock_item_id = link.stock_item_id
            GROUP BY link.variant_id, link.stock_item_id, link.quantity
        ) AS item ON item.variant_id = variant.id
        WHERE variant.product_id = ANY(:products) AND variant.archived_at IS NULL
        GROUP BY variant.id
        """
    )
    .bindparams(bindparam("products", type_=ARRAY(Uuid)))
    .columns(variant_id=Uuid, in_stock=Boolean, buyable=Boolean)
    .cte("stock")
)


def _listings() -> Any:
    wanted = (
        select(
            Variant.id.label("variant_id"),
            literal(1).label("quantity"),
            Region.id.label("region_id"),
            cast(null(), Uuid).label("customer_id"),
            Variant.product_id,
        )
        .join(Region, true())
        .where(Variant.product_id == _GIVEN, Variant.archived_at.is_(None))
        .cte("wanted")
    )
    price = resolved(wanted, "variant_id", "region_id").cte("resolved")
    found = (
        select(
            price.c.product_id,
            price.c.region_id,
            func.min(price.c.amount).label("minimum"),
            func.max(price.c.amount).label("maximum"),
            func.array_agg(price.c.amount.distinct()).label("amounts"),
            func.bool_or(_STOCK.c.in_stock).label("in_stock"),
            func.bool_or(_STOCK.c.buyable).label("buyable"),
        )
        .join(_STOCK, _STOCK.c.variant_id == price.c.variant_id)
        .group_by(price.c.product_id, price.c.region_id)
        .subquery("found")
    )
    names = ["product_id", "region_id", "minimum", "maximum", "amounts", "in_stock", "buyable"]
    rows = (
        select(
            Product.id,
            Region.id,
            found.c.minimum,
            found.c.maximum,
            func.coalesce(found.c.amounts, text("'{}'::bigint[]")),
            func.coalesce(found.c.in_stock, False),
            func.coalesce(found.c.buyable, False),
        )
        .select_from(Product)
        .join(Region, true())
        .outerjoin(found, (found.c.product_id == Product.id) & (found.c.region_id == Region.id))
        .where(Product.id == _GIVEN)
    )
    written = insert(ProductListing).from_select(names, rows, include_defaults=False)
    before = tuple_(*(ProductListing.__table__.c[name] for name in names[2:]))
    after = tuple_(*(written.excluded[name] for name in names[2:]))
    return written.on_conflict_do_update(
        index_elements=names[:2],
        set_={name: written.excluded[name] for name in names[2:]},
        where=before.is_distinct_from(after),
    )


_LISTINGS: Final = _listings()
_FACETS: Final = text(
    """
    INSERT INTO product_facet AS facet (product_id, options)
    SELECT product.id, ARRAY(
        SELECT DISTINCT option.name || E'\\x1f' || value.name
        FROM variant
        JOIN variant_option_value AS chosen ON chosen.variant_id = variant.id
        JOIN product_option AS option ON option.id = chosen.option_id
        JOIN option_value AS value ON value.id = chosen.value_id
        WHERE variant.product_id = product.id AND variant.archived_at IS NULL
        ORDER BY 1)
    FROM product WHERE product.id = ANY(CAST(:products AS uuid[]))
    ON CONFLICT (product_id) DO UPDATE SET options = excluded.options
    WHERE facet.options IS DISTINCT FROM excluded.options
    """
)
# A text that is missing in a locale is that of its language, else the one without a locale, as it would be shown.
# Both the words as they are and without their endings, so that names, numbers and other languages match as written.
_DOCUMENTS: Final = text(
    """
    INSERT INTO search_document AS document (product_id, locale, locales, codes, length, title, terms, document)
    SELECT id, locale, locales, codes, length, title, title || terms, title || terms || description
    FROM (
        SELECT source.id, source.locale, source.locales, source.codes,
               coalesce(cardinality(regexp_split_to_array(nullif(title, ''), ' +')), 0) AS length,
               strip(to_tsvector(plain, title) || to_tsvector(language, title)) AS title,
               strip(to_tsvector(plain, terms) || to_tsvector(language, terms)) AS terms,
               strip(to_tsvector(plain, description) || to_tsvector(language, description)) AS description
        FROM (
            SELECT product.id, told.locale, told.locales, told.language, told.plain,
                coalesce(number.codes, '{}') AS codes,
                trim(regexp_replace(fold(coalesce(told.own ->> 'title', told.wider ->> 'title', title)),
                    :separators, ' ', 'g')) AS title,
                regexp_replace(fold(concat_ws(' ',
                    coalesce(told.own ->> 'subtitle', told.wider ->> 'subtitle', subtitle),
                    vendor, type, array_to_string(tags, ' '), array_to_string(number.codes, ' '))),
                    :separators, ' ', 'g') AS terms,
                regexp_replace(fold(regexp_replace(left(
                    coalesce(told.own ->> 'description', told.wider ->> 'description', description), 50000),
                    '<[^>]*>|&[a-zA-Z0-9#]+;', ' ', 'g')), :separators, ' ', 'g') AS description
            FROM product
            CROSS JOIN LATERAL (
                SELECT locale, translations -> locale AS own, translations -> split_part(locale, '-', 1) AS wider,
                    CAST(coalesce(CAST(:languages AS jsonb) ->> split_part(locale, '-', 1), :plain) AS regconfig)
                        AS language,
                    CAST(CAST(:plain AS text) AS regconfig) AS plain,
                    ARRAY(SELECT jsonb_object_keys(translations) UNION ALL SELECT '') AS locales
                FROM (SELECT jsonb_object_keys(translations) AS locale UNION ALL SELECT '') AS kept
            ) AS told
            LEFT JOIN LATERAL (
                SELECT array_agg(DISTINCT fold(btrim(code)) ORDER BY fold(btrim(code))) AS codes
                FROM variant CROSS JOIN unnest(ARRAY[sku, barcode, ean, upc]) AS code
                WHERE product_id = product.id AND archived_at IS NULL AND btrim(code) <> ''
            ) AS number ON true
            WHERE product.id = ANY(CAST(:products AS uuid[]))
        ) AS source
    ) AS made
    ON CONFLICT (product_id, locale) DO UPDATE
    SET locales = excluded.locales, codes = excluded.codes, length = excluded.length, title = excluded.title,
        terms = excluded.terms, document = excluded.document
    WHERE (document.locales, document.codes, document.length, document.title, document.terms, document.document)
        IS DISTINCT FROM
          (excluded.locales, excluded.codes, excluded.length, excluded.title, excluded.terms, excluded.document)
    """
)
_NO_MORE_DOCUMENTS: Final = text(
    """
    DELETE FROM search_document USING product
    WHERE product.id = search_document.product_id AND product.id = ANY(CAST(:products AS uuid[]))
      AND locale <> '' AND NOT product.translations ? locale
    """
)
_TITLES: Final = text(
    """
    INSERT INTO search_title AS narrow (product_id, locale, locales, length, title)
    SELECT product_id, locale, locales, length, title FROM search_document
    WHERE product_id = ANY(CAST(:products AS uuid[]))
    ON CONFLICT (product_id, locale) DO UPDATE
    SET locales = excluded.locales, length = excluded.length, title = excluded.title
    WHERE (narrow.locales, narrow.length, narrow.title) IS DISTINCT FROM
          (excluded.locales, excluded.length, excluded.title)
    """
)
# Not of numbers: one of another variant is no slip of the finger, and a catalogue has more of them than of words.
_WORDS: Final = text(
    """
    INSERT INTO search_word (rest, word)
    SELECT rest, word
    FROM (
        SELECT DISTINCT said AS word FROM search_document, unnest(tsvector_to_array(document)) AS said
        WHERE product_id = ANY(CAST(:products AS uuid[])) AND length(said) <= 60
          AND NOT EXISTS (SELECT FROM search_word AS known WHERE known.rest = said AND known.word = said)
    ) AS new CROSS JOIN LATERAL (
        SELECT word AS rest
        UNION SELECT left(word, place - 1) || substr(word, place + 1) FROM generate_series(1, length(word)) AS place
        WHERE length(word) >= CAST(:shortest AS int) AND word ~ '[^0-9]'
    ) AS part
    ON CONFLICT DO NOTHING
    """
)
