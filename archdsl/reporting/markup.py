"""Pieces of a page: texts, tables and figures, every text shown as text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape

from archdsl.reporting.text import clean

LONGEST = 20_000
"""Of one text on a page, in characters; what is cut off is counted."""


def text(value: object) -> str:
    """Any value as text between tags or in an attribute."""
    return escape(shortened(clean(str(value)), limit=LONGEST))


def shortened(line: str, *, limit: int) -> str:
    """The line; of a longer one its beginning and how much was cut off."""
    if len(line) <= limit:
        return line
    return f"{line[:limit]}… ({len(line) - limit:,} more characters)"


def policy(script: str) -> str:
    """Let the page's own style and script run and nothing else, should a text ever be markup."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    caption: str,
    kinds: Sequence[str] = (),
) -> str:
    """A table that scrolls within itself where the screen is narrow.

    Args:
        heads: headings of the columns, plain text.
        rows: cells, as markup; the first of a row is its heading.
        caption: plain text.
        kinds: class of each row.
    """
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in heads)
    body = "\n".join(
        _row(cells, kind=kinds[place] if kinds else "") for place, cells in enumerate(rows)
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}">'
        f"<table><caption>{text(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def _row(cells: Sequence[str], *, kind: str) -> str:
    first, *others = cells
    mark = f' class="{kind}"' if kind else ""
    rest = "".join(f"<td>{cell}</td>" for cell in others)
    return f'<tr{mark}><th scope="row">{first}</th>{rest}</tr>'


def boxed(value: object) -> str:
    """A text that may be long: it scrolls within its cell."""
    return f"<div>{text(value)}</div>"


def figure(picture: str, *, hint: str = "") -> str:
    """A picture with the line in which it says what is pointed at."""
    told = f'<figcaption aria-live="polite" class="told">{text(hint)}&nbsp;</figcaption>'
    return f'<figure class="plot"><div class="scroll">{picture}</div>{told}</figure>'


def folded(summary: str, inside: str) -> str:
    """Something to open."""
    return f"<details><summary>{text(summary)}</summary>{inside}</details>"


def section(name: str, heading: str, body: str) -> str:
    """A part of a page that links lead to.

    Args:
        name: of the link.
        heading: plain text.
        body: markup.
    """
    label = f"{name}-heading"
    return (
        f'<section id="{name}" aria-labelledby="{label}">'
        f'<h2 id="{label}">{text(heading)}</h2>\n{body}\n</section>'
    )


def paragraph(words: str, *, kind: str = "") -> str:
    """Plain text as a paragraph; nothing where there are no words."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{text(words)}</p>" if words else ""


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """Words and what they stand for, both plain text."""
    rows = "".join(f"<dt>{text(term)}</dt><dd>{text(said)}</dd>" for term, said in pairs)
    return f"<dl>{rows}</dl>" if rows else ""
