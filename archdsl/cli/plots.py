"""Plots of a front: those a search leaves beside its database, and those that are asked for."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.cli.writing import safe_stem
from archdsl.errors import ArchdslError, WriteError
from archdsl.files import refuse_dash
from archdsl.reporting.formatting import drawn_of

if TYPE_CHECKING:
    from archdsl.reporting.front import StudyResults

KINDS = (".html", ".png", ".svg")


def plot_folder(folder: Path) -> Path:
    """The folder, made and found writable: a search of hours must not end for want of it.

    Raises:
        WriteError: it is a file, or cannot be made or written.
    """
    refuse_dash([folder])
    remedy = "name a folder for the plots with -o"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if folder.is_file() else (error.strerror or str(error)).lower()
        raise WriteError(f"cannot make the folder {folder}: {reason}; {remedy}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WriteError(f"cannot write into the folder {folder}: permission denied; {remedy}")
    return folder


def check_plots(paths: Sequence[Path], *, published: bool) -> None:
    """See that plots can be drawn as asked, before anything is read.

    Raises:
        ArchdslError: of another kind.
    """
    if published and not paths:
        raise ArchdslError("--published has an effect only with --plot")
    for path in paths:
        if path.suffix.lower() not in KINDS:
            raise ArchdslError(
                f"cannot plot into {path}: say a file that ends in {' or '.join(KINDS)}"
            )


def write_front(front: StudyResults, paths: Sequence[Path], *, published: bool) -> None:
    """The front into each of the files, as its suffix says.

    Args:
        front: of at least two objectives; the first two are drawn.
        paths: see `check_plots`.
        published: with the paper's own points on a panel of their own.

    Raises:
        ArchdslError: the study has one objective, or the paper does not print its objectives.
    """
    from archdsl.reporting.pages.front_page import write_html
    from archdsl.reporting.plots.front_plot import plot_front
    from archdsl.reporting.plots.plot_files import write_figure
    from archdsl.reporting.plots.points import plot_arguments

    found = plot_arguments(front, published=published)
    mark = drawn_of(front.study.digest)
    for path in paths:
        if path.suffix.lower() == ".html":
            write_html(path, mark=mark, **found)
        else:
            write_figure(plot_front(**found), path, mark=mark)


def plot_paths(study: str, objectives: Collection[str], folder: Path) -> list[Path]:
    """A PNG and an HTML page of the first two objectives; none for a single objective."""
    if len(objectives) < 2:
        return []
    return [folder / f"{safe_stem(study)}-front{suffix}" for suffix in (".png", ".html")]
