"""What networks are trained for: the tasks behind the trained metrics of `archdsl.metrics`."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.metrics import TRAINED
from archdsl.training.tasks.classification import Classification
from archdsl.training.tasks.task import Task

TASKS: Mapping[str, Task] = dict.fromkeys(TRAINED, Classification())
"""Metric to the task whose trainings are scored by it."""
