"""How many trials a study was asked for: whoever looks on knows how many are left."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("studies", sa.Column("budget", sa.Integer(), nullable=True))
