"""Trainings outside studies: each is found again, and what another began with is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("arch_id", sa.String(64), sa.ForeignKey("architectures.arch_id"), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("weights_digest", sa.String(64), nullable=False),
        sa.Column("protocol", sa.JSON(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("parent_id", sa.Integer(), sa.ForeignKey("runs.id")),
        sa.Column("created", sa.String(32), nullable=False),
        sa.UniqueConstraint("key"),
    )
