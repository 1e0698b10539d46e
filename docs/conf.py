"""How Sphinx builds these pages: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from archdsl import __version__

HERE = Path(__file__).parent

project = "archdsl"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
default_role = "code"  # docstrings write `names` as Markdown does
exclude_patterns = ["_build"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"archdsl {__version__}"
html_show_copyright = False
html_copy_source = False


def setup(app: Any) -> None:
    """Write the pages that are made of the code, and lead links to what has a page there."""
    # Sphinx runs this file from anywhere, without its folder among those that are imported from.
    sys.path.insert(0, str(HERE))
    from generate import relinked, write_pages

    def relink(app: Any, page: str, content: list[str]) -> None:
        content[0] = relinked(content[0], folder=(HERE / page).parent, docs=HERE)

    write_pages(HERE)
    app.connect("source-read", relink)
