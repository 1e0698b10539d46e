"""How long does a folder of very many pictures take to open, first and again, in how much memory?

The pictures are tiny, so that what is timed is what each file costs beside its bytes. Each opening
is a process of its own, as workers are; some of them at once show that each file is read by one.

    python benchmarks/manifest.py --files 100000
    python benchmarks/manifest.py --files 1200000 --classes 1000 --processes 4
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

OPEN = """
import json, resource, sys, time
from pathlib import Path
import archdsl.training.data.source as source
from archdsl.training.data.layout import find_layout
from archdsl.training.data.scan import read_manifest
root = Path(sys.argv[1])
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
read = read_manifest(root, find_layout(root).class_folders()).read
listed = time.perf_counter() - started
data = source.open_data(f"folder:{root}")
print(json.dumps({
    "manifest_s": listed, "data_s": time.perf_counter() - started - listed, "read": read,
    "more_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
}))
"""
OLD_NS = 10**9


def fill(root: Path, *, files: int, classes: int) -> None:
    """Tiny pictures that differ, of a time long ago."""
    for label in range(classes):
        folder = root / f"class-{label:04}"
        folder.mkdir()
        for number in range(label, files, classes):
            stream = io.BytesIO()
            Image.frombytes("L", (2, 2), number.to_bytes(4, "big")).save(stream, "PPM")
            path = folder / f"{number:08}.pgm"
            path.write_bytes(stream.getvalue())
            os.utime(path, ns=(OLD_NS, OLD_NS))


def opened(root: Path, cache: Path, *, processes: int = 1) -> list[dict[str, float]]:
    """What each of some processes that open the folder at once says."""
    environment = {**os.environ, "ARCHDSL_CACHE": str(cache)}
    command = [sys.executable, "-c", OPEN, str(root)]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    return [json.loads(each.communicate()[0]) for each in started]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--processes", type=int, default=2, help="at once, as workers of a search")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "pictures"
        root.mkdir()
        started = time.perf_counter()
        fill(root, files=arguments.files, classes=arguments.classes)
        print(f"{platform.machine()}, {os.cpu_count()} cores; {arguments.files:,} files made")
        print(f"in {time.perf_counter() - started:.0f} s")
        rows = {
            "first": opened(root, Path(place) / "a"),
            "second": opened(root, Path(place) / "a"),
            f"{arguments.processes} at once, first": opened(
                root, Path(place) / "b", processes=arguments.processes
            ),
        }
        for name, found in rows.items():
            read = sum(int(each["read"]) for each in found)
            for each in found:
                print(
                    f"{name:<20} manifest {each['manifest_s']:6.1f} s, "
                    f"data {each['data_s']:6.1f} s, {each['more_mb']:6.0f} MB more; "
                    f"files read by all: {read:,}"
                )


if __name__ == "__main__":
    main()
