"""What came of a study, its front first: what tables, JSON and plots all show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archdsl.analysis.aggregate import intervals_over
from archdsl.analysis.dominance import dominates, losses
from archdsl.analysis.hypervolume import Growth, growth
from archdsl.analysis.indistinguishable import indistinguishable
from archdsl.document.messages import counted, listed, rounded
from archdsl.metrics import METRICS, as_loss, trained_metrics
from archdsl.plan.expand import expand
from archdsl.plan.influence import influence
from archdsl.records import Measurement, State
from archdsl.reporting.formatting import (
    format_value,
    title,
    trials_listed,
    values_record,
)
from archdsl.searching.baselines import MeasuredBaseline, measured_baselines
from archdsl.searching.final_score import final_quantities, final_scores
from archdsl.searching.stored import refuse_damaged
from archdsl.searching.study import reference_point
from archdsl.space.difference import Differences
from archdsl.spec.model import ModelSpec
from archdsl.store.rows import LEFT, StudyRow, Trial, in_words
from archdsl.store.store import Store

WIDE_SHARE = 0.2
"""Of a latency: with a wider interval it is hardly known, and said to be."""
COMPARED = (
    "; they are compared as they are, though only one over seeds holds what other seeds would give"
)
_IN_ORDER = (State.RUNNING, State.INFEASIBLE, State.STOPPED)
TOLD_WHERE_ON = (
    "tf32",
    "autocast",
    "channels_last",
    "compile",
    "cuda_graphs",
    "optimize",
    "engine",
)
"""Conditions of a latency that change much, and are told beside it."""


@dataclass(frozen=True, kw_only=True)
class CompleteTrial:
    """One complete trial.

    Args:
        trial: its row in the store.
        member: no other trial is at least as good in everything and better in something.
        robust: it is on the robust front: no other trial is so beyond the noise.
        indistinguishable: numbers of those it cannot be told apart from; of any two at least one
            is a member.
        base: it is the study's base.
        differences: from the base, where there is one.
        spec: the architecture's model document.
        facts: what is known of the architecture.
        measured: objective to the measurement that its value is of, the search's own.
        over: trained objective to what its interval is over: `3 seeds`, `359 images`.
        tests: scores on test images, for members of a search that trained: `test_top1`, ….
    """

    trial: Trial
    member: bool
    robust: bool
    indistinguishable: Sequence[int]
    base: bool
    differences: Differences | None
    spec: Mapping[str, Any]
    facts: Mapping[str, Any]
    measured: Mapping[str, Measurement]
    over: Mapping[str, str]
    tests: Mapping[str, Measurement]

    @property
    def label(self) -> str:
        """`7`, `0 (base)`."""
        return f"{self.trial.number} (base)" if self.base else str(self.trial.number)

    @cached_property
    def difference(self) -> str:
        """What distinguishes it from the base; empty for the base itself."""
        return self.differences.to(self.spec) if self.differences else ""

    @cached_property
    def unused(self) -> str:
        """What of the network has no influence on its prediction, in words; empty where all has."""
        if self.facts.get("unused_share") == 0 or not self.spec:
            return ""
        return "".join(influence(expand(ModelSpec.model_validate(self.spec))).sentences())

    @property
    def steady(self) -> bool:
        """Whether its latency closed and nothing disturbed it; True where that is unknown, too."""
        latency = self.measured.get("latency")
        return latency is None or latency.steady is not False

    @property
    def latency_width(self) -> float:
        """Of the interval of its latency, as a share of the value; 0 without a latency."""
        latency = self.trial.values.get("latency")
        return (latency.high - latency.low) / latency.value if latency else 0.0

    def record(self) -> dict[str, Any]:
        """What is told of it alone, as plain data; nothing of its place among others."""
        return {
            "arch_id": self.trial.arch_id,
            "difference": self.difference,
            "values": values_record(self.trial.values, self.over),
            "steady": self.steady,
            **dict.fromkeys(final_quantities(self.trial.values)),
            **{name: score.value for name, score in self.tests.items()},
            "facts": dict(self.facts),
            "params": dict(self.trial.params),
        }


@dataclass(frozen=True, kw_only=True)
class StudyResults:
    """All complete trials of a study; members first, best first objective first.

    Args:
        study: its row in the store.
        rows: one per complete trial.
        conditions: device, conditions and data, in words.
        growth: the hypervolume over time; None without a point to measure it from.
        others: the trials that are not complete, by number.
        left: numbers of those that run, while no process works on them.
        baselines: models of timm's that the study is held against.
    """

    study: StudyRow
    rows: list[CompleteTrial]
    conditions: str
    growth: Growth | None
    others: list[Trial]
    left: frozenset[int]
    baselines: Sequence[MeasuredBaseline] = ()

    @property
    def members(self) -> list[CompleteTrial]:
        """The front itself."""
        return [row for row in self.rows if row.member]

    @cached_property
    def base(self) -> CompleteTrial | None:
        """The study's base, where there is one that is complete."""
        return next((row for row in self.rows if row.base), None)

    @property
    def robust_members(self) -> list[CompleteTrial]:
        """The robust front: the members, and what cannot be told apart from one of them."""
        return [row for row in self.rows if row.robust]

    @property
    def intervals(self) -> str:
        """What the intervals of the trained objective are over, trial by trial where that differs;
        empty where none is known."""
        trials: dict[str, list[int]] = {}
        for row in sorted(self.rows, key=lambda row: row.trial.number):
            for over in row.over.values():
                trials.setdefault(over, []).append(row.trial.number)
        *fewer, most = sorted(trials, key=lambda over: len(trials[over])) or [""]
        told = [*(f"{over} ({trials_listed(trials[over])})" for over in fewer), most]
        if not most:
            return ""
        names = listed(list(dict.fromkeys(name for row in self.rows for name in row.over)))
        note = "" if len({over.split()[-1] for over in trials}) == 1 else COMPARED
        others = " (the others)" if fewer else ""
        return f"the 95 % interval of {names} is over {' or '.join(told)}{others}{note}"

    @property
    def states(self) -> dict[str, int]:
        """How many trials are in each state that occurs, the complete ones left out."""
        return in_words(Counter(trial.state for trial in self.others), left=len(self.left))

    def state_of(self, trial: Trial) -> str:
        """Under which word of `states` a trial is counted."""
        return LEFT if trial.number in self.left else trial.state.value

    @property
    def lost(self) -> list[Trial]:
        """The trials that ended in an error."""
        return [trial for trial in self.others if trial.state not in _IN_ORDER]

    @property
    def indistinguishable(self) -> list[CompleteTrial]:
        """What cannot be told apart."""
        return [row for row in self.rows if row.indistinguishable]


def read_front(store: Store, study: StudyRow) -> StudyResults:
    """Read the front of a study from the store.

    Raises:
        StoreError: rows of it are damaged, or its document is no study.
    """
    refuse_damaged(store, study)
    plain, robust = (store.trials.front_rows(study.id, robust=kind) for kind in (False, True))
    trials = store.trials.all(study.id)
    complete = [t for t in trials if t.state is State.COMPLETE]
    on_front = [t for t in complete if t.id in plain]
    members = {t.number for t in on_front}
    # Of two trials at least one is a member: two others say nothing of the front.
    found = indistinguishable([t for t in complete if t.id in robust], members=members)
    by_identity = store.architectures.of_study(study.id)
    samples = store.samples.by_trial(study.id)
    behind = {
        row: {name: each[0] for name, each in found.items()} for row, found in samples.items()
    }
    scores = final_scores(store, on_front, behind)
    architectures = {t.number: by_identity[t.arch_id] for t in complete}
    has_base = bool(study.document.get("base")) and bool(trials)
    base = Differences(by_identity[trials[0].arch_id].spec) if has_base else None
    rows = [
        CompleteTrial(
            trial=trial,
            member=trial.number in members,
            robust=trial.id in robust,
            indistinguishable=found.get(trial.number, ()),
            base=has_base and trial.number == 0,
            differences=base,
            spec=architectures[trial.number].spec,
            facts=architectures[trial.number].facts,
            measured=behind[trial.id],
            over=intervals_over(samples[trial.id]),
            tests=scores.get(trial.number, {}),
        )
        for trial in complete
    ]
    first, direction = next(iter(study.objectives.items()))
    rows.sort(key=lambda row: (not row.member, as_loss(row.trial.values[first].value, direction)))
    return StudyResults(
        study=study,
        rows=rows,
        conditions=_conditions(study, list(behind.values())),
        growth=growth(
            study,
            trials,
            stated=reference_point(study.document.get("reference"), study.objectives),
        ),
        others=[t for t in trials if t.state is not State.COMPLETE],
        left=_left(store, study, trials),
        baselines=measured_baselines(store, study),
    )


def describe_baseline(results: StudyResults, found: MeasuredBaseline) -> str:
    """What a baseline measured, and how it compares with the front, as values stand."""
    goals = results.study.objectives
    if found.values.keys() != goals.keys():
        return f"baseline {found.name}: not measured yet; the search measures it at its end"
    told = [f"{title(name)} {format_value(name, each)}" for name, each in found.values.items()]
    own = losses({name: each.value for name, each in found.values.items()}, goals)
    theirs = {
        row.trial.number: losses({n: each.value for n, each in row.trial.values.items()}, goals)
        for row in results.members
    }
    better = [number for number, other in theirs.items() if dominates(other, own)]
    worse = [number for number, other in theirs.items() if dominates(own, other)]
    verdict = "no member is at least as good in everything"
    if better:
        verdict = f"beaten in everything by {trials_listed(better)}"
    elif worse:
        verdict = f"beats {trials_listed(worse)} in everything"
    return f"baseline {found.name}: {', '.join(told)}; {verdict}"


def _left(store: Store, study: StudyRow, trials: Sequence[Trial]) -> frozenset[int]:
    running = {trial.number for trial in trials if trial.state is State.RUNNING}
    claims = store.claims.of_study(study.id)
    return frozenset(each.number for each in claims if not each.alive) & running


def _conditions(study: StudyRow, behind: list[dict[str, Measurement]]) -> str:
    """The device and conditions of the latencies, and the data, in plain words."""
    if not behind:
        return "nothing measured yet"
    parts = []
    latency = behind[0].get("latency")
    if latency is not None and "fingerprint" in latency.protocol:
        parts.append(_describe_latency(latency.protocol))
    evaluate = study.document.get("evaluate", {})
    for quantity, settings in evaluate.items():
        if "table" in settings:
            parts.append(f"{quantity} from the table {settings['table']}")
    for trained in trained_metrics(evaluate):
        if "data" in evaluate[trained]:
            meaning, data = METRICS[trained].meaning, evaluate[trained]["data"]
            parts.append(f"{trained} is {meaning} on {data}")
    return "; ".join(dict.fromkeys(parts))


def _describe_latency(protocol: Mapping[str, Any]) -> str:
    device = protocol["fingerprint"]
    more = {word: protocol[word] for word in TOLD_WHERE_ON if protocol.get(word)}
    told = [
        f"batch {protocol['batch']}",
        str(protocol["dtype"]),
        *(word if value is True else f"{word} {value}" for word, value in more.items()),
        counted(protocol["threads"], "thread"),
        f"torch {device['torch']}",
    ]
    return f"latency on {device['name']} ({', '.join(told)})"


def hypervolume_unit(found: Growth) -> str:
    """The product of the objectives' units; empty where none has one."""
    return "·".join(unit for name in found.reference if (unit := METRICS[name].unit))


def describe_hypervolume(results: StudyResults) -> str:
    """How large the hypervolume is, from where it is measured, and when it last grew."""
    found = results.growth
    if found is None:
        return (
            "no hypervolume: the study states no reference and has no base with values to take "
            "in its place"
        )
    point = ", ".join(
        f"{name} {rounded(value)} {METRICS[name].unit}".rstrip()
        for name, value in found.reference.items()
    )
    place, why = _measured_from(results, found)
    if found.last_grew is None:
        no_better = f"hypervolume 0: no trial is better in every objective than {place}"
        return f"{no_better}{why if found.reference_from == 'worst' else ''} ({point})"
    value = f"{rounded(found.value)} {hypervolume_unit(found)}".rstrip()
    return f"hypervolume {value} from {place}{why} ({point}); last grew at trial {found.last_grew}"


def _measured_from(results: StudyResults, found: Growth) -> tuple[str, str]:
    """Where a hypervolume is measured from, and why there."""
    if found.reference_from == "study":
        return "the stated reference", ""
    unstated = ", as the study states no reference"
    if found.reference_from == "base":
        return "the base", unstated
    base = results.others[0]
    ended = f"the base is {base.state.value}" + (f": {base.reason}" if base.reason else "")
    return "the worst value of each objective", f"{unstated} and {ended}"
