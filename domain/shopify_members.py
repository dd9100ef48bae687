"""What belongs to the things that products name, in tables of its own: countries of regions, groups of price lists,
channels and former handles. All of a thing at once, as a JSON object by name.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text

_FORMER: Final = """
    SELECT entity_id AS id, jsonb_object_agg(handle, given_up_at) AS members FROM handle_history
    WHERE kind = :kind GROUP BY entity_id
    """
_KEEP_FORMER: Final = """
    INSERT INTO handle_history (kind, handle, entity_id, given_up_at)
    SELECT CAST(:kind AS text), key, CAST(:id AS uuid), CAST(value AS timestamptz)
    FROM jsonb_each_text(CAST(:members AS jsonb)) ON CONFLICT DO NOTHING
    """
MEMBERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "region": {
        "countries": text(
            """
            SELECT region_id AS id, jsonb_object_agg(country, is_home) AS members FROM region_country
            GROUP BY region_id
            """
        )
    },
    "price_list": {
        "groups": text(
            """
            SELECT price_list_id AS id, jsonb_object_agg(g.name, true) AS members
            FROM price_list_group JOIN customer_group AS g ON g.id = group_id GROUP BY price_list_id
            """
        )
    },
    "category": {"former_handles": text(_FORMER).bindparams(kind="category")},
    "collection": {
        "former_handles": text(_FORMER).bindparams(kind="collection"),
        "channels": text(
            """
            SELECT collection_id AS id, jsonb_object_agg(
                code, jsonb_build_object('from', published_from, 'until', published_until)) AS members
            FROM collection_channel JOIN channel ON channel.id = channel_id GROUP BY collection_id
            """
        ),
    },
}
"""What belongs to a thing in other tables, by the name that definitions have for it."""
TAKEN: Final = text(
    """
    SELECT country, region.name FROM region_country JOIN region ON region.id = region_id
    WHERE CAST(:members AS jsonb) ? country AND region_id <> :id ORDER BY country
    """
)
SET_MEMBERS: Final[Mapping[str, Mapping[str, Sequence[Any]]]] = {
    "region": {
        "countries": [
            text("DELETE FROM region_country WHERE region_id = :id AND NOT CAST(:members AS jsonb) ? country"),
            text(
                """
                UPDATE region_country SET is_home = false
                WHERE region_id = :id AND is_home AND CAST(:members AS jsonb) ->> country = 'false'
                """
            ),
            text(
                """
                INSERT INTO region_country (region_id, country, is_home)
                SELECT CAST(:id AS uuid), key, CAST(value AS boolean) FROM jsonb_each_text(CAST(:members AS jsonb))
                ON CONFLICT (country) DO UPDATE SET is_home = excluded.is_home
                WHERE region_country.is_home <> excluded.is_home
                """
            ),
        ]
    },
    "price_list": {
        "groups": [
            text(
                """
                DELETE FROM price_list_group USING customer_group AS g
                WHERE price_list_id = :id AND g.id = group_id AND NOT CAST(:members AS jsonb) ? g.name
                """
            ),
            text(
                """
                INSERT INTO price_list_group (price_list_id, group_id)
                SELECT CAST(:id AS uuid), g.id FROM customer_group AS g WHERE CAST(:members AS jsonb) ? g.name
                ON CONFLICT DO NOTHING
                """
            ),
        ]
    },
    "category": {"former_handles": [text(_KEEP_FORMER).bindparams(kind="category")]},
    "collection": {
        "former_handles": [text(_KEEP_FORMER).bindparams(kind="collection")],
        "channels": [
            text(
                """
                DELETE FROM collection_channel USING channel AS c
                WHERE collection_id = :id AND c.id = channel_id AND NOT CAST(:members AS jsonb) ? c.code
                """
            ),
            text(
                """
                INSERT INTO collection_channel (channel_id, collection_id, published_from, published_until)
                SELECT c.id, CAST(:id AS uuid), CAST(value ->> 'from' AS timestamptz),
                       CAST(value ->> 'until' AS timestamptz)
                FROM jsonb_each(CAST(:members AS jsonb)) JOIN channel AS c ON c.code = key
                ON CONFLICT (channel_id, collection_id) DO UPDATE
                SET published_from = excluded.published_from, published_until = excluded.published_until
                WHERE (collection_channel.published_from, collection_channel.published_until)
                    IS DISTINCT FROM (excluded.published_from, excluded.published_until)
                """
            ),
        ],
    },
}
