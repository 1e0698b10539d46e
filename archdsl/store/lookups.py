"""The part of a store that tells of trials."""

from __future__ import annotations

from archdsl.store import claims, history, snapshot
from archdsl.store.measured import Measured
from archdsl.store.rows import EpochValue, StudySize, StudySnapshot, Times, Trial, TrialCounts


class Lookups(Measured):
    """What is asked about the trials of a study; every answer is one transaction that reads."""

    def claims(self, study_id: int) -> list[claims.Claim]:
        """Who works on the running trials of a study, by trial number."""
        with self._database.read() as connection:
            living = self._database.living(connection)
            return claims.of_study(connection, study_id=study_id, living=living)

    def history(self, study_id: int, after: int = 0) -> list[Trial]:
        """Finished trials in commit order, those with a `finish_order` beyond `after`."""
        with self._database.read() as connection:
            return history.finished(connection, study_id=study_id, after=after)

    def trials(self, study_id: int) -> list[Trial]:
        """All trials of a study, by number."""
        with self._database.read() as connection:
            return history.all_trials(connection, study_id=study_id)

    def snapshot(self, study_id: int, after: int = 0) -> StudySnapshot:
        """How a search stands, in one transaction that keeps no writer waiting.

        Args:
            study_id: row of the study.
            after: list the trials with a `finish_order` beyond it as ended.
        """
        with self._database.read() as connection:
            living = self._database.living(connection)
            return snapshot.snapshot(connection, study_id=study_id, after=after, living=living)

    def times(self, study_id: int) -> dict[int, Times]:
        """When each trial of a study was begun and ended, by number."""
        with self._database.read() as connection:
            return history.times(connection, study_id=study_id)

    def trial(self, study_id: int, number: int) -> Trial:
        """The trial of this number.

        Raises:
            StoreError: there is none.
        """
        with self._database.read() as connection:
            return history.by_number(connection, study_id=study_id, number=number)

    def front(self, study_id: int, robust: bool = False) -> list[Trial]:
        """The complete trials that none removes, by number.

        Args:
            study_id: row of the study.
            robust: a trial removes another only when their intervals are apart in one objective.
        """
        with self._database.read() as connection:
            return history.front(connection, study_id=study_id, robust=robust)

    def epochs(self, trial_id: int) -> list[EpochValue]:
        """What a trial has reported, by epoch."""
        with self._database.read() as connection:
            return history.epochs(connection, trial_id=trial_id)

    def values_after(self, study_id: int, *, epoch: int, name: str) -> list[float]:
        """What the trials of a study have reported of `name` after `epoch`, by trial."""
        with self._database.read() as connection:
            return history.values_after(connection, study_id=study_id, epoch=epoch, name=name)

    def seen(self, study_id: int) -> set[str]:
        """Identities of all architectures in a study."""
        with self._database.read() as connection:
            return history.seen(connection, study_id=study_id)

    def size(self, study_id: int) -> StudySize:
        """How many trials there are, without looking at each."""
        with self._database.read() as connection:
            return history.size(connection, study_id=study_id)

    def count(self, study_id: int) -> TrialCounts:
        """How many trials there are in each state."""
        with self._database.read() as connection:
            return history.count(connection, study_id=study_id)
