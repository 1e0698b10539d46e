"""What a notebook shows of a value at the end of a cell: what a person wants of it, on a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import archdsl
from archdsl.measuring.compare import Comparison, Verdict
from archdsl.records import Measurement

STUDY = {
    "archdsl": 1,
    "kind": "study",
    "name": "few",
    "base": "vittm-digits",
    "space": {"depth": {"choose": [1, 2, 3]}, "process": {"dim": {"choose": [32, 64]}}},
    "objectives": {"params": "minimize", "macs": "minimize"},
    "evaluate": {},
    "budget": {"trials": 2},
}
LATENCY: dict[str, Any] = {
    "quantity": "latency",
    "value": 2.23783,
    "low": 2.1,
    "high": 2.3,
    "unit": "ms",
    "protocol": {"batch": 8, "dtype": "float32", "fingerprint": {"name": "x" * 500}},
}


def test_studies_and_searches(tmp_path: Path) -> None:
    study, db = archdsl.load_study(STUDY), str(tmp_path / "a.db")
    space = "<Space of 6 combinations: depth (3), process.dim (2)>"
    assert repr(study.space) == space
    assert repr(study) == f"<CheckedStudy 'few': params, macs; budget 2 trials; {space}>"
    result = archdsl.search(study, db=db)
    assert repr(result) == "<SearchResult of 'few': 2 trials by this call>"
    assert len(repr(result.row)) < 200
    row = archdsl.front(db)[0]
    assert repr(row).startswith(f"<FrontRow: trial {row.trial}, {row.difference or 'the base'}: ")
    assert ": params " in repr(row)
    assert len(repr(row)) < 200
    around = archdsl.study_around("vittm-b-32-16", objectives="params")
    assert len(repr(around)) < 400, "many holes are counted, not listed"


def test_measurements() -> None:
    latency = "latency 2.238 ms (2.1 to 2.3), batch 8, dtype float32"
    assert repr(Measurement(**LATENCY)) == f"<Measurement: {latency}>"
    unsteady = Measurement(**LATENCY, detail={"steady": False, "samples": [1.0] * 500})
    assert repr(unsteady) == f"<Measurement: {latency}, unsteady>"
    counted = Measurement(quantity="params", value=5e6, low=5e6, high=5e6, unit="", protocol={})
    assert repr(counted) == "<Measurement: params 5,000,000>"


def test_comparisons() -> None:
    found = Comparison(
        verdict=Verdict.UNCLEAR,
        ratio=1.18229,
        low=0.9,
        high=1.4,
        protocol={"fingerprint": {"name": "x" * 500}},
        blocks_a_ms=[[1.0] * 500],
        blocks_b_ms=[[1.0] * 500],
        disturbances=["the load of others"],
        telemetry={},
    )
    said = "UNCLEAR, 1.18 times as long (0.9 to 1.4); the load of others"
    assert repr(found) == f"<Comparison: {said}>"
