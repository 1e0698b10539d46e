"""The part of a report that says how everything was measured, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from archdsl.objectives import OBJECTIVES
from archdsl.records import Measurement
from archdsl.reporting.front import FrontRow
from archdsl.reporting.markup import paragraph, section, terms, text
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.wording import alike_but_for_numbers, counted, title, with_ranges

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
    "seeds": "seeds of the trainings",
    "split_seed": "seed of the splits",
    "data": "fingerprint of the data",
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


def conditions_section(found: Findings) -> str:
    """For each objective: what was measured, under which conditions, on what."""
    rows = found.front.rows
    parts = [_quantity(name, rows) for name in found.front.study.objectives] if rows else []
    parts = parts or [paragraph("Nothing is measured yet.")]
    return section("conditions", HEADING, "\n".join(parts))


def _quantity(name: str, rows: Sequence[FrontRow]) -> str:
    made = [row.measured[name] for row in rows if name in row.measured]
    head = f"<h3>{text(title(name))}</h3>"
    meaning = OBJECTIVES[name].meaning
    if all(not measurement.protocol for measurement in made):
        return head + paragraph(f"The {meaning}: counted, not measured.")
    examples = {measurement.key: measurement for measurement in made}
    counts = Counter(measurement.key for measurement in made)
    parts = [head, paragraph(f"The {meaning}.")]
    for key, example in examples.items():
        if len(examples) > 1:
            parts.append(paragraph(f"{counted(counts[key], 'trial')}:"))
        parts.append(terms(protocol_words(example.protocol)))
        fingerprint = example.protocol.get("fingerprint")
        if isinstance(fingerprint, Mapping):
            parts.append(f"<h4>Fingerprint of {text(fingerprint.get('name'))}</h4>")
            parts.append(terms(fingerprint_words(fingerprint)))
    parts += [paragraph(words) for words in _trust(made)]
    return "\n".join(parts)


def protocol_words(protocol: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every condition by its plain name; what is off or absent is said to be."""
    for key, value in protocol.items():
        if key == "recipe" and isinstance(value, Mapping):
            yield "recipe", ", ".join(f"{name} {_said(each)}" for name, each in value.items())
        elif key != "fingerprint":
            yield _CONDITIONS.get(key, key.replace("_", " ")), _said(value)


def fingerprint_words(fingerprint: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What identifies a device and the software that drives it."""
    for key, value in fingerprint.items():
        if value is not None:
            yield _FINGERPRINT.get(key, key.replace("_", " ")), _said(value)


def _said(value: Any) -> str:
    if value is None or value is False:
        return "off" if value is False else "none"
    if value is True:
        return "on"
    return ", ".join(map(_said, value)) if isinstance(value, list) else str(value)


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
    judged = [m for m in made if "steady" in m.detail]
    loose = [m for m in judged if not m.detail["steady"]]
    if not judged:
        return
    if not loose:
        yield f"All {len(judged):,} were steady: their intervals closed and nothing disturbed them."
        return
    reasons = [str(reason) for m in loose for reason in m.detail.get("unsteady", ())]
    yield f"{len(loose):,} of {len(judged):,} were not steady, and are marked:"
    for places in list(alike_but_for_numbers(reasons).values())[:MOST_REASONS]:
        alike = with_ranges([reasons[place] for place in places])
        yield f"{counted(len(places), 'time')}: {alike}"
