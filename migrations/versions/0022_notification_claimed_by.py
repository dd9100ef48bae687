"""who has begun to send a notification, so that after their death they go on at once"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: Any = None
depends_on: Any = None


def upgrade() -> None:
    op.add_column("notification", sa.Column("claimed_by", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("notification", "claimed_by")
