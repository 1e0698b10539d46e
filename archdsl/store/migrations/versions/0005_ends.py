"""Why searches and trials ended: nobody waits for what is over, and trials are tried again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("studies", sa.Column("ended", sa.Text(), nullable=True))
    op.add_column("trials", sa.Column("ended_under", sa.JSON(), nullable=True))
