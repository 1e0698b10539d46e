"""The parts of a report that say how, and on which devices, everything was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from archdsl.document.messages import counted
from archdsl.metrics import METRICS
from archdsl.records import Measurement
from archdsl.reporting.formatting import alike_but_for_numbers, title, with_ranges
from archdsl.reporting.front import CompleteTrial
from archdsl.reporting.pages.findings import Findings

HEADING = "How it was measured"
MOST_REASONS = 10

_CONDITIONS = {
    "batch": "images per call",
    "dtype": "numbers",
    "autocast": "torch's autocast",
    "channels_last": "channels last in memory",
    "heads": "classifiers run",
    "tf32": "TensorFloat-32",
    "threads": "CPU threads",
    "compile": "torch.compile",
    "cuda_graphs": "CUDA graphs",
    "optimize": "rewritten for the device",
    "backend": "computed by",
    "engine": "version of that",
    "seeds": "seeds of the trainings",
    "split_seed": "seed of the splits",
    "data": "fingerprint of the data",
    "init": "fingerprint of the weights to begin with",
    "table": "fingerprint of the table",
    "evaluator": "way of measuring",
}
_FINGERPRINT = {
    "name": "device",
    "kind": "kind",
    "capability": "capability",
    "driver": "driver",
    "power_limit_w": "power limit (W)",
    "logical_cores": "logical cores",
    "threads": "threads of torch",
    "system": "system",
    "torch": "torch",
    "cuda": "CUDA",
}


def conditions_section(found: Findings) -> dict[str, Any]:
    """For each objective: what was measured, under which conditions, on what."""
    rows = found.results.rows
    names = found.results.study.objectives if rows else ()
    return {"heading": HEADING, "quantities": [_quantity(name, rows) for name in names]}


def _quantity(name: str, rows: Sequence[CompleteTrial]) -> dict[str, Any]:
    made = [row.measured[name] for row in rows if name in row.measured]
    quantity = {"name": title(name), "meaning": METRICS[name].meaning}
    if all(not measurement.protocol for measurement in made):
        return quantity | {"counted": True, "groups": [], "trust": []}
    examples = {measurement.key: measurement.protocol for measurement in made}
    counts = Counter(measurement.key for measurement in made)
    groups = [
        {
            "trials": f"{counted(counts[key], 'trial')}:" if len(examples) > 1 else "",
            **_describe(protocol),
        }
        for key, protocol in examples.items()
    ]
    return quantity | {"counted": False, "groups": groups, "trust": list(_trust(made))}


def _describe(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Every condition by its plain name, what is off or absent being said to be; and what
    identifies the device and the software that drives it."""
    conditions = dict(protocol)
    fingerprint = conditions.pop("fingerprint", {})
    if isinstance(conditions.get("recipe"), Mapping):
        recipe = conditions["recipe"].items()
        conditions["recipe"] = ", ".join(f"{name} {_format(value)}" for name, value in recipe)
    known = fingerprint if isinstance(fingerprint, Mapping) else {}
    return {
        "protocol": _named(conditions, _CONDITIONS),
        "device": str(known.get("name")),
        "fingerprint": _named({k: v for k, v in known.items() if v is not None}, _FINGERPRINT),
    }


def _named(found: Mapping[str, Any], names: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(names.get(key, key.replace("_", " ")), _format(each)) for key, each in found.items()]


def _format(value: Any) -> str:
    if value is None or value is False:
        return "off" if value is False else "none"
    if value is True:
        return "on"
    return ", ".join(map(_format, value)) if isinstance(value, list) else str(value)


def _moment(written: str) -> str:
    """`2026-05-01 12:30 UTC`, of an ISO 8601 time; other texts as they are."""
    try:
        moment = datetime.fromisoformat(written).astimezone(UTC)
    except ValueError:
        return written
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _trust(made: Sequence[Measurement]) -> Iterator[str]:
    """When, and how many of them are doubtful, for which reasons."""
    dates = sorted(str(m.detail["measured_at"]) for m in made if "measured_at" in m.detail)
    if dates:
        yield f"Measured from {_moment(dates[0])} to {_moment(dates[-1])}."
    judged = [m for m in made if m.steady is not None]
    loose = [m for m in judged if not m.steady]
    if not judged:
        return
    if not loose:
        yield f"All {len(judged):,} were steady: their intervals closed and nothing disturbed them."
        return
    reasons = [str(reason) for m in loose for reason in m.detail.get("unsteady", ())]
    yield f"{len(loose):,} of {len(judged):,} were not steady, and are marked:"
    for places in list(alike_but_for_numbers(reasons).values())[:MOST_REASONS]:
        text = with_ranges([reasons[place] for place in places])
        yield f"{counted(len(places), 'time')}: {text}"


def devices_section(found: Findings) -> dict[str, Any] | None:
    """How much of one device's front is on another's; None where one device alone is known."""
    if not found.transfers:
        return None
    names = _names([each.here for each in found.transfers])
    rows = [
        {
            "here": names[_key(each.here)],
            "there": names[_key(each.there)],
            "common": f"{each.common:,}",
            "members": f"{each.members:,}",
            "survivors": f"{each.survivors:,} ({100 * each.survivors / each.members:.0f} %)",
        }
        for each in found.transfers
    ]
    return {"heading": "On other devices", "rows": rows}


def _key(fingerprint: Mapping[str, Any]) -> str:
    return repr(sorted(fingerprint.items()))


def _names(fingerprints: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A device's name; where two share it, with all that tells them apart."""
    unique = {_key(each): each for each in fingerprints}
    words = {word for each in unique.values() for word in each}
    differing = [
        word
        for word in sorted(words - {"name"})
        if len({repr(each.get(word)) for each in unique.values()}) > 1
    ]
    names = [each.get("name") for each in unique.values()]
    found = {}
    for key, each in unique.items():
        name = str(each.get("name") or "a device of unknown name")
        if names.count(each.get("name")) > 1:
            name += f" ({', '.join(f'{word} {each.get(word)}' for word in differing)})"
        found[key] = name
    return found
