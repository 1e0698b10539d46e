"""What is wrong with a place where candidates run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.errors import ArchdslError


class RunnerError(ArchdslError):
    """A place that is not there, or not as its run profile says."""


def packed(error: ArchdslError) -> tuple[type[ArchdslError], tuple[Any, ...], dict[str, Any]]:
    """An error as parts that survive the pipe: pickle would call its class with other arguments."""
    return type(error), error.args, error.__dict__


def unpacked(
    kind: type[ArchdslError], arguments: tuple[Any, ...], attributes: Mapping[str, Any]
) -> ArchdslError:
    """The error again, of the same class."""
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    return error
