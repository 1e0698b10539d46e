"""A network as a person reads it: what happens in which order, repeats folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from archdsl.plan.plan import (
    ExchangeStep,
    ParallelStep,
    Plan,
    Step,
    StreamName,
    WordStep,
    classifier_streams,
)
from archdsl.reporting.drawing.captions import (
    TOGETHER,
    Caption,
    block_caption,
    classifier_caption,
    embed_caption,
    fusion_caption,
    head_caption,
    reads_target,
    replaced_norms,
    size_caption,
)
from archdsl.spec.base import words
from archdsl.spec.embeds import Embed

Layer = tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A stream before its first layer.

    Args:
        name: of the stream.
        embed: how its tokens are made.
        made_from: `image`, the other stream, or nothing.
        size: tokens and width.
    """

    name: StreamName
    embed: Caption
    made_from: str
    size: Caption


@dataclass(frozen=True, kw_only=True)
class Box:
    """Blocks of one stream."""

    lane: StreamName
    caption: Caption


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """A read or a write.

    Args:
        word: read or write.
        source: stream that is read.
        target: stream that changes.
        asks: the target's tokens say what is gathered.
        head: what gathers.
        fusion: how it joins the target.
    """

    word: str
    source: StreamName
    target: StreamName
    asks: bool
    head: Caption
    fusion: Caption


@dataclass(frozen=True, kw_only=True)
class Row:
    """What runs from one state: one thing, or several at once.

    Args:
        norm: what becomes of both streams first, in words; empty for nothing.
        items: each changes a stream of its own.
    """

    norm: str
    items: tuple[Box | Transfer, ...]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Equal layers in a row."""

    times: int
    rows: tuple[Row, ...]


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

    def parts(self) -> Iterator[tuple[str, Run]]:
        """The runs, each with its place if there are several: `1–2 of these 3`."""
        period, before = sum(run.times for run in self.runs), 0
        for run in self.runs:
            last = before + run.times
            place = f"{last}" if run.times == 1 else f"{before + 1}–{last}"
            yield (f"{place} of these {period}" if len(self.runs) > 1 else ""), run
            before = last


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A classifier.

    Args:
        lanes: streams it sees.
        caption: what it does with them.
        returned: its logits are (part of) what the model returns.
    """

    lanes: tuple[StreamName, ...]
    caption: Caption
    returned: bool


@dataclass(frozen=True, kw_only=True)
class Outline:
    """A whole network.

    Args:
        image: what goes in, in words.
        lanes: its streams.
        sections: its layers.
        answers: its classifiers.
        result: what comes out, in words.
    """

    image: str
    lanes: tuple[Lane, ...]
    sections: tuple[Section, ...]
    answers: tuple[Answer, ...]
    result: str


def outline(plan: Plan) -> Outline:
    """The outline of a plan."""
    channels, height, width = plan.image
    output = plan.output
    averaged = output.predict == "mean"
    answers = tuple(
        Answer(
            lanes=classifier_streams(name, each),
            caption=classifier_caption(name, each, num_classes=output.num_classes),
            returned=averaged or name == output.predict,
        )
        for name, each in output.classifiers.items()
    )
    return Outline(
        image=f"image {channels} × {height} × {width}",
        lanes=tuple(_lane(plan, name) for name in plan.streams),
        sections=tuple(_sections(plan.layers)),
        answers=answers,
        result=f"answer: {'their mean' if averaged else f'classifier {output.predict}'}",
    )


def _lane(plan: Plan, name: StreamName) -> Lane:
    stream = plan.streams[name]
    origin = words(Embed)[stream.embed.type].origin
    others = [each for each in plan.streams if each != name]
    made_from = others[0] if origin in ("other", "copy") else origin
    return Lane(
        name=name, embed=embed_caption(name, stream), made_from=made_from, size=size_caption(stream)
    )


def _sections(layers: Sequence[Layer]) -> Iterator[Section]:
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
                Run(times=len(list(equal)), rows=tuple(_row(step) for step in layer))
                for layer, equal in groupby(pattern)
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


def _row(step: Step) -> Row:
    together = step.parallel if isinstance(step, ParallelStep) else (step,)
    norms = [replaced_norms(each) for each in together if isinstance(each, ExchangeStep)]
    return Row(
        norm=next((norm for norm in norms if norm), ""),
        items=tuple(_item(each) for each in together),
    )


def _item(step: WordStep) -> Box | Transfer:
    if isinstance(step, ExchangeStep):
        return Transfer(
            word=step.word,
            source=step.source,
            target=step.target,
            asks=reads_target(step),
            head=head_caption(step),
            fusion=fusion_caption(step),
        )
    [block] = set(step.blocks)
    return Box(lane=step.word, caption=block_caption(block, len(step.blocks)))
