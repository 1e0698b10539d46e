"""How many trials a second a search gets through, against the number of workers.

Trainings do nothing, so that what is left is what a trial costs beside them: proposing, three
durable commits, and the way to a worker process and back. Each row is a whole search through the
public doors; the time counts from the trial by which every worker had its first.

    python benchmarks/scaling.py --trials 400
    python benchmarks/scaling.py --workers 2 --trials 100 --epochs 20     # a commit for each epoch
    python benchmarks/scaling.py --tune             # at two slots, beside plain Ray Tune
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import overhead
import scaling

from archdsl.document.tree import tree_of
from archdsl.records import Job, Measurement
from archdsl.runners.interfaces import Bound, Runner
from archdsl.runners.make import make_runner
from archdsl.runners.profile import RunProfile
from archdsl.runners.read import profile_of
from archdsl.searching import before
from archdsl.searching.run import run_search, watched_by

WORKERS = (1, 2, 4, 8, 16)
EXECUTORS = ("local-workers", "ray-local")
EPOCHS = "ARCHDSL_BENCHMARK_EPOCHS"
"""Environment variable of the workers: how many values a training reports."""
TUNE_TRIALS = {True: 200, False: 20}
"""Of plain Ray Tune, with reused actors and without: a second each."""
FIRST = 0.2
"""Share of the trials that are left out at least: processes warm up."""

Row = dict[str, Any]


class Nothing:
    """An evaluator that costs nothing; says which process it ran in."""

    def __init__(self, quantity: str) -> None:
        self.quantity = quantity

    def protocol(self) -> Mapping[str, Any]:
        return {"evaluator": "nothing/1"}

    def check(self, candidate: Job) -> Sequence[str]:
        return ()

    def measure(self, candidate: Job, *, report: Callable[[int, float], None]) -> Measurement:
        value = 1.0 + int(candidate.arch_id[:8], 16) / 2**32
        for epoch in range(int(os.environ[EPOCHS]) if self.quantity == "top1" else 0):
            report(epoch + 1, value)
        return Measurement(
            quantity=self.quantity,
            value=value,
            low=value,
            high=value,
            unit="ms",
            protocol=self.protocol(),
            detail={"pid": os.getpid()},
        )


class Clock(overhead.Clock):
    """Notes the process of each trial, too."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[int] = []

    def on_end(self, job: Job, outcome: Any) -> None:
        super().on_end(job, outcome)
        self.processes.append(outcome.measurements[-1].detail["pid"])

    def steady_ms(self) -> float:
        """Milliseconds per trial once all processes are at work."""
        seen = {pid: number for number, pid in reversed(list(enumerate(self.processes)))}
        first = max(*seen.values(), int(len(self.processes) * FIRST))
        return (self.stamps[-1] - self.stamps[first]) / (len(self.stamps) - 1 - first) * 1e3


def make(evaluate: Mapping[str, Mapping[str, Any]], profile: RunProfile) -> list[Nothing]:
    """Evaluators of the quantities a study names."""
    return [Nothing(quantity) for quantity in evaluate]


def make_idle_runner(
    profile: RunProfile, *, evaluate: Mapping[str, Any], bounds: Sequence[Bound] = ()
) -> Runner:
    """In place of `make_runner`. By the module's name: a worker cannot import `__main__`."""
    return make_runner(
        profile, evaluate={name: {} for name in evaluate}, bounds=bounds, make=scaling.make
    )


def profile(executor: str, workers: int) -> RunProfile:
    """So many workers, however few processors there are."""
    words: dict[str, Any] = {"executor": "local", "workers": workers}
    if executor == "ray-local":
        share = (os.cpu_count() or 1) / workers
        cpus = share if share <= 1 else int(share)
        words = {
            "executor": "ray",
            "concurrent": workers,
            "training": {"device": "cpu", "cpus": cpus},
        }
    tree = tree_of({"archdsl": 1, "kind": "runner", "name": executor, **words}, source="benchmark")
    return profile_of(tree)


def searched(folder: Path, executor: str, *, workers: int, trials: int) -> Row:
    """One search; its pace once every worker has been at work."""
    clock = Clock()
    database = folder / f"{executor}-{workers}.db"
    run_search(
        overhead.study(folder, trials=trials, sampler="random"),
        db=str(database),
        profile=profile(executor, workers),
        observe=watched_by(clock),
    )
    milliseconds = clock.steady_ms()
    return {
        "executor": executor,
        "workers": workers,
        "processes": len(set(clock.processes)),
        "trials": trials,
        "ms_per_trial": milliseconds,
        "ms_with_start": (clock.stamps[-1] - clock.stamps[0]) / trials * 1e3,
    }


def tune_rows(folder: Path) -> list[Row]:
    """Plain Ray Tune with random search at two slots, reusing actors and not."""
    import ray

    rows = []
    for reuse, trials in TUNE_TRIALS.items():
        milliseconds = overhead.ray_ms(
            folder / f"tune-{reuse}", reuse=reuse, slots=2, trials=trials
        )
        ray.shutdown()
        rows.append(
            {
                "executor": f"plain Ray Tune, actors {'' if reuse else 'not '}reused",
                "workers": 2,
                "trials": trials,
                "ms_with_start": milliseconds,
            }
        )
    return rows


def measured(folder: Path, arguments: argparse.Namespace) -> Row:
    (folder / "values.csv").write_text("arch_id,latency,top1\n")
    counts = (2,) if arguments.tune else arguments.workers
    # First: our settings of Ray's would change what it takes by itself.
    rows = tune_rows(folder) if arguments.tune else []
    rows += [
        searched(folder, executor, workers=workers, trials=arguments.trials)
        for executor in arguments.executors
        for workers in counts
    ]
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python "
        f"{platform.python_version()}, load {os.getloadavg()[0]:.1f} at the end",
        "sync_ms": overhead.sync_ms(folder),
        "rows": rows,
    }


def show(result: Row) -> None:
    print(f"{result['machine']}; a durable write of 4 kB takes {result['sync_ms']:.2f} ms\n")
    heads = ("workers", "at work", "trials/s", "ms/trial", "with start")
    print(f"{'executor':<34}" + "".join(f"{head:>11}" for head in heads))
    for row in result["rows"]:
        steady = row.get("ms_per_trial")
        cells = [
            row["workers"],
            row.get("processes", ""),
            f"{1e3 / steady:.1f}" if steady else "",
            f"{steady:.1f}" if steady else "",
            f"{row['ms_with_start']:.1f}",
        ]
        print(f"{row['executor']:<34}" + "".join(f"{cell:>11}" for cell in cells))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    parser.add_argument("--epochs", type=int, default=0, help="values each training reports")
    parser.add_argument("--executors", nargs="+", choices=EXECUTORS, default=EXECUTORS)
    parser.add_argument("--tune", action="store_true", help="two workers, beside plain Ray Tune")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # for the workers of a Ray started here
    os.environ[EPOCHS] = str(arguments.epochs)
    before.make_runner = make_idle_runner
    # The current folder's disk: the system's temporary folder may lie in memory.
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        result = measured(Path(name), arguments)
        if arguments.json:
            print(json.dumps(result, indent=2))
        else:
            show(result)


if __name__ == "__main__":
    main()
