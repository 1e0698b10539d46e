"""A network as a drawing of characters, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from archdsl.plan.plan import Plan, StreamName
from archdsl.reporting.drawing.captions import TOGETHER, Caption
from archdsl.reporting.drawing.outline import Answer, Box, Lane, Outline, Row, Transfer, outline
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
    found = outline(plan)
    lines = list(_two(found) if len(found.lanes) > 1 else _one(found))
    return [line.rstrip().translate(_PLAIN) if plain else line.rstrip() for line in lines]


def _two(found: Outline) -> Iterator[str]:
    yield _framed(("", found.image, ""), " ")
    yield _framed(("process", "", "memory"), " ")
    yield from (_framed(line, " ") for line in _embeds(found.lanes))
    for line in _side_by_side([_lines(lane.size, SIDE) for lane in found.lanes]):
        yield _framed(line, " ")
    for section in found.sections:
        yield _framed(_passing(), " ")
        yield _edge("╭╮", section.title, SIDE * 2 + MIDDLE + 2)
        for place, run in section.parts():
            if place:
                yield _framed(_passing(place))
            for row in run.rows:
                yield from (_framed(line) for line in _row(row))
            if not run.rows:
                yield _framed(_passing("nothing happens here"))
        yield _edge("╰╯", "", SIDE * 2 + MIDDLE + 2)
    yield _framed(_passing(), " ")
    yield from (_framed(line, " ") for line in _answers(found.answers))
    yield _framed(("", found.result, ""), " ")


def _one(found: Outline) -> Iterator[str]:
    """A single stream, one thing beneath the other."""
    [lane] = found.lanes

    def centred(text: str, edge: str = " ") -> str:
        return f"{edge}{_centred(text, _ALONE)}{edge}"

    for text in (found.image, lane.name, *_lines(lane.embed, _ALONE), *_lines(lane.size, _ALONE)):
        yield centred(text)
    for section in found.sections:
        yield centred("│")
        yield _edge("╭╮", section.title, _ALONE)
        for place, run in section.parts():
            if place:
                yield centred(place, "│")
            boxes = [item for row in run.rows for item in row.items if isinstance(item, Box)]
            for box in boxes:
                yield from (centred(line, "│") for line in _lines(box.caption, _ALONE))
            if not boxes:
                yield centred("nothing happens here", "│")
        yield _edge("╰╯", "", _ALONE)
    for answer in found.answers:
        yield centred("│")
        yield from (centred(line) for line in _lines(answer.caption, _ALONE))
    yield centred(found.result)


def _embeds(lanes: Sequence[Lane]) -> Iterator[Cells]:
    """How both streams begin, with an arrow where one is made from the other."""
    lines = list(_side_by_side([_lines(lane.embed, SIDE) for lane in lanes]))
    made_from = [lane.made_from for lane in lanes]
    left, _, right = lines[0]
    if made_from[0] == "memory":
        lines[0] = (left, f"◀{'─' * (MIDDLE - 2)} ", right)
    elif made_from[-1] == "process":
        lines[0] = (left, f" {'─' * (MIDDLE - 2)}▶", right)
    yield from lines


def _row(row: Row) -> Iterator[Cells]:
    if row.norm:
        yield _band(row.norm)
    if len(row.items) > 1:
        yield _passing("both from one state:")
    boxes = {item.lane: _lines(item.caption, SIDE) for item in row.items if isinstance(item, Box)}
    for item in row.items:
        if isinstance(item, Transfer):
            yield from _transfer(item)
    if boxes:
        rest = [boxes.get(name, ["│"]) for name in BOTH]
        height = max(map(len, rest))
        filled = [each * height if each == ["│"] else each for each in rest]
        yield from _side_by_side(filled)


def _transfer(item: Transfer) -> Iterator[Cells]:
    """An arrow from one stream to the other, with the head's name on it."""
    title, *more = wrapped(item.head.title, MIDDLE - 4)
    arrow = f" {title} ".center(MIDDLE, "─")
    fusion = wrapped(item.fusion.title, SIDE - 3)
    name = fusion[0]
    tap = SIDE // 2
    if item.target == "process":
        start = (SIDE - cells(name)) // 2
        left = f"{' ' * start}{name} ◀"
        yield left.ljust(SIDE, "─"), arrow, "─" * tap + "┤" + " " * (SIDE - tap - 1)
    else:
        end = (SIDE - cells(name)) // 2
        right = f"▶ {name}{' ' * end}"
        yield " " * tap + "├" + "─" * (SIDE - tap - 1), arrow, right.rjust(SIDE, "─")
    notes = [*more, *_folded(item.head.notes, MIDDLE - 2)]
    beside = [*fusion[1:], *_folded(item.fusion.notes, SIDE)]
    for note, joined in zip_longest(notes, beside, fillvalue=""):
        changed = joined or "│"
        yield (changed, note, "│") if item.target == "process" else ("│", note, changed)


def _band(text: str) -> Cells:
    """A norm of both streams."""
    tap = SIDE // 2
    left = " " * tap + "├" + "─" * (SIDE - tap - 1)
    return left, f" {text} ".center(MIDDLE, "─"), "─" * tap + "┤" + " " * (SIDE - tap - 1)


def _answers(answers: Sequence[Answer]) -> Iterator[Cells]:
    """The classifiers, each beneath its stream unless that place is taken."""
    columns: dict[int, list[str]] = {}
    for answer in answers:
        own = {"process": 0, "memory": 2}[answer.lanes[0]]
        place = own if len(answer.lanes) == 1 and own not in columns else 1
        columns[place] = _lines(answer.caption, SIDE)
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
