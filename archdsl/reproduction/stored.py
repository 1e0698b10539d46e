"""What a store holds of the quantities that only a measurement can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archdsl.records import Measurement
from archdsl.reproduction.published_row import Quantity
from archdsl.store.store import Store

STORED: Mapping[Quantity, str] = {"latency_ms": "latency", "top1": "top1"}
"""Published quantity to the one that stores hold."""


@dataclass(frozen=True, kw_only=True)
class StoredFigure:
    """One measurement of ours beside a published figure.

    Args:
        value: in `unit`.
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
        unit: ms (per batch) or %.
        where: the device and batch of a latency, the data of an accuracy; never those of the paper
            unless it says so.
    """

    value: float
    low: float
    high: float
    unit: str
    where: str


def stored_figures(store: Store, arch_id: str, quantity: Quantity) -> tuple[StoredFigure, ...]:
    """Everything a store holds of one architecture and quantity, in the order it was measured."""
    wanted = STORED.get(quantity)
    return tuple(
        StoredFigure(value=m.value, low=m.low, high=m.high, unit=m.unit, where=where(m))
        for m in store.measurements.of_arch(arch_id)
        if m.quantity == wanted
    )


def where(measurement: Measurement) -> str:
    """The device and batch of a latency or memory, the data of an accuracy, or the table."""
    protocol = measurement.protocol
    if "table" in protocol:
        return f"from the table {protocol['table']}, not measured"
    if measurement.quantity == "latency" or "fingerprint" in protocol:
        conditions = f"batch {protocol.get('batch')}, {protocol.get('dtype')}"
        return f"{_device(protocol)}, {conditions}"
    return f"data {protocol.get('data')}, {len(protocol.get('seeds', []))} seeds"


def _device(protocol: Mapping[str, Any]) -> str:
    fingerprint = protocol.get("fingerprint") or {}
    return str(fingerprint.get("name") or "a device of unknown name")
