"""pictures of categories and collections that are uploaded"""

from typing import Any

from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: Any = None
depends_on: Any = None

CHECKS = {
    "purpose": (
        "purpose IN ('ticket_file', 'proof', 'product_media', 'category_picture', 'collection_picture')",
        "purpose IN ('ticket_file', 'proof', 'product_media')",
    ),
    "subject": (
        "CASE WHEN purpose IN ('ticket_file', 'proof') THEN product_id IS NULL "
        "WHEN purpose = 'product_media' THEN ticket_id IS NULL "
        "ELSE ticket_id IS NULL AND product_id IS NULL END",
        "CASE WHEN purpose = 'product_media' THEN ticket_id IS NULL ELSE product_id IS NULL END",
    ),
}
"""By name: as it becomes, and as it was."""
FREE = """
CREATE FUNCTION free_picture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.image_file_id IS DISTINCT FROM OLD.image_file_id THEN
        UPDATE file SET state = 'removed' WHERE id = OLD.image_file_id AND state <> 'removed';
    END IF;
    RETURN NULL;
END $$;
"""
SHOWING = ("category", "collection")


def upgrade() -> None:
    for name, (now, _) in CHECKS.items():
        op.drop_constraint(op.f(f"ck_file_{name}"), "file")
        op.create_check_constraint(op.f(f"ck_file_{name}"), "file", now)
    op.execute(FREE)
    for table in SHOWING:
        op.execute(
            f"CREATE TRIGGER {table}_picture AFTER UPDATE OF image_file_id OR DELETE ON {table} "
            "FOR EACH ROW WHEN (OLD.image_file_id IS NOT NULL) EXECUTE FUNCTION free_picture()"
        )


def downgrade() -> None:
    """What is shown by an uploaded picture is shown by none then: nothing would serve its bytes."""
    for table in SHOWING:
        op.execute(f"DROP TRIGGER {table}_picture ON {table}")
        op.execute(
            f"UPDATE {table} SET image_url = NULL, image_file_id = NULL "
            f"WHERE image_file_id IN (SELECT id FROM file WHERE purpose = '{table}_picture')"
        )
    op.execute("DROP FUNCTION free_picture()")
    op.execute("DELETE FROM file WHERE purpose IN ('category_picture', 'collection_picture')")
    for name, (_, before) in CHECKS.items():
        op.drop_constraint(op.f(f"ck_file_{name}"), "file")
        op.create_check_constraint(op.f(f"ck_file_{name}"), "file", before)
