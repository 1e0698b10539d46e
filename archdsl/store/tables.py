"""The tables. A document is stored as JSON; only what is queried or ordered by is a column.

Times are ISO 8601 texts in UTC, so that they can be read in any database browser.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
)

_Record = TypeVar("_Record")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# `budget` is the total of counted trials that was asked for last, and `ended` why the last search
# ended before that, if it did; they are no part of `document`.
studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("document", JSON, nullable=False),
    Column("objectives", JSON, nullable=False),
    Column("created", String(32), nullable=False),
    Column("budget", Integer),
    Column("ended", Text),
    UniqueConstraint("name"),
)

# `kind` is `model` (of a document), or `module`: a network that was written elsewhere and measured,
# of which `label` says what it is; it has neither document nor plan.
architectures = Table(
    "architectures",
    metadata,
    Column("arch_id", String(64), primary_key=True),
    Column("spec", JSON, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("kind", String(16), nullable=False, server_default="model"),
    Column("label", String(200)),
)

measurements = Table(
    "measurements",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("arch_id", ForeignKey("architectures.arch_id"), nullable=False),
    Column("quantity", String(100), nullable=False),
    Column("key", String(64), nullable=False),
    Column("value", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("unit", String(32), nullable=False),
    Column("protocol", JSON, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("created", String(32), nullable=False),
    UniqueConstraint("arch_id", "quantity", "key"),
)

# `ended_under` is of those whose end another place might change: `{"state": …, "profile": …}`, the
# end and the words of the run profile there. It stays while such a trial is tried again.
trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("arch_id", ForeignKey("architectures.arch_id"), nullable=False),
    Column("state", String(32), nullable=False),
    Column("params", JSON, nullable=False),
    Column("distributions", JSON, nullable=False),
    Column("sampler_attrs", JSON, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("violation", Double, nullable=False),
    Column("reason", Text),
    Column("seconds", Double, nullable=False),
    Column("finish_order", Integer),
    Column("started", String(32), nullable=False),
    Column("finished", String(32)),
    Column("ended_under", JSON(none_as_null=True)),
    UniqueConstraint("study_id", "number"),
    UniqueConstraint("study_id", "arch_id"),
    UniqueConstraint("study_id", "finish_order"),
    Index(None, "study_id", "counted"),
)

# `loss`, `loss_low` and `loss_high` are the value and its interval signed so that lower is better.
# `study_id` and `position` (of the objective in its study) repeat what other tables know, so that
# the front is found through one index.
trial_values = Table(
    "trial_values",
    metadata,
    Column("trial_id", ForeignKey("trials.id"), primary_key=True),
    Column("objective", String(100), primary_key=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("measurement_id", ForeignKey("measurements.id"), nullable=False),
    Column("value", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("loss", Double, nullable=False),
    Column("loss_low", Double, nullable=False),
    Column("loss_high", Double, nullable=False),
    Index(None, "study_id", "position", "loss"),
    Index(None, "study_id", "position", "loss_high"),
)

# Further measurements that a trial's value was made more precise with; the first one, which every
# trial has, is `trial_values.measurement_id`.
trial_samples = Table(
    "trial_samples",
    metadata,
    Column("trial_id", ForeignKey("trials.id"), primary_key=True),
    Column("objective", String(100), primary_key=True),
    Column("measurement_id", ForeignKey("measurements.id"), primary_key=True),
)

# Trainings outside studies. `place` is the folder of the training, `parent_id` the one with whose
# weights it began.
runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("arch_id", ForeignKey("architectures.arch_id"), nullable=False),
    Column("key", String(64), nullable=False),
    Column("place", Text, nullable=False),
    Column("weights_digest", String(64), nullable=False),
    Column("protocol", JSON, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("parent_id", ForeignKey("runs.id")),
    Column("created", String(32), nullable=False),
    UniqueConstraint("key"),
)

# An empty `value` is a NaN, which SQLite cannot store.
epoch_values = Table(
    "epoch_values",
    metadata,
    Column("trial_id", ForeignKey("trials.id"), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("name", String(100), primary_key=True),
    Column("value", Double),
)

# `fruitless` counts the claims, this one included, since the trial last reported a new epoch;
# `epochs` is how many it had reported when this claim was made.
claims = Table(
    "claims",
    metadata,
    Column("trial_id", ForeignKey("trials.id"), primary_key=True, autoincrement=False),
    Column("token", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_start", String(64), nullable=False),
    Column("claimed_at", String(32), nullable=False),
    Column("fruitless", Integer, nullable=False),
    Column("epochs", Integer, nullable=False),
)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def record_of(kind: type[_Record], row: Row[*tuple[Any, ...]], **others: Any) -> _Record:
    """A row as the record whose fields are named after its columns.

    Args:
        kind: a dataclass.
        row: has a column for each of its fields.
        others: fields that are no columns, or hold something else than theirs.
    """
    columns, names = row._mapping, [each.name for each in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: others[name] if name in others else columns[name] for name in names})
