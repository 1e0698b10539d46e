"""Pictures as files."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from archdsl.files import write_whole
from archdsl.reporting.formatting import SOFTWARE


def write_png(figure: Figure, path: str | Path) -> None:
    """Write the picture, whole or not at all.

    Raises:
        WriteError: the folder is missing or refuses the file.
    """
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": SOFTWARE})
    write_whole(path, content.getvalue())


def write_svg(figure: Figure, path: str | Path) -> None:
    """Write the picture with its letters as outlines: it looks the same wherever it is opened.

    Raises:
        WriteError: the folder is missing or refuses the file.
    """
    content = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "archdsl"}):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": SOFTWARE})
    write_whole(path, content.getvalue())
