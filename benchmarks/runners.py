"""The default study, whole, on each runner of this machine: how long the user waits.

`archdsl search` as a command of its own, a fresh database and storage each time, the runners in
turns. The yardstick is one worker whose process has one thread for everything. Aims: two workers
take at most 0.6 of it, `local` no more than it, and Ray at most 1.3 times two workers beside its
start.

    python benchmarks/runners.py --trials 24 --rounds 1
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

RUNNERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "yardstick": ("local", {"OMP_NUM_THREADS": "1"}),
    "local": ("local", {}),
    "local-workers": ("local-workers", {}),
    "ray-local": ("ray-local", {}),
}
"""What a row is called: the profile, and variables of the command's environment."""


def seconds_of(profile: str, variables: Mapping[str, str], *, trials: int) -> float:
    """Wall time of the command, from its start to its end."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"} | variables
    command = [sys.executable, "-m", "archdsl", "search", "--objective", "latency,top1"]
    command += ["--trials", str(trials), "--runner", profile]
    with tempfile.TemporaryDirectory() as folder:
        environment["ARCHDSL_LEASES"] = folder
        started = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--runners", nargs="+", choices=RUNNERS, default=list(RUNNERS))
    asked = parser.parse_args()
    taken: dict[str, list[float]] = {name: [] for name in asked.runners}
    for _ in range(asked.rounds):
        for name, found in taken.items():
            profile, variables = RUNNERS[name]
            found.append(seconds_of(profile, variables, trials=asked.trials))
            print(f"{name}: {found[-1]:.1f} s", flush=True)
    medians = {name: statistics.median(found) for name, found in taken.items()}
    first, *others = medians
    for name in others:
        print(f"{name} / {first}: {medians[name] / medians[first]:.2f}")


if __name__ == "__main__":
    main()
