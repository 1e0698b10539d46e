"""How long the everyday steps take: whole commands, and what happens inside them.

    python benchmarks/commands.py

Whole commands are compared with `python -c pass` and with the bare import of torch, in turns; inner
steps are medians over repetitions in one warm process.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from archdsl.document.shelves import find
from archdsl.document.text import read_text
from archdsl.document.validate import validate
from archdsl.measuring.count import count
from archdsl.plan.expand import expand
from archdsl.plan.read import read_model
from archdsl.spec.model import ModelSpec

ROUNDS = 5
CLI = "from archdsl.cli.main import app_main; app_main()"
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "archdsl --help": ["-c", CLI, "--help"],
    "archdsl check (all shelves)": ["-c", CLI, "check"],
    "archdsl compile vittm-b-28-28": ["-c", CLI, "compile", "vittm-b-28-28", "--json"],
}


def whole_commands() -> dict[str, float]:
    """Median seconds of each command, run in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def inner_steps() -> dict[str, float]:
    """Median milliseconds of what happens inside."""
    text = find("vittm-b-28-28", "specs").read_text()
    tree = read_text(text, source="benchmark")
    spec = read_model("vittm-b-28-28").spec
    steps: dict[str, tuple[Callable[[], object], int]] = {
        "read the YAML": (lambda: read_text(text, source="benchmark"), 100),
        "validate a document": (lambda: validate(tree, ModelSpec), 100),
        "expand to a plan": (lambda: expand(spec), 100),
        "expand, build without weights, count": (lambda: count(expand(spec)), 10),
    }
    return {name: _median_ms(step, repeats) for name, (step, repeats) in steps.items()}


def _median_ms(step: Callable[[], object], repeats: int) -> float:
    step()
    milliseconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        step()
        milliseconds.append((time.perf_counter() - started) * 1e3)
    return statistics.median(milliseconds)


def main() -> None:
    """Run and print both tables."""
    for name, seconds in whole_commands().items():
        print(f"{name:<40} {seconds:8.3f} s")
    for name, milliseconds in inner_steps().items():
        print(f"{name:<40} {milliseconds:8.3f} ms")


if __name__ == "__main__":
    main()
