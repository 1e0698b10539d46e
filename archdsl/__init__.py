"""archdsl: a vision architecture as a short YAML document, compiled, measured and searched."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from archdsl.version import __version__

if TYPE_CHECKING:
    from archdsl.api import compile, count, front, load, load_study, search, study_around
    from archdsl.api.confirmation import confirm
    from archdsl.api.exporting import export
    from archdsl.api.training import train
    from archdsl.compiler.weights.load import load_weights
    from archdsl.compiler.weights.warm_start import warm_start
    from archdsl.measuring.measure import compare, measure
    from archdsl.measuring.optimizing import optimize
    from archdsl.training.bundle import load_bundle

__all__ = [
    "__version__",
    "compare",
    "compile",
    "confirm",
    "count",
    "export",
    "front",
    "load",
    "load_bundle",
    "load_study",
    "load_weights",
    "measure",
    "optimize",
    "search",
    "study_around",
    "train",
    "warm_start",
]

_ELSEWHERE = {
    "compare": "archdsl.measuring.measure",
    "confirm": "archdsl.api.confirmation",
    "export": "archdsl.api.exporting",
    "measure": "archdsl.measuring.measure",
    "optimize": "archdsl.measuring.optimizing",
    "load_bundle": "archdsl.training.bundle",
    "load_weights": "archdsl.compiler.weights.load",
    "train": "archdsl.api.training",
    "warm_start": "archdsl.compiler.weights.warm_start",
}
"""Where names of `__all__` are defined that are not in `archdsl.api`."""


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first asked for: reading documents needs no torch."""
    if name not in __all__:
        raise AttributeError(f"module 'archdsl' has no attribute {name!r}")
    value = getattr(import_module(_ELSEWHERE.get(name, "archdsl.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
