"""Trials: proposed, finished, taken over and read again. Each method is one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    column,
    delete,
    func,
    insert,
    select,
    table,
    update,
)

from archdsl.errors import StoreError
from archdsl.records import RETRIABLE, Measurement, Outcome, State
from archdsl.store.architectures import add_architecture
from archdsl.store.claims import Claim, check, claims_of, grant, pass_on
from archdsl.store.database import Database
from archdsl.store.errors import DuplicateTrialError
from archdsl.store.measurements import keep
from archdsl.store.owner import Owner
from archdsl.store.rows import NewTrial, StudySize, Trial, TrialCounts, Value
from archdsl.store.samples import columns
from archdsl.store.tables import claims, now, record_of, trial_values, trials

# Statements that every trial needs are built once.
_MINE = trials.c.study_id == bindparam("study")
_BY_ID = select(trials).where(trials.c.id == bindparam("trial"))
_INSERT = insert(trials).returning(trials.c.id)
_UNCLAIM = delete(claims).where(claims.c.trial_id == bindparam("trial"))
# In a time that does not grow with the trials: numbers run from 0 without a gap.
_ROWS = select(func.coalesce(func.max(trials.c.number) + 1, 0)).where(_MINE).scalar_subquery()
_FREE = select(func.count()).where(_MINE, trials.c.counted.is_(False)).scalar_subquery()
_SIZE = select(_ROWS.label("rows"), (_ROWS - _FREE).label("counted"))
_TWIN = select(trials.c.number).where(_MINE, trials.c.arch_id == bindparam("arch"))
_PRESENT = _SIZE.add_columns(_TWIN.scalar_subquery().label("twin"))
_OTHERS = trials.alias()
_NEXT = (
    select(func.coalesce(func.max(_OTHERS.c.finish_order), 0) + 1)
    .where(_OTHERS.c.study_id == bindparam("study"))
    .scalar_subquery()
)
_END = update(trials).where(trials.c.id == bindparam("trial")).values(finish_order=_NEXT)


@dataclass(frozen=True, kw_only=True)
class Trials:
    """The trials of all studies of a database."""

    database: Database

    def add(
        self, new: NewTrial, *, study_id: int, budget: int | None, owner: Owner
    ) -> Trial | None:
        """Add a running trial, claimed by `owner`, with its token; or one that ends at once.

        Returns:
            The trial; None when the study's counted rows have reached `budget`.

        Raises:
            DuplicateTrialError: the study holds this architecture.
        """
        if new.outcome and new.outcome.state is State.COMPLETE:
            raise ValueError("a complete trial has values: add it running and finish it")
        with self.database.write(claimant=None if new.outcome else owner) as connection:
            trial_id = _add(connection, new, study_id=study_id, budget=budget)
            if trial_id is None:
                return None
            token = None
            if new.outcome:
                _end(connection, study_id=study_id, trial_id=trial_id, outcome=new.outcome)
            else:
                token = grant(connection, trial_id=trial_id, owner=owner)
            return replace(_without_values(connection, trial_id), token=token)

    def finish(
        self,
        *,
        trial_id: int,
        token: str,
        outcome: Outcome,
        values: Mapping[str, Measurement],
        profile: Mapping[str, Any] | None = None,
    ) -> None:
        """Commit what became of a claimed trial.

        All measurements are kept; where one of the same protocol is stored, that one stands, here
        too. `values`, objective to measurement, is written for complete trials only, which need
        exactly the study's objectives. `profile`, the words of the run profile, is kept with an end
        that another one might change.

        Raises:
            StaleClaimError: `token` is not the present one.
        """
        with self.database.write() as connection:
            trial = check(connection, trial_id=trial_id, token=token)
            kept = keep(connection, trial.arch_id, (*outcome.measurements, *values.values()))
            if outcome.state is State.COMPLETE:
                rows = {name: kept[each.quantity, each.key] for name, each in values.items()}
                _write_values(connection, trial=trial, rows=rows)
            _end(
                connection,
                study_id=trial.study_id,
                trial_id=trial_id,
                outcome=outcome,
                profile=profile,
            )

    def take_over(self, *, study_id: int, owner: Owner) -> Trial | None:
        """Claim the lowest-numbered running trial that was given back or whose owner is dead; with
        its new token.

        A trial whose third claim in a row has brought no new epoch ends as crashed instead. Claims
        that were given back, or ended with a restart of this machine, are not counted.
        """
        with self.database.read() as connection:
            living = self.database.living(connection)
            if all(each.alive for each in claims_of(connection, study_id=study_id, living=living)):
                return None  # as nearly always: no writer was kept waiting for it
        with self.database.write(claimant=owner) as connection:
            living = self.database.living(connection)
            for claim in claims_of(connection, study_id=study_id, living=living):
                if claim.alive:
                    continue
                token = pass_on(connection, claim=claim, owner=owner)
                if token is not None:
                    return replace(_without_values(connection, claim.trial_id), token=token)
                _give_up(connection, claim, study_id=study_id)
        return None

    def all(self, study_id: int) -> list[Trial]:
        """All trials of a study, by number."""
        with self.database.read() as connection:
            return _trials(connection, trials.c.study_id == study_id, order=trials.c.number)

    def finished(self, study_id: int, after: int = 0) -> list[Trial]:
        """Finished trials in commit order, those with a `finish_order` beyond `after`."""
        wanted = (trials.c.study_id == study_id) & (trials.c.finish_order > after)
        with self.database.read() as connection:
            return _trials(connection, wanted, order=trials.c.finish_order)

    def get(self, study_id: int, number: int) -> Trial:
        """The trial of this number.

        Raises:
            StoreError: there is none.
        """
        mine = trials.c.study_id == study_id
        with self.database.read() as connection:
            found = _trials(connection, mine & (trials.c.number == number), order=trials.c.number)
            if found:
                return found[0]
            rows = connection.scalar(select(func.count()).where(mine))
        held = f"its trials are 0 to {rows - 1}" if rows else "it has none yet"
        raise StoreError(f"the study has no trial {number}; {held}")

    def front(self, study_id: int, robust: bool = False) -> list[Trial]:
        """The complete trials that none removes, by number.

        Args:
            study_id: row of the study.
            robust: a trial removes another only when their intervals are apart in one objective.
        """
        with self.database.read() as connection:
            ids = sorted(_front_rows(connection, study_id=study_id, robust=robust))
            # A second query by identity: nested, the view would be computed once for the rows and
            # once more for their values.
            return [
                trial
                for chunk in (ids[start : start + 500] for start in range(0, len(ids), 500))
                for trial in _trials(connection, trials.c.id.in_(chunk), order=trials.c.number)
            ]

    def front_rows(self, study_id: int, *, robust: bool = False) -> set[int]:
        """The rows of the trials that `front` says, for those who have the trials already."""
        with self.database.read() as connection:
            return _front_rows(connection, study_id=study_id, robust=robust)

    def arch_ids(self, study_id: int) -> set[str]:
        """Identities of all architectures in a study."""
        with self.database.read() as connection:
            return set(
                connection.scalars(select(trials.c.arch_id).where(trials.c.study_id == study_id))
            )

    def size(self, study_id: int) -> StudySize:
        """How many trials there are, without looking at each."""
        with self.database.read() as connection:
            return record_of(StudySize, connection.execute(_SIZE, {"study": study_id}).one())

    def count(self, study_id: int) -> TrialCounts:
        """How many trials there are in each state."""
        with self.database.read() as connection:
            return count_of(connection, study_id)


def count_of(connection: Connection, study_id: int) -> TrialCounts:
    """How many trials of a study there are in each state."""
    states = dict.fromkeys(State, 0)
    counted = 0
    rows = connection.execute(
        select(trials.c.state, trials.c.counted, func.count().label("rows"))
        .where(trials.c.study_id == study_id)
        .group_by(trials.c.state, trials.c.counted)
    )
    for row in rows:
        states[State(row.state)] += row.rows
        counted += row.rows if row.counted else 0
    return TrialCounts(states=states, counted=counted)


def values_of(
    connection: Connection, condition: ColumnElement[bool]
) -> dict[int, dict[str, Value]]:
    """Row of each complete trial among those of a condition to its values by objective."""
    values: dict[int, dict[str, Value]] = defaultdict(dict)
    rows = connection.execute(
        select(trial_values)
        .join(trials, trials.c.id == trial_values.c.trial_id)
        .where(condition)
        .order_by(trial_values.c.trial_id, trial_values.c.position)
    )
    for row in rows:
        values[row.trial_id][row.objective] = record_of(Value, row)
    return values


def _add(connection: Connection, new: NewTrial, *, study_id: int, budget: int | None) -> int | None:
    """A running trial without a claim; its row, or None when the budget is used up."""
    arch_id = new.architecture.arch_id
    present = connection.execute(_PRESENT, {"study": study_id, "arch": arch_id}).one()
    if budget is not None and present.counted >= budget:
        return None
    if present.twin is not None:
        raise DuplicateTrialError(
            f"architecture {arch_id} is already trial {present.twin} of this study"
        )
    add_architecture(connection, new.architecture)
    row = {
        "study_id": study_id,
        "number": present.rows,
        "arch_id": arch_id,
        "state": State.RUNNING,
        "params": dict(new.params),
        "distributions": dict(new.distributions),
        "sampler_attrs": dict(new.sampler_attrs),
        "attempt": new.attempt,
        "counted": new.counted,
        "violation": 0.0,
        "seconds": 0.0,
        "started": now(),
    }
    trial_id: int = connection.execute(_INSERT, row).scalar_one()
    return trial_id


def _end(
    connection: Connection,
    *,
    study_id: int,
    trial_id: int,
    outcome: Outcome,
    profile: Mapping[str, Any] | None = None,
) -> None:
    """Finish a running trial, next in commit order, and drop its claim if it has one."""
    if outcome.state is State.RUNNING:
        raise ValueError("a trial does not end as running")
    end: dict[str, Any] = {
        "study": study_id,
        "trial": trial_id,
        "state": outcome.state,
        # Servers refuse the character that ends a text in C.
        "reason": outcome.reason and outcome.reason.replace("\0", ""),
        "seconds": outcome.seconds,
        "violation": outcome.violation,
        "finished": now(),
        "ended_under": None,
    }
    if outcome.state in RETRIABLE:
        end["ended_under"] = {"state": outcome.state, "profile": profile and dict(profile)}
    connection.execute(_END, end)
    connection.execute(_UNCLAIM, {"trial": trial_id})


def _give_up(connection: Connection, claim: Claim, *, study_id: int) -> None:
    reason = (
        f"its process died {claim.fruitless} times without a new checkpoint, last {claim.owner}"
    )
    outcome = Outcome(state=State.CRASHED, reason=reason)
    _end(connection, study_id=study_id, trial_id=claim.trial_id, outcome=outcome)


def _write_values(connection: Connection, *, trial: Row[Any], rows: Mapping[str, Row[Any]]) -> None:
    """`rows`: objective to the stored measurement."""
    if set(rows) != set(trial.objectives):
        raise ValueError(f"a complete trial needs {sorted(trial.objectives)}, not {sorted(rows)}")
    values = [
        {
            "trial_id": trial.id,
            "objective": objective,
            "study_id": trial.study_id,
            "position": position,
            "measurement_id": rows[objective].id,
            **columns(record_of(Value, rows[objective]), goal=goal),
        }
        for position, (objective, goal) in enumerate(trial.objectives.items())
    ]
    connection.execute(insert(trial_values), values)


def _without_values(connection: Connection, trial_id: int) -> Trial:
    """A trial that is known not to be complete."""
    return _trial(connection.execute(_BY_ID, {"trial": trial_id}).one(), {})


def _front_rows(connection: Connection, *, study_id: int, robust: bool) -> set[int]:
    view = table("front_robust" if robust else "front", column("trial_id"), column("study_id"))
    return set(connection.scalars(select(view.c.trial_id).where(view.c.study_id == study_id)))


def _trials(
    connection: Connection, condition: ColumnElement[bool], *, order: ColumnElement[Any]
) -> list[Trial]:
    values = values_of(connection, condition)
    rows = connection.execute(select(trials).where(condition).order_by(order))
    return [_trial(row, values.get(row.id, {})) for row in rows]


def _trial(row: Row[Any], values: Mapping[str, Value]) -> Trial:
    return record_of(Trial, row, state=State(row.state), values=values, token=None)
