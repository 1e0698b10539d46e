"""Trials that a study's rule stops: when, what is stored, what samplers learn, and after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from archdsl.errors import Problem
from archdsl.identity import digest
from archdsl.records import Job, Measurement, Outcome, State
from archdsl.runners.interfaces import JobSource
from archdsl.searching.read import CheckedStudy
from archdsl.searching.samplers import History, Proposal, Sampler
from archdsl.searching.stopping import EVIDENCE
from archdsl.space.space import Space
from archdsl.store.owner import Owner
from archdsl.store.store import Store, open_store

EPOCHS = 6
EVALUATE: dict[str, Any] = {
    "latency": {"device": "any", "batch": 1},
    "top1": {"data": "digits", "recipe": "small-images", "epochs": EPOCHS},
}
FRONT = {"type": "front", "margin": 1, "earliest": 2}
SPACE = """\
depth: {range: [1, 8]}
process: {dim: {range: [16, 96], step: 16}, block: {mlp_ratio: {range: [0.5, 4], step: 0.5}}}
memory: {embed: {patch_size: {choose: [1, 2, 4]}}}
"""
PROTOCOLS = {name: {"made up": name} for name in EVALUATE}

Begin = Callable[..., JobSource]
ReadStudy = Callable[..., CheckedStudy]
Table = list[dict[str, Any]]


def measured(quantity: str, value: float) -> Measurement:
    return Measurement(
        quantity=quantity,
        value=value,
        low=value,
        high=value,
        unit="",
        protocol=PROTOCOLS[quantity],
    )


def table_of(store: Store) -> Table:
    """What became of every trial, what it was decided by, and what it reported."""
    study_id = store.studies.find("small").id
    return [
        {
            "params": dict(trial.params),
            "state": trial.state,
            "reason": trial.reason,
            "finish_order": trial.finish_order,
            "values": {name: value.value for name, value in trial.values.items()},
            "epochs": store.epochs.of_trial(trial.id),
        }
        for trial in store.trials.all(study_id)
    ]


def curve(final: float) -> list[float]:
    """The error is halved, and halved again, and then stays as it is."""
    return [100 - (100 - final) * share for share in (8, 4, 2, 1, 1, 1)]


def train(source: JobSource, job: Job, curve: list[float], **exact: float) -> Outcome:
    """What a worker does: measure, train, report, end."""
    known = {each.quantity: each for each in job.known}
    made = [known.get(name) or measured(name, value) for name, value in exact.items()]
    for measurement in made:
        if measurement.quantity not in known:
            source.on_measurement(job, measurement)
    for epoch, value in enumerate(curve, start=1):
        reason = source.on_report(job, "top1", epoch, value)
        if reason is not None:
            return Outcome(state=State.STOPPED, measurements=tuple(made), reason=reason)
    return Outcome(
        state=State.COMPLETE, measurements=(*made, measured("top1", curve[-1])), seconds=1.0
    )


def run_one(source: JobSource, curve: list[float], **exact: float) -> Outcome:
    job = source.next_job()
    assert job is not None
    outcome = train(source, job, curve, **exact)
    source.on_outcome(job, outcome)
    return outcome


@pytest.fixture
def begun(study: ReadStudy, begin: Begin) -> Callable[..., JobSource]:
    """A search that stops trials, with as many complete ones as a rule wants to see."""

    def made(
        *, complete: int = EVIDENCE, sampler: Sampler | None = None, **words: Any
    ) -> JobSource:
        words = {"evaluate": EVALUATE, "stopping": FRONT, "trials": 30} | words
        source = begin(study(SPACE, **words), protocols=PROTOCOLS, sampler=sampler)
        for _ in range(complete):
            assert run_one(source, curve(90), latency=5.0).state is State.COMPLETE
        return source

    return made


def test_a_trial_that_cannot_reach_the_front_is_stopped_at_once(
    begun: Callable[..., JobSource], store: Store
) -> None:
    outcome = run_one(begun(), curve(80), latency=5.0)
    assert outcome.state is State.STOPPED
    assert outcome.reason == (
        "after epoch 2: top1 20.00 % so far, 80.00 % at most in sight; "
        "trial 0 has 90.00 % and no worse latency"
    )
    row = store.studies.find("small")
    trial = store.trials.get(row.id, EVIDENCE)
    assert (trial.state, trial.reason, trial.values) == (State.STOPPED, outcome.reason, {})
    assert [each.value for each in store.epochs.of_trial(trial.id)] == curve(80)[:2], (
        "kept as they came"
    )
    assert [each.quantity for each in store.measurements.of_arch(trial.arch_id)] == ["latency"]
    assert trial.number not in {member.number for member in store.trials.front(row.id)}
    count = store.trials.count(row.id)
    assert (count.states[State.STOPPED], count.counted) == (1, EVIDENCE + 1), "it uses up budget"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("final", "latency", "why"),
    [
        (80, 4.9, "nothing complete is as fast"),
        (89.1, 5.0, "less than the margin under the front"),
        (95, 9.0, "nothing complete is as good"),
    ],
)
def test_what_may_reach_the_front_goes_on(
    begun: Callable[..., JobSource], final: float, latency: float, why: str
) -> None:
    assert run_one(begun(), curve(final), latency=latency).state is State.COMPLETE, why


def test_nothing_is_stopped_before_there_is_evidence(begun: Callable[..., JobSource]) -> None:
    source = begun(complete=EVIDENCE - 1)
    assert run_one(source, curve(80), latency=5.0).state is State.COMPLETE
    assert run_one(source, curve(80), latency=5.0).state is State.STOPPED


def test_a_study_without_a_rule_stops_nothing(begun: Callable[..., JobSource]) -> None:
    source = begun(stopping={"type": "none"})
    assert run_one(source, curve(10), latency=9.0).state is State.COMPLETE


def test_accuracy_alone_and_facts_as_objectives(begun: Callable[..., JobSource]) -> None:
    top1 = {"evaluate": {"top1": EVALUATE["top1"]}}
    alone = begun(**top1, name="alone", objectives={"top1": "maximize"})
    assert run_one(alone, curve(80)).state is State.STOPPED
    facts = begun(**top1, name="facts", objectives={"params": "minimize", "top1": "maximize"})
    # Trials of other sizes: only those that are no smaller than another can be beaten by it.
    states = [run_one(facts, curve(80)).state for _ in range(12)]
    assert set(states) == {State.STOPPED, State.COMPLETE}


def test_asha_keeps_the_best_at_each_rung(begun: Callable[..., JobSource]) -> None:
    source = begun(
        complete=0,
        objectives={"top1": "maximize"},
        evaluate={"top1": EVALUATE["top1"]},
        stopping={"type": "asha", "reduction": 2, "earliest": 2},
    )
    ends = [run_one(source, curve(final)) for final in (90, 80, 92, 91)]
    assert [(end.state.value, end.reason) for end in ends] == [
        ("complete", None),  # the first to get there
        ("stopped", "after epoch 2: top1 20.00 % is not in the best 1/2 of 2 trials"),
        ("complete", None),
        # second of four at the first rung, and of three at the next
        ("stopped", "after epoch 4: top1 91.00 % is not in the best 1/2 of 3 trials"),
    ]


class Noting:
    """A sampler that keeps the history that it was shown."""

    history = History()

    def propose(self, space: Space, history: History, *, number: int) -> Iterator[Proposal]:
        self.history = history
        return (Proposal(candidate=candidate) for candidate in space.enumerate())


def test_a_sampler_learns_the_optimistic_bound(begun: Callable[..., JobSource]) -> None:
    sampler = Noting()
    source = begun(sampler=sampler)
    run_one(source, curve(80), latency=7.0)
    assert source.next_job() is not None
    last = sampler.history.finished[-1]
    assert last.state is State.STOPPED
    assert last.values == {"latency": 7.0, "top1": pytest.approx(80)}, "at most in sight"
    assert last.violation == 0, "it broke no constraint"
    assert last.counted


def fate(job: Job) -> tuple[list[float], float]:
    """A final accuracy and a latency that follow from the candidate."""
    number = int(digest(dict(job.params)), 16)
    return curve(80 + number % 17), 1 + number % 7


@contextmanager
def another_life(monkeypatch: pytest.MonkeyPatch, life: int) -> Iterator[None]:
    """The claims that were made before are a dead process's."""
    now = replace(Owner.current(), pid=2**22 + life, process_start=str(life))
    with monkeypatch.context() as patch:
        patch.setattr(Owner, "current", classmethod(lambda cls: now))
        yield


ASHA = {
    "evaluate": {"top1": EVALUATE["top1"]},
    "objectives": {"top1": "maximize"},
    "stopping": {"type": "asha", "reduction": 2},
}


def live(source: JobSource, *, reports: int | None) -> bool:
    """Work until so many reports are stored; says whether the search came to its end."""
    left = reports
    while (job := source.next_job()) is not None:
        values, latency = fate(job)
        if left is not None and left < len(values):
            train(source, job, values[:left], latency=latency)
            return False
        left = None if left is None else left - len(values)
        source.on_outcome(job, train(source, job, values, latency=latency))
    return True


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
@pytest.mark.parametrize("words", [{"evaluate": EVALUATE, "stopping": FRONT}, ASHA])
def test_a_search_that_dies_again_and_again_stops_the_same_trials(
    study: ReadStudy, begin: Begin, monkeypatch: pytest.MonkeyPatch,
    sampler: str, words: Mapping[str, Any],
) -> None:  # fmt: skip
    checked = study(SPACE, sampler={"type": sampler, "seed": 3}, trials=30, **words)
    with open_store("undisturbed.db") as store:
        assert live(begin(checked, store=store, protocols=PROTOCOLS), reports=None)
        undisturbed = table_of(store)
    assert sum(trial["state"] is State.STOPPED for trial in undisturbed) >= 5
    with open_store("killed.db") as store:
        for life, reports in enumerate((3, 20, 33, 40, 2, 27)):
            with another_life(monkeypatch, life):
                source = begin(checked, store=store, protocols=PROTOCOLS)
                assert not live(source, reports=reports)
        assert live(begin(checked, store=store, protocols=PROTOCOLS), reports=None)
        assert table_of(store) == undisturbed


def test_what_was_measured_before_a_kill_is_not_measured_again(
    begun: Callable[..., JobSource], study: ReadStudy, begin: Begin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with another_life(monkeypatch, 1):
        source = begun(complete=0)
        job = source.next_job()
        assert job is not None
        assert job.known == ()
        source.on_measurement(job, measured("latency", 3.0))
    words = {"evaluate": EVALUATE, "stopping": FRONT, "trials": 30}
    again = begin(study(SPACE, **words), protocols=PROTOCOLS).next_job()
    assert again is not None
    assert again.trial_id == job.trial_id
    assert [each.value for each in again.known] == [3.0]


def test_no_rule_is_the_study_it_was_before_there_were_rules(study: ReadStudy) -> None:
    without = study(SPACE, evaluate=EVALUATE).study
    said = study(SPACE, evaluate=EVALUATE, stopping={"type": "none"}).study
    assert said.identity() == without.identity()
    assert "stopping" not in said.document()
    stopping = study(SPACE, evaluate=EVALUATE, stopping={"type": "front"}).study
    assert stopping.identity()["stopping"] == {"type": "front", "margin": 0.5, "earliest": 3}


TABLE = {"table": "values.csv"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"evaluate": {"latency": TABLE, "top1": TABLE}},
            "has no effect: a table tells nothing of top1 on the way",
        ),
        (
            {"objectives": {"params": "minimize"}, "evaluate": {}},
            "has no effect: top1 is not maximised",
        ),
        (
            {"evaluate": EVALUATE, "stopping": {"type": "asha"}},
            "asha ranks top1 alone, and latency is an objective, too; use type: front",
        ),
    ],
)
def test_a_rule_that_cannot_work_is_refused(
    problems: Callable[..., tuple[Problem, ...]], words: dict[str, Any], message: str
) -> None:
    [found] = problems(SPACE, **({"stopping": FRONT} | words))
    assert (found.path, found.message) == ("stopping", message)
    assert found.line
