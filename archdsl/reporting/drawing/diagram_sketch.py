"""A drawing while it is made: columns of streams, and what stands in them, from the top down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archdsl.reporting.drawing.part_words import Words
from archdsl.reporting.drawing.shapes import Label, Panel, Picture, Point, Wire, panel

COLUMN = 208.0
GUTTER = 40.0
MARGIN = 14.0
INSET = 14.0
"""From the frame of layers to the columns in it."""
GAP = 14.0
"""Between what stands one above the other."""
TAP = 14.0
"""From the upper edge of a head to the wires into it, and from its lower edge to the one out."""


@dataclass
class Sketch:
    """A picture being drawn from the top to the bottom.

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
    def two(self) -> bool:
        """Whether there are two streams."""
        return len(self.centres) > 1

    def put(
        self,
        words: Words,
        *,
        centre: float,
        role: str,
        y: float | None = None,
        width: float = COLUMN,
        strong: bool = False,
    ) -> Panel:
        """Draw a panel, at the height reached so far unless told another."""
        made = panel(
            centre=centre,
            y=self.y if y is None else y,
            width=width,
            role=role,
            title=words.title,
            notes=words.notes,
            strong=strong,
        )
        self.panels.append(made)
        return made

    def lower(self, made: Panel, down: float) -> Panel:
        """Move the panel drawn last down."""
        labels = tuple(replace(label, y=label.y + down) for label in made.labels)
        self.panels[-1] = replace(made, y=made.y + down, labels=labels)
        return self.panels[-1]

    def wire(self, *points: Point, role: str, arrow: bool = True, thick: bool = False) -> None:
        """Draw a line through points."""
        self.wires.append(Wire(points=points, role=role, arrow=arrow, thick=thick))

    def below(self, *panels: Panel) -> None:
        """Go on beneath these."""
        self.y = max([self.y, *(each.bottom for each in panels)]) + GAP

    def picture(self) -> Picture:
        """What is drawn so far."""
        return Picture(
            width=self.width,
            height=self.y - GAP + MARGIN,
            frames=tuple(self.frames),
            wires=tuple(self.wires),
            panels=tuple(self.panels),
            labels=tuple(self.labels),
        )


def blank(names: Sequence[str]) -> Sketch:
    """An empty picture with room for these streams and for what is between them."""
    edge = MARGIN + INSET
    # A single stream has its column in the middle and room for words at its left.
    gutter = GUTTER if len(names) > 1 else 24.0
    columns = 3 if len(names) > 1 else 2
    width = 2 * edge + columns * COLUMN + (columns - 1) * gutter
    places = [width / 2] if len(names) == 1 else [edge + COLUMN / 2, width - edge - COLUMN / 2]
    return Sketch(centres=dict(zip(names, places, strict=True)), centre=width / 2, width=width)
