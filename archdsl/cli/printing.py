"""Tables and JSON on stdout, everything else on stderr."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 160


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def say(message: str) -> None:
    """A line for the person at the terminal; never part of the output."""
    print(message, file=sys.stderr)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """A table; numbers are aligned to the right."""
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None)
    for position, column in enumerate(columns):
        cells = [row[position] for row in rows]
        numeric = bool(cells) and all(not cell or cell[0] in "-+.0123456789" for cell in cells)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_WIDTH
    Console(width=width, highlight=False).print(table)


def millions(count: float) -> str:
    """`111.61 M`."""
    return f"{count / 1e6:.2f} M"


def billions(count: float) -> str:
    """`7.0837 G`."""
    return f"{count / 1e9:.4f} G"
