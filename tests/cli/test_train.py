"""`archdsl train`: one network into a folder, gone on with, found, refused."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archdsl.training.bundle import load_bundle
from tests.cli.conftest import ARGUMENTS, SHORT, Command, Done


def test_it_leaves_what_it_takes_to_use_the_network(trained: Done) -> None:
    told, left = trained.json(), Path("runs/one")
    assert sorted(path.name for path in left.iterdir()) == [
        ".lock", "bundle.safetensors", "curves.png", "document.yaml", "epochs.csv", "recipe.yaml",
        "run.json",
    ]  # fmt: skip
    [epoch] = csv.DictReader((left / "epochs.csv").read_text().splitlines())
    scores = {each["quantity"]: each for each in told["scores"]}
    assert float(epoch["top1"]) == pytest.approx(scores["top1"]["value"], rel=1e-5)
    assert all(float(epoch[name]) > 0 for name in ("loss", "images_per_second", "memory_mib"))
    assert scores["test_top1"]["detail"]["count"] == 359
    assert scores["test_top1"]["protocol"]["seeds"] == [0]
    assert "359 validation" not in trained.err
    assert "1 epoch of 1,079 images in batches of 64, at least 4.26 MiB" in trained.err
    bundle = load_bundle(left)
    assert bundle.record()["scores"] == told["scores"]
    assert bundle.class_names == tuple("0123456789")
    assert bundle.training["data"]["images"] == {"train": 1079, "validation": 359, "test": 359}


def test_it_is_found_and_not_repeated(run: Command, trained: Done) -> None:
    before = Path("runs/one/bundle.safetensors").stat().st_mtime_ns
    done = run(*SHORT)
    assert "found finished: runs/one" in done.out
    assert Path("runs/one/bundle.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("--seed", "1"), "seed: 0 there, 1 asked for"),
        (("--split-seed", "3"), "split_seed: 0 there, 3 asked for"),
        (("--set", "process.dim=32"), "document.process.dim: 64 there, 32 asked for"),
    ],
)
def test_another_training_is_refused(
    run: Command, trained: Done, changed: tuple[str, ...], told: str
) -> None:
    done = run(*SHORT, *changed, code=2)
    assert "runs/one holds another training:" in done.err
    assert told in done.err


def test_more_epochs_begin_anew_and_keep_what_is_finished(run: Command, trained: Done) -> None:
    done = run(*ARGUMENTS, "--epochs", "2", "-o", "runs/one")
    assert "2 do not continue them" in done.err
    assert len(Path("runs/one/epochs.csv").read_text().splitlines()) == 3
    assert load_bundle("runs/one").training["recipe"]["epochs"] == 2
    assert load_bundle("runs/one/1-epochs").record() == load_bundle("runs/one/1-epochs").record()
    assert load_bundle("runs/one/1-epochs").training["recipe"]["epochs"] == 1
    fewer = run(*SHORT, code=2)
    assert "recipe.epochs: 2 there, 1 asked for" in fewer.err


def test_a_document_that_does_not_fit_is_told_what_to_set(run: Command, folder: Path) -> None:
    done = run(*SHORT, "--set", "output.num_classes=7", code=2)
    assert "to train this document on these data, add: --set output.num_classes=10" in done.err
    assert not (folder / "runs").exists()


def test_a_bundle_of_other_weights_is_refused(run: Command, trained: Done) -> None:
    file = Path("runs/one/bundle.safetensors")
    content = bytearray(file.read_bytes())
    content[-5] ^= 64
    file.write_bytes(content)
    done = run(*SHORT, code=2)
    assert "is damaged, or its weights were exchanged" in done.err


def test_a_killed_training_goes_on_and_ends_as_an_undisturbed_one(
    run: Command, start: Callable[..., subprocess.Popen[str]]
) -> None:
    long = (*ARGUMENTS, "--set", "process.dim=32", "--epochs", "6", "-o")
    with start(*long, "killed") as process:
        wait_for(Path("killed/epochs.csv"), lines=3)
        second = run(*long, "killed", code=2)
        assert "another training" in second.err
        assert str(process.pid) in second.err
        process.kill()
    done = run(*long, "killed", "--json")
    whole = run(*long, "undisturbed", "--json")
    assert load_bundle("killed").record()["scores"] == load_bundle("undisturbed").record()["scores"]
    assert done.json()["scores"] == whole.json()["scores"]
    one, other = (
        list(csv.DictReader(Path(name, "epochs.csv").read_text().splitlines()))
        for name in ("killed", "undisturbed")
    )
    assert [each["top1"] for each in one] == [each["top1"] for each in other]
    # The loss of an epoch is lost where the process dies between its checkpoint and the table.
    assert all(a["loss"] in (b["loss"], "") for a, b in zip(one, other, strict=True))
    assert [each["loss"] for each in one].count("") <= 1
    assert not Path("killed/checkpoint.pt").exists()


def test_an_interrupted_one_says_what_is_kept(start: Callable[..., subprocess.Popen[str]]) -> None:
    with start(*ARGUMENTS, "--epochs", "1000", "-o", "long") as process:
        wait_for(Path("long/epochs.csv"), lines=2)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert "of 1,000 epochs kept in long\nthe same command goes on from there" in told
    assert json.loads(Path("long/run.json").read_text())["seed"] == 0


def wait_for(path: Path, *, lines: int) -> None:
    for _ in range(3000):
        if path.exists() and len(path.read_text().splitlines()) >= lines:
            return
        time.sleep(0.02)
    raise AssertionError(path)
