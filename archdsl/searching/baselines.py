"""Models of timm's beside a search: measured as its candidates are, and no candidates."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.identity import digest
from archdsl.metrics import trained_metrics
from archdsl.plan.baseline import Baseline
from archdsl.records import Measurement, State
from archdsl.runners.interfaces import Runner
from archdsl.searching.before import baselines_of, job_of_baseline
from archdsl.searching.final_score import final_score
from archdsl.searching.read import CheckedStudy
from archdsl.store.rows import StudyRow, Value
from archdsl.store.store import Store

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MeasuredBaseline:
    """A baseline of a study.

    Args:
        name: `timm:NAME`.
        arch_id: its identity.
        facts: what is known of it; empty until it is measured.
        values: objective to value; those that are not measured yet are missing.
        tests: scores on test images.
    """

    name: str
    arch_id: str
    facts: Mapping[str, Any]
    values: Mapping[str, Value]
    tests: Mapping[str, Measurement]


def measured_baselines(store: Store, row: StudyRow) -> list[MeasuredBaseline]:
    """The baselines of a study with what the same protocols as its trials' gave of them."""
    documents: Sequence[Mapping[str, Any]] = row.document.get("baselines", ())
    keys = _keys(store, row) if documents else {}
    found = []
    for document in documents:
        baseline = Baseline.read(document)
        if baseline is None:
            continue
        kept = {
            each.quantity: each
            for each in store.measurements.of_arch(baseline.arch_id)
            if keys.get(each.quantity) == each.key
        }
        facts = store.architectures.find(baseline.arch_id).facts if kept else {}
        values = {
            name: Value(value=kept[name].value, low=kept[name].low, high=kept[name].high)
            if name in kept
            else Value(value=facts[name], low=facts[name], high=facts[name])
            for name in row.objectives
            if name in kept or name in facts
        }
        tests = {name: each for name, each in kept.items() if name.startswith("test_")}
        found.append(
            MeasuredBaseline(
                name=baseline.name,
                arch_id=baseline.arch_id,
                facts=facts,
                values=values,
                tests=tests,
            )
        )
    return found


def _keys(store: Store, row: StudyRow) -> dict[str, str]:
    """Quantity to the key under which a study's trials hold it, scores on test images included."""
    evaluated = row.document["evaluate"]
    keys = {
        name: measured.key
        for behind in store.measurements.by_trial(row.id).values()
        for name, measured in behind.items()
        if name in evaluated
    }
    if trained_metrics(evaluated):
        for member in store.trials.front(row.id):
            keys |= {name: each.key for name, each in final_score(store, member).items()}
    return keys


def measure_baselines(
    checked: CheckedStudy, runner: Runner, *, store: Store, row: StudyRow, folder: str
) -> None:
    """Measure what is missing of the baselines, each as the candidates were, without bounds.

    Raises:
        ArchdslError: as `Runner.score`.
    """
    keys = _keys(store, row) if checked.study.baselines else {}
    for baseline in baselines_of(checked):
        stored = {(m.quantity, m.key) for m in store.measurements.of_arch(baseline.arch_id)}
        missing = [name for name, key in keys.items() if (name, key) not in stored]
        # Before the runner is asked anything, which may start a process.
        protocols = runner.protocols() if missing else {}
        wanted = [
            name
            for name in protocols  # cheap ones first
            if name in missing and digest(dict(protocols[name])) == keys[name]
        ]
        if len(wanted) < len(missing):
            _LOG.warning(
                "%s is not measured here, where %s would be measured otherwise than the "
                "candidates were",
                baseline.name,
                " and ".join(sorted(set(missing) - set(wanted))),
            )
        if wanted:
            _LOG.warning("%s: %s of a baseline", baseline.name, ", ".join(wanted))
        _measure(baseline, wanted, runner, store=store, folder=folder)


def _measure(
    baseline: Baseline, quantities: Sequence[str], runner: Runner, *, store: Store, folder: str
) -> None:
    if not quantities:
        return
    from archdsl.measuring.baselines import architecture_of

    architecture, job = architecture_of(baseline), job_of_baseline(baseline, folder=folder)
    for quantity in quantities:
        for _, outcome in runner.score([job], quantity):
            store.measurements.add(architecture, outcome.measurements)
            if outcome.state is not State.COMPLETE:
                _LOG.warning("%s %s: %s", baseline.name, outcome.state, outcome.reason)
                return
