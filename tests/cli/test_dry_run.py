"""What a search will cost and come to, said before anything is paid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from archdsl.document.shelves import packaged

Run = Callable[..., Any]

QUICK = ["--set", "evaluate.latency.max_seconds=0.05"]


def test_what_a_training_is_of(run: Run) -> None:
    words = ("search", "digits", "--dry-run", *QUICK, "--set", "evaluate.top1.epochs=12")
    told = run(*words).out
    assert " s a trial: 12 epochs, 1 seed, timed on the base\n" in told
    several = (*words, "--set", "evaluate.top1.seeds=[0, 1]", "--json")
    found = run(*several).json()
    assert (found["epochs"], found["seeds"], found["timed_on"]) == (12, 2, "the base")


def test_a_training_without_a_base(run: Run, folder: Path) -> None:
    model = (packaged("specs") / "vittm-digits.yaml").read_text()
    lines = [line for line in model.splitlines() if not line.startswith("#")]
    (folder / "study.yaml").write_text(
        "archdsl: 1\nkind: study\nname: baseless\nobjectives: {top1: maximize}\n"
        "evaluate: {top1: {data: digits, recipe: small-images, epochs: 1}}\nbudget: {trials: 2}\n"
        "space:\n" + "".join(f"  {line}\n" for line in lines)
    )
    told = run("search", "study.yaml", "--dry-run", "--set", "space.depth={choose: [1, 2]}").out
    assert "latency    not asked for\n" in told
    assert " s a trial: 1 epoch, 1 seed, timed on the first of all options\n" in told
