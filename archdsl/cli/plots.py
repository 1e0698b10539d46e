"""The plots a search leaves beside its database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.cli.writing import safe_stem
from archdsl.errors import WriteError

if TYPE_CHECKING:
    from archdsl.report.front import Front


def plot_folder(folder: Path) -> Path:
    """The folder, made and found writable: a search of hours must not end for want of it.

    Raises:
        WriteError: it is a file, or cannot be made or written.
    """
    remedy = "name a folder for the plots with -o"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if folder.is_file() else (error.strerror or str(error)).lower()
        raise WriteError(f"cannot make the folder {folder}: {reason}; {remedy}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WriteError(f"cannot write into the folder {folder}: permission denied; {remedy}")
    return folder


def write_plots(front: Front, folder: Path) -> list[Path]:
    """A PNG and an HTML page of the first two objectives; none for a single objective."""
    names = list(front.study.objectives.items())
    if len(names) < 2:
        return []
    from archdsl.report.front import axis, hypervolume_words, points
    from archdsl.report.front_plot import plot_front, write_png
    from archdsl.report.html import write_html

    (x_name, x_direction), (y_name, y_direction) = names[:2]
    x, y = axis(x_name, x_direction), axis(y_name, y_direction)
    safe = safe_stem(front.study.name)
    png, html = folder / f"{safe}-front.png", folder / f"{safe}-front.html"
    marks = points(front, x_name, y_name)
    title, note = f"front of {front.study.name}", f"{front.conditions}; {hypervolume_words(front)}"
    write_png(plot_front(marks, x=x, y=y, title=title, note=note), png)
    write_html(html, marks, x=x, y=y, title=title, note=note)
    return [png, html]
