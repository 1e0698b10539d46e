"""Frozen records that the store hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archdsl.records import Measurement, Outcome, State


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """One study.

    Args:
        id: its row.
        name: unique in the database.
        digest: of `document`.
        document: the study document without its budget.
        objectives: name to `minimize` or `maximize`, in the order of the document.
        budget: total of counted trials that was asked for last; None where no search has said so.
        ended: why the last search ended before that, in a line; None where it did not, or goes on.
    """

    id: int
    name: str
    digest: str
    document: Mapping[str, Any] = field(repr=False)
    objectives: Mapping[str, str]
    budget: int | None = None
    ended: str | None = None


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One architecture, whichever studies met it.

    Args:
        arch_id: its identity.
        spec: the model document; empty of a module.
        plan: the plan in its canonical form; empty of a module.
        facts: what is known without measuring: `params`, `macs`, …
        kind: `model`, or `module`: a network that was written elsewhere and measured.
        label: what a module is, such as `timm:vit_base_patch16_224`; None of a model.
    """

    arch_id: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    kind: Literal["model", "module"] = "model"
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A finished training outside studies, to be kept.

    Args:
        key: digest of all that decides it.
        place: its folder.
        weights_digest: of the weights that it ended with.
        protocol: what decides it.
        detail: what a person wants to see of it.
        begun_with: digest of the weights that it began with; None of fresh ones.
    """

    key: str
    place: str
    weights_digest: str
    protocol: Mapping[str, Any]
    detail: Mapping[str, Any]
    begun_with: str | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """The same, kept: with its number, that of the one whose weights it began with, and the time
    (ISO 8601 in UTC)."""

    id: int
    arch_id: str
    key: str
    place: str
    weights_digest: str
    protocol: Mapping[str, Any]
    detail: Mapping[str, Any]
    parent_id: int | None
    created: str


@dataclass(frozen=True, kw_only=True)
class Described:
    """One architecture without its plan, which is by far the largest part of it."""

    arch_id: str
    spec: Mapping[str, Any]
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class NewTrial:
    """A candidate as it was proposed; see `Trial`.

    Args:
        architecture: added to the database unless it is there.
        outcome: how it ends without an evaluation, as where its facts break a constraint; None of
            one that is to be evaluated.
    """

    architecture: Architecture
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, Any] = field(default_factory=dict)
    sampler_attrs: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0
    counted: bool = True
    outcome: Outcome | None = None


@dataclass(frozen=True, kw_only=True)
class Value:
    """An objective's value with the ends of its 95 % interval, in the measurement's unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One row of a study.

    Args:
        id: its row.
        study_id: row of its study.
        number: place in the order of proposal, from 0.
        arch_id: the architecture; a study holds each at most once.
        state: what became of it.
        params: hole name to decision.
        distributions: hole name to what the sampler drew it from.
        sampler_attrs: what the sampler asked to remember.
        attempt: how many redraws the proposal took.
        counted: whether it uses up budget.
        violation: by how much constraints are broken, summed relative to their bounds.
        reason: one line for people; None when complete or running.
        seconds: wall time of the evaluation.
        finish_order: place in the order of commit, from 1; None while running.
        started: when it was begun, ISO 8601 in UTC.
        finished: when it ended; None while running.
        ended_under: of an end that another environment might change its `state` and the run
            `profile`'s words; kept while it is tried again, None of all others.
        values: objective to value; empty unless complete.
        token: proves the claim; None except from `Trials.add` and `take_over`.
    """

    id: int
    study_id: int
    number: int
    arch_id: str
    state: State
    params: Mapping[str, Any]
    distributions: Mapping[str, Any]
    sampler_attrs: Mapping[str, Any]
    attempt: int
    counted: bool
    violation: float
    reason: str | None
    seconds: float
    finish_order: int | None
    started: str
    finished: str | None
    ended_under: Mapping[str, Any] | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    token: str | None = None


@dataclass(frozen=True, kw_only=True)
class StudySize:
    """How many rows a study has: of all, and of those that use up budget."""

    rows: int
    counted: int


@dataclass(frozen=True, kw_only=True)
class TrialCounts:
    """How many rows a study has: per state (every state has an entry), and within the budget."""

    states: Mapping[State, int]
    counted: int

    @property
    def done(self) -> int:
        """Trials that have used up budget."""
        return self.counted - self.states[State.RUNNING]


LEFT = "left"
"""What is said of a trial that is to be gone on with, while no process works on it."""


def in_words(states: Mapping[State, int], *, left: int) -> dict[str, int]:
    """How many trials are in each state that occurs, in the order of the states.

    Args:
        states: as they are stored.
        left: how many of the running ones no process works on any more.
    """
    words = {state.value: states.get(state, 0) for state in State}
    running = {State.RUNNING.value: words[State.RUNNING] - left, LEFT: left}
    return {word: count for word, count in {**running, **words, **running}.items() if count}


@dataclass(frozen=True, kw_only=True)
class EpochValue:
    """What a trial reported during its evaluation; a NaN stays a NaN."""

    epoch: int
    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class RunningTrial:
    """What is known of a trial while it runs.

    Args:
        number: place in the order of proposal.
        owner: the process that works on it, in words.
        alive: whether that process still runs, as far as can be known.
        claimed_at: since when, ISO 8601 in UTC.
        measured: quantities of its architecture that are stored already.
        epoch: the last one it reported; 0 before the first.
        reported: what it reported after that epoch, by name.
    """

    number: int
    owner: str
    alive: bool
    claimed_at: str
    measured: frozenset[str]
    epoch: int
    reported: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class EndedTrial:
    """What is shown of a trial that has ended: see `Trial`; times are ISO 8601 in UTC."""

    number: int
    state: State
    counted: bool
    reason: str | None
    seconds: float
    finish_order: int
    started: str
    finished: str
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class StudySnapshot:
    """How a search stands at one moment.

    Args:
        study: with the budget of this moment.
        counts: of all its trials.
        running: by number.
        ended: those asked for, in commit order.
    """

    study: StudyRow
    counts: TrialCounts
    running: tuple[RunningTrial, ...]
    ended: tuple[EndedTrial, ...]

    @property
    def searched(self) -> bool:
        """Whether a process works on it."""
        return any(each.alive for each in self.running)

    @property
    def last_change(self) -> str | None:
        """When a trial ended or was begun last, of those that are listed; ISO 8601 in UTC."""
        moments = [each.finished for each in self.ended]
        return max([*moments, *(each.claimed_at for each in self.running)], default=None)

    @property
    def done(self) -> int:
        """Trials that have used up budget."""
        return self.counts.done

    @property
    def over(self) -> bool:
        """Whether the budget is spent, or no search can spend it, and nothing runs any more."""
        budget = self.study.budget
        spent = budget is not None and self.done >= budget
        return (spent or self.study.ended is not None) and not self.running


@dataclass(frozen=True, kw_only=True)
class DeletedStudy:
    """What went with a study.

    Args:
        trials: how many.
        measured: `arch_id` of each architecture that no other study had met, to its measurements.
    """

    trials: int
    measured: Mapping[str, tuple[Measurement, ...]]
