"""The names of a step's services; rows from before have none, as servers from before write none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("steps", sa.Column("services", sa.JSON, nullable=True))
