"""What a trial costs beside training and timed measurement: durable store, proposals, checks.

A study whose values come from a table is searched through the public doors; next to it Optuna's own
ask/tell loop runs the same number of trials over as many choices, on its SQLite storage and in
memory.

    python benchmarks/search_overhead.py --trials 1000 --sampler random
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna

from archdsl.document.tree import tree_of
from archdsl.errors import DocumentError
from archdsl.records import Job, Outcome
from archdsl.runners.read import read_profile
from archdsl.search.read import CheckedStudy, check_study
from archdsl.search.run import run_search
from archdsl.store.store import open_store

SPACE: dict[str, Any] = {
    "depth": {"range": [1, 12]},
    "process": {
        "dim": {"choose": [384, 576, 768]},
        "embed": {"patch_size": {"choose": [28, 32, 56]}},
        "block": {"mlp_ratio": {"choose": [2, 3, 4]}},
    },
    "exchange": {
        "read": {"latent_ratio": {"choose": [0.125, 0.25, 0.5, 1]}},
        "write": {"latent_ratio": {"choose": [0.125, 0.25, 0.5, 1]}},
    },
}
CHOICES = [12, 3, 3, 3, 4, 4]


class Quiet:
    """An observer that looks away."""

    def on_start(self, job: Job) -> None: ...

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None: ...


def study(folder: Path, *, trials: int, sampler: str) -> CheckedStudy:
    """A study of 5,184 models whose values stand in a table."""
    document = {
        "archdsl": 1,
        "kind": "study",
        "name": f"overhead-{sampler}",
        "base": "vittm-b-32-16",
        "space": SPACE,
        "constraints": ["process_tokens <= memory_tokens", "params_m <= 500"],
        "objectives": {"latency": "minimize", "top1": "maximize"},
        "evaluate": {name: {"table": str(folder / "values.csv")} for name in ("latency", "top1")},
        "budget": {"trials": trials},
        "sampler": {"type": sampler, "seed": 0},
    }
    return check_study(tree_of(document, source="benchmark"), folder=folder)


def write_table(folder: Path, checked: CheckedStudy) -> None:
    """Values for every architecture of the space: some smooth function of size."""
    base = checked.space.base_candidate()
    assert base is not None
    identities = {base.plan.arch_id}
    for turn in checked.space.enumerate():
        try:
            identities.add(checked.space.candidate(turn).plan.arch_id)
        except DocumentError:
            continue
    with (folder / "values.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch_id", "latency", "top1"])
        for arch_id in sorted(identities):
            number = int(arch_id[:6], 16) / 16**6
            writer.writerow([arch_id, 1 + 9 * number, 100 * number**0.5])


def archdsl_ms(folder: Path, *, trials: int, sampler: str) -> float:
    """Milliseconds a trial, everything included and durable."""
    checked = study(folder, trials=trials, sampler=sampler)
    with open_store(str(folder / f"{sampler}.db")) as store:
        started = time.perf_counter()
        run_search(checked, store=store, profile=read_profile("local"), observer=Quiet())
        return (time.perf_counter() - started) / trials * 1e3


def optuna_ms(storage: str | None, *, trials: int, sampler: str) -> float:
    """Milliseconds a trial of Optuna's ask/tell over as many choices."""
    samplers: dict[str, optuna.samplers.BaseSampler] = {
        "random": optuna.samplers.RandomSampler(seed=0),
        "tpe": optuna.samplers.TPESampler(seed=0, multivariate=True),
        "nsga2": optuna.samplers.NSGAIISampler(seed=0, population_size=20),
    }
    found = optuna.create_study(
        storage=storage, directions=["minimize", "maximize"], sampler=samplers[sampler]
    )
    started = time.perf_counter()
    for _ in range(trials):
        trial = found.ask()
        total = sum(trial.suggest_int(f"p{i}", 0, n - 1) for i, n in enumerate(CHOICES))
        found.tell(trial, [float(total), float(-total)])
    return (time.perf_counter() - started) / trials * 1e3


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--sampler", choices=["random", "tpe", "nsga2"], default="random")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    options = {"trials": arguments.trials, "sampler": arguments.sampler}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "values.csv").write_text("arch_id,latency,top1\n")
        write_table(folder, study(folder, **options))
        result = {
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            **options,
            "archdsl_ms_per_trial": archdsl_ms(folder, **options),
            "optuna_sqlite_ms_per_trial": optuna_ms(f"sqlite:///{folder / 'optuna.db'}", **options),
            "optuna_memory_ms_per_trial": optuna_ms(None, **options),
        }
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    for key, value in result.items():
        print(f"{key:<28} {value:.2f}" if isinstance(value, float) else f"{key:<28} {value}")


if __name__ == "__main__":
    main()
