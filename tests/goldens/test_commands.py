"""The command line says what it said: help, JSON, what is wrong with a document, exit codes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from archdsl.cli.main import app
from archdsl.document.shelves import packaged

ASSETS = Path(__file__).parent / "assets"
HELP = ASSETS / "help"
FILE = ASSETS / "commands.json"
GOLDEN: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
ENVIRONMENT = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Exit code and text of a command in the current folder."""
    done = CliRunner(env=ENVIRONMENT).invoke(app, list(arguments))
    return {"code": done.exit_code, "out": _told(done.stdout), "err": _told(done.stderr)}


def _told(text: str) -> str:
    """The text, wherever the shelves lie."""
    return _COLOURS.sub("", text).replace(str(packaged("specs").parent), "SHELVES")


def help_of(command: str) -> str:
    """The help of a command; of `archdsl` itself that of the whole."""
    words = [] if command == "archdsl" else [command]
    done = run([*words, "--help"])
    assert done["code"] == 0
    return "\n".join(line.rstrip() for line in done["out"].splitlines()) + "\n"


def shape_of(value: Any, levels: int = 99) -> Any:
    """Keys and kinds of a JSON value; of a list those of its members, each once.

    Below that many levels it is the kind alone: what stands there is the machine's to say.
    """
    if isinstance(value, dict):
        below = {key: shape_of(inner, levels - 1) for key, inner in value.items()}
        return below if levels else "mapping"
    if isinstance(value, list):
        shapes: list[Any] = []
        for inner in value:
            shape = shape_of(inner, levels - 1)
            if shape not in shapes:
                shapes.append(shape)
        return shapes if levels else "list"
    if isinstance(value, bool):
        return "true or false"
    if value is None:
        return "null"
    return "number" if isinstance(value, int | float) else "text"


def json_of(arguments: Sequence[str]) -> Any:
    done = run(arguments)
    assert done["out"], done
    return json.loads(done["out"])


def diagram() -> str:
    """Digest of the drawing of a document as SVG."""
    assert run(["show", "vittm-digits", "--diagram", "drawn.svg"])["code"] == 0
    return hashlib.sha256(Path("drawn.svg").read_bytes()).hexdigest()


def lay_down(files: Mapping[str, str]) -> None:
    """Write the files into the current folder, and search the study among them."""
    for name, text in files.items():
        Path(name).write_text(text)
    done = run(["search", "study.yaml"])
    assert done["code"] == 0, done


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with documents, and a study that is searched."""
    folder = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lay_down(GOLDEN["files"])
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, searched: Path) -> Path:
    """A copy of that folder, the current one."""
    shutil.copytree(searched, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ids(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    return [" ".join(case["arguments"])[:50] for case in cases]


TEXTS = GOLDEN.get("texts", [])
SHAPES = GOLDEN.get("shapes", [])
VALUES = GOLDEN.get("values", [])
MISTAKES = GOLDEN.get("mistakes", [])


@pytest.mark.parametrize("command", sorted(path.stem for path in HELP.glob("*.txt")))
def test_help(command: str) -> None:
    assert help_of(command) == (HELP / f"{command}.txt").read_text()


@pytest.mark.parametrize("case", TEXTS, ids=ids(TEXTS))
def test_texts(folder: Path, case: Mapping[str, Any]) -> None:
    assert run(case["arguments"]) == {key: case[key] for key in ("code", "out", "err")}


@pytest.mark.slow
@pytest.mark.parametrize("case", SHAPES, ids=ids(SHAPES))
def test_shapes_of_json(folder: Path, case: Mapping[str, Any]) -> None:
    assert shape_of(json_of(case["arguments"]), case["levels"]) == case["shape"]


@pytest.mark.parametrize("case", VALUES, ids=ids(VALUES))
def test_json_in_full(folder: Path, case: Mapping[str, Any]) -> None:
    assert json_of(case["arguments"]) == case["json"]


@pytest.mark.slow
@pytest.mark.parametrize("case", MISTAKES, ids=ids(MISTAKES))
def test_exit_codes_of_mistakes(folder: Path, case: Mapping[str, Any]) -> None:
    assert run(case["arguments"])["code"] == case["code"]


def test_a_diagram(folder: Path) -> None:
    assert diagram() == GOLDEN["diagram"]
