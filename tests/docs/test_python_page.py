"""The page about Python is done as it is written: its document, then its blocks, in one script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import archdsl

PAGE = Path(__file__).parents[2] / "docs" / "python.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the pages lie beside the source only")


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL
    )


@pytest.mark.slow
def test_every_block_works_as_written(tmp_path: Path) -> None:
    [study] = blocks("yaml")
    (tmp_path / f"{yaml.safe_load(study)['name']}.yaml").write_text(study)
    (tmp_path / "script.py").write_text("\n".join(blocks("python")))
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(archdsl.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "111,607,760 parameters, 7,159,156,224 multiply-adds"
    assert "2 trials" in lines
    assert lines.count("1 more") == 2
    assert (tmp_path / "front.png").stat().st_size > 10_000
