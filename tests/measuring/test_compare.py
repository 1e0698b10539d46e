"""Two networks against each other: order of the blocks, ratio and verdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

import pytest
from torch import Tensor, nn

from archdsl.measuring.compare import Verdict, busy_verdict, compare_latency, verdict_of
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.interference import Block
from archdsl.measuring.load import Load

SHAPE = (1, 4, 4)
CONDITIONS = Conditions(device="cpu", batch=1, heads="predicted", max_seconds=0.6)


BUSY = [Verdict.UNCLEAR, Verdict.FASTER_THOUGH_BUSY, Verdict.SLOWER_THOUGH_BUSY]


class Sleeper(nn.Module):
    calls: ClassVar[list[str]] = []

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__()
        self.name = name
        self.seconds = seconds

    def forward(self, images: Tensor) -> Tensor:
        Sleeper.calls.append(self.name)
        time.sleep(self.seconds)
        return images


@pytest.mark.slow
def test_half_the_time_is_faster_and_twice_is_slower() -> None:
    short, long = Sleeper("short", 0.012), Sleeper("long", 0.024)
    faster = compare_latency(short, long, image_shape=SHAPE, conditions=CONDITIONS)
    assert faster.verdict in (BUSY if faster.disturbances else [Verdict.FASTER])
    assert 0.4 < faster.low <= faster.ratio <= faster.high < 0.8
    slower = compare_latency(long, short, image_shape=SHAPE, conditions=CONDITIONS)
    assert slower.verdict in (BUSY if slower.disturbances else [Verdict.SLOWER])
    assert slower.ratio > 1.25
    assert slower.protocol == faster.protocol


@pytest.mark.slow
def test_a_network_is_not_clearly_different_from_itself() -> None:
    model = Sleeper("one", 0.015)
    result = compare_latency(model, model, image_shape=SHAPE, conditions=CONDITIONS)
    assert 0.9 < result.ratio < 1.1
    assert result.low < 1.02 and result.high > 0.98


@pytest.mark.slow
def test_blocks_alternate() -> None:
    Sleeper.calls.clear()
    result = compare_latency(
        Sleeper("a", 0.002), Sleeper("b", 0.003), image_shape=SHAPE, conditions=CONDITIONS
    )
    runs = [name for name, _ in groupby(Sleeper.calls)]
    assert len(result.blocks_a_ms) == len(result.blocks_b_ms) >= 8
    # The first call of each, warm-up of each, then one run of calls for each block, in turn;
    # disturbed pairs are taken, too.
    assert len(runs) >= 2 * (2 + len(result.blocks_a_ms))
    assert runs == ["a", "b"] * (len(runs) // 2)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.99, 1.01, Verdict.SAME),
        (0.992, 0.996, Verdict.SAME),
        (0.95, 0.999, Verdict.FASTER),
        (1.001, 1.05, Verdict.SLOWER),
        (0.98, 1.005, Verdict.UNCLEAR),
        (1.0, 1.02, Verdict.UNCLEAR),
    ],
)
def test_verdicts(low: float, high: float, verdict: Verdict) -> None:
    assert verdict_of(low, high) is verdict


def pairs(ratios: Sequence[float], probes: Sequence[float]) -> list[tuple[Block, ...]]:
    """A block of A and one of B for each ratio, beside probes that took so long."""
    load = Load(foreign_cores=1.0, own_cores=0.0)
    return [
        tuple(
            Block(samples_ms=[ms], probe_ms=(probe, probe), load=load) for ms in (10 * ratio, 10.0)
        )
        for ratio, probe in zip(ratios, probes, strict=True)
    ]


@pytest.mark.parametrize(
    ("calmer", "busier", "verdict"),
    [
        (1.6, 1.7, Verdict.SLOWER_THOUGH_BUSY),
        (0.6, 0.5, Verdict.FASTER_THOUGH_BUSY),
        (1.05, 1.7, Verdict.UNCLEAR),  # it is the load that makes the difference
        (0.95, 0.5, Verdict.UNCLEAR),
        (0.6, 1.7, Verdict.UNCLEAR),
        (1.05, 1.05, Verdict.UNCLEAR),  # as near as that may be the load's
    ],
)
def test_beside_a_load_only_a_ratio_far_from_one_is_clear(
    calmer: float, busier: float, verdict: Verdict
) -> None:
    spread = [0.97, 0.98, 0.99, 1.0, 1.01, 1.02]
    ratios = [at * each for each in spread for at in (busier, calmer)]
    assert busy_verdict(pairs(ratios, [30.0, 21.0] * 6)) is verdict
    ratios[0], ratios[1] = 9.0, 0.1
    assert busy_verdict(pairs(ratios, [30.0, 21.0] * 6)) is verdict, "whatever single pairs say"
