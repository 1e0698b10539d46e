"""`docs/extending.md` is carried out, step by step, in a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import archdsl

PACKAGE = Path(archdsl.__file__).parent
ROOT = PACKAGE.parent
PAGE = ROOT / "docs" / "extending.md"
BLOCK = re.compile(
    r"^```(python|diff|yaml)\n(?:# |--- )(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
COMPLETENESS = ROOT / "tests" / "compiler" / "test_completeness.py"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not PAGE.exists(), reason="the pages lie beside the source only"),
]


def carry_out(root: Path) -> list[str]:
    """Write what the page's blocks say to write; names of the files."""
    files = []
    for language, name, body in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        path = root / name
        if language == "diff":
            path.write_text(changed(path.read_text(encoding="utf-8"), body), encoding="utf-8")
        else:
            path.write_text(body, encoding="utf-8")
        files.append(name)
    return files


def changed(text: str, diff: str) -> str:
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] != "+")
        new = "".join(line[1:] for line in lines if line[0] != "-")
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(PACKAGE, tmp_path / "archdsl")  # with what is compiled of it
    shutil.copy(COMPLETENESS, tmp_path / "test_completeness.py")
    return tmp_path


@pytest.mark.slow
def test_the_page_adds_a_head(root: Path) -> None:
    files = carry_out(root)
    assert [name for name in files if name.endswith("source_mean.py")] == [
        "archdsl/spec/heads/source_mean.py",
        "archdsl/nn/heads/source_mean.py",
    ]
    assert len(files) == 6
    tried = python(root, "try.py")
    assert tried.returncode == 0, tried.stderr
    assert tried.stdout.startswith("(2, 10) ")
    compiled = python(root, "-m", "archdsl", "compile", "mean.yaml")
    assert compiled.returncode == 0, compiled.stderr
    assert "multiply-adds" in compiled.stdout
    complete = python(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_completeness.py")
    assert complete.returncode == 0, complete.stdout


def test_a_step_left_out_is_named(root: Path) -> None:
    carry_out(root)
    shutil.copy(PACKAGE / "compiler" / "build.py", root / "archdsl" / "compiler" / "build.py")
    (root / "archdsl" / "nn" / "heads" / "source_mean.py").unlink()
    show = "from test_completeness import missing; print(*missing(), sep='\\n')"
    found = python(root, "-c", show)
    assert found.stdout.splitlines() == [
        "head source_mean: a line in HEADS of archdsl/compiler/build.py",
        "head source_mean: archdsl/nn/heads/source_mean.py",
    ], found.stderr
