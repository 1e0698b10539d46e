"""What stands behind a found architecture: its values, and how and where each was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.analysis.aggregate import interval_over
from archdsl.metrics import METRICS
from archdsl.records import Measurement
from archdsl.searching.final_score import final_score
from archdsl.store.rows import StudyRow, Trial, Value
from archdsl.store.store import Store
from archdsl.store.weights import DATABASE, PLACE
from archdsl.version import __version__

FORMAT = 1
"""Of certificates; raised when a key changes its meaning."""
_ELSEWHERE = frozenset({PLACE, DATABASE})
"""Details that mean something only on the machine that measured."""


def certificate(store: Store, study: StudyRow, trial: Trial, *, document: str) -> dict[str, Any]:
    """The certificate of a complete trial, as plain data; the same whenever it is asked for.

    Each objective's value with its 95 % interval; behind it all measurements it is made of, with
    protocol (conditions, and the fingerprint of device and software), a summary of the samples and
    the date. A test accuracy stands beside them where the search has one.

    Args:
        store: that holds it.
        study: its study.
        trial: a complete one.
        document: name of the file with the architecture.
    """
    architecture = store.architectures.find(trial.arch_id)
    dates, samples = store.measurements.dates(trial.arch_id), store.samples.of_trial(trial.id)
    values = {
        name: {
            **_interval(trial.values[name], samples.get(name, [])),
            "unit": METRICS[name].unit,
            "goal": goal,
            "measurements": [_describe(each, dates) for each in samples.get(name, [])],
        }
        for name, goal in study.objectives.items()
    }
    return {
        "certificate": FORMAT,
        "archdsl": __version__,
        "document": document,
        "arch_id": trial.arch_id,
        "study": {
            "name": study.name,
            "digest": study.digest,
            "evaluate": study.document.get("evaluate", {}),
        },
        "trial": trial.number,
        "interval_percent": 95,
        "facts": dict(architecture.facts),
        "values": values,
        "beside": [_describe(test, dates) for test in final_score(store, trial).values()],
    }


def _interval(
    value: Value | Measurement, behind: Sequence[Measurement]
) -> dict[str, float | str | None]:
    """A value with the ends of its interval and what that is over; an end that is nowhere is None,
    as JSON has it."""
    ends = {"low": value.low, "high": value.high}
    finite = {name: end if math.isfinite(end) else None for name, end in ends.items()}
    over = interval_over(behind)
    return {"value": value.value, **finite, **({"over": over} if over else {})}


def _describe(measurement: Measurement, dates: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    return {
        "quantity": measurement.quantity,
        **_interval(measurement, [measurement]),
        "unit": measurement.unit,
        "stored": dates[measurement.quantity, measurement.key],
        "protocol": dict(measurement.protocol),
        "samples": _summary(measurement.detail),
    }


def _summary(detail: Mapping[str, Any]) -> dict[str, Any]:
    """What a measurement says of its samples, without the samples themselves."""
    return {
        name: value
        for name, value in detail.items()
        if name not in _ELSEWHERE
        and not (isinstance(value, list) and any(isinstance(each, list) for each in value))
    }
