"""Every command that docs/latency.md shows runs, and every script it names exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archdsl.cli.main import app
from archdsl.measuring.conditions import NOT_KEYED, Conditions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/latency.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("command", re.findall(r"^\$ archdsl (.+)$", PAGE, flags=re.MULTILINE))
def test_the_commands_run(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.exit_code == 0, done.output


def test_the_conditions_are_all_named() -> None:
    assert [f for f in Conditions.model_fields if f not in NOT_KEYED and f"`{f}`" not in PAGE] == []


def test_the_scripts_exist() -> None:
    scripts = re.findall(r"`(?:benchmarks/)?(latency_\w+\.py)`", PAGE)
    assert len(scripts) == 3
    assert [name for name in scripts if not (ROOT / "benchmarks" / name).is_file()] == []
