"""`bench.py`, and what is made of its results."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.analysis.statistics import blocks_interval
from archdsl.errors import ArchdslError
from archdsl.measuring.benched import read_result, script

SPEC = archdsl.load("vittm-digits")
RESULT = {
    "form": "bench/1",
    "network": {"name": "vittm-digits", "arch_id": "", "document": SPEC.document()},
    "protocol": {
        "batch": 2, "dtype": "float32", "heads": "predicted", "tf32": False,
        "backend": "onnxruntime", "engine": "onnxruntime 1.20.0", "threads": 4,
        "fingerprint": {
            "kind": "cpu", "name": "A board", "capability": None, "driver": None,
            "power_limit_w": None, "logical_cores": 4, "threads": 4, "system": "Linux aarch64",
            "torch": None, "cuda": None,
        },
    },
    "blocks_ms": [[3.0, 3.1, 3.2], [3.0, 3.3, 3.1], [3.1, 3.2, 3.2]],
    "discarded_ms": [[9.0]], "unsteady": [], "calls_per_sample": 1,
    "system_release": "6.1", "measured_at": "2026-01-01T00:00:00+00:00",
}  # fmt: skip


@pytest.fixture(scope="module")
def bench() -> dict[str, Any]:
    """What the script defines."""
    text = script(
        name="n", arch_id="a", document=SPEC.document(), image_shape=(1, 8, 8), model=b"of it"
    )
    found: dict[str, Any] = {"__name__": "bench", "__file__": "bench.py"}
    exec(compile(text, "bench.py", "exec"), found)
    return found


def result() -> dict[str, Any]:
    told = copy.deepcopy(RESULT)
    told["network"]["arch_id"] = archdsl.compile(SPEC).plan.arch_id
    return told


@pytest.mark.parametrize("blocks", [1, 2, 3, 40, 300])
def test_its_interval_is_that_of_a_measurement_here(bench: dict[str, Any], blocks: int) -> None:
    draws = random.Random(blocks)
    for size in (1, 2, 5, 13):
        samples = [[draws.lognormvariate(0, 0.3) for _ in range(size)] for _ in range(blocks)]
        # Its quantiles have six digits, and from 200 blocks on are those of 200.
        within = 1e-6 if blocks <= 200 else 1e-3
        expected = tuple(blocks_interval(samples))
        assert bench["interval"](samples) == pytest.approx(expected, rel=within)


def test_it_stops_when_the_median_is_known_or_the_time_is_spent(bench: dict[str, Any]) -> None:
    timed = bench["Timed"](lambda: sum(range(20_000)), 2.0)
    timed.warm_up()
    assert timed.calls >= 2, "shorter than a millisecond"
    assert timed.block_seconds == 0.1
    loose = bench["sampled"](timed, 0.9)
    assert len(loose["blocks_ms"]) >= 3
    assert "the interval did not close in the time given" not in loose["unsteady"]
    timed.max_seconds = 0.3
    assert (
        "the interval did not close in the time given" in bench["sampled"](timed, 1e-9)["unsteady"]
    )


def test_a_result_is_what_its_samples_say(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result()))
    architecture, found = read_result(path)
    assert architecture.spec == SPEC.document()
    assert (found.value, found.unit, found.quantity) == (3.1, "ms", "latency")
    assert (found.low, found.high) == blocks_interval(RESULT["blocks_ms"])[:2]
    assert found.protocol["fingerprint"]["name"] == "A board"
    assert "usable_cores" not in found.protocol["fingerprint"]
    assert found.protocol["evaluator"] == "bench/1", "never beside what was measured with probes"
    assert found.detail["images_per_s"] == pytest.approx(2e3 / 3.1)


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    told = result()
    change(told)
    return json.dumps(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no JSON"),
        ("[" * 10_000, "is no JSON"),
        ("[]", "1 problem: the whole"),
        ('{"form": "bench/2"}', "form"),
        (changed(lambda r: r.pop("blocks_ms")), "1 problem: blocks_ms"),
        (changed(lambda r: r.update(blocks_ms=[])), "blocks_ms"),
        (changed(lambda r: r.update(blocks_ms=[[]])), "blocks_ms.0"),
        (changed(lambda r: r["blocks_ms"][1].append(float("nan"))), "blocks_ms.1.3"),
        (changed(lambda r: r["blocks_ms"][1].append(-1.0)), "blocks_ms.1.3"),
        (changed(lambda r: r["protocol"].update(batch="8")), "protocol.batch"),
        (changed(lambda r: r["protocol"].update(optimize=True)), "protocol.optimize"),
        (changed(lambda r: r["network"].update(arch_id="0" * 16)), "makes"),
        (changed(lambda r: r["network"]["document"].update(depth=2)), "export it again"),
        (changed(lambda r: r["network"]["document"].update(depth=-2)), "depth"),
        (
            changed(lambda r: r["network"].update(document={"timm": "x"})),
            "names no model of timm's",
        ),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(ArchdslError, match=told.replace(".", r"\.")):
        read_result(path)
    with pytest.raises(ArchdslError, match="nowhere cannot be read"):
        read_result(tmp_path / "nowhere")
