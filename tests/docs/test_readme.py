"""Everything is run that the README and the pages it was divided into show."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from archdsl.cli.main import app

ROOT = Path(__file__).parents[2]
README = "README.md"
PAGES = (README, "docs/networks.md", "docs/searching.md", "docs/command_line.md")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


def commands(page: str) -> list[str]:
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ").split("#")[0].strip() for line in lines if line[:2] == "$ "]


@pytest.mark.slow
def test_documents_and_commands_work_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one folder, one page after the other: what is done already costs nothing."""
    monkeypatch.chdir(tmp_path)
    Image.new("L", (8, 8), 200).save("picture.png")
    documents: dict[str, str] = {}
    for block in (block for page in PAGES for block in blocks(page, "yaml")):
        name = f"{yaml.safe_load(block)['name']}.yaml"
        assert documents.setdefault(name, block) == block, "one name, one document"
        (tmp_path / name).write_text(block)
    shown = ["archdsl check my-vittm.yaml"]
    for page in PAGES:
        found = [command for command in commands(page) if command.startswith("archdsl")]
        assert found, page
        shown += found
    for command in shown:
        words = shlex.split(command)[1:]
        if "latency,top1" in words:  # whose intervals close slowly beside other tests
            words += ["--set", "evaluate.latency.max_seconds=0.2"]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, f"{command}\n{done.output}"
    assert (tmp_path / "my-study-front.png").exists()
    assert list((tmp_path / "found").glob("*.yaml"))


def test_a_page_of_three_minutes() -> None:
    assert len((ROOT / README).read_text().split()) <= 700


@pytest.mark.slow
def test_python_works_as_shown() -> None:
    [code] = blocks(README, "python")
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert tuple(names["logits"].shape) == (1, 1000)  # type: ignore[attr-defined]
    assert list(names["by_stream"]) == ["memory", "process"]  # type: ignore[call-overload]


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^(\w+):", makefile, flags=re.MULTILINE)
    shown = [command.split()[1] for command in commands(README) if command.startswith("make ")]
    assert shown == ["search", "test", "docs"]
    assert set(shown) <= set(targets)
    # There is a folder docs/, and folders that make takes for targets are never out of date.
    assert set(shown) <= set(
        re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[0].split()
    )
