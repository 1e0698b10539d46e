"""Further measurements behind a trial's value."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "trial_samples",
        sa.Column("trial_id", sa.Integer(), sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("objective", sa.String(100), primary_key=True),
        sa.Column(
            "measurement_id", sa.Integer(), sa.ForeignKey("measurements.id"), primary_key=True
        ),
    )
