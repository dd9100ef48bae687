"""checks of variants at a quarter of their cost"""

from typing import Any

from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: Any = None
depends_on: Any = None

# Nearly every check is of one variant: it is looked up by its key.
COMPLETE_VARIANTS = """
CREATE OR REPLACE FUNCTION check_variants_complete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    one uuid;
    owner uuid;
    changed uuid[];
    wrong uuid;
BEGIN
    -- Whoever changes options or variants of a product queues up here: two that cannot see each other's rows
    -- would both be right, and the result of both wrong.
    IF TG_TABLE_NAME = 'product_option' THEN
        PERFORM FROM product WHERE id IN (NEW.product_id, OLD.product_id) ORDER BY id FOR NO KEY UPDATE;
        changed := ARRAY(SELECT id FROM variant WHERE product_id IN (NEW.product_id, OLD.product_id));
    ELSE
        IF TG_TABLE_NAME = 'variant' THEN one := NEW.id;
        ELSIF TG_OP = 'INSERT' THEN one := NEW.variant_id;
        ELSIF TG_OP = 'DELETE' OR NEW.variant_id = OLD.variant_id THEN one := OLD.variant_id;
        END IF;
        IF one IS NOT NULL THEN
            SELECT product_id INTO owner FROM variant WHERE id = one;
            PERFORM FROM product WHERE id = owner FOR NO KEY UPDATE;
            changed := ARRAY[one];
        ELSE
            changed := ARRAY[NEW.variant_id, OLD.variant_id];
            PERFORM FROM product WHERE id IN (SELECT product_id FROM variant WHERE id = ANY(changed))
            ORDER BY id FOR NO KEY UPDATE;
        END IF;
    END IF;
    SELECT v.id INTO wrong FROM variant v
    WHERE v.archived_at IS NULL AND v.id = ANY(changed)
      AND (v.combination IS DISTINCT FROM
             (SELECT array_agg(value_id ORDER BY value_id) FROM variant_option_value WHERE variant_id = v.id)
           OR cardinality(v.combination) <>
             (SELECT count(*) FROM product_option WHERE product_id = v.product_id))
    LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'variant % does not have exactly one value for each option', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'variant_complete';
    END IF;
    RETURN NULL;
END $$;
"""
FORMER_CHECK = """
CREATE OR REPLACE FUNCTION check_variants_complete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed uuid[];
    wrong uuid;
BEGIN
    -- Whoever changes options or variants of a product queues up here: two that cannot see each other's rows
    -- would both be right, and the result of both wrong.
    IF TG_TABLE_NAME = 'product_option' THEN
        PERFORM FROM product WHERE id IN (NEW.product_id, OLD.product_id) ORDER BY id FOR NO KEY UPDATE;
        changed := ARRAY(SELECT id FROM variant WHERE product_id IN (NEW.product_id, OLD.product_id));
    ELSE
        IF TG_TABLE_NAME = 'variant' THEN changed := ARRAY[NEW.id];
        ELSE changed := ARRAY[NEW.variant_id, OLD.variant_id];
        END IF;
        PERFORM FROM product WHERE id IN (SELECT product_id FROM variant WHERE id = ANY(changed))
        ORDER BY id FOR NO KEY UPDATE;
    END IF;
    SELECT v.id INTO wrong FROM variant v
    WHERE v.archived_at IS NULL AND v.id = ANY(changed)
      AND (v.combination IS DISTINCT FROM
             (SELECT array_agg(value_id ORDER BY value_id) FROM variant_option_value WHERE variant_id = v.id)
           OR cardinality(v.combination) <>
             (SELECT count(*) FROM product_option WHERE product_id = v.product_id))
    LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'variant % does not have exactly one value for each option', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'variant_complete';
    END IF;
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    op.execute(COMPLETE_VARIANTS)


def downgrade() -> None:
    op.execute(FORMER_CHECK)
