"""What a training beside a measurement does to the measured latency, and whether that is noticed.

A training loop with one thread runs beside the measurement: none (`quiet`), one of archdsl's, which
gives way (`ours`), the same one made deaf to locks and so a foreign program, started before the
measurement (`foreign before`) or half a second into it (`foreign during`). Beside archdsl's value
stands that of torch.utils.benchmark (blocked_autorange), which warns by its samples' spread alone.

    python benchmarks/latency_contention.py --repeats 5 --threads 1
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch.utils.benchmark import Timer

from archdsl.compiler.build import build_plan
from archdsl.device_lock import FOLDER_VARIABLE
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.latency import measure_latency
from archdsl.plan.read import read_model

SCENARIOS = ("quiet", "ours", "foreign before", "foreign during")
DELAY_SECONDS = 0.5
TORCH_WARNS = 0.1
"""IQR over median at which torch.utils.benchmark speaks of measurement noise."""


def train() -> None:
    """Train with one thread until killed; says so once it has begun."""
    from archdsl.training.data.source import open_data
    from archdsl.training.loop import fit
    from archdsl.training.read import resolve_recipe
    from archdsl.training.tasks.classification import Classification

    torch.set_num_threads(1)
    fit(
        build_plan(read_model("vittm-digits", []).plan),
        open_data("digits"),
        task=Classification(),
        recipe=resolve_recipe({"epochs": 10_000}),
        seed=0,
        device=torch.device("cpu"),
        storage=None,
        report=lambda epoch, values: print("training", flush=True) if epoch == 1 else None,
    )


@contextmanager
def beside(scenario: str, private: str) -> Iterator[Callable[[], None]]:
    """The load of a scenario; gives what to call when the measurement begins."""
    processes: list[subprocess.Popen[str]] = []

    def start(environment: dict[str, str]) -> None:
        processes.append(
            subprocess.Popen(
                [sys.executable, __file__, "--train"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=environment,
            )
        )

    deaf = {**os.environ, FOLDER_VARIABLE: private}
    if scenario != "quiet":
        start(dict(os.environ) if scenario == "ours" else deaf)
        assert processes[0].stdout is not None
        processes[0].stdout.readline()
    if scenario == "foreign during":
        os.kill(processes[0].pid, 19)  # stopped until the measurement is under way

    def begin() -> None:
        if scenario == "foreign during":
            threading.Timer(DELAY_SECONDS, os.kill, (processes[0].pid, 18)).start()

    try:
        yield begin
    finally:
        time.sleep(DELAY_SECONDS)
        for process in processes:
            process.kill()
            process.wait()


def ours(network: torch.nn.Module, shape: Any, conditions: Conditions) -> dict[str, Any]:
    """archdsl's median in ms, and whether it is flagged."""
    found = measure_latency(network, image_shape=shape, conditions=conditions)
    return {
        "ms": found.value,
        "flagged": not found.detail["steady"],
        "why": found.detail["unsteady"],
    }


def torchs(network: torch.nn.Module, shape: Any, conditions: Conditions) -> dict[str, Any]:
    """torch.utils.benchmark's median in ms, and whether it is flagged."""
    images = torch.randn(conditions.batch, *shape)
    timer = Timer(
        "with torch.inference_mode(): network.forward_heads(images)",
        globals={"network": network.eval(), "images": images, "torch": torch},
        num_threads=conditions.threads or torch.get_num_threads(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = timer.blocked_autorange(min_run_time=1.0)
    return {"ms": found.median * 1e3, "flagged": found.iqr / found.median > TORCH_WARNS}


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--max-seconds", type=float, default=4.0)
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.train:
        train()
        return
    plan = read_model("vittm-digits", ["depth=4", "process.dim=96"]).plan
    network, shape = build_plan(plan), plan.image
    conditions = Conditions(
        device="cpu",
        batch=arguments.batch,
        threads=arguments.threads,
        max_seconds=arguments.max_seconds,
    )
    rows = []
    with tempfile.TemporaryDirectory() as private:
        for scenario in SCENARIOS * arguments.repeats:
            for tool, measure in (("archdsl", ours), ("torch", torchs)):
                with beside(scenario, private) as begin:
                    begin()
                    rows.append(
                        {"scenario": scenario, "tool": tool, **measure(network, shape, conditions)}
                    )
    if arguments.json:
        print(json.dumps({"arguments": vars(arguments), "rows": rows}, indent=2))
        return
    quiet = {tool: median(of(rows, "quiet", tool, "ms")) for tool in ("archdsl", "torch")}
    print(f"{'beside':<16}{'tool':<9}{'over quiet':>11}{'worst':>8}{'flagged':>10}")
    for scenario in SCENARIOS:
        for tool in ("archdsl", "torch"):
            ratios = [ms / quiet[tool] for ms in of(rows, scenario, tool, "ms")]
            flags = of(rows, scenario, tool, "flagged")
            print(f"{scenario:<16}{tool:<9}{median(ratios):>11.2f}{max(ratios):>8.2f}"
                  f"{sum(flags):>7}/{len(flags)}")  # fmt: skip


def of(rows: list[dict[str, Any]], scenario: str, tool: str, word: str) -> list[Any]:
    """One column of some rows."""
    return [row[word] for row in rows if (row["scenario"], row["tool"]) == (scenario, tool)]


if __name__ == "__main__":
    main()
