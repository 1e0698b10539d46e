"""A network as a drawing: SVG that needs nothing but itself, in light, in the dark and in print."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import hypot

from archdsl.plan.plan import ExchangeStep, Plan, Step, WordStep
from archdsl.printable import REPLACEMENT, clean
from archdsl.reporting.drawing import captions
from archdsl.reporting.drawing.captions import Caption
from archdsl.reporting.drawing.diagram_layout import layout
from archdsl.reporting.drawing.outline import exchanges, from_one_state, sections
from archdsl.reporting.drawing.shapes import Label, Panel, Point, Sketch, Wire

LONGEST_NAME = 300
_NO_XML = dict.fromkeys((0xFFFE, 0xFFFF), REPLACEMENT)
"""Not even escaped may these stand in a file."""
ARROW = 7.0
"""Length of an arrow's head, in pixels."""

# Okabe and Ito's colours: people who tell few colours apart tell these.
_LIGHT = {
    "process": ("#e1eff8", "#0072b2"),
    "memory": ("#fdf1d6", "#e69f00"),
    "read": ("#dff3ec", "#009e73"),
    "write": ("#f8e8f0", "#cc79a7"),
    "neutral": ("#f6f8fa", "#59636e"),
    "size": ("#ffffff", "#d1d9e0"),
    "frame": ("#fafbfc", "#c4ccd4"),
}
_DARK = {
    "process": ("#0c2b3f", "#56b4e9"),
    "memory": ("#3a2a06", "#e69f00"),
    "read": ("#06352a", "#2fc49c"),
    "write": ("#3d2231", "#d88fb8"),
    "neutral": ("#22272e", "#9198a1"),
    "size": ("#14171c", "#3d444d"),
    "frame": ("#191d23", "#3d444d"),
}
_INKS = {"light": ("#ffffff", "#1f2328", "#59636e"), "dark": ("#14171c", "#e6edf3", "#9198a1")}


def diagram_svg(plan: Plan, *, name: str) -> str:
    """A drawing of a network, as one `<svg>` element.

    Streams run side by side from top to bottom, each with its tokens and width; reads and writes
    stand between them; layers that repeat are drawn once. Text is text, in whatever font there is;
    nothing is loaded and nothing runs. It may stand alone in a file or inside a page, several times
    over: it has no ids, and all its classes begin with `archdsl-`.

    Args:
        plan: the network.
        name: its heading; any text, shown as text.
    """
    heading = clean(name).translate(_NO_XML)[:LONGEST_NAME]
    return _written(layout(plan, name=heading), name=heading, described=" ".join(_describe(plan)))


def _written(picture: Sketch, *, name: str, described: str) -> str:
    width, height = _number(picture.width), _number(picture.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="archdsl-diagram" role="img" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif">',
        f"<title>{escape(name)}</title>",
        f"<desc>{escape(described)}</desc>",
        f"<style>{_style()}</style>",
        f'<rect class="archdsl-ground" width="{width}" height="{height}"/>',
        *(_panel(each) for each in picture.frames),
        *(_wire(each) for each in picture.wires),
        *(_panel(each) for each in picture.panels),
        *(_label(each) for each in picture.labels),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(made: Panel) -> str:
    strong = " archdsl-strong" if made.strong else ""
    place = " ".join(
        f'{key}="{_number(getattr(made, key))}"' for key in ("x", "y", "width", "height")
    )
    texts = "".join(_label(label) for label in made.labels)
    return f'<g class="archdsl-{made.role}{strong}"><rect {place} rx="5"/>{texts}</g>'


def _label(label: Label) -> str:
    look = f' font-size="{_number(label.size)}"'
    look += ' font-weight="bold"' if label.bold else ""
    look += ' text-anchor="middle"' if label.anchor == "middle" else ""
    place = f'x="{_number(label.x)}" y="{_number(label.y)}"'
    return f'<text class="archdsl-text-{label.role}" {place}{look}>{escape(label.text)}</text>'


def _wire(wire: Wire) -> str:
    thick = " archdsl-thick" if wire.thick else ""
    line = " ".join(f"{_number(x)},{_number(y)}" for x, y in wire.points)
    drawn = f'<polyline class="archdsl-wire-{wire.role}{thick}" points="{line}"/>'
    return drawn + (_arrow(wire) if wire.arrow else "")


def _arrow(wire: Wire) -> str:
    """A triangle of its own: markers are found by ids, which a page may hold only once."""
    end = wire.points[-1]
    start = next(point for point in reversed(wire.points) if point != end)
    length = hypot(end[0] - start[0], end[1] - start[1])
    along = ((end[0] - start[0]) / length * ARROW, (end[1] - start[1]) / length * ARROW)
    back: Point = (end[0] - along[0], end[1] - along[1])
    corners = [
        end,
        (back[0] - along[1] / 2, back[1] + along[0] / 2),
        (back[0] + along[1] / 2, back[1] - along[0] / 2),
    ]
    line = " ".join(f"{_number(x)},{_number(y)}" for x, y in corners)
    return f'<polygon class="archdsl-arrow-{wire.role}" points="{line}"/>'


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _style() -> str:
    """Dark only on screens: paper stays white."""
    fixed = (
        ".archdsl-diagram{max-width:100%;height:auto;break-inside:avoid}"
        "[class^=archdsl-wire]{fill:none;stroke-width:1.2}"
        ".archdsl-thick{stroke-width:2}.archdsl-strong rect{stroke-width:2.5}"
    )
    dark = "".join(_colours(_DARK, *_INKS["dark"]))
    light = "".join(_colours(_LIGHT, *_INKS["light"]))
    return f"{light}{fixed}@media screen and (prefers-color-scheme:dark){{{dark}}}"


def _colours(roles: dict[str, tuple[str, str]], ground: str, ink: str, quiet: str) -> Iterator[str]:
    yield f".archdsl-ground{{fill:{ground}}}"
    for role, (fill, edge) in roles.items():
        yield f".archdsl-{role} rect{{fill:{fill};stroke:{edge}}}"
        yield f".archdsl-wire-{role}{{stroke:{edge}}}.archdsl-arrow-{role}{{fill:{edge}}}"
    yield f"[class^=archdsl-text]{{fill:{ink}}}.archdsl-text-quiet{{fill:{quiet}}}"


def _describe(plan: Plan) -> Iterator[str]:
    """The drawing in sentences, for those who listen."""
    yield f"{captions.image(plan)}."
    for name, stream in plan.streams.items():
        embed, size = _describe_part(captions.embed(name, stream)), captions.size(stream)
        yield f"{name}: {embed}; {_describe_part(size)}."
    for section in sections(plan.layers):
        steps = [_describe_step(step) for run in section.runs for step in run.layer]
        yield f"{section.title}: {'; '.join(steps) or 'nothing'}."
    for classifier in plan.output.classifiers:
        yield f"{_describe_part(captions.classifier(classifier, plan.output))}."
    yield f"{captions.result(plan.output)}."


def _describe_step(step: Step) -> str:
    norm = captions.replaced_norms(exchanges(step))
    words = " and, from the same state, ".join(map(_describe_word, from_one_state(step)))
    return f"{norm}; {words}" if norm else words


def _describe_word(step: WordStep) -> str:
    if not isinstance(step, ExchangeStep):
        return f"{step.word} through {_describe_part(captions.blocks(step))}"
    head, fusion = _describe_part(captions.head(step)), _describe_part(captions.fusion(step))
    return f"{head}, from {step.source} to {step.target}, {fusion}"


def _describe_part(caption: Caption) -> str:
    return f"{caption.title} ({', '.join(caption.notes)})" if caption.notes else caption.title
