"""Several networks in rounds: who is timed when, and what their shares are."""

from __future__ import annotations

import pytest

from archdsl.measuring.conditions import Conditions
from archdsl.measuring.interleaved import LEAST_ROUNDS, measure_interleaved
from archdsl.plan.read import read_model

CONDITIONS = Conditions(device="cpu", batch=16, threads=1, max_seconds=0.1)


@pytest.mark.slow
def test_rounds_and_shares() -> None:
    plans = {
        name: read_model("vittm-digits", [f"depth={depth}"]).plan
        for name, depth in {"one": 1, "four": 4, "one again": 1}.items()
    }
    started: list[tuple[int, str]] = []
    found = measure_interleaved(
        plans,
        reference="one",
        conditions=CONDITIONS,
        limit_s=0.0,
        on_start=lambda number, name: started.append((number, name)),
    )
    assert started == [(number, name) for number in range(1, LEAST_ROUNDS + 1) for name in plans]
    assert len(found.rounds) == LEAST_ROUNDS
    assert all(len(found.blocks(name)) == LEAST_ROUNDS for name in plans)
    assert found.share("one", "one")[0] == 1
    share, (low, high, _) = found.share("four", "one")
    assert low <= share <= high
    assert share > 1.2, "four layers take longer than one"
    assert found.median_ms("four") > found.median_ms("one") > 0
    assert found.protocol["batch"] == 16
