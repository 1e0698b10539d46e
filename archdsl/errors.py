"""The one error tree. Every error a user can cause derives from `ArchdslError`.

The command line prints `str(error)` and exits with status 2; a traceback appears only with
`--debug`.
A message says what was found, where, what is allowed and what to do next.
"""

from __future__ import annotations

import copyreg
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.printable import one_line


class ArchdslError(Exception):
    """Base of all errors that a user can cause and mend."""

    def __reduce__(self) -> tuple[Any, ...]:
        """For a pipe: pickle itself would call the class, whose arguments may be others."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with a document.

    Args:
        source: the file (or `--set`, `--data`, …) the value came from.
        line: 1-based line in `source`; 0 when the source has no lines.
        column: 1-based column in `source`; 0 when the source has no lines.
        path: dotted path of the value, as a user would write it.
        message: what was found, what is allowed.
    """

    source: str
    line: int
    column: int
    path: str
    message: str

    @property
    def place(self) -> str:
        return f"{self.line}:{self.column}" if self.line else "-"


class DocumentError(ArchdslError):
    """A document that cannot be used; holds every problem found, not the first one."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        if not problems:
            raise ValueError("a DocumentError needs at least one problem")
        self.problems = tuple(problems)
        super().__init__(self.render())

    def render(self) -> str:
        """One block per source: a heading, then `line:column  path  message` rows in columns.

        A source without lines, such as `--set`, has no first column.
        """
        blocks = []
        for source in dict.fromkeys(problem.source for problem in self.problems):
            rows = sorted(
                (p for p in self.problems if p.source == source),
                key=lambda p: (p.line, p.column),
            )
            count = f"{len(rows)} problem" + ("s" if len(rows) > 1 else "")
            columns = [[one_line(row.path) for row in rows], [row.message for row in rows]]
            if any(row.line for row in rows):
                columns.insert(0, [row.place for row in rows])
            widths = [max(map(len, column)) for column in columns]
            lines = [f"{one_line(source)}: {count}"]
            for cells in zip(*columns, strict=True):
                padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
                lines.append(f"  {'  '.join(padded)}".rstrip())
            blocks.append("\n".join(lines))
        return "\n".join(blocks)


class NameNotFoundError(ArchdslError):
    """A name or path that leads to no document."""


class DataError(ArchdslError):
    """A data set that cannot be read or does not fit the document."""


class DeviceError(ArchdslError):
    """A device that was asked for and is not there."""


class NotEnoughMemoryError(ArchdslError, MemoryError):
    """Work that needs more memory than there is."""


class MeasureError(ArchdslError):
    """A measurement that cannot be made, or whose parts disagree."""


class StoreError(ArchdslError):
    """A database that cannot be opened, read or written."""


class StudyError(ArchdslError):
    """A study that cannot run as written: a changed document, an unknown objective, …"""


class ArgumentError(StudyError):
    """Arguments of a function that are of another type or value than it takes; names them all."""


class SpaceExhaustedError(StudyError):
    """No candidate is left that is new and keeps the constraints."""


class WriteError(ArchdslError):
    """A file that cannot be written."""


class WeightsError(ArchdslError):
    """A file of weights that does not fit the architecture."""
