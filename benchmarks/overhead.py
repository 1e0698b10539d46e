"""What a trial costs beside training and timed measurement, next to what others take for theirs.

A study whose values come from a table is searched through the public doors with one worker, every
trial committed to disk. In the same run, Optuna's ask/tell runs over as many choices on its SQLite
storage (as it comes, and in WAL mode) and its journal file, and Ray Tune with and without reused
actors, where it is installed.

    python benchmarks/overhead.py --trials 10000
    python benchmarks/overhead.py --trials 1000 --others 200 --json
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend

from archdsl.document.tree import tree_of
from archdsl.metrics import Direction
from archdsl.records import Job, Outcome
from archdsl.runners.read import read_profile
from archdsl.searching.read import CheckedStudy, check_study
from archdsl.searching.run import run_search, watched_by
from archdsl.searching.samplers import History, HistoryRow
from archdsl.searching.samplers.optuna import OptunaSampler
from archdsl.store.store import Store, open_store

RATIOS = [0.125, 0.25, 0.5, 1]
FUSIONS = ["add", "erase", "add_erase"]
SPACE: dict[str, Any] = {
    "depth": {"range": [1, 12]},
    "process": {
        "dim": {"choose": [384, 576, 768]},
        "embed": {"patch_size": {"choose": [28, 32, 56]}},
        "block": {"mlp_ratio": {"choose": [2, 3, 4]}},
    },
    "exchange": {
        "norm": {"placement": {"choose": ["replace", "pre"]}},
        "read": {"latent_ratio": {"choose": RATIOS}, "fusion": {"choose": FUSIONS}},
        "write": {"latent_ratio": {"choose": RATIOS}, "fusion": {"choose": FUSIONS}},
    },
}
CHOICES = [12, 3, 3, 3, 2, 4, 3, 4, 3]
DIRECTIONS: tuple[Direction, Direction] = ("minimize", "maximize")
SAMPLERS = ("random", "nsga2", "tpe")
LOOK_UPS = 500
RAY_TRIALS = 20
"""A second each where actors are not reused."""

Row = dict[str, Any]


class Clock:
    """Notes when the first trial begins, and when each is committed."""

    def __init__(self) -> None:
        self.stamps: list[float] = []

    def on_start(self, job: Job) -> None:
        if not self.stamps:
            self.stamps.append(time.perf_counter())

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None:
        self.stamps.append(time.perf_counter())

    def milliseconds(self) -> list[float]:
        """From the end of one trial to the end of the next."""
        return [(after - before) * 1e3 for before, after in itertools.pairwise(self.stamps)]


def study(folder: Path, *, trials: int, sampler: str) -> CheckedStudy:
    """A study of 93,312 models whose values stand in a table."""
    document = {
        "archdsl": 1,
        "kind": "study",
        "name": f"overhead-{sampler}",
        "base": "vittm-b-32-16",
        "space": SPACE,
        "constraints": ["process_tokens <= memory_tokens", "params_m <= 500"],
        "objectives": dict(zip(("latency", "top1"), DIRECTIONS, strict=True)),
        "evaluate": {name: {"table": str(folder / "values.csv")} for name in ("latency", "top1")},
        "budget": {"trials": trials},
        "sampler": {"type": sampler, "seed": 0},
    }
    return check_study(tree_of(document, source="benchmark"), folder=folder)


def write_table(path: Path, checked: CheckedStudy) -> None:
    """Values for every way to decide, spread as by chance."""
    holes = list(checked.space.holes())
    assert prod(CHOICES) == checked.space.size
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(hole.name for hole in holes), "latency", "top1"])
        writer.writerow([*("" for _ in holes), 5.0, 70.0])
        for number, labels in enumerate(itertools.product(*(hole.labels for hole in holes))):
            share = number * 2654435761 % 2**32 / 2**32
            writer.writerow([*labels, 1 + 9 * share, 100 * share**0.5])


def archdsl_row(folder: Path, *, trials: int, sampler: str) -> Row:
    """A whole search: propose, check, look up, store, commit."""
    checked, clock = study(folder, trials=trials, sampler=sampler), Clock()
    db, watch = str(folder / f"{sampler}.db"), watched_by(clock)
    run_search(checked, db=db, profile=read_profile("local"), observe=watch)
    with open_store(db) as store:
        own = sampler_ms(checked, store)
        row = {
            "what": "archdsl",
            "storage": "SQLite, durable",
            "sampler": sampler,
            "trials": trials,
            "ms_per_trial": statistics.fmean(clock.milliseconds()),
            "of_which_sampler_at_the_end_ms": own,
        }
        if sampler == "random":
            row |= {"look_up_ms": look_up_ms(checked, store), **growth(clock.milliseconds())}
    return row


def growth(milliseconds: list[float]) -> Row:
    """The median trial around a tenth of the way and at the end."""
    tenth, window = len(milliseconds) // 10, max(1, len(milliseconds) // 20)
    early = statistics.median(milliseconds[max(0, tenth - window) : tenth + 1])
    late = statistics.median(milliseconds[-window:])
    return {
        f"median_ms_at_trial_{tenth + 1}": early,
        f"median_ms_at_trial_{len(milliseconds) + 1}": late,
        "growth": late / early,
    }


def sampler_ms(checked: CheckedStudy, store: Store) -> float:
    """One more proposal, without checking it: what the sampler takes with all trials behind it."""
    row = store.studies.find(checked.study.name)
    finished = [
        HistoryRow(
            number=trial.number,
            arch_id=trial.arch_id,
            state=trial.state,
            params=trial.params,
            distributions=trial.distributions,
            attributes=trial.sampler_attrs,
            values={name: value.value for name, value in trial.values.items()},
            violation=0.0,
            counted=True,
            read_facts=lambda arch_id: store.architectures.find(arch_id).facts,
        )
        for trial in store.trials.finished(row.id)
        if trial.values
    ]
    history = History(finished=finished)
    kind, objectives = checked.study.sampler.type, checked.study.objectives
    sampler = OptunaSampler(kind=kind, seed=0, objectives=objectives)
    # The first one reads the history.
    next(sampler.propose(checked.space, history, number=len(finished)))
    started, repeats = time.perf_counter(), 10
    for number in range(repeats):
        next(sampler.propose(checked.space, history, number=len(finished) + number))
    return (time.perf_counter() - started) / repeats * 1e3


def look_up_ms(checked: CheckedStudy, store: Store) -> float:
    """One architecture by its identity, and all that is measured of it."""
    identities = sorted(store.trials.arch_ids(store.studies.find(checked.study.name).id))
    chosen = [identities[n * 7919 % len(identities)] for n in range(LOOK_UPS)]
    milliseconds = []
    for arch_id in chosen:
        started = time.perf_counter()
        store.architectures.find(arch_id)
        milliseconds.append((time.perf_counter() - started) * 1e3)
    return statistics.median(milliseconds)


def optuna_rows(folder: Path, *, trials: int) -> list[Row]:
    """Ask/tell on each storage with random draws, and in memory with each sampler."""
    wal = f"sqlite:///{folder / 'wal.db'}"
    optuna.storages.RDBStorage(wal).remove_session()
    connection = sqlite3.connect(folder / "wal.db")
    connection.execute("PRAGMA journal_mode = WAL")  # stays with the file
    connection.close()
    journal = JournalFileBackend(str(folder / "journal.log"))
    storages: dict[str, Any] = {
        "SQLite": f"sqlite:///{folder / 'default.db'}",
        "SQLite, WAL": wal,
        "journal file": optuna.storages.JournalStorage(journal),
    }
    rows = [
        optuna_row(name, storage, sampler="random", trials=trials)
        for name, storage in storages.items()
    ]
    return rows + [optuna_row("memory", None, sampler=name, trials=trials) for name in SAMPLERS]


def optuna_row(name: str, storage: Any, *, sampler: str, trials: int) -> Row:
    samplers: dict[str, optuna.samplers.BaseSampler] = {
        "random": optuna.samplers.RandomSampler(seed=0),
        "nsga2": optuna.samplers.NSGAIISampler(seed=0, population_size=20),
        "tpe": optuna.samplers.TPESampler(seed=0, multivariate=True),
    }
    found = optuna.create_study(storage=storage, directions=DIRECTIONS, sampler=samplers[sampler])
    started = time.perf_counter()
    for _ in range(trials):
        trial = found.ask()
        total = sum(trial.suggest_int(f"p{i}", 0, n - 1) for i, n in enumerate(CHOICES))
        found.tell(trial, [float(total), float(-total)])
    return {
        "what": f"Optuna {optuna.__version__} ask/tell",
        "storage": name,
        "sampler": sampler,
        "trials": trials,
        "ms_per_trial": (time.perf_counter() - started) / trials * 1e3,
    }


def ray_rows(folder: Path) -> list[Row]:
    """Ray Tune, one trial at a time; a row without a figure where it is not installed."""
    rows = []
    for reuse in (False, True):
        row: Row = {
            "what": "Ray Tune",
            "storage": "actors reused" if reuse else "actors not reused",
            "sampler": "random",
            "trials": RAY_TRIALS,
        }
        try:
            row["ms_per_trial"] = ray_ms(folder / f"ray-{reuse}", reuse=reuse)
        except ImportError:
            row["note"] = "not installed"
        rows.append(row)
    return rows


def ray_ms(folder: Path, *, reuse: bool, slots: int = 1, trials: int = RAY_TRIALS) -> float:
    """Wall milliseconds per trial of Ray Tune, its own start included."""
    import ray
    from ray import tune

    class Trial(tune.Trainable):  # type: ignore[misc]  # ray has no types
        def step(self) -> dict[str, Any]:
            total = float(sum(self.config.values()))
            return {"latency": total, "top1": -total, "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
            return {}

        def load_checkpoint(self, checkpoint: Any) -> None:
            pass

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return True

    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # its tables go to stdout whatever `verbose`
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True)
    tuner = tune.Tuner(
        Trial,
        param_space={f"p{i}": tune.randint(0, n) for i, n in enumerate(CHOICES)},
        tune_config=tune.TuneConfig(
            num_samples=trials, max_concurrent_trials=slots, reuse_actors=reuse
        ),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    )
    started = time.perf_counter()
    found = tuner.fit()
    if found.num_errors:
        raise SystemExit(f"Ray Tune: {found.num_errors} trials failed: {found.errors[0]}")
    return (time.perf_counter() - started) / trials * 1e3


def sync_ms(folder: Path) -> float:
    """Until four kilobytes are on this disk: what a durable commit takes at the least."""
    milliseconds = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            started = time.perf_counter()
            os.fsync(file.fileno())
            milliseconds.append((time.perf_counter() - started) * 1e3)
    return statistics.median(milliseconds)


def measured(folder: Path, *, trials: int, others: int) -> Row:
    (folder / "values.csv").write_text("arch_id,latency,top1\n")
    write_table(folder / "values.csv", study(folder, trials=1, sampler="random"))
    makers: list[Callable[[], list[Row]]] = [
        lambda: [archdsl_row(folder, trials=trials, sampler="random")],
        lambda: optuna_rows(folder, trials=others),
        lambda: [
            archdsl_row(folder, trials=others, sampler=name)
            for name in SAMPLERS
            if name != "random"
        ],
        lambda: ray_rows(folder),
    ]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python "
        f"{platform.python_version()}, load {load} before",
        "sync_ms": sync_ms(folder),
        "rows": [row for make in makers for row in make()],
    }


def show(result: Row) -> None:
    print(f"{result['machine']}; a durable write of 4 kB takes {result['sync_ms']:.2f} ms\n")
    print(f"{'':<24}{'storage':<20}{'sampler':<9}{'trials':>7}{'ms/trial':>10}")
    for row in result["rows"]:
        found = f"{row['ms_per_trial']:10.2f}" if "ms_per_trial" in row else f"  {row['note']}"
        print(f"{row['what']:<24}{row['storage']:<20}{row['sampler']:<9}{row['trials']:>7}{found}")
        for name, value in list(row.items())[5:]:
            print(f"{'':<24}{name.replace('_', ' '):<46}{value:.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000, help="of our search with random draws")
    parser.add_argument("--others", type=int, help="trials of everything else; at most 300")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    others = arguments.others or min(arguments.trials, 300)
    # The current folder's disk: the system's temporary folder may lie in memory.
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        result = measured(Path(name), trials=arguments.trials, others=others)
        if arguments.json:
            print(json.dumps(result, indent=2))
        else:
            show(result)


if __name__ == "__main__":
    main()
