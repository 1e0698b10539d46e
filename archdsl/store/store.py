"""The store: everything other rooms ask of the database.

Every method is one short transaction. Every error of the database leaves as a `StoreError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from archdsl.records import Measurement, Outcome, State
from archdsl.store import claims, history, studies, trials
from archdsl.store.database import open_database
from archdsl.store.measured import Measured
from archdsl.store.owner import Owner
from archdsl.store.rows import (
    Architecture,
    Described,
    EpochValue,
    Study,
    StudySize,
    Times,
    Trial,
    TrialCounts,
)


def open_store(
    url: str = "sqlite:///archdsl.db", *, create: bool = True, read_only: bool = False
) -> Store:
    """Open a database, upgrading an older schema.

    Args:
        url: an SQLAlchemy URL, or the path of an SQLite file.
        create: make the database when there is none.
        read_only: never write to it, nor create it.

    Raises:
        StoreError: it is missing, cannot be opened, is not ours, or is of a later version.
    """
    return Store(database=open_database(url, create=create, read_only=read_only))


class Store(Measured):
    """An open database; close it, or use it in a `with`. Made by `open_store`."""

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ensure_study(
        self, *, name: str, document: Mapping[str, Any], objectives: Mapping[str, str]
    ) -> Study:
        """The study of this name, made when new.

        Args:
            name: unique in the database.
            document: the study document without its budget.
            objectives: name to `minimize` or `maximize`.

        Raises:
            StudyChangedError: it is stored with another document or other objectives.
        """
        with self._database.write() as connection:
            return studies.ensure_study(
                connection, name=name, document=document, objectives=objectives, place=self._place
            )

    def study(self, name: str) -> Study:
        """The study of this name.

        Raises:
            StoreError: there is none.
        """
        with self._database.read() as connection:
            return studies.find_study(connection, name=name, place=self._place)

    def studies(self) -> list[Study]:
        """All studies, oldest first."""
        with self._database.read() as connection:
            return studies.all_studies(connection)

    def add_architecture(
        self,
        *,
        arch_id: str,
        spec: Mapping[str, Any],
        plan: Mapping[str, Any],
        facts: Mapping[str, Any],
    ) -> None:
        """Add an architecture outside of any study, unless it is there."""
        with self._database.write() as connection:
            studies.add_architecture(connection, arch_id=arch_id, spec=spec, plan=plan, facts=facts)

    def find_architecture(self, prefix: str) -> Architecture:
        """The one architecture whose identity begins with `prefix`.

        Raises:
            StoreError: there is none, or more than one.
        """
        with self._database.read() as connection:
            return studies.find_architecture(connection, prefix=prefix, place=self._place)

    def architectures(self, study_id: int) -> dict[str, Described]:
        """Identity to architecture, of all trials of a study."""
        with self._database.read() as connection:
            return studies.architectures_of(connection, study_id=study_id)

    def add_trial(
        self,
        *,
        study_id: int,
        budget: int | None,
        owner: Owner,
        arch_id: str,
        spec: Mapping[str, Any],
        plan: Mapping[str, Any],
        facts: Mapping[str, Any],
        params: Mapping[str, Any],
        distributions: Mapping[str, Any],
        sampler_attrs: Mapping[str, Any],
        attempt: int,
        counted: bool = True,
    ) -> Trial | None:
        """Add a running trial, claimed by `owner`; with its token.

        Returns:
            The trial; None when the study's counted rows have reached `budget`.

        Raises:
            DuplicateTrialError: the study holds this architecture.
        """
        with self._database.write() as connection:
            trial_id = trials.add(
                connection,
                study_id=study_id,
                budget=budget,
                arch_id=arch_id,
                spec=spec,
                plan=plan,
                facts=facts,
                params=params,
                distributions=distributions,
                sampler_attrs=sampler_attrs,
                attempt=attempt,
                counted=counted,
            )
            if trial_id is None:
                return None
            token = claims.grant(connection, trial_id=trial_id, owner=owner)
            return replace(history.without_values(connection, trial_id), token=token)

    def add_finished_trial(
        self,
        *,
        study_id: int,
        budget: int | None,
        arch_id: str,
        spec: Mapping[str, Any],
        plan: Mapping[str, Any],
        facts: Mapping[str, Any],
        params: Mapping[str, Any],
        distributions: Mapping[str, Any],
        sampler_attrs: Mapping[str, Any],
        attempt: int,
        state: State,
        reason: str,
        violation: float = 0.0,
        counted: bool = False,
    ) -> Trial | None:
        """Add a trial that needs no evaluation, such as one whose facts break a constraint.

        Returns:
            The trial; None when the study's counted rows have reached `budget`.

        Raises:
            DuplicateTrialError: the study holds this architecture.
        """
        if state is State.COMPLETE:
            raise ValueError("a complete trial has values: add it running and finish it")
        with self._database.write() as connection:
            trial_id = trials.add(
                connection,
                study_id=study_id,
                budget=budget,
                arch_id=arch_id,
                spec=spec,
                plan=plan,
                facts=facts,
                params=params,
                distributions=distributions,
                sampler_attrs=sampler_attrs,
                attempt=attempt,
                counted=counted,
            )
            if trial_id is None:
                return None
            trials.end(
                connection,
                study_id=study_id,
                trial_id=trial_id,
                state=state,
                reason=reason,
                violation=violation,
            )
            return history.without_values(connection, trial_id)

    def report_epoch(
        self, *, trial_id: int, token: str, epoch: int, name: str, value: float
    ) -> None:
        """Record an intermediate value; a new epoch says that there is a new checkpoint.

        Raises:
            StaleClaimError: `token` is not the present one.
        """
        with self._database.write() as connection:
            trials.report_epoch(
                connection, trial_id=trial_id, token=token, epoch=epoch, name=name, value=value
            )

    def finish_trial(
        self, *, trial_id: int, token: str, outcome: Outcome, values: Mapping[str, Measurement]
    ) -> None:
        """Commit what became of a claimed trial.

        All measurements are kept; where one of the same protocol is stored, that one stands, here
        too. `values`, objective to measurement, is written for complete trials only, which need
        exactly the study's objectives.

        Raises:
            StaleClaimError: `token` is not the present one.
        """
        with self._database.write() as connection:
            trials.finish(
                connection, trial_id=trial_id, token=token, outcome=outcome, values=values
            )

    def take_over(self, *, study_id: int, owner: Owner) -> Trial | None:
        """Claim the lowest-numbered running trial whose owner is dead; with its new token.

        A trial whose third claim in a row has brought no new epoch ends as crashed instead. Claims
        that were released, or ended with the whole machine, are not counted.
        """
        local = self._database.is_local_file
        if all(claim.alive for claim in self.claims(study_id)):
            return None  # as nearly always: no writer was kept waiting for it
        with self._database.write() as connection:
            taken = trials.take_over(connection, study_id=study_id, owner=owner, local=local)
            if taken is None:
                return None
            trial_id, token = taken
            return replace(history.without_values(connection, trial_id), token=token)

    def release(self, *, trial_id: int, token: str) -> None:
        """Say that this process ends without finishing the trial, which is not the trial's fault.

        Raises:
            StaleClaimError: `token` is not the present one.
        """
        with self._database.write() as connection:
            claims.release(connection, trial_id=trial_id, token=token)

    def claims(self, study_id: int) -> list[claims.Claim]:
        """Who works on the running trials of a study, by trial number."""
        local = self._database.is_local_file
        with self._database.read() as connection:
            return claims.of_study(connection, study_id=study_id, local=local)

    def history(self, study_id: int, after: int = 0) -> list[Trial]:
        """Finished trials in commit order, those with a `finish_order` beyond `after`."""
        with self._database.read() as connection:
            return history.finished(connection, study_id=study_id, after=after)

    def trials(self, study_id: int) -> list[Trial]:
        """All trials of a study, by number."""
        with self._database.read() as connection:
            return history.all_trials(connection, study_id=study_id)

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
