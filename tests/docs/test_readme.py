"""Everything the README shows is run: its documents, its Python, its commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from archdsl.cli.main import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [line.removeprefix("$ ").split("#")[0].strip() for line in lines if line[:2] == "$ "]


@pytest.mark.slow
def test_documents_and_commands_work_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks("yaml"):
        (tmp_path / f"{yaml.safe_load(block)['name']}.yaml").write_text(block)
    shown = [command for command in commands() if command.startswith("archdsl")]
    assert len(shown) > 10
    shown.insert(0, "archdsl check my-vittm.yaml")
    for command in shown:
        done = CliRunner().invoke(app, shlex.split(command)[1:])
        assert done.exit_code == 0, f"{command}\n{done.output}"
    assert (tmp_path / "my-study-front.png").exists()
    assert list((tmp_path / "found").glob("*.yaml"))


def test_python_works_as_shown() -> None:
    [code] = blocks("python")
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert tuple(names["logits"].shape) == (1, 1000)  # type: ignore[attr-defined]
    assert list(names["by_stream"]) == ["memory", "process"]  # type: ignore[call-overload]


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^(\w+):", makefile, flags=re.MULTILINE)
    shown = [command.split()[1] for command in commands() if command.startswith("make ")]
    assert shown == ["search", "test", "docs"]
    assert set(shown) <= set(targets)
    # There is a folder docs/, and folders that make takes for targets are never out of date.
    assert set(shown) <= set(
        re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[0].split()
    )
