"""payments, refunds and webhooks"""

from typing import Any

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Any = None
depends_on: Any = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
