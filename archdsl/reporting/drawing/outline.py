"""The layers of a network as a person reads them: what happens in which order, repeats folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from archdsl.plan.plan import ExchangeStep, ParallelStep, Step, WordStep
from archdsl.reporting.drawing.captions import TOGETHER

Layer = tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Equal layers in a row."""

    times: int
    layer: Layer


@dataclass(frozen=True, kw_only=True)
class Section:
    """Layers that repeat: the same runs again and again.

    Args:
        first: number of its first layer.
        last: number of its last layer.
        times: how often the runs are repeated.
        runs: what is repeated.
    """

    first: int
    last: int
    times: int
    runs: tuple[Run, ...]

    @property
    def title(self) -> str:
        """`layer 3`, `layers 0–11, × 12`, `layers 0–11: these 3, × 4`."""
        if self.first == self.last:
            return f"layer {self.first}"
        period = sum(run.times for run in self.runs)
        if len(self.runs) == 1:
            return f"layers {self.first}–{self.last}, ×{TOGETHER}{period * self.times}"
        return f"layers {self.first}–{self.last}: these {period}, ×{TOGETHER}{self.times}"

    def parts(self) -> Iterator[tuple[str, Layer]]:
        """The runs' layers, each with its place if there are several: `1–2 of these 3`."""
        period, before = sum(run.times for run in self.runs), 0
        for run in self.runs:
            last = before + run.times
            place = f"{last}" if run.times == 1 else f"{before + 1}–{last}"
            yield (f"{place} of these {period}" if len(self.runs) > 1 else ""), run.layer
            before = last


def sections(layers: Sequence[Layer]) -> Iterator[Section]:
    """All layers in order."""
    kinds = {layer: kind for kind, layer in enumerate(dict.fromkeys(layers))}
    numbers = [kinds[layer] for layer in layers]
    start = 0
    while start < len(layers):
        period, times = _repetition(numbers[start:])
        pattern = layers[start : start + period]
        yield Section(
            first=start,
            last=start + period * times - 1,
            times=times,
            runs=tuple(
                Run(times=len(list(equal)), layer=layer) for layer, equal in groupby(pattern)
            ),
        )
        start += period * times


def _repetition(kinds: Sequence[int]) -> tuple[int, int]:
    """How many layers from the first on are repeated, and how often: as many as possible in all,
    in a pattern as short as possible."""
    best = (1, _times(kinds, 1))
    for period in range(2, len(kinds) // 2 + 1):
        times = _times(kinds, period)
        if times > 1 and period * times > best[0] * best[1]:
            best = (period, times)
    return best


def _times(kinds: Sequence[int], period: int) -> int:
    """How often the first `period` layers come, one time after the other."""
    times = 1
    while kinds[times * period : (times + 1) * period] == kinds[:period]:
        times += 1
    return times


def from_one_state(step: Step) -> tuple[WordStep, ...]:
    """What a step does: one thing, or several at once, each changing a stream of its own."""
    return step.parallel if isinstance(step, ParallelStep) else (step,)


def exchanges(step: Step) -> list[ExchangeStep]:
    """The reads and writes of a step."""
    return [each for each in from_one_state(step) if isinstance(each, ExchangeStep)]
