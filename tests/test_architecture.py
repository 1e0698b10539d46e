"""Rules about the code itself: what an import may cost, how long files are, where the map is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

import archdsl

PACKAGE = Path(archdsl.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 350
MAX_FUNCTION_LINES = 60
"""Beside parameters and docstring."""
ROOT = PACKAGE.parent
MAP = ROOT / "docs" / "architecture.md"

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
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module starts with a docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = node.body[bool(ast.get_docstring(node)) and len(node.body) > 1]
            length = (node.end_lineno or 0) - first.lineno + 1
            assert length <= MAX_FUNCTION_LINES, node.name


beside_the_source = pytest.mark.skipif(not MAP.exists(), reason="the map lies beside the source")


@beside_the_source
def test_the_map_has_every_room_of_the_contract_in_its_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    rooms = [room for layer in layers for room in layer.split(" | ") if room != "__main__"]
    drawing = MAP.read_text().partition("```text\n")[2].partition("```")[0]
    assert re.findall(r"^\w+", drawing, flags=re.MULTILINE) == rooms


PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / shelf / "README.md" for shelf in ("specs", "search", "recipes", "runners")),
]
TOP = "archdsl|tests|docs(?!/generated)|specs|search|recipes|runners|benchmarks"
"""The pages in `docs/generated/` are made at each build."""


@beside_the_source
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_lead_somewhere(page: Path) -> None:
    for path in paths(page.read_text()):
        assert (ROOT / path).exists(), path


def paths(text: str) -> list[str]:
    """Paths from the root of the repository, in the code spans of a page."""
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    return [path for span in spans for path in re.findall(rf"(?<!\S)(?:{TOP})/[\w./-]*", span)]


@beside_the_source
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_are_in_the_files_beside_them(page: Path) -> None:
    for path, name in stops(page.read_text()):
        assert defines(ast.parse((ROOT / path).read_text()).body, name.split(".")), (path, name)


@beside_the_source
def test_the_map_names_what_is_in_its_files() -> None:
    assert len(stops(MAP.read_text())) > 40
    assert stops("`f` of\n`archdsl/a.py`, `archdsl/b.py` `C.g`") == [
        ("archdsl/b.py", "C.g"),
        ("archdsl/a.py", "f"),
    ]
    assert paths(
        "`archdsl/a.py`, `x/archdsl/b.py`, `pytest tests/c -k d`\n```\n`specs/e`\n```\n"
    ) == [
        "archdsl/a.py",
        "tests/c",
    ]


def stops(text: str) -> list[tuple[str, str]]:
    """File and name, where one stands beside the other: "`file` `name`", "`name` of `file`"."""
    before = re.findall(r"`([A-Za-z_][\w.]*)`\sof\s`(archdsl/[\w/]+\.py)`", text)
    behind = re.findall(r"`(archdsl/[\w/]+\.py)`\s`([\w.]+)`", text)
    return [*behind, *((path, name) for name, path in before)]


def defines(body: Sequence[ast.stmt], names: Sequence[str]) -> bool:
    """Whether statements hold a function, class or constant of that name; of a method, both."""
    if len(names) == 1 and names[0] in assigned(body):
        return True
    inner = [
        node.body
        for node in body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == names[0]
    ]
    return any(len(names) == 1 or defines(each, names[1:]) for each in inner)


def assigned(body: Sequence[ast.stmt]) -> list[str]:
    """Names that statements give values."""
    single = [node.target for node in body if isinstance(node, ast.AnnAssign)]
    several = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return [each.id for each in (*single, *several) if isinstance(each, ast.Name)]
