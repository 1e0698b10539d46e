"""Where everything of a drawing stands: the image above, the layers, the classifiers beneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archdsl.reporting.drawing.captions import Caption
from archdsl.reporting.drawing.outline import Answer, Box, Lane, Outline, Row, Section, Transfer
from archdsl.reporting.drawing.shapes import (
    COLUMN,
    EM_BOLD,
    GAP,
    INSET,
    MARGIN,
    SIZE,
    TAP,
    Label,
    Panel,
    Picture,
    Point,
    Sketch,
    blank,
    fitted,
    wrapped,
)

HEADING = 16.0
"""Size of the name, in pixels."""
BESIDE = 24.0
"""From the middle of a panel to where each of two wires enters it."""


def layout(found: Outline, *, name: str) -> Picture:
    """The picture of a network under its name."""
    sketch = blank([lane.name for lane in found.lanes])
    _heading(sketch, name)
    embeds = _embeds(sketch, found)
    sizes = _sizes(sketch, found.lanes, grids=True)
    sketch.below(*sizes.values())
    for section in found.sections:
        draw_section(sketch, section)
    ends = _sizes(sketch, found.lanes, grids=False)
    for lane, end in ends.items():
        x = sketch.centres[lane]
        sketch.wire((x, embeds[lane].bottom), (x, end.y), role=lane, arrow=False, thick=True)
    sketch.below(*ends.values())
    _result(sketch, found, _answers(sketch, found.answers, ends))
    return sketch.picture()


def _heading(sketch: Sketch, name: str) -> None:
    room = int((sketch.width - 2 * MARGIN) / (HEADING * EM_BOLD))
    sketch.labels.append(
        Label(
            text=fitted(name, room),
            x=MARGIN,
            y=sketch.y + HEADING,
            bold=True,
            size=HEADING,
            anchor="start",
        )
    )
    sketch.y += HEADING + 2 * GAP


def _embeds(sketch: Sketch, found: Outline) -> dict[str, Panel]:
    """The image, and how the first tokens of each stream are made."""
    image = sketch.put(Caption(title=found.image), centre=sketch.centre, role="neutral")
    sketch.below(image)
    sketch.y += 2 * GAP
    made: dict[str, Panel] = {
        lane.name: sketch.put(lane.embed, centre=sketch.centres[lane.name], role=lane.name)
        for lane in found.lanes
    }
    for lane in found.lanes:
        _source(sketch, lane, image, made)
        place = made[lane.name].x, sketch.y - GAP / 2
        sketch.labels.append(
            Label(text=lane.name, x=place[0], y=place[1], bold=True, anchor="start")
        )
    sketch.below(*made.values())
    return made


def _source(sketch: Sketch, lane: Lane, image: Panel, made: Mapping[str, Panel]) -> None:
    """The wire from what a stream's tokens are made of."""
    to, x = made[lane.name], sketch.centres[lane.name]
    if lane.made_from == "image":
        side = image.x if x < sketch.centre else image.x + image.width
        bend: tuple[Point, ...] = ((side, image.middle), (x, image.middle))
        start = bend if sketch.two else ((x, image.bottom),)
        sketch.wire(*start, (x, to.y), role="neutral")
    elif lane.made_from in made:
        source = made[lane.made_from]
        left, right = sorted([source, to], key=lambda each: each.x)
        ends = (left.x + left.width, to.y + TAP), (right.x, to.y + TAP)
        sketch.wire(*(ends if source is left else ends[::-1]), role=lane.made_from)


def _sizes(sketch: Sketch, lanes: Sequence[Lane], *, grids: bool) -> dict[str, Panel]:
    """Tokens and width of each stream, and how the tokens come about if that is asked for."""
    return {
        lane.name: sketch.put(
            lane.size if grids else Caption(title=lane.size.title),
            centre=sketch.centres[lane.name],
            role="size",
        )
        for lane in lanes
    }


def _answers(sketch: Sketch, answers: Sequence[Answer], ends: Mapping[str, Panel]) -> list[Panel]:
    """The classifiers, with the wires from the final tokens of their streams."""
    fan = sketch.y
    sketch.y += GAP
    drawn = []
    for answer, place in zip(answers, _places(sketch, answers), strict=True):
        role = answer.lanes[0] if len(answer.lanes) == 1 else "neutral"
        box = sketch.put(answer.caption, centre=place, role=role, strong=answer.returned)
        for name in answer.lanes:
            x = sketch.centres[name]
            into = place if len(answer.lanes) == 1 else _beside(place, x)
            start = (x, ends[name].bottom)
            sketch.wire(start, (x, fan), (into, fan), (into, box.y), role=name, thick=True)
        drawn.append(box)
    sketch.below(*drawn)
    return drawn


def _places(sketch: Sketch, answers: Sequence[Answer]) -> list[float]:
    """The column of each classifier: its stream's own, unless that is taken."""
    if not sketch.two and len(answers) > 1:
        aside = COLUMN / 2 + GAP
        return [sketch.centre - aside, sketch.centre + aside]
    places: list[float] = []
    for answer in answers:
        own = sketch.centres[answer.lanes[0]]
        places.append(own if len(answer.lanes) == 1 and own not in places else sketch.centre)
    return places


def _result(sketch: Sketch, found: Outline, drawn: Sequence[Panel]) -> None:
    """What the model returns, with the wires from the classifiers it is made of."""
    fan = sketch.y
    caption = Caption(title="", notes=(found.result,))
    centre = sketch.centre
    result = sketch.put(caption, centre=centre, y=fan + GAP, role="neutral", strong=True)
    for box, answer in zip(drawn, found.answers, strict=True):
        x = box.x + box.width / 2
        if answer.returned:
            alone = x == centre or not all(each.returned for each in found.answers)
            into = centre if alone else _beside(centre, x)
            points = ((x, box.bottom), (x, fan), (into, fan), (into, result.y))
            sketch.wire(*points, role="neutral")
    sketch.below(result)


def _beside(place: float, x: float) -> float:
    """Where a wire from `x` enters a panel that another enters from the other side."""
    return place + (BESIDE if x > place else -BESIDE)


def draw_section(sketch: Sketch, section: Section) -> None:
    """A frame around layers that repeat, and what happens in them."""
    top = sketch.y
    sketch.y += GAP
    _write_beside(sketch, section.title, bold=True)
    for number, (place, run) in enumerate(section.parts()):
        if number:
            _separator(sketch)
        if place:
            _write_beside(sketch, place)
        if not run.rows:
            _write_beside(sketch, "nothing happens here")
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


def _write_beside(sketch: Sketch, text: str, *, bold: bool = False) -> None:
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
        caption = Caption(title="", notes=(row.norm,))
        sketch.below(sketch.put(caption, centre=sketch.centre, role="neutral", width=width))
    if len(row.items) > 1:
        _write_beside(sketch, "both from one state")
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
            drawn.append(sketch.put(item.caption, centre=centre, y=top, role=item.lane))
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
