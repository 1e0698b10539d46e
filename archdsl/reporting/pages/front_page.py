"""The front as one self-contained page: the picture with its points to touch, and its table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from archdsl.files import write_whole
from archdsl.reporting.markup import figure, folded, policy
from archdsl.reporting.pages.front_page_parts import PAGE, SCRIPT, STYLE
from archdsl.reporting.plots.front_picture import front_picture, front_table, published_table
from archdsl.reporting.plots.points import Axis, FrontPoint, thinned
from archdsl.reporting.plots.published_plot import PublishedPoint
from archdsl.reporting.text import SOFTWARE, clean

HINT = "Point at a mark, touch it or reach it with the Tab key to see what it is."
MOST_DRAWN = 1000
"""Points; of more, a part of the dominated ones is drawn."""


def write_html(
    path: str | Path,
    points: Sequence[FrontPoint],
    *,
    x: Axis,
    y: Axis,
    title: str,
    note: str,
    published: Sequence[PublishedPoint] = (),
) -> None:
    """Write the page, whole or not at all. It loads nothing and shows every text.

    Args:
        path: the file; one that is there is replaced.
        points: all candidates that have both values; none at all is fine.
        x: the horizontal objective.
        y: the vertical objective.
        title: one line.
        note: device and conditions of the values, in words.
        published: of the paper, on a panel and in a table of their own.

    Raises:
        WriteError: the folder is missing or refuses the file.
    """
    drawn = thinned(points, most=MOST_DRAWN)
    left_out = len(points) - len(drawn)
    picture = front_picture(drawn, x=x, y=y, title=title, left_out=left_out, published=published)
    front = [p for p in points if p.member or p.base]
    others = [p for p in drawn if not (p.member or p.base)]
    caption = f"Dominated ({len(others)}"
    caption += f" of {len(others) + left_out}, as drawn)" if left_out else ")"
    rest = folded("Dominated candidates", front_table(others, x=x, y=y, caption=caption))
    page = Template(PAGE).substitute(
        policy=policy(SCRIPT),
        generator=SOFTWARE,
        style=STYLE,
        script=SCRIPT,
        title=escape(clean(title)),
        note=escape(clean(note)),
        picture=figure(picture, hint=HINT),
        front=front_table(front, x=x, y=y, caption="The front and the base"),
        rest=(published_table(published) if published else "") + (rest if others else ""),
    )
    write_whole(path, page.encode())
