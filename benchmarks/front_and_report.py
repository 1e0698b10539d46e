"""How long `front` and `report` take at thousands of trials, also where all of them are alike.

A study whose values come from a table is searched and its trials multiplied: once with intervals
of 1 %, once with intervals that overlap in every objective, so that no trial can be told from any
other.

    python benchmarks/front_and_report.py --trials 5000
    python benchmarks/front_and_report.py --other ../before/.venv/bin/python   # in turns with it
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

CLI = "from archdsl.cli.main import app_main; app_main()"
HOLES = {
    "depth": list(range(1, 13)),
    "process.dim": [384, 576, 768],
    "process.block.mlp_ratio": [2, 3, 4],
    "exchange.norm.placement": ["replace", "pre"],
    "exchange.read.fusion": ["add", "erase", "add_erase"],
}
STUDY = """
archdsl: 1
kind: study
name: many
base: vittm-b-32-16
space:
  depth: {choose: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}
  process: {dim: {choose: [384, 576, 768]}, block: {mlp_ratio: {choose: [2, 3, 4]}}}
  exchange:
    norm: {placement: {choose: [replace, pre]}}
    read: {fusion: {choose: [add, erase, add_erase]}}
objectives: {latency: minimize, top1: maximize}
evaluate: {latency: {table: many.csv}, top1: {table: many.csv}}
budget: {trials: TRIALS}
sampler: {type: random, seed: 0}
"""
SEARCHED = 200
"""Trials of the search; the others are these again under other numbers, ever slower."""
SHIFT = 100_000
OWN = {
    "architectures": {"arch_id": "arch_id || :tag"},
    "measurements": {"id": "id + :shift", "arch_id": "arch_id || :tag"},
    "trials": {
        "id": "id + :shift",
        "number": "number + :trials",
        "arch_id": "arch_id || :tag",
        "finish_order": "finish_order + :trials",
    },
    "trial_values": {
        "trial_id": "trial_id + :shift",
        "measurement_id": "measurement_id + :shift",
        "value": "value * :worse",
        "low": "low * :worse",
        "high": "high * :worse",
        "loss": "loss * :worse",
        "loss_low": "loss_low * :worse",
        "loss_high": "loss_high * :worse",
    },
}
"""Columns of a copied row that are its own."""
OF_THE_FIRST = {
    "architectures": f"arch_id IN (SELECT arch_id FROM trials WHERE number < {SEARCHED})",
    "measurements": f"id < {SHIFT}",
    "trials": f"number < {SEARCHED}",
    "trial_values": f"trial_id < {SHIFT}",
}
ALIKE = """
UPDATE trial_values SET low = 0, high = 1000, loss_low = -1000, loss_high = 1000;
"""
COMMANDS = {
    "front": ["front"],
    "front --json": ["front", "--json"],
    "front --plot": ["front", "--plot", "front.html"],
    "report": ["report"],
}


def search(python: str, folder: Path) -> None:
    """A database with the search of a study whose values come from a table."""
    (folder / "many.yaml").write_text(STUDY.replace("TRIALS", str(SEARCHED)))
    quantities = [f"{name}{end}" for name in ("latency", "top1") for end in ("", "_low", "_high")]
    with (folder / "many.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*HOLES, *quantities])
        rows = [tuple("" for _ in HOLES), *itertools.product(*HOLES.values())]
        for number, labels in enumerate(rows):
            share, other = number * 2654435761 % 2**32 / 2**32, number * 7919 % 9973 / 9973
            values = (1 + 9 * share, 40 + 10 * share**0.5 + 30 * other)
            ends = [(value, value * 0.99, value * 1.01) for value in values]
            writer.writerow([*labels, *(end for three in ends for end in three)])
    run(python, folder, "search", "many.yaml", "--db", "spread.db")


def multiply(path: Path, *, trials: int) -> None:
    """The trials of the search once more, until there are so many."""
    with closing(sqlite3.connect(path)) as database, database:
        for turn in range(1, trials // SEARCHED):
            words = {
                "tag": f"{turn:02d}",
                "shift": SHIFT * turn,
                "trials": SEARCHED * turn,
                "worse": 1 + 0.002 * turn,
            }
            for table, own in OWN.items():
                columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
                values = ", ".join(own.get(name, name) for name in columns)
                database.execute(
                    f"INSERT INTO {table} ({', '.join(columns)}) "
                    f"SELECT {values} FROM {table} WHERE {OF_THE_FIRST[table]}",
                    words,
                )


def run(python: str, folder: Path, *words: str) -> float:
    """Seconds of the processor that one command takes: others may use it too."""
    before = os.times()
    command = [python, "-c", CLI, *words]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - sum(before[2:4])


def main() -> None:
    """Search, time the commands in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--other", help="Python of another version of archdsl, to compare with.")
    parser.add_argument("--keep", type=Path, help="Folder to leave the databases in.")
    options = parser.parse_args()
    pythons = [*([options.other] if options.other else []), sys.executable]
    with tempfile.TemporaryDirectory() as made:
        folders = [Path(made) / str(place) for place in range(len(pythons))]
        folders[0].mkdir()
        search(pythons[0], folders[0])
        multiply(folders[0] / "spread.db", trials=options.trials)
        shutil.copy(folders[0] / "spread.db", folders[0] / "alike.db")
        with closing(sqlite3.connect(folders[0] / "alike.db")) as database, database:
            database.executescript(ALIKE)
        if options.keep:
            shutil.copytree(folders[0], options.keep, dirs_exist_ok=True)
        for folder in folders[1:]:
            shutil.copytree(folders[0], folder)
        print(f"{options.trials} trials; CPU seconds, median of {options.rounds}")
        for name, (label, words) in itertools.product(("spread", "alike"), COMMANDS.items()):
            seconds: list[list[float]] = [[] for _ in pythons]
            for _ in range(options.rounds):
                for place, python in enumerate(pythons):
                    taken = run(python, folders[place], *words, "--db", f"{name}.db")
                    seconds[place].append(taken)
            medians = [statistics.median(each) for each in seconds]
            ratio = f"  ratio {medians[-1] / medians[0]:.2f}" if options.other else ""
            print(f"{name:<8} {label:<14} {'  '.join(f'{m:8.2f}' for m in medians)}{ratio}")


if __name__ == "__main__":
    main()
