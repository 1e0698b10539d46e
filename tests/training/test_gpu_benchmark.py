"""What measures GPUs goes through all of it where there is none, and keeps to its minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.process]

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "gpu_train.py"
NETWORKS = ("| ViTTM-B(28,28) ", "| timm's ViT-B/16 ")


def table(output: Path, *words: str) -> tuple[list[list[str]], str]:
    """The rows of the table and the whole text."""
    command = [sys.executable, "-W", "ignore", str(BENCHMARK), "--device", "cpu", "--smoke"]
    subprocess.run([*command, "-o", str(output), *words], check=True, stdout=subprocess.DEVNULL)
    text = output.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith(NETWORKS)]
    return [[cell.strip() for cell in line.split("|")[3:-1]] for line in lines], text


def test_every_cell_is_filled(tmp_path: Path) -> None:
    rows, text = table(tmp_path / "table.md")
    assert len(rows) == 2
    assert all(float(cell) > 0 for row in rows for cell in row), text


def test_what_there_is_no_time_for_stays_empty_and_is_named(tmp_path: Path) -> None:
    rows, text = table(tmp_path / "table.md", "--minutes", "0")
    assert rows == [[""] * 4] * 2
    assert text.count("no time was left") == 2
    empty = BENCHMARK.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    assert {*text.splitlines()[5:9]} <= {*empty}
