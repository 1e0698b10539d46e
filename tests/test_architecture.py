"""Rules about the code itself: what an import may cost, how long a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import archdsl

PACKAGE = Path(archdsl.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 350

# Modules and whole rooms that a command reading documents may import; each must stay cheap.
LIGHT = [
    "archdsl",
    "archdsl.errors",
    "archdsl.records",
    "archdsl.document",
    "archdsl.spec",
    "archdsl.plan",
]
HEAVY = ["torch", "torchvision", "timm", "fvcore", "optuna", "sqlalchemy", "ray", "matplotlib"]

IMPORT_ALL = """
import importlib, pkgutil, sys
name, *heavy = sys.argv[1:]
module = importlib.import_module(name)
if name.count("."):
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        importlib.import_module(found.name)
print(*sorted(set(heavy) & set(sys.modules)))
"""


@pytest.mark.parametrize("name", LIGHT)
def test_import_is_light(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, name, *HEAVY],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), "a module starts with a docstring"
