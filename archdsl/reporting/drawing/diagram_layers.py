"""The layers of a drawing: streams pass from top to bottom, reads and writes stand between them."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.reporting.drawing.diagram_sketch import COLUMN, GAP, INSET, MARGIN, TAP, Sketch
from archdsl.reporting.drawing.outline import Box, Row, Section, Transfer
from archdsl.reporting.drawing.part_words import Words
from archdsl.reporting.drawing.shapes import EM_BOLD, SIZE, Label, Panel, Point, wrapped


def draw_section(sketch: Sketch, section: Section) -> None:
    """A frame around layers that repeat, and what happens in them."""
    top = sketch.y
    sketch.y += GAP
    _caption(sketch, section.title, bold=True)
    for number, (place, run) in enumerate(section.parts()):
        if number:
            _separator(sketch)
        if place:
            _caption(sketch, place)
        if not run.rows:
            _caption(sketch, "nothing happens here")
        for row in run.rows:
            _row(sketch, row)
    sketch.frames.append(
        Panel(x=MARGIN, y=top, width=sketch.width - 2 * MARGIN, height=sketch.y - top, role="frame")
    )
    sketch.y += GAP


def _separator(sketch: Sketch) -> None:
    ends = (MARGIN, sketch.y), (sketch.width - MARGIN, sketch.y)
    sketch.wire(*ends, role="frame", arrow=False)
    sketch.y += GAP


def _caption(sketch: Sketch, text: str, *, bold: bool = False) -> None:
    """Words beside the streams, where no wire runs."""
    x, room = sketch.centre, COLUMN
    if not sketch.two:
        x = MARGIN + INSET / 2
        room = sketch.centre - COLUMN / 2 - INSET / 2 - x
    for line in wrapped(text, int(room / (SIZE * EM_BOLD))):
        sketch.y += SIZE
        sketch.labels.append(
            Label(
                text=line,
                x=x,
                y=sketch.y,
                bold=bold,
                role="ink" if bold else "quiet",
                anchor="middle" if sketch.two else "start",
            )
        )
        sketch.y += 4
    sketch.y += GAP / 2


def _row(sketch: Sketch, row: Row) -> None:
    if row.norm:
        width = sketch.width - 2 * (MARGIN + INSET)
        words = Words(title="", notes=(row.norm,))
        sketch.below(sketch.put(words, centre=sketch.centre, role="neutral", width=width))
    if len(row.items) > 1:
        _caption(sketch, "both from one state")
    transfers = [item for item in row.items if isinstance(item, Transfer)]
    heads = _heads(sketch, transfers)
    # Whatever changes a stream stands beneath the places where the row reads it.
    top = heads[-1].y + TAP + GAP if heads else sketch.y
    drawn = [*heads]
    for transfer, head in zip(transfers, heads, strict=True):
        drawn.append(_fusion(sketch, transfer, head, top))
    for item in row.items:
        if isinstance(item, Box):
            centre = sketch.centres[item.lane]
            drawn.append(sketch.put(item.words, centre=centre, y=top, role=item.lane))
    sketch.below(*drawn)


def _heads(sketch: Sketch, transfers: Sequence[Transfer]) -> list[Panel]:
    """Heads one above the other, each with the wires from the streams it looks at."""
    heads: list[Panel] = []
    for transfer in transfers:
        y = heads[-1].bottom + GAP if heads else sketch.y
        head = sketch.put(transfer.head, centre=sketch.centre, y=y, role=transfer.word)
        for name in [transfer.source, *([transfer.target] if transfer.asks else [])]:
            x = sketch.centres[name]
            side = head.x if x < sketch.centre else head.x + head.width
            main = name == transfer.source
            sketch.wire((x, y + TAP), (side, y + TAP), role=transfer.word, thick=main)
        heads.append(head)
    return heads


def _fusion(sketch: Sketch, transfer: Transfer, head: Panel, top: float) -> Panel:
    """Where what a head has gathered joins its stream, and the wire to it."""
    x = sketch.centres[transfer.target]
    made = sketch.put(transfer.fusion, centre=x, y=top, role=transfer.target)
    out = max(head.bottom - TAP, head.y + TAP + GAP)
    made = sketch.lower(made, max(0.0, out - made.height / 2 - top))
    left = x < sketch.centre
    start = head.x if left else head.x + head.width
    end = made.x + made.width if left else made.x
    bend = (start + end) / 2
    points: tuple[Point, ...] = ((start, out), (end, out))
    if not made.y < out < made.bottom:
        points = ((start, out), (bend, out), (bend, made.middle), (end, made.middle))
    sketch.wire(*points, role=transfer.word, thick=True)
    return made
