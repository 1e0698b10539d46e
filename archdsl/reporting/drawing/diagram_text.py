"""A network as a drawing of characters, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from archdsl.plan.plan import (
    BlocksStep,
    ExchangeStep,
    Plan,
    Step,
    StreamName,
    classifier_streams,
)
from archdsl.reporting.drawing import captions
from archdsl.reporting.drawing.captions import TOGETHER, Caption
from archdsl.reporting.drawing.outline import exchanges, from_one_state, sections
from archdsl.reporting.drawing.shapes import cells, wrapped

SIDE = 28
"""Columns of a stream."""
MIDDLE = 38
"""Columns between two streams."""
_ALONE = 44
_PLAIN = str.maketrans("│─├┤╭╮╰╯◀▶×–" + TOGETHER, "|-++++++<>x- ")

BOTH: tuple[StreamName, ...] = ("process", "memory")
Cells = tuple[str, str, str]
"""What stands in the columns of process, between the streams, and of memory."""


def diagram_text(plan: Plan, *, plain: bool = False) -> list[str]:
    """A drawing of a network in lines of at most 98 characters.

    Args:
        plan: the network.
        plain: ASCII alone, for terminals that know nothing else.
    """
    lines = list(_two(plan) if len(plan.streams) > 1 else _one(plan))
    return [line.rstrip().translate(_PLAIN) if plain else line.rstrip() for line in lines]


def _two(plan: Plan) -> Iterator[str]:
    yield _framed(("", captions.image(plan), ""), " ")
    yield _framed(("process", "", "memory"), " ")
    yield from (_framed(line, " ") for line in _embeds(plan))
    sizes = [_lines(captions.size(stream), SIDE) for stream in plan.streams.values()]
    yield from (_framed(line, " ") for line in _side_by_side(sizes))
    for section in sections(plan.layers):
        yield _framed(_passing(), " ")
        yield _edge("╭╮", section.title, SIDE * 2 + MIDDLE + 2)
        for place, layer in section.parts():
            if place:
                yield _framed(_passing(place))
            for step in layer:
                yield from (_framed(line) for line in _step(step))
            if not layer:
                yield _framed(_passing("nothing happens here"))
        yield _edge("╰╯", "", SIDE * 2 + MIDDLE + 2)
    yield _framed(_passing(), " ")
    yield from (_framed(line, " ") for line in _classifiers(plan))
    yield _framed(("", captions.result(plan.output), ""), " ")


def _one(plan: Plan) -> Iterator[str]:
    """A single stream, one thing beneath the other."""
    [(name, stream)] = plan.streams.items()

    def centred(text: str, edge: str = " ") -> str:
        return f"{edge}{_centred(text, _ALONE)}{edge}"

    embed, size = captions.embed(name, stream), captions.size(stream)
    for text in (captions.image(plan), name, *_lines(embed, _ALONE), *_lines(size, _ALONE)):
        yield centred(text)
    for section in sections(plan.layers):
        yield centred("│")
        yield _edge("╭╮", section.title, _ALONE)
        for place, layer in section.parts():
            if place:
                yield centred(place, "│")
            for block in (each for step in layer for each in _blocks(step)):
                yield from (centred(line, "│") for line in _lines(captions.blocks(block), _ALONE))
            if not layer:
                yield centred("nothing happens here", "│")
        yield _edge("╰╯", "", _ALONE)
    for classifier in plan.output.classifiers:
        yield centred("│")
        caption = captions.classifier(classifier, plan.output)
        yield from (centred(line) for line in _lines(caption, _ALONE))
    yield centred(captions.result(plan.output))


def _blocks(step: Step) -> list[BlocksStep]:
    return [each for each in from_one_state(step) if isinstance(each, BlocksStep)]


def _embeds(plan: Plan) -> Iterator[Cells]:
    """How both streams begin, with an arrow where one is made from the other."""
    texts = [captions.embed(name, stream) for name, stream in plan.streams.items()]
    (left, _, right), *more = _side_by_side([_lines(text, SIDE) for text in texts])
    middle = ""
    if captions.made_from(plan, "process") == "memory":
        middle = f"◀{'─' * (MIDDLE - 2)} "
    elif captions.made_from(plan, "memory") == "process":
        middle = f" {'─' * (MIDDLE - 2)}▶"
    yield left, middle, right
    yield from more


def _step(step: Step) -> Iterator[Cells]:
    """What runs from one state."""
    norm = captions.replaced_norms(exchanges(step))
    if norm:
        yield _band(norm)
    if len(from_one_state(step)) > 1:
        yield _passing("both from one state:")
    for transfer in exchanges(step):
        yield from _transfer(transfer)
    boxes = {each.word: _lines(captions.blocks(each), SIDE) for each in _blocks(step)}
    if boxes:
        height = max(map(len, boxes.values()))
        yield from _side_by_side([boxes.get(name, ["│"] * height) for name in BOTH])


def _transfer(step: ExchangeStep) -> Iterator[Cells]:
    """An arrow from one stream to the other, with the head's name on it."""
    head, fusion = captions.head(step), captions.fusion(step)
    title, *more = wrapped(head.title, MIDDLE - 4)
    name, *rest = wrapped(fusion.title, SIDE - 3)
    left, arrow, right = _band(title)
    air = " " * ((SIDE - cells(name)) // 2)
    to_process = step.target == "process"
    if to_process:
        left = f"{air}{name} ◀".ljust(SIDE, "─")
    else:
        right = f"▶ {name}{air}".rjust(SIDE, "─")
    yield left, arrow, right
    notes = [*more, *_folded(head.notes, MIDDLE - 2)]
    beside = [*rest, *_folded(fusion.notes, SIDE)]
    for note, joined in zip_longest(notes, beside, fillvalue=""):
        changed = joined or "│"
        yield (changed, note, "│") if to_process else ("│", note, changed)


def _band(text: str) -> Cells:
    """A line from one stream to the other, with words on it."""
    tap = SIDE // 2
    left = " " * tap + "├" + "─" * (SIDE - tap - 1)
    return left, f" {text} ".center(MIDDLE, "─"), "─" * tap + "┤" + " " * (SIDE - tap - 1)


def _classifiers(plan: Plan) -> Iterator[Cells]:
    """The classifiers, each beneath its stream unless that place is taken."""
    columns: dict[int, list[str]] = {}
    for name, classifier in plan.output.classifiers.items():
        streams = classifier_streams(name, classifier)
        own = {"process": 0, "memory": 2}[streams[0]]
        place = own if len(streams) == 1 and own not in columns else 1
        columns[place] = _lines(captions.classifier(name, plan.output), SIDE)
    texts = [columns.get(place, []) for place in range(3)]
    yield from zip_longest(*texts, fillvalue="")


def _lines(caption: Caption, width: int) -> list[str]:
    return [*wrapped(caption.title, width), *_folded(caption.notes, width)]


def _folded(notes: Sequence[str], width: int) -> list[str]:
    """Notes behind each other, as many in a line as have room."""
    whole = [
        note.replace(" ", TOGETHER) if cells(note) < width else note.replace(TOGETHER, " ")
        for note in notes
    ]
    return wrapped(", ".join(whole), width)


def _side_by_side(texts: Sequence[Sequence[str]]) -> Iterator[Cells]:
    left, right = texts
    for one, other in zip_longest(left, right, fillvalue=""):
        yield one, "", other


def _passing(text: str = "") -> Cells:
    """Words between the streams, which pass by."""
    return "│", text, "│"


def _framed(found: Cells, edge: str = "│") -> str:
    left, middle, right = found
    line = f"{_centred(left, SIDE)}{_centred(middle, MIDDLE)}{_centred(right, SIDE)}"
    return f"{edge} {line} {edge}"


def _edge(corners: str, title: str, width: int) -> str:
    shown = f"─ {title.replace(TOGETHER, ' ')} " if title else ""
    return f"{corners[0]}{shown}{'─' * (width - cells(shown))}{corners[1]}"


def _centred(text: str, width: int) -> str:
    """The text in the middle; a stream's line in the column where wires meet it."""
    if len(text) >= width:
        return text
    before = (width - cells(text) + (text == "│")) // 2
    return " " * before + text + " " * (width - before - cells(text))
