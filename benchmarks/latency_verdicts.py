"""What `archdsl measure A --vs B` answers where the truth is known.

Pairs of networks that are stacks of one layer, so that B's multiply-adds, and with them its time,
are more than A's by 0, 2, 5 or 10 %. Every pair is asked both ways. An answer is wrong when it
denies the truth: a winner between equals, SAME or the wrong winner between different ones.

    python benchmarks/latency_verdicts.py --repeats 10 --threads 1
    python benchmarks/latency_verdicts.py --repeats 10 --threads 1 --load 1
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from archdsl.compiler.build import build_plan
from archdsl.measuring.compare import Verdict, compare_latency
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.count import count
from archdsl.plan.read import read_model

DEPTHS = {0: (20, 20), 2: (50, 51), 5: (20, 21), 10: (20, 22)}
"""Percent more layers to the depths of A and B."""


def asked(percent: int, *, swapped: bool, arguments: argparse.Namespace) -> dict[str, Any]:
    """The answer for one pair."""
    plans = [
        read_model("vittm-digits", [f"depth={depth}", "process.dim=64"]).plan
        for depth in DEPTHS[percent]
    ]
    if swapped:
        plans.reverse()
    macs = [count(plan).macs for plan in plans]
    conditions = Conditions(
        device="cpu",
        batch=arguments.batch,
        threads=arguments.threads,
        max_seconds=arguments.max_seconds,
    )
    found = compare_latency(
        *map(build_plan, plans), image_shape=plans[0].image, conditions=conditions
    )
    other = (
        {Verdict.SLOWER, Verdict.SLOWER_THOUGH_BUSY}
        if swapped
        else {Verdict.FASTER, Verdict.FASTER_THOUGH_BUSY}
    )
    true = {0: {Verdict.SAME}, 2: other}[min(percent, 2)]
    return {
        "more_layers_percent": percent,
        "macs_ratio": macs[0] / macs[1],
        "ratio": found.ratio,
        "verdict": found.verdict.value,
        "true": found.verdict in true,
        "wrong": found.verdict not in true | {Verdict.UNCLEAR},
        "disturbances": list(found.disturbances),
    }


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="of each pair, each way")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--max-seconds", type=float, default=4.0)
    parser.add_argument("--load", type=int, default=0, help="busy foreign processes beside")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    spinners = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(arguments.load)
    ]
    try:
        rows = [
            asked(percent, swapped=swapped, arguments=arguments)
            for _ in range(arguments.repeats)
            for percent in DEPTHS
            for swapped in (False, True)
        ]
    finally:
        for spinner in spinners:
            spinner.kill()
    if arguments.json:
        print(json.dumps({"arguments": vars(arguments), "rows": rows}, indent=2))
        return
    words = ["SAME", "FASTER", "SLOWER", "UNCLEAR"]
    heads = "".join(f"{word:>9}" for word in [*words, "true", "wrong"])
    print(f"{'layers':<8}{'MACs A / B':>12}{heads}")
    for percent in DEPTHS:
        for some in ([row for row in rows if row["more_layers_percent"] == percent
                      and (row["macs_ratio"] > 1) is more] for more in (False, True)):  # fmt: skip
            if some:
                counts = [sum(row["verdict"].startswith(word) for row in some) for word in words]
                counts += [sum(row[word] for row in some) for word in ("true", "wrong")]
                cells = "".join(f"{number:>9}" for number in counts)
                print(f"{f'+{percent} %':<8}{some[0]['macs_ratio']:>12.4f}{cells}")


if __name__ == "__main__":
    main()
