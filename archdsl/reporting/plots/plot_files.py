"""Pictures as files."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from archdsl.files import write_whole
from archdsl.reporting.formatting import SOFTWARE


def write_figure(figure: Figure, path: Path, *, mark: str = SOFTWARE) -> None:
    """Write the picture as its suffix says, `.svg` or else PNG; whole or not at all.

    An SVG has its letters as outlines: it looks the same wherever it is opened.

    Args:
        figure: the picture.
        path: the file; one that is there is replaced.
        mark: what the file says of who drew it, see `archdsl.reporting.formatting.drawn_of`.

    Raises:
        WriteError: the folder is missing or refuses the file.
    """
    content = io.BytesIO()
    if path.suffix.lower() == ".svg":
        with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "archdsl"}):
            figure.savefig(content, format="svg", metadata={"Date": None, "Creator": mark})
    else:
        figure.savefig(content, format="png", metadata={"Software": mark})
    write_whole(path, content.getvalue())
