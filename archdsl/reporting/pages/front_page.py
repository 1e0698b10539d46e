"""The front as one self-contained page: the picture with its points to touch, and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from archdsl.document.messages import listed
from archdsl.files import write_whole
from archdsl.reporting.formatting import with_interval
from archdsl.reporting.front_table import FrontTable
from archdsl.reporting.pages.page import STOPS_HINT, render_page
from archdsl.reporting.plots.front_picture import front_picture
from archdsl.reporting.plots.points import Axis, FrontPoint, best_first, thinned
from archdsl.reporting.plots.published_plot import HEADING, PublishedPoint

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
    front = [p for p in points if p.member or p.base]
    others = [p for p in drawn if not (p.member or p.base)]
    caption = f"Dominated ({len(others)}"
    caption += f" of {len(others) + left_out}, as drawn)" if left_out else ")"
    page = render_page(
        "front.html",
        title=title,
        note=note,
        picture=front_picture(drawn, x=x, y=y, title=title, left_out=left_out, published=published),
        hint=STOPS_HINT,
        front=_table(front, x=x, y=y, caption="The front and the base"),
        others=_table(others, x=x, y=y, caption=caption) if others else None,
        published=_published(published) if published else None,
    )
    write_whole(path, page.encode())


def _table(points: Iterable[FrontPoint], *, x: Axis, y: Axis, caption: str) -> dict[str, Any]:
    """The points, from the best horizontal value to the worst."""
    headings = ["candidate", x.heading, y.heading, "on the front"]
    headings += [FrontTable.INDISTINGUISHABLE, FrontTable.DIFFERENCE]
    rows = [
        {
            "kind": "base" if p.base else "member" if p.member else "dominated",
            "link": "",
            "cells": [
                f"{p.label}{' (base)' if p.base else ''}",
                with_interval(p.x, p.x_low, p.x_high),
                with_interval(p.y, p.y_low, p.y_high),
                "yes" if p.member else "no",
                listed(p.indistinguishable) or FrontTable.NOTHING,
                p.difference or FrontTable.NOTHING,
            ],
        }
        for p in best_first(points, axis=x)
    ]
    if not rows:
        nothing = {"kind": "", "link": "", "cells": [FrontTable.NOTHING, "nothing measured yet"]}
        return {"caption": caption, "headings": headings[:2], "long": [], "rows": [nothing]}
    long = ["candidate", FrontTable.INDISTINGUISHABLE, FrontTable.DIFFERENCE]
    return {"caption": caption, "headings": headings, "long": long, "rows": rows}


def _published(points: Sequence[PublishedPoint]) -> dict[str, Any]:
    """What the paper prints."""
    return {
        "caption": f"{HEADING} (arXiv 2409.07613, Table 5)",
        "headings": ["published", points[0].x_heading, points[0].y_heading],
        "rows": [{"label": p.label, "x": f"{p.x:g}", "y": f"{p.y:g}"} for p in points],
    }
