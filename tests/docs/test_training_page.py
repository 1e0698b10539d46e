"""The page about training is done as it is written: its commands in their order, its Python."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from archdsl.cli.main import app

PAGE = Path(__file__).parents[2] / "docs" / "training.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the pages lie beside the source only")


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL
    )


@pytest.mark.slow
def test_every_block_works_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        Image.fromarray(np.eye(8, dtype=np.uint8) * 200).save(f"{name}.png")
    lines = [line for block in blocks("console") for line in block.splitlines()]
    told = {}
    for line in lines:
        _, program, *words = shlex.split(line)
        if program == "python":
            told[line] = subprocess.check_output([sys.executable, *words], text=True)
            continue
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        told[line] = done.output
    _, _, second, third = lines[:4]
    assert "kept in runs/digits/3-epochs" in told[second]
    assert "0 fresh" in told[third]
    assert "one.png" in told[next(line for line in lines if "predict" in line)]
    kept = {path.name for path in Path("runs/digits").iterdir()}
    assert kept >= set(re.findall(r"`([a-z]+\.[a-z]+)`", PAGE.read_text().partition("## ")[0]))
    [script] = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert "top1 0 vittm-digits" in done.stdout
