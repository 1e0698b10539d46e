"""What trials report while they run; a NaN stays a NaN."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from archdsl.store.claims import check
from archdsl.store.database import Database
from archdsl.store.rows import EpochValue
from archdsl.store.tables import epoch_values, record_of, trials


@dataclass(frozen=True, kw_only=True)
class Epochs:
    """Intermediate values of trials."""

    database: Database

    def report(self, *, trial_id: int, token: str, epoch: int, name: str, value: float) -> None:
        """Record an intermediate value; a new epoch says that there is a new checkpoint.

        Raises:
            StaleClaimError: `token` is not the present one.
        """
        stored = None if math.isnan(value) else value
        place = {"trial_id": trial_id, "epoch": epoch, "name": name}
        with self.database.write() as connection:
            check(connection, trial_id=trial_id, token=token)
            # A trial that continues from its checkpoint reports the epochs after it once more.
            again = connection.execute(update(epoch_values).filter_by(**place).values(value=stored))
            if not again.rowcount:
                connection.execute(insert(epoch_values).values(**place, value=stored))

    def of_trial(self, trial_id: int) -> list[EpochValue]:
        """What a trial has reported, by epoch."""
        with self.database.read() as connection:
            return epochs_of(connection, trial_id)

    def at(self, epoch: int, *, study_id: int, name: str) -> list[float]:
        """What the trials of a study have reported of `name` after `epoch`, by trial."""
        with self.database.read() as connection:
            values = connection.scalars(
                select(epoch_values.c.value)
                .join(trials, trials.c.id == epoch_values.c.trial_id)
                .where(
                    trials.c.study_id == study_id,
                    epoch_values.c.epoch == epoch,
                    epoch_values.c.name == name,
                )
                .order_by(epoch_values.c.trial_id)
            )
            return [_number(value) for value in values]


def epochs_of(connection: Connection, trial_id: int) -> list[EpochValue]:
    """What a trial has reported, by epoch."""
    rows = connection.execute(
        select(epoch_values)
        .where(epoch_values.c.trial_id == trial_id)
        .order_by(epoch_values.c.epoch, epoch_values.c.name)
    )
    return [record_of(EpochValue, row, value=_number(row.value)) for row in rows]


def _number(stored: float | None) -> float:
    return math.nan if stored is None else stored
