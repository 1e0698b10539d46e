"""What a drawing is made of: panels, wires and labels with their places, in pixels."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SIZE = 12.0
"""Of ordinary text, in pixels."""
LINE = 16.0
"""From one line of text to the next."""
PAD = 8.0
"""Between a panel's edge and its text."""
EM = 0.6
"""Width of a character over the size of its text: more than nearly all fonts take."""
EM_BOLD = 0.66
TOGETHER = "\N{NO-BREAK SPACE}"

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

    @property
    def width(self) -> float:
        """At most, whatever the font."""
        return cells(self.text) * self.size * (EM_BOLD if self.bold else EM)


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


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A whole drawing: frames lie beneath wires, wires beneath panels, panels beneath labels."""

    width: float
    height: float
    frames: tuple[Panel, ...]
    wires: tuple[Wire, ...]
    panels: tuple[Panel, ...]
    labels: tuple[Label, ...]


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


def shortened(text: str, limit: int) -> str:
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


def panel_height(lines: int) -> float:
    """Of a panel with that many lines of text."""
    return 2 * PAD + LINE * lines - (LINE - SIZE)


def panel(
    *,
    centre: float,
    y: float,
    width: float,
    role: str,
    title: str,
    notes: Sequence[str] = (),
    strong: bool = False,
) -> Panel:
    """A panel as high as its text: a title in bold, and each note from a line of its own on."""
    room = width - 2 * PAD
    bold = wrapped(title, int(room / (SIZE * EM_BOLD)))
    plain = [line for note in notes for line in wrapped(note, int(room / (SIZE * EM)))]
    labels = tuple(
        Label(text=text, x=centre, y=y + PAD + SIZE * 0.85 + LINE * number, bold=number < len(bold))
        for number, text in enumerate([*bold, *plain])
    )
    return Panel(
        x=centre - width / 2,
        y=y,
        width=width,
        height=panel_height(len(labels)),
        role=role,
        labels=labels,
        strong=strong,
    )
