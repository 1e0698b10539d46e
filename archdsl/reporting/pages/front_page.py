"""The front as one self-contained page: the picture with its points to touch, and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archdsl.document.messages import listed
from archdsl.files import write_whole
from archdsl.reporting.formatting import SOFTWARE
from archdsl.reporting.front import CompleteTrial
from archdsl.reporting.front_table import Column, FrontTable, page_table
from archdsl.reporting.pages.page import STOPS_HINT, render_page
from archdsl.reporting.plots.front_picture import front_picture
from archdsl.reporting.plots.points import Axis, thinned
from archdsl.reporting.plots.published_plot import HEADING, published_heading, published_points
from archdsl.searching.baselines import MeasuredBaseline

MOST_DRAWN = 1000
"""Points; of more, a part of the dominated ones is drawn."""


def write_html(
    path: str | Path,
    rows: Sequence[CompleteTrial],
    *,
    x: Axis,
    y: Axis,
    title: str,
    note: str,
    published: bool = False,
    baselines: Sequence[MeasuredBaseline] = (),
    mark: str = SOFTWARE,
) -> None:
    """Write the page, whole or not at all. It loads nothing and shows every text.

    Args:
        path: the file; one that is there is replaced.
        rows: all complete trials; none at all is fine.
        x: the horizontal objective.
        y: the vertical objective.
        title: one line.
        note: device and conditions of the values, in words.
        published: with the paper's own points, on a panel and in a table of their own.
        baselines: models of timm's.
        mark: what the file says of who drew it, see `archdsl.reporting.formatting.drawn_of`.

    Raises:
        StudyError: the paper does not print one of the objectives.
        WriteError: the folder is missing or refuses the file.
    """
    drawn = thinned(rows, most=MOST_DRAWN)
    left_out = len(rows) - len(drawn)
    front = [row for row in rows if row.member or row.base]
    others = [row for row in drawn if not (row.member or row.base)]
    caption = f"Dominated ({len(others)}"
    caption += f" of {len(others) + left_out}, as drawn)" if left_out else ")"
    shown = (row.trial.values[axis.objective] for row in front + others for axis in (x, y))
    page = render_page(
        "front.html",
        title=title,
        mark=mark,
        note=note,
        intervals=any(each.low != each.high for each in shown),
        picture=front_picture(
            drawn,
            x=x,
            y=y,
            title=title,
            left_out=left_out,
            published=published,
            baselines=baselines,
        ),
        hint=STOPS_HINT,
        front=_table(front, x=x, y=y, caption="The front and the base"),
        others=_table(others, x=x, y=y, caption=caption) if others else None,
        published=_published(x, y) if published else None,
    )
    write_whole(path, page.encode())


def _table(rows: Sequence[CompleteTrial], *, x: Axis, y: Axis, caption: str) -> dict[str, Any]:
    """The trials, from the best horizontal value to the worst."""
    if not rows:
        nothing = {"kind": "", "link": "", "cells": [FrontTable.NOTHING, "nothing measured yet"]}
        headings = ["candidate", x.heading]
        return {"caption": caption, "headings": headings, "long": [], "rows": [nothing]}
    columns: list[Column] = [
        ("candidate", lambda row: row.label),
        *((axis.heading, axis.shown) for axis in (x, y)),
        ("on the front", lambda row: "yes" if row.member else "no"),
        (FrontTable.INDISTINGUISHABLE, lambda row: listed(row.indistinguishable)),
        (FrontTable.DIFFERENCE, lambda row: row.difference),
    ]
    return page_table(sorted(rows, key=x.loss), columns, caption=caption)


def _published(x: Axis, y: Axis) -> dict[str, Any]:
    """What the paper prints."""
    return {
        "caption": f"{HEADING} (arXiv 2409.07613, Table 5)",
        "headings": ["published", published_heading(x), published_heading(y)],
        "rows": [
            {"label": p.label, "x": f"{p.x:g}", "y": f"{p.y:g}"} for p in published_points(x, y)
        ],
    }
