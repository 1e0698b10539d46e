"""What all pages share: templates in which every text is escaped, one style, one script."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from archdsl.printable import clean
from archdsl.reporting.formatting import SOFTWARE, cut_with_count

LONGEST = 20_000
"""Of one text on a page, in characters; what is cut off is counted."""
STOPS_HINT = "Point at a mark, touch it or reach it with the Tab key to see what it is."


def render(template: str, context: dict[str, Any]) -> Markup:
    """A template of `archdsl/reporting/templates`, filled: every text in it is shown as text."""
    return Markup(_environment().get_template(template).render(context))


def render_page(template: str, *, title: str, mark: str = SOFTWARE, **context: Any) -> str:
    """A whole page, from a template that extends `page.html`. It loads nothing.

    Should a text ever be markup, the page's own style and script run and nothing else.

    Args:
        template: see `render`.
        title: of the page.
        mark: what it says of who drew it, see `archdsl.reporting.formatting.drawn_of`.
        context: see `render`.
    """
    environment = _environment()
    assert environment.loader is not None
    script, _, _ = environment.loader.get_source(environment, "script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    frame = {
        "title": title,
        "generator": mark,
        "policy": Markup(policy),
        "script": Markup(script),
    }
    return str(render(template, frame | context))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("archdsl.reporting"),
        autoescape=True,
        finalize=_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _plain(value: object) -> object:
    """Texts on one line, without what a file cannot hold, and not endless; markup as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return cut_with_count(clean(value), limit=LONGEST)
    return value
