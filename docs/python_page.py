"""The reference of what notebooks call: signatures and docstrings, by Sphinx's autodoc."""

from __future__ import annotations

import archdsl

INTRODUCTION = """\
# Python reference

What `archdsl` offers to notebooks and scripts; [From Python](../python.md) shows it at work.
"""
RESULTS = (
    "archdsl.api.results.Front",
    "archdsl.api.results.FrontRow",
    "archdsl.searching.run.SearchResult",
    "archdsl.searching.loop.Observer",
    "archdsl.training.bundle.Bundle",
    "archdsl.measuring.count.Count",
    "archdsl.measuring.compare.Comparison",
    "archdsl.records.Measurement",
    "archdsl.compiler.weights.warm_start.WarmStart",
)
SAMPLERS = (
    *(f"archdsl.searching.samplers.{name}" for name in ("Sampler", "Proposal")),
    *(f"archdsl.searching.samplers.{name}" for name in ("History", "HistoryRow")),
    *(f"archdsl.space.space.{name}" for name in ("Space", "Candidate")),
)


def python_page() -> str:
    """Markdown with directives: the root's functions, what they return, the parts of samplers."""
    functions = [name for name in archdsl.__all__ if not name.startswith("__")]
    return "\n".join([
        INTRODUCTION,
        "## Functions\n",
        *(_directive("autofunction", f"archdsl.{name}") for name in functions),
        "## What they return and take\n",
        *(_directive("autoclass", name, members=True) for name in RESULTS),
        "## Samplers\n",
        *(_directive("autoclass", name, members=True) for name in SAMPLERS),
    ])  # fmt: skip


def _directive(kind: str, name: str, *, members: bool = False) -> str:
    options = "\n   :members:" if members else ""
    return f"```{{eval-rst}}\n.. {kind}:: {name}{options}\n```\n"
