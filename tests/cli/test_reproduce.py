"""`archdsl reproduce`, and every command that docs/reproduction.md shows."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archdsl.cli.main import app
from archdsl.plan.read import read_model
from archdsl.records import Measurement
from archdsl.reproduction import reproduce as reproduction
from archdsl.reproduction.published import ROWS
from archdsl.store.rows import Architecture
from archdsl.store.store import open_store

PAGE = Path(__file__).parents[2] / "docs/reproduction.md"
KEYS = {
    "table", "row", "quantity", "published", "computed", "convention", "spec", "set", "macs",
    "verdict", "note", "measured",
}  # fmt: skip


def shown() -> list[tuple[str, list[str]]]:
    """Commands of the page with the lines of output below each."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("command", "lines"), shown(), ids=[command for command, _ in shown()])
def test_the_page_shows_what_its_commands_print(command: str, lines: list[str]) -> None:
    program, *arguments = shlex.split(command)
    assert program == "archdsl"
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert [line for line in lines if line not in done.stdout.splitlines()] == []


def test_the_page_links_to_files() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target


@pytest.mark.slow
def test_json_has_one_object_for_each_figure() -> None:
    done = CliRunner().invoke(app, ["reproduce", "--json"])
    assert done.exit_code == 0
    rows = json.loads(done.stdout)["rows"]
    assert len(rows) == sum(len(row.published) for row in ROWS)
    assert all(set(row) == KEYS for row in rows)
    [figure] = [r for r in rows if r["row"] == "ViTTM-B(28,28)" and r["quantity"] == "gflops"]
    note = figure.pop("note")
    assert "patch sizes" in note
    assert figure == {
        "table": 5,
        "row": "ViTTM-B(28,28)",
        "quantity": "gflops",
        "published": 7.08,
        "computed": pytest.approx(7.0837, abs=5e-5),
        "convention": "fvcore",
        "spec": "vittm-b-28-28",
        "set": [],
        "macs": pytest.approx(7.1592e9, rel=1e-5),
        "measured": [],
        "verdict": "reproduced",
    }
    [crossvit] = [r for r in rows if r["row"] == "CrossViT-B" and r["quantity"] == "gflops"]
    assert (crossvit["spec"], crossvit["convention"]) == ("crossvit-b", "full")


@pytest.mark.slow
def test_measurements_of_the_store_here_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = read_model("vittm-b-32-16")
    latency = Measurement(
        quantity="latency",
        value=901.0,
        low=890.0,
        high=915.0,
        unit="ms",
        protocol={"batch": 8, "dtype": "float32", "fingerprint": {"name": "Some Device"}},
    )
    with open_store("archdsl.db") as store:
        store.measurements.add(
            Architecture(arch_id=model.plan.arch_id, spec=model.spec.document()), [latency]
        )
    done = CliRunner().invoke(app, ["reproduce", "2"])
    line = "latency (ms): measured 901 ms (890 to 915) on Some Device, batch 8, float32"
    assert f"c = d/4, {line}" in done.stdout
    assert done.stdout.count("measured 901") == 1
    missing = CliRunner().invoke(app, ["reproduce", "2", "--db", "other.db"])
    assert missing.exit_code == 2
    assert "other.db" in missing.stderr


@pytest.mark.slow
def test_settings_of_the_json_are_those_of_compile() -> None:
    done = CliRunner().invoke(app, ["reproduce", "3", "--json"])
    for row in json.loads(done.stdout)["rows"]:
        if row["quantity"] == "gflops" and row["row"] == "64, 256":
            sets = [word for setting in row["set"] for word in ("--set", setting)]
            compiled = CliRunner().invoke(app, ["compile", row["spec"], *sets, "--json"])
            found = json.loads(compiled.stdout)
            assert found["macs"] == row["macs"]
            assert found["macs_fvcore"] / 1e9 == row["computed"]
            return
    pytest.fail("no row 64, 256")


def test_one_table_is_printed_alone() -> None:
    done = CliRunner().invoke(app, ["reproduce", "2"])
    assert done.exit_code == 0
    titles = [line for line in done.stdout.splitlines() if re.match(r"Table \d: ", line)]
    assert [title[:8] for title in titles] == ["Table 2:"]
    [line] = [line for line in done.stdout.splitlines() if "c = d/4" in line and "GFLOPs" in line]
    assert line.split()[-6:] == ["GFLOPs", "7.10", "7.0961", "7.1403", "G", "reproduced"]


@pytest.mark.slow
def test_a_document_of_the_current_folder_is_not_the_papers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vittm-b-32-16.yaml").write_text("archdsl: 1\nname: mine\n")
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["reproduce", "2"]).exit_code == 0


def test_a_figure_that_differs_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tuple(replace(row, published={"gflops": "9.93"}) for row in ROWS if row.table == 2)
    monkeypatch.setattr(reproduction, "ROWS", wrong)
    done = CliRunner().invoke(app, ["reproduce"])
    assert done.exit_code == 1
    assert "3 differs" in done.stdout


def test_an_unknown_table_is_exit_code_2() -> None:
    done = CliRunner().invoke(app, ["reproduce", "six"])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr == "archdsl: table 'six' is not one of: 1, 2, 3, 4, 5\n"
