"""Does every document of the shelf export, how large are the files, how fast do their engines run?

    taskset -c 0 python benchmarks/export.py [NAME ...]

Each is checked against the module. Half an hour on one core, and 8 GB for the largest.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from archdsl.cli.export_network import write_network
from archdsl.document.shelves import packaged
from archdsl.errors import ArchdslError

FORMATS = "onnx,torch"


def told(each: dict[str, Any], module_ms: float) -> str:
    megabytes, ms = sum(each["files"].values()) / 1e6, each["latency"]["value"]
    return f"{each['difference']:.0e}, {megabytes:,.0f} MB, {ms / module_ms:.2f}"


def row(name: str) -> list[str]:
    try:
        with TemporaryDirectory() as folder:
            report = write_network(
                name, FORMATS, Path(folder) / "out", seed=0, db="", study=None, force=False
            )
    except ArchdslError as error:
        return [name, str(error)]
    ms = report["module"]["latency"]["value"]
    return [name, f"{ms:.1f} ms", *(told(each, ms) for each in report["formats"])]


if __name__ == "__main__":
    print("| document | module | " + " | ".join(FORMATS.split(",")) + " |\n|---|---|---|---|")
    names = sys.argv[1:] or sorted(path.stem for path in packaged("specs").glob("*.yaml"))
    for name in names:
        print(f"| {' | '.join(row(name))} |", flush=True)
