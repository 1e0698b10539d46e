"""Does a latency measured again, in another process and later, agree with itself?

Ten networks are measured in pairs of separate processes; between the two measurements of a pair lie
those of all the others. Two measurements agree when their difference is within their joint 95 %
interval (the root of the sum of the squared half-widths); `overlap` counts intervals that touch.

    python benchmarks/latency_agreement.py --pairs 40 --threads 1
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from statistics import median
from typing import Any

NETWORKS = [
    (f"depth={depth}", f"process.dim={dim}") for depth in (1, 2, 3, 4, 6) for dim in (48, 96)
]


def measured(sets: tuple[str, ...], *, threads: int, batch: int, max_seconds: float) -> Any:
    """A measurement in this process, as plain data."""
    from archdsl.compiler.build import build_plan
    from archdsl.measuring.conditions import Conditions
    from archdsl.measuring.latency import measure_latency
    from archdsl.plan.read import read_model

    plan = read_model("vittm-digits", list(sets)).plan
    conditions = Conditions(device="cpu", batch=batch, threads=threads, max_seconds=max_seconds)
    found = measure_latency(build_plan(plan), image_shape=plan.image, conditions=conditions)
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "steady": found.detail["steady"],
        "unsteady": found.detail["unsteady"],
    }


def in_a_process(index: int, arguments: argparse.Namespace) -> Any:
    """The same in a process of its own."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in vars(arguments).items()
             if name in ("threads", "batch", "max_seconds")]  # fmt: skip
    command = [sys.executable, __file__, f"--only={index}", *words]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def judged(first: Any, second: Any) -> dict[str, Any]:
    """What two measurements of one network say about each other."""
    difference = abs(first["value"] - second["value"])
    joint = math.hypot(*((each["high"] - each["low"]) / 2 for each in (first, second)))
    return {
        "difference_percent": 100 * difference / min(first["value"], second["value"]),
        "joint_percent": 100 * joint / min(first["value"], second["value"]),
        "agree": difference <= joint,
        "overlap": first["low"] <= second["high"] and second["low"] <= first["high"],
        "steady": first["steady"] and second["steady"],
        "measurements": [first, second],
    }


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--max-seconds", type=float, default=8.0)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.only is not None:
        print(json.dumps(measured(
            NETWORKS[arguments.only],
            threads=arguments.threads,
            batch=arguments.batch,
            max_seconds=arguments.max_seconds,
        )))  # fmt: skip
        return
    order = [number % len(NETWORKS) for number in range(arguments.pairs)]
    firsts = [in_a_process(index, arguments) for index in order]
    seconds = [in_a_process(index, arguments) for index in order]
    pairs = [
        {"network": " ".join(NETWORKS[index]), **judged(first, second)}
        for index, first, second in zip(order, firsts, seconds, strict=True)
    ]
    if arguments.json:
        print(json.dumps({"arguments": vars(arguments), "pairs": pairs}, indent=2))
        return
    print(f"{'network':<26}{'pairs':>6}{'agree':>7}{'overlap':>9}{'steady':>8}"
          f"{'difference %':>14}{'joint interval %':>18}")  # fmt: skip
    for name in [*dict.fromkeys(pair["network"] for pair in pairs), "all"]:
        print(line(name, [pair for pair in pairs if name in ("all", pair["network"])]))
    steady = [pair for pair in pairs if pair["steady"]]
    if steady:
        print(line("all, steady alone", steady))


def line(name: str, pairs: list[dict[str, Any]]) -> str:
    """One row of the table: counts, and medians of the percentages."""
    counts = [sum(pair[word] for pair in pairs) for word in ("agree", "overlap", "steady")]
    percents = [median(pair[word] for pair in pairs)
                for word in ("difference_percent", "joint_percent")]  # fmt: skip
    return (f"{name:<26}{len(pairs):>6}{counts[0]:>7}{counts[1]:>9}{counts[2]:>8}"
            f"{percents[0]:>14.2f}{percents[1]:>18.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
