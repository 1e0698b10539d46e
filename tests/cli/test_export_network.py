"""`export --to`: networks for other engines, and what lies beside them."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import archdsl
from archdsl.document.shelves import find
from archdsl.store.store import open_store
from tests.cli.conftest import Command, environment, unpack_trained_study


@pytest.fixture
def both() -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="an extra")


def pictures(folder: Path) -> list[Path]:
    """Grey, with transparent pixels, of 16 bits."""
    draws = np.random.default_rng(0)
    shapes = {"grey": ((9, 12), np.uint8), "clear": ((20, 11, 4), np.uint8)}
    paths = []
    for name, (shape, kind) in {**shapes, "deep": ((20, 11), np.uint16)}.items():
        paths.append(folder / f"{name}.png")
        Image.fromarray(draws.integers(0, np.iinfo(kind).max, shape, kind)).save(paths[-1])
    return paths


@pytest.mark.slow
@pytest.mark.process
def test_a_bundle_classifies_without_archdsl(
    run: Command, both: None, trained: Any, folder: Path
) -> None:
    report = run("export", "runs/one", "--to", "onnx,torch", "-o", "a/out", "--json").json()
    bundle, out = archdsl.load_bundle("runs/one"), folder / "a/out"
    assert sorted(path.name for path in out.iterdir()) == [
        "bench.py", "classify.py", "model.onnx", "model.pt2", "preprocessing.json", "report.json",
    ]  # fmt: skip
    assert json.loads((out / "report.json").read_text()) | {"folder": "a/out"} == report
    assert report["module"]["latency"]["value"] > 0
    for each, tolerance in zip(report["formats"], (1e-4, 1e-6), strict=True):
        assert 0 <= each["difference"] <= tolerance
        assert 0 < each["latency"]["low"] <= each["latency"]["value"] <= each["latency"]["high"]
        for name, size in each["files"].items():
            assert (out / name).stat().st_size == size
    program, images = torch.export.load(out / "model.pt2").module(), torch.randn(5, 1, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(program(images), bundle.network(images))

    import onnx

    model = onnx.load(out / "model.onnx")
    assert [each.version for each in model.opset_import if each.domain == ""] == [20]
    [told] = [each.value for each in model.metadata_props if each.key == "preprocessing"]
    assert json.loads(told) == json.loads((out / "preprocessing.json").read_text())

    paths = pictures(folder)
    (folder / "elsewhere").mkdir()
    for name in ("bench.py", "classify.py", "model.onnx"):  # all it takes
        (out / name).rename(folder / "elsewhere" / name)
    printed = subprocess.run(
        [sys.executable, "elsewhere/classify.py", *map(str, paths)],
        env=environment(PYTHONPATH=""),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for path, line in zip(paths, printed.splitlines(), strict=True):
        likeliest = list(bundle.predict(path).items())[:3]
        assert line == " ".join([str(path), *(f"{name} {share:.1%}" for name, share in likeliest)])

    Path("no-picture.png").write_text("no picture")
    odd = subprocess.run(
        [sys.executable, "elsewhere/classify.py", "no-picture.png", "nowhere.png", str(paths[0])],
        env=environment(PYTHONPATH=""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (odd.returncode, odd.stdout) == (1, printed.splitlines(keepends=True)[0])
    assert [line.partition(":")[0] for line in odd.stderr.splitlines()] == [
        "no-picture.png",
        "nowhere.png",
    ]
    measured = subprocess.run(
        [sys.executable, "-c", BENCH, "--batch", "2", "--threads", "1", "--max-seconds", "0.5"],
        env=environment(PYTHONPATH=""),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "archdsl measure --import result.json --db DB" in measured
    kept = run("measure", "--import", "result.json", "--db", "board.db", "--json").json()
    assert kept["arch_id"] == report["arch_id"]
    assert kept["protocol"]["batch"] == 2
    assert kept["low_ms"] <= kept["latency_ms"] <= kept["high_ms"]
    with open_store("board.db") as store:
        [row] = store.measurements.of_arch(report["arch_id"])
        assert (row.quantity, row.value) == ("latency", kept["latency_ms"])
    told = run("measure", "--import", "result.json").out
    assert "ms per batch of 2 (median)" in told
    assert "1 thread, float32, onnxruntime" in told
    both_said = run("measure", "vittm-digits", "--import", "result.json", code=2)
    assert "leave the models out" in both_said.err
    with (folder / "elsewhere/model.onnx").open("ab") as file:
        file.write(b"other")
    refused = subprocess.run(
        [sys.executable, "elsewhere/bench.py"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "is not the file that this script was exported with" in refused.stderr


BENCH = """
import runpy, sys
runpy.run_path("elsewhere/bench.py", run_name="__main__")
assert not {"torch", "archdsl", "scipy"} & set(sys.modules)
"""


@pytest.mark.slow
def test_a_bundle_as_source(
    run: Command,
    trained: Any,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = run("export", "runs/one", "--to", "source", "-o", "out", "--json").json()
    [row] = report["formats"]
    assert row["files"].keys() == {"model.py", "weights.pt"}
    assert not list(folder.rglob("__pycache__"))
    assert row["difference"] == 0
    [path, *_] = pictures(folder)
    monkeypatch.setattr(sys, "argv", ["classify.py", str(path)])
    monkeypatch.syspath_prepend(str(folder / "out"))
    runpy.run_path(str(folder / "out/classify.py"))
    monkeypatch.delitem(sys.modules, "model")
    name, share = next(iter(archdsl.load_bundle("runs/one").predict(path).items()))
    assert capsys.readouterr().out.startswith(f"{path} {name} {share:.1%} ")


@pytest.mark.slow
def test_two_classifiers_give_their_prediction(run: Command, folder: Path) -> None:
    text = find("vittm-digits", "specs").read_text().replace("predict: memory", "predict: mean")
    (folder / "two.yaml").write_text(text.replace("depth: 4", "depth: 1"))
    done = run("export", "two.yaml", "--to", "torch", "--seed", "3", "-o", "out")
    assert "was not trained: its weights are fresh" in done.err
    assert "weights fresh, of seed 3" in done.out
    exported = torch.export.load(folder / "out/model.pt2")
    network = archdsl.compile(archdsl.load("two.yaml")).eval()
    network.load_state_dict(exported.state_dict)
    images = torch.randn(4, 1, 8, 8)
    with torch.inference_mode():
        found, heads = exported.module()(images), network.forward_heads(images)
        torch.testing.assert_close(found, torch.stack(list(heads.values())).mean(dim=0))
        assert not torch.allclose(heads["memory"], heads["process"])


@pytest.mark.slow
@pytest.mark.process
def test_a_trial_is_exported_as_it_was_trained(run: Command, folder: Path) -> None:
    sets = ("evaluate.top1.epochs=1", "evaluate.latency.max_seconds=0.1")
    words = [word for each in sets for word in ("--set", each)]
    run("search", "digits", *words, "--trials", "1")
    done = run("export", "0", "--to", "torch", "-o", "out")
    assert "weights of trial 0 of the study " in done.out
    exported = torch.export.load(folder / "out/model.pt2").state_dict
    [row] = archdsl.front("archdsl.db")
    for name, tensor in row.model().state_dict().items():
        assert torch.equal(exported[name], tensor)


def test_trials_without_weights(run: Command, searched: Any, folder: Path) -> None:
    done = run("export", "1", "--to", "torch", "-o", "out", code=2)
    assert "trial 1 of 'tabular' was not trained, so it has no weights" in done.err
    unpack_trained_study(folder)
    done = run("export", "0", "--to", "torch", "-o", "out", code=2)
    assert "does not say what its classes are" in done.err, "nor what its images are"
    assert not (folder / "out").exists()


@pytest.mark.slow
def test_what_is_there_stays(run: Command, folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    (out / "report.json").write_text("old")
    command = ("export", "vittm-digits", "--to", "source", "-o", "out")
    assert "the folder out is there and holds something" in run(*command, code=2).err
    assert sorted(each.name for each in out.iterdir()) == ["mine.txt", "report.json"]
    run(*command, "--force")
    assert (out / "mine.txt").read_text() == "mine"
    assert json.loads((out / "report.json").read_text())["name"] == "vittm-digits"
    assert [each.name for each in folder.iterdir()] == ["out"]


@pytest.mark.slow
def test_weights_that_are_not_numbers(run: Command, trained: Any, folder: Path) -> None:
    bundle = archdsl.load_bundle("runs/one")
    with torch.no_grad():
        next(bundle.network.parameters())[0] = float("nan")
    (folder / "broken").mkdir()
    bundle.write(folder / "broken")
    done = run("export", "broken/bundle.safetensors", "--to", "torch", "-o", "out", code=2)
    assert "weights are NaN or infinite, in embeds." in done.err
    assert sorted(each.name for each in folder.iterdir()) == ["broken", "runs"]


@pytest.mark.slow
@pytest.mark.process
def test_onnx_without_its_packages(run: Command, folder: Path) -> None:
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "onnx.py").write_text("raise ImportError('hidden')\n")
    path = os.pathsep.join([str(hidden), str(Path(archdsl.__file__).parents[1])])
    words = ("export", "vittm-digits", "--to", "onnx", "-o", "out")
    done = run(*words, code=2, env={"PYTHONPATH": path})
    assert "pip install 'archdsl[onnx]'" in done.err
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["vittm-digits", "--to", "onx,torch,x", "-o", "out"],
            "'onx', 'x' is no format; there are",
        ),
        (["vittm-digits", "--to", "torch"], "-o names the folder to write"),
        (["--to", "torch", "-o", "out"], "say what to export"),
        (["--front", "--to", "torch", "-o", "out"], "are written alone"),
        (["1", "-o", "one.yaml", "--seed", "1"], "--seed has an effect only with --to"),
        (["runs/one", "--to", "torch", "--seed", "1", "-o", "out"], "runs/one does not exist"),
        ([".", "--to", "torch", "--seed", "1", "-o", "out"], "and . has its own"),
        ([".", "--to", "torch", "-o", "out"], "there is no bundle bundle.safetensors"),
        (["holes.yaml", "--to", "torch", "-o", "out"], "depth"),
        (["vittm-digits", "--to", "torch", "-o", "file/out"], "file is a file; name a folder"),
    ],
)
def test_mistakes(run: Command, folder: Path, words: list[str], message: str) -> None:
    (folder / "file").write_text("")
    text = find("vittm-digits", "specs").read_text().replace("depth: 4", "depth: {choose: [1, 2]}")
    (folder / "holes.yaml").write_text(text)
    assert message in run("export", *words, code=2).err
    assert sorted(each.name for each in folder.iterdir()) == ["file", "holes.yaml"]
