"""Categories: a tree, and which products stand in it.

That there is no cycle is held here: `category_ancestor` is kept by triggers, its constraints refuse a category that is
its own ancestor, and whoever changes the tree updates the one row of `category_tree` first. Two moves that cannot see
each other would both be right and the result of both a cycle; so they wait for each other, and one that reads the tree
as it was before (REPEATABLE READ) fails.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import DDL, BigInteger, CheckConstraint, ForeignKey, Index, event, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import MOST_METADATA, Base, CreatedAt, Id, Metadata, Translations

DEEPEST: Final = 20
"""So many ancestors a category may have."""


class Category(Base):
    __tablename__ = "category"
    __table_args__ = (
        CheckConstraint("parent_id <> id", name="parent_id"),
        CheckConstraint("jsonb_typeof(translations) = 'object'", name="translations"),
        CheckConstraint(
            f"jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= {MOST_METADATA}", name="metadata"
        ),
        Index("ix_category_parent_id", "parent_id", "rank", "id"),
        Index("uq_category_external_id", "external_id", unique=True, postgresql_where=text("external_id IS NOT NULL")),
        Index("uq_category_image_file_id", "image_file_id", unique=True),
        CheckConstraint("image_file_id IS NULL OR image_url IS NOT NULL", name="image_url"),
    )

    id: Mapped[Id]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("category.id"))
    handle: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    """Sanitised HTML."""
    translations: Mapped[Translations]
    external_id: Mapped[str | None]
    metadata_: Mapped[Metadata] = mapped_column("metadata")
    seo_title: Mapped[str | None]
    seo_description: Mapped[str | None]
    image_url: Mapped[str | None]
    image_alt: Mapped[str] = mapped_column(server_default="")
    image_file_id: Mapped[UUID | None] = mapped_column(ForeignKey("file.id"))
    """Of a picture that was uploaded here; null: it lies elsewhere."""
    rank: Mapped[int]
    """Among its siblings, then by id."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class CategoryAncestor(Base):
    """Each category with itself (depth 0), its parent (1) and so on. Kept by triggers; nobody else writes it."""

    __tablename__ = "category_ancestor"
    __table_args__ = (
        CheckConstraint("(depth = 0) = (category_id = ancestor_id)", name="cycle"),
        CheckConstraint(f"depth BETWEEN 0 AND {DEEPEST}", name="depth"),
        Index("ix_category_ancestor_ancestor_id", "ancestor_id", "category_id"),
    )

    category_id: Mapped[UUID] = mapped_column(ForeignKey("category.id", ondelete="CASCADE"), primary_key=True)
    ancestor_id: Mapped[UUID] = mapped_column(ForeignKey("category.id", ondelete="CASCADE"), primary_key=True)
    depth: Mapped[int]


class CategoryTree(Base):
    """One row, updated by everybody who changes the tree: in turn, and each after having seen what the others did."""

    __tablename__ = "category_tree"
    __table_args__ = (CheckConstraint("id = 1", name="id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))


class ProductCategory(Base):
    __tablename__ = "product_category"
    __table_args__ = (Index("ix_product_category_category_id", "category_id", "product_id"),)

    product_id: Mapped[UUID] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    category_id: Mapped[UUID] = mapped_column(ForeignKey("category.id"), primary_key=True)


LOCK: Final = """
CREATE FUNCTION lock_category_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO category_tree (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET version = category_tree.version + 1;
    RETURN NULL;
END $$;
"""
# Whoever puts products into a moved category is waited for: rules of collections look at the products of a subtree.
KEEP: Final = """
CREATE FUNCTION keep_category_ancestors() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moved uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        moved := ARRAY(SELECT id FROM changed);
    ELSE
        moved := ARRAY(
            SELECT DISTINCT a.category_id FROM changed AS c JOIN former AS f ON f.id = c.id
            JOIN category_ancestor AS a ON a.ancestor_id = c.id
            WHERE c.parent_id IS DISTINCT FROM f.parent_id);
        IF cardinality(moved) = 0 THEN
            RETURN NULL;
        END IF;
        PERFORM FROM category WHERE id = ANY(moved) ORDER BY id FOR UPDATE;
        DELETE FROM category_ancestor WHERE category_id = ANY(moved);
    END IF;
    WITH RECURSIVE line AS (
        SELECT id AS category_id, id AS ancestor_id, 0 AS depth FROM category WHERE id = ANY(moved)
        UNION ALL
        SELECT l.category_id, c.parent_id, l.depth + 1 FROM line AS l JOIN category AS c ON c.id = l.ancestor_id
        WHERE c.parent_id IS NOT NULL AND l.depth <= 20
    )
    INSERT INTO category_ancestor (category_id, ancestor_id, depth) SELECT category_id, ancestor_id, depth FROM line;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO collection_due (product_id)
        SELECT DISTINCT product_id FROM product_category WHERE category_id = ANY(moved);
    END IF;
    RETURN NULL;
END $$;
"""
TREE: Final = [
    LOCK,
    KEEP,
    "CREATE TRIGGER category_tree BEFORE INSERT OR UPDATE OF parent_id OR DELETE ON category "
    "FOR EACH STATEMENT EXECUTE FUNCTION lock_category_tree()",
    "CREATE TRIGGER category_ancestors_insert AFTER INSERT ON category REFERENCING NEW TABLE AS changed "
    "FOR EACH STATEMENT EXECUTE FUNCTION keep_category_ancestors()",
    "CREATE TRIGGER category_ancestors_update AFTER UPDATE ON category REFERENCING OLD TABLE AS former "
    "NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keep_category_ancestors()",
]
for statement in TREE:
    event.listen(Base.metadata, "after_create", DDL(statement.replace("%", "%%")))
