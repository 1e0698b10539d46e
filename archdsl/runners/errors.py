"""What is wrong with a place where candidates run."""

from __future__ import annotations

from archdsl.errors import ArchdslError


class RunnerError(ArchdslError):
    """A place that is not there, or not as its run profile says."""
