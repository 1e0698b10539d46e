"""`show`: documents, trials and architectures, drawn and layer by layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from archdsl.document.write import to_yaml
from archdsl.plan.read import read_model

Run = Callable[..., Any]


def test_a_document_is_drawn_and_told_layer_by_layer(run: Run) -> None:
    done = run("show", "vittm-b-32-16")
    assert done.err == ""
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert any("read: linear attention" in line for line in lines)
    [total] = [line for line in lines if line.startswith("# total")]
    layers = [line for line in lines if re.match(r"# layer \d", line)]
    assert len(layers) == 12
    checked = run("check", "vittm-b-32-16", "--json").json()["documents"][0]["summary"]
    params, macs = (int(number.replace(",", "")) for number in total.split()[2:])
    assert f"{params / 1e6:.2f} M parameters" in checked
    assert f"{macs / 1e9:.4f} G multiply-adds" in checked


def test_what_is_computed_for_nothing_is_said(run: Run, folder: Path) -> None:
    said = "no influence on the prediction: layers.3.write (but for its norm)"
    shelf = read_model("vittm-digits", ["output.predict=process"]).spec.document()
    (folder / "mine.yaml").write_text(to_yaml(shelf))
    shown, checked = run("show", "mine.yaml").out, run("check", "mine.yaml").out
    assert f"# {said}; 4.0 % of the parameters" in shown.splitlines()
    macs = "multiply-adds (LayerNorms at 5 an element)"
    assert checked.endswith(f"{macs}; {said}; 4.0 % of the parameters\n")
    assert "influence" not in run("show", "vittm-digits").out + run("check", "vittm-digits").out


@pytest.mark.parametrize("name", ["crossvit-18", "vit-b-16", "lookupvit-b-3"])
def test_what_is_printed_is_the_document_again(run: Run, name: str) -> None:
    Path("again.yaml").write_text(run("show", name).out)
    assert read_model("again.yaml").plan.arch_id == read_model(name).plan.arch_id


def test_a_file_is_meant_before_an_identity(run: Run, folder: Path) -> None:
    shelf = read_model("vittm-digits").spec.document()
    (folder / "abc.yaml").write_text(to_yaml({**shelf, "name": "mine", "depth": 2}))
    (folder / "7").write_text(to_yaml({**shelf, "depth": 3}))
    assert run("show", "abc", "--json").json()["name"] == "mine"
    assert run("show", "abc.yaml", "--json").json()["facts"]["depth"] == 2
    assert run("show", "./7", "--json").json()["facts"]["depth"] == 3
    assert "no database" in run("show", "7", code=2).err, "a number is a trial"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vitm-digits"], "did you mean 'vittm-digits'?"),
        (["digits"], "'digits' is a study, and a model is wanted here"),
        (["no/such.yaml"], "does not exist"),
        (["abcdef12"], "there is no database"),
        (["vittm-digits", "--batch", "4"], "only with --time"),
        (["vittm-digits", "--time", "--device", "A100"], "no device 'A100'"),
        (["vittm-digits", "--diagram", "no/where.svg"], "no/where.svg"),
    ],
)
def test_mistakes(run: Run, words: list[str], message: str) -> None:
    done = run("show", *words, code=2)
    assert message in done.err
    assert done.out == ""


def test_a_drawing_is_written_and_never_over_something_else(run: Run, folder: Path) -> None:
    done = run("show", "vittm-digits", "--diagram", "out.svg")
    assert "wrote out.svg" in done.err
    root = ElementTree.parse(folder / "out.svg").getroot()
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "vittm-digits"
    run("show", "vittm-digits", "--diagram", "out.svg")
    assert "--force" in run("show", "vit-b-16", "--diagram", "out.svg", code=2).err
    run("show", "vit-b-16", "--diagram", "out.svg", "--force")
    again = ElementTree.parse(folder / "out.svg").getroot()
    assert again.findtext("{http://www.w3.org/2000/svg}title") == "vit-b-16"


def test_a_trial_is_drawn_too(run: Run, searched: Any) -> None:
    member = searched.json()["members"][0]
    done = run("show", str(member["trial"]), "--diagram", "trial.svg")
    assert f"# arch_id {member['arch_id']}" in done.out
    assert "# latency: " in done.out
    assert "# total" in done.out
    assert Path("trial.svg").exists()


def test_all_of_it_as_data(run: Run) -> None:
    found = run("show", "vittm-digits", "--json").json()
    assert found["trial"] is None
    assert found["measurements"] == []
    assert found["time"] is None
    assert found["drawing"][0].strip() == "image 1 × 8 × 8"
    rows = found["layers"]["rows"]
    assert sum(row["params"] for row in rows) == found["facts"]["params"]
    assert sum(row["macs"] for row in rows) == found["layers"]["total"]["macs"]
    assert [part["word"] for part in rows[2]["parts"]] == ["read", "process", "write"]


def test_shares_of_the_time(run: Run) -> None:
    done = run("show", "vittm-digits", "--time", "--batch", "8")
    shares = [float(share) for share in re.findall(r"([\d.]+) %$", done.out, re.MULTILINE)]
    assert len(shares) == 2 + 4 + 2 + 1 + 1
    assert sum(shares[:-1]) == pytest.approx(100.0, abs=1e-6)
    assert shares[-1] == 100.0
    assert "batch 8" in done.out
    found = run("show", "vittm-digits", "--time", "--json").json()
    whole = sum(row["time_share"] for row in found["layers"]["rows"])
    assert whole + found["time"]["shares"]["other"] == pytest.approx(1)
    assert found["time"]["batch"] == 1


def test_terminals_that_know_ascii_alone(run: Run) -> None:
    done = run("show", "vittm-digits", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.out.isascii()
    assert "\\u" not in done.out
    assert "+- layers 0-3, x 4 --" in done.out
