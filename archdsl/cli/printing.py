"""Tables and JSON on stdout, everything else on stderr."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from archdsl.printable import clean, escaped, one_line, printable

PIPED_WIDTH = 160


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(escaped(json.dumps(value, indent=2, ensure_ascii=not unicode)))


def say(message: str) -> None:
    """A line for the person at the terminal; never part of the output."""
    print(printable(message), file=sys.stderr)


def put(text: str = "", *, end: str = "\n", flush: bool = False) -> None:
    """A line of the output, or a part of one."""
    print(one_line(text), end=end, flush=flush)


def put_lines(text: str) -> None:
    """Lines of the output."""
    print(printable(text))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """A table; numbers are aligned to the right.

    Where a line would be wider than the terminal, the last column goes beneath its rows.
    """
    rows = [[clean(cell) for cell in row] for row in rows]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_WIDTH
    lines = aligned(columns, rows)
    beneath = max(map(len, lines)) >= width
    if beneath:
        lines = aligned(columns[:-1], [row[:-1] for row in rows])
    console = Console(highlight=False)
    if title:
        console.print(Text(clean(title), style="italic"), soft_wrap=True)
    console.print(Text(f" {lines[0]}", style="bold"), soft_wrap=True)
    for line, row in zip(lines[1:], rows, strict=True):
        put(f" {line}")
        if beneath:
            put_lines(_wrapped(row[-1], width))


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The headings and the rows of a table as lines; numbers are aligned to the right."""
    cells = [_padded(column) for column in zip(columns, *rows, strict=True)]
    return ["  ".join(line).rstrip() for line in zip(*cells, strict=True)]


def _padded(column: Sequence[str]) -> list[str]:
    heading, *cells = column
    width = max(map(len, column))
    numeric = bool(cells) and all(not cell or cell[0] in "~-+.0123456789" for cell in cells)
    return [f"{cell:>{width}}" if numeric else f"{cell:<{width}}" for cell in (heading, *cells)]


def _wrapped(text: str, width: int) -> str:
    indent = " " * 8
    return textwrap.fill(
        text,
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def millions(count: float) -> str:
    """`111.61 M`."""
    return f"{count / 1e6:.2f} M"


def billions(count: float) -> str:
    """`7.0837 G`."""
    return f"{count / 1e9:.4f} G"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
