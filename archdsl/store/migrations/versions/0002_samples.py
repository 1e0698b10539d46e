"""Further measurements behind a trial's value."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "trial_samples",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("objective", sa.String(100), nullable=False),
        sa.Column("measurement_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("trial_id", "objective", "measurement_id", name="pk_trial_samples"),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name="fk_trial_samples_trial_id"),
        sa.ForeignKeyConstraint(
            ["measurement_id"], ["measurements.id"], name="fk_trial_samples_measurement_id"
        ),
    )
