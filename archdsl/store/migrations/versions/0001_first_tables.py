"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_studies()
    _create_architectures_and_measurements()
    _create_trials()
    _create_values()
    _create_claims()


def _create_studies() -> None:
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("objectives", sa.JSON(), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.UniqueConstraint("name"),
    )


def _create_architectures_and_measurements() -> None:
    op.create_table(
        "architectures",
        sa.Column("arch_id", sa.String(64), primary_key=True),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
    )
    op.create_table(
        "measurements",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("arch_id", sa.String(64), nullable=False),
        sa.Column("quantity", sa.String(100), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("unit", sa.String(32), nullable=False),
        sa.Column("protocol", sa.JSON(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["arch_id"], ["architectures.arch_id"]),
        sa.UniqueConstraint("arch_id", "quantity", "key"),
    )


def _create_trials() -> None:
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("arch_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("distributions", sa.JSON(), nullable=False),
        sa.Column("sampler_attrs", sa.JSON(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("violation", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("finish_order", sa.Integer()),
        sa.Column("started", sa.String(32), nullable=False),
        sa.Column("finished", sa.String(32)),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"]),
        sa.ForeignKeyConstraint(["arch_id"], ["architectures.arch_id"]),
        sa.UniqueConstraint("study_id", "number"),
        sa.UniqueConstraint("study_id", "arch_id"),
        sa.UniqueConstraint("study_id", "finish_order"),
    )
    op.create_index("ix_trials_study_id_counted", "trials", ["study_id", "counted"])


def _create_values() -> None:
    op.create_table(
        "trial_values",
        sa.Column("trial_id", sa.Integer(), sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("objective", sa.String(100), primary_key=True),
        sa.Column("study_id", sa.Integer(), sa.ForeignKey("studies.id"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("measurement_id", sa.Integer(), sa.ForeignKey("measurements.id"), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("loss", sa.Double(), nullable=False),
        sa.Column("loss_low", sa.Double(), nullable=False),
        sa.Column("loss_high", sa.Double(), nullable=False),
    )
    for end in ("loss", "loss_high"):
        op.create_index(
            f"ix_trial_values_study_id_position_{end}",
            "trial_values",
            ["study_id", "position", end],
        )
    op.create_table(
        "epoch_values",
        sa.Column("trial_id", sa.Integer(), sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("epoch", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("value", sa.Double()),
    )


def _create_claims() -> None:
    op.create_table(
        "claims",
        sa.Column(
            "trial_id",
            sa.Integer(),
            sa.ForeignKey("trials.id"),
            autoincrement=False,
            primary_key=True,
        ),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_start", sa.String(64), nullable=False),
        sa.Column("claimed_at", sa.String(32), nullable=False),
        sa.Column("fruitless", sa.Integer(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
    )
