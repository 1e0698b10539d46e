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
from archdsl.store.lookups import Lookups
from archdsl.store.owner import Owner
from archdsl.store.rows import (
    Architecture,
    Described,
    StudyRow,
    Trial,
)


def open_store(
    url: str = "sqlite:///archdsl.db", *, create: bool = True, read_only: bool = False
) -> Store:
    """Open a database, upgrading an older schema.

    Args:
        url: the path or URL of an SQLite file, or the URL of a PostgreSQL server.
        create: make the database when there is none.
        read_only: never write to it, nor create it.

    Raises:
        StoreError: it is missing, cannot be opened, is not ours, or is of a later version.
    """
    return Store(database=open_database(url, create=create, read_only=read_only))


class Store(Lookups):
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
        self,
        *,
        name: str,
        document: Mapping[str, Any],
        objectives: Mapping[str, str],
        budget: int | None = None,
    ) -> StudyRow:
        """The study of this name, made when new.

        Args:
            name: unique in the database.
            document: the study document without its budget.
            objectives: name to `minimize` or `maximize`.
            budget: kept as the total of trials asked for; None leaves what is kept.

        Raises:
            StudyChangedError: it is stored with another document or other objectives.
        """
        with self._database.write() as connection:
            return studies.ensure_study(
                connection,
                name=name,
                document=document,
                objectives=objectives,
                budget=budget,
                place=self._place,
            )

    def study(self, name: str) -> StudyRow:
        """The study of this name.

        Raises:
            StoreError: there is none.
        """
        with self._database.read() as connection:
            return studies.find_study(connection, name=name, place=self._place)

    def studies(self) -> list[StudyRow]:
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
        with self._database.write(claimant=owner) as connection:
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
        that were released, or ended with a restart of this machine, are not counted.
        """
        if all(claim.alive for claim in self.claims(study_id)):
            return None  # as nearly always: no writer was kept waiting for it
        with self._database.write(claimant=owner) as connection:
            living = self._database.living(connection)
            taken = trials.take_over(connection, study_id=study_id, owner=owner, living=living)
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
