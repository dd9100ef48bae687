"""gift cards and store credit"""

from typing import Any

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Any = None
depends_on: Any = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
