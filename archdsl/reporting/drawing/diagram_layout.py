"""Where everything of a drawing stands: the image above, the layers, the classifiers beneath."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from archdsl.plan.plan import (
    BlocksStep,
    ExchangeStep,
    Plan,
    Step,
    StreamName,
    classifier_streams,
)
from archdsl.reporting.drawing import captions
from archdsl.reporting.drawing.captions import Caption
from archdsl.reporting.drawing.outline import Section, exchanges, from_one_state, sections
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
    Point,
    Sketch,
    blank,
    fitted,
    panel_height,
    wrapped,
)

HEADING = 16.0
"""Size of the name, in pixels."""
BESIDE = 24.0
"""From the middle of a panel to where each of two wires enters it."""


def layout(plan: Plan, *, name: str) -> Sketch:
    """The picture of a network under its name."""
    sketch = blank(list(plan.streams))
    _heading(sketch, name)
    embeds = _embeds(sketch, plan)
    sizes = {each: captions.size(stream) for each, stream in plan.streams.items()}
    sketch.below(*_in_columns(sketch, sizes, role="size").values())
    for section in sections(plan.layers):
        draw_section(sketch, section)
    without_grids = {each: Caption(title=size.title) for each, size in sizes.items()}
    ends = _in_columns(sketch, without_grids, role="size")
    for lane, end in ends.items():
        x = sketch.centres[lane]
        sketch.wire((x, embeds[lane].bottom), (x, end.y), role=lane, arrow=False, thick=True)
    sketch.below(*ends.values())
    _result(sketch, plan, _classifiers(sketch, plan, ends))
    return sketch


def _in_columns(
    sketch: Sketch, texts: Mapping[StreamName, Caption], *, role: str | None = None
) -> dict[StreamName, Panel]:
    """A panel for each stream in its column, in its colours unless told others."""
    return {
        name: sketch.put(caption, centre=sketch.centres[name], role=role or name)
        for name, caption in texts.items()
    }


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


def _embeds(sketch: Sketch, plan: Plan) -> dict[StreamName, Panel]:
    """The image, and how the first tokens of each stream are made."""
    image = sketch.put(Caption(title=captions.image(plan)), centre=sketch.centre, role="neutral")
    sketch.below(image)
    sketch.y += 2 * GAP
    texts = {name: captions.embed(name, stream) for name, stream in plan.streams.items()}
    made = _in_columns(sketch, texts)
    for name, panel in made.items():
        _source(sketch, name, captions.made_from(plan, name), image, made)
        place = sketch.y - GAP / 2
        sketch.labels.append(Label(text=name, x=panel.x, y=place, bold=True, anchor="start"))
    sketch.below(*made.values())
    return made


def _source(
    sketch: Sketch, name: StreamName, source: str, image: Panel, made: Mapping[StreamName, Panel]
) -> None:
    """The wire from what a stream's tokens are made of."""
    to, x = made[name], sketch.centres[name]
    if source == "image":
        side = image.x if x < sketch.centre else image.right
        bend: tuple[Point, ...] = ((side, image.middle), (x, image.middle))
        start = bend if sketch.two else ((x, image.bottom),)
        sketch.wire(*start, (x, to.y), role="neutral")
    elif source in made:
        left, right = sorted(made.values(), key=lambda each: each.x)
        ends = (left.right, to.y + TAP), (right.x, to.y + TAP)
        sketch.wire(*(ends if to is right else ends[::-1]), role=source)


def _classifiers(sketch: Sketch, plan: Plan, ends: Mapping[StreamName, Panel]) -> dict[str, Panel]:
    """The classifiers, with the wires from the final tokens of their streams."""
    seen = {name: classifier_streams(name, c) for name, c in plan.output.classifiers.items()}
    fan = sketch.y
    sketch.y += GAP
    drawn = {}
    for (name, streams), place in zip(seen.items(), _places(sketch, seen.values()), strict=True):
        alone = len(streams) == 1
        drawn[name] = box = sketch.put(
            captions.classifier(name, plan.output),
            centre=place,
            role=streams[0] if alone else "neutral",
            strong=captions.is_returned(name, plan.output),
        )
        for stream in streams:
            x = sketch.centres[stream]
            into = place if alone else _beside(place, x)
            start = (x, ends[stream].bottom)
            sketch.wire(start, (x, fan), (into, fan), (into, box.y), role=stream, thick=True)
    sketch.below(*drawn.values())
    return drawn


def _places(sketch: Sketch, seen: Collection[tuple[StreamName, ...]]) -> list[float]:
    """The column of each classifier: that of the stream it sees, unless that is taken."""
    if not sketch.two and len(seen) > 1:
        aside = COLUMN / 2 + GAP
        return [sketch.centre - aside, sketch.centre + aside]
    places: list[float] = []
    for streams in seen:
        own = sketch.centres[streams[0]]
        places.append(own if len(streams) == 1 and own not in places else sketch.centre)
    return places


def _result(sketch: Sketch, plan: Plan, drawn: Mapping[str, Panel]) -> None:
    """What the model returns, with the wires from the classifiers it is made of."""
    fan = sketch.y
    caption = Caption(title="", notes=(captions.result(plan.output),))
    centre = sketch.centre
    result = sketch.put(caption, centre=centre, y=fan + GAP, role="neutral", strong=True)
    returned = [box for name, box in drawn.items() if captions.is_returned(name, plan.output)]
    for box in returned:
        x = box.x + box.width / 2
        alone = x == centre or len(returned) < len(drawn)
        into = centre if alone else _beside(centre, x)
        sketch.wire((x, box.bottom), (x, fan), (into, fan), (into, result.y), role="neutral")
    sketch.below(result)


def _beside(place: float, x: float) -> float:
    """Where a wire from `x` enters a panel that another enters from the other side."""
    return place + (BESIDE if x > place else -BESIDE)


def draw_section(sketch: Sketch, section: Section) -> None:
    """A frame around layers that repeat, and what happens in them."""
    top = sketch.y
    sketch.y += GAP
    _write_beside(sketch, section.title, bold=True)
    for number, (place, layer) in enumerate(section.parts()):
        if number:
            ends = (MARGIN, sketch.y), (sketch.width - MARGIN, sketch.y)
            sketch.wire(*ends, role="frame", arrow=False)
            sketch.y += GAP
        if place:
            _write_beside(sketch, place)
        if not layer:
            _write_beside(sketch, "nothing happens here")
        for step in layer:
            _step(sketch, step)
    sketch.frames.append(
        Panel(x=MARGIN, y=top, width=sketch.width - 2 * MARGIN, height=sketch.y - top, role="frame")
    )
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


def _step(sketch: Sketch, step: Step) -> None:
    """What runs from one state."""
    transfers, together = exchanges(step), from_one_state(step)
    norm = captions.replaced_norms(transfers)
    if norm:
        width = sketch.width - 2 * (MARGIN + INSET)
        caption = Caption(title="", notes=(norm,))
        sketch.below(sketch.put(caption, centre=sketch.centre, role="neutral", width=width))
    if len(together) > 1:
        _write_beside(sketch, "both from one state")
    heads = _heads(sketch, transfers)
    # Whatever changes a stream stands beneath the places where the step reads it.
    top = heads[-1].y + TAP + GAP if heads else sketch.y
    drawn = [*heads]
    for transfer, head in zip(transfers, heads, strict=True):
        drawn.append(_fusion(sketch, transfer, head, top))
    for each in together:
        if isinstance(each, BlocksStep):
            centre = sketch.centres[each.word]
            drawn.append(sketch.put(captions.blocks(each), centre=centre, y=top, role=each.word))
    sketch.below(*drawn)


def _heads(sketch: Sketch, transfers: Sequence[ExchangeStep]) -> list[Panel]:
    """Heads one above the other, each with the wires from the streams it looks at."""
    heads: list[Panel] = []
    for transfer in transfers:
        y = heads[-1].bottom + GAP if heads else sketch.y
        head = sketch.put(captions.head(transfer), centre=sketch.centre, y=y, role=transfer.word)
        asks = [transfer.target] if captions.reads_target(transfer) else []
        for name in [transfer.source, *asks]:
            x = sketch.centres[name]
            side = head.x if x < sketch.centre else head.right
            main = name == transfer.source
            sketch.wire((x, y + TAP), (side, y + TAP), role=transfer.word, thick=main)
        heads.append(head)
    return heads


def _fusion(sketch: Sketch, transfer: ExchangeStep, head: Panel, top: float) -> Panel:
    """Where what a head has gathered joins its stream, and the wire to it."""
    x = sketch.centres[transfer.target]
    caption = captions.fusion(transfer)
    out = max(head.bottom - TAP, head.y + TAP + GAP)
    y = max(top, out - panel_height(caption) / 2)
    made = sketch.put(caption, centre=x, y=y, role=transfer.target)
    left = x < sketch.centre
    start, end = (head.x, made.right) if left else (head.right, made.x)
    bend = (start + end) / 2
    points: tuple[Point, ...] = ((start, out), (end, out))
    if not made.y < out < made.bottom:
        points = ((start, out), (bend, out), (bend, made.middle), (end, made.middle))
    sketch.wire(*points, role=transfer.word, thick=True)
    return made
