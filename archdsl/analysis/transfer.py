"""How much of one device's front is on another device's front, over the same architectures.

A study's own front stands on one device. Where its architectures were measured on others too, by
another study or by hand, each device has a front of its own over those that both have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from archdsl.analysis.dominance import losses, nondominated
from archdsl.identity import canonical_json
from archdsl.records import Measurement
from archdsl.store.rows import StudyRow, Trial
from archdsl.store.store import Store

_OF_THE_DEVICE = {"fingerprint", "threads", "repeat"}
"""What protocols of one value may differ in; everything else must be equal."""


@dataclass(frozen=True, kw_only=True)
class FrontTransfer:
    """What becomes of one device's front on another.

    Args:
        here: fingerprint of the one.
        there: fingerprint of the other.
        common: architectures with values on both.
        members: on the front here.
        survivors: of these, on the front there too.
    """

    here: Mapping[str, Any]
    there: Mapping[str, Any]
    common: int
    members: int
    survivors: int


def front_transfers(
    store: Store,
    study: StudyRow,
    trials: Sequence[Trial],
    behind: Mapping[int, Mapping[str, Measurement]],
) -> list[FrontTransfer]:
    """Each device beside each other one, both ways; empty where one device alone is known.

    Only what was measured under the study's own conditions counts. What does not depend on a
    device, accuracy above all, is the study's own.

    Args:
        store: that knows the study.
        study: its row.
        trials: its complete ones, by number.
        behind: a trial's row to the measurements that its values are of.
    """
    own = {
        trial.arch_id: {name: value.value for name, value in trial.values.items()}
        for trial in trials
    }
    found = []
    for here, there in permutations(_devices(store, study, trials, behind), 2):
        common = [a for a in own if a in here.values and a in there.values]
        if not common:
            continue
        front, other = (
            nondominated({a: losses(own[a] | device.values[a], study.objectives) for a in common})
            for device in (here, there)
        )
        found.append(
            FrontTransfer(
                here=here.fingerprint,
                there=there.fingerprint,
                common=len(common),
                members=len(front),
                survivors=len(front & other),
            )
        )
    return found


@dataclass(frozen=True, kw_only=True)
class _Device:
    """Identity to what was measured on one device: objective to value."""

    fingerprint: Mapping[str, Any]
    values: dict[str, dict[str, float]]


def _devices(
    store: Store,
    study: StudyRow,
    trials: Sequence[Trial],
    behind: Mapping[int, Mapping[str, Measurement]],
) -> list[_Device]:
    """Every device, the study's own first; only architectures with all its quantities."""
    first = behind[trials[0].id] if trials else {}
    quantities = {
        name: measurement
        for name, measurement in first.items()
        if isinstance(measurement.protocol.get("fingerprint"), Mapping)
    }
    devices: dict[str, _Device] = {}
    for name, example in quantities.items():
        pooled = {trial.arch_id: trial.values[name].value for trial in trials}
        own = canonical_json(dict(example.protocol["fingerprint"]))
        for arch_id, measurement in store.measurements.of_study(study.id, name):
            if _conditions(measurement) != _conditions(example):
                continue
            fingerprint = dict(measurement.protocol["fingerprint"])
            key = canonical_json(fingerprint)
            device = devices.setdefault(key, _Device(fingerprint=fingerprint, values={}))
            value = pooled[arch_id] if key == own else measurement.value
            device.values.setdefault(arch_id, {}).setdefault(name, value)
    for device in devices.values():
        for arch_id in [a for a, known in device.values.items() if len(known) < len(quantities)]:
            del device.values[arch_id]
    return list(devices.values())


def _conditions(measurement: Measurement) -> str | None:
    """Everything but the device; None where no device is named."""
    protocol = measurement.protocol
    if not isinstance(protocol.get("fingerprint"), Mapping):
        return None
    return canonical_json({key: protocol[key] for key in protocol if key not in _OF_THE_DEVICE})
