"""What a drawing is made of: panels, wires and labels with their places, in pixels."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from archdsl.reporting.drawing.captions import TOGETHER, Caption

SIZE = 12.0
"""Of ordinary text, in pixels."""
LINE = 16.0
"""From one line of text to the next."""
PAD = 8.0
"""Between a panel's edge and its text."""
EM = 0.6
"""Width of a character over the size of its text: more than nearly all fonts take."""
EM_BOLD = 0.66
COLUMN = 208.0
GUTTER = 40.0
MARGIN = 14.0
INSET = 14.0
"""From the frame of layers to the columns in it."""
GAP = 14.0
"""Between what stands one above the other."""
TAP = 14.0
"""From the upper edge of a head to the wires into it, and from its lower edge to the one out."""

Point = tuple[float, float]
Anchor = Literal["start", "middle"]


@dataclass(frozen=True, kw_only=True)
class Label:
    """A line of text.

    Args:
        x: of its start or middle.
        y: of its base line.
        role: what it belongs to, for its colour.
        size: in pixels.
    """

    text: str
    x: float
    y: float
    role: str = "ink"
    bold: bool = False
    size: float = SIZE
    anchor: Anchor = "middle"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A rectangle with its text.

    Args:
        x: of its left edge.
        y: of its upper edge.
        role: what it stands for, for its colours.
        strong: its edge is drawn thicker.
    """

    x: float
    y: float
    width: float
    height: float
    role: str
    labels: tuple[Label, ...] = ()
    strong: bool = False

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Of its height."""
        return self.y + self.height / 2


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A line through points, with an arrow at its end or none."""

    points: tuple[Point, ...]
    role: str
    arrow: bool = True
    thick: bool = False


def cells(text: str) -> int:
    """How many ordinary characters a text is as wide as: two for each of Chinese or a smiley."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def wrapped(text: str, limit: int) -> list[str]:
    """The text in lines of at most `limit` cells; words too long for a line are cut.

    A space that does not break keeps words together, and becomes an ordinary one.
    """
    lines = [""]
    for word in text.split(" "):
        rest = word
        while cells(rest) > limit:
            head, rest = _cut(rest, limit)
            lines.append(head)
        joined = f"{lines[-1]} {rest}".strip()
        if cells(joined) <= limit:
            lines[-1] = joined
        else:
            lines.append(rest)
    return [line.replace(TOGETHER, " ") for line in lines if line]


def fitted(text: str, limit: int) -> str:
    """The text in at most `limit` cells, an ellipsis for what is left out."""
    if cells(text[: limit + 1]) <= limit and len(text) <= limit:
        return text
    return _cut(text, limit - 1)[0].rstrip() + "…"


def _cut(text: str, limit: int) -> tuple[str, str]:
    """What fits into `limit` cells, at least one character, and the rest."""
    taken = width = 0
    for character in text:
        width += cells(character)
        if width > limit:
            break
        taken += 1
    taken = max(taken, 1)
    return text[:taken], text[taken:]


def panel_height(caption: Caption, width: float = COLUMN) -> float:
    """Of a panel with that text."""
    bold, plain = _lines(caption, width)
    return 2 * PAD + LINE * (len(bold) + len(plain)) - (LINE - SIZE)


def _lines(caption: Caption, width: float) -> tuple[list[str], list[str]]:
    """A title in bold, and each note from a line of its own on."""
    room = width - 2 * PAD
    bold = wrapped(caption.title, int(room / (SIZE * EM_BOLD)))
    return bold, [line for note in caption.notes for line in wrapped(note, int(room / (SIZE * EM)))]


@dataclass
class Sketch:
    """A picture, drawn from the top to the bottom.

    Frames lie beneath wires, wires beneath panels, panels beneath labels.

    Args:
        centres: middle of the column of each stream.
        centre: middle of the column between the streams, or of the picture.
        width: of the picture.
        y: down to where it is drawn.
    """

    centres: dict[str, float]
    centre: float
    width: float
    y: float = MARGIN
    frames: list[Panel] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    @property
    def height(self) -> float:
        """Of what is drawn so far."""
        return self.y - GAP + MARGIN

    @property
    def two(self) -> bool:
        """Whether there are two streams."""
        return len(self.centres) > 1

    def put(
        self,
        caption: Caption,
        *,
        centre: float,
        role: str,
        y: float | None = None,
        width: float = COLUMN,
        strong: bool = False,
    ) -> Panel:
        """Draw a panel as high as its text, at the height reached so far unless told another."""
        top = self.y if y is None else y
        bold, plain = _lines(caption, width)
        first = top + PAD + SIZE * 0.85
        made = Panel(
            x=centre - width / 2,
            y=top,
            width=width,
            height=panel_height(caption, width),
            role=role,
            labels=tuple(
                Label(text=text, x=centre, y=first + LINE * place, bold=place < len(bold))
                for place, text in enumerate([*bold, *plain])
            ),
            strong=strong,
        )
        self.panels.append(made)
        return made

    def wire(self, *points: Point, role: str, arrow: bool = True, thick: bool = False) -> None:
        """Draw a line through points."""
        self.wires.append(Wire(points=points, role=role, arrow=arrow, thick=thick))

    def below(self, *panels: Panel) -> None:
        """Go on beneath these."""
        self.y = max([self.y, *(each.bottom for each in panels)]) + GAP


def blank(names: Sequence[str]) -> Sketch:
    """An empty picture with room for these streams and for what is between them."""
    edge = MARGIN + INSET
    # A single stream has its column in the middle and room for words at its left.
    gutter = GUTTER if len(names) > 1 else 24.0
    columns = 3 if len(names) > 1 else 2
    width = 2 * edge + columns * COLUMN + (columns - 1) * gutter
    places = [width / 2] if len(names) == 1 else [edge + COLUMN / 2, width - edge - COLUMN / 2]
    return Sketch(centres=dict(zip(names, places, strict=True)), centre=width / 2, width=width)
