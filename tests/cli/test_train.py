"""`archdsl train`: one network into a folder, gone on with, found, refused."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from archdsl.store.store import open_store
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


def test_what_it_will_cost_is_told_and_nothing_written(run: Command, folder: Path) -> None:
    words = ("train", "vittm-digits", "--data", "digits", "--threads", "1", "--dry-run")
    done = run(*words, "--epochs", "3")
    assert "train      1,079 images: 60 % of every class" in done.out
    assert "3 epochs of 17 steps in batches of 64, adamw with a learning rate of 0.003" in done.out
    assert "memory     at least 16.4 MiB on cpu\ntraining   about " in done.out
    found = run(*words, "--epochs", "300", "--set", "depth=1", "--json").json()
    assert found["steps"] == 300 * 17
    assert found["seconds"] > 1
    assert found["recipe"]["epochs"] == 300
    misfit = run(*words, "--set", "output.num_classes=3", code=2)
    assert "add: --set output.num_classes=10" in misfit.err
    warmup = run(*words, "--set", "warmup_steps=9000", code=2)
    assert "9,000 steps are no fewer than all 510" in warmup.err
    assert "timing" not in warmup.err
    assert list(folder.iterdir()) == []
    assert "say where to train: -o DIR; or" in run(*words[:-1], code=2).err


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


def test_words_of_the_recipe_are_set(run: Command, folder: Path) -> None:
    words = ("--set", "lr=0.001", "--set", "rand_augment={magnitude: 5}", "--set", "epochs=1")
    run(*ARGUMENTS, *words, "-o", "set", "--db", "kept.db")
    recipe = Path("set/recipe.yaml").read_text()
    assert "lr: 0.001" in recipe
    done = run(*ARGUMENTS, "--recipe", "set/recipe.yaml", "-o", "written", "--db", "kept.db")
    assert "the same training lies finished in" in done.err
    meant = run(*ARGUMENTS, "--set", "epoch=2", "-o", "new", code=2).err
    assert "epoch  unknown key; did you mean 'epochs'?" in meant
    wrong = run(*ARGUMENTS, "--set", "batch=none", "--set", "flip=2", "-o", "new", code=2).err
    assert "--set batch=none" in wrong
    assert "--set flip=2" in wrong


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


@pytest.mark.process
def test_a_terminal_shows_how_it_gets_on(
    on_terminal: Callable[..., tuple[Any, str]], folder: Path
) -> None:
    told, drawn = on_terminal(*ARGUMENTS, "--epochs", "9", "-o", "nine", "--json")
    assert told["found"] is False
    text = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn).split())
    assert re.search(r"epoch \d/9 ", text)
    assert re.search(r"images/s loss \d\.\d+ .*\d+\.\d GiB \d+ s left", text)


def test_it_begins_with_what_fits_of_other_weights(run: Command, trained: Done) -> None:
    again = ("train", "vittm-digits", "--set", "depth=2", "--data", "digits", "--threads", "1",
             "--epochs", "1", "-o", "two", "--init", "runs/one")  # fmt: skip
    done = run(*again, "--json")
    started = done.err.partition("begins with runs/one:\n")[2]
    loaded, resampled, fresh, layers = started.splitlines()[:4]
    assert int(loaded.split()[0]) == len(load_bundle("two").network.state_dict())
    assert loaded.endswith("loaded")
    assert (resampled, fresh) == ("0 resampled", "0 fresh")
    assert layers == "2 layers begin as layers 0, 0 of their 1"
    assert "classifiers" not in started
    of = {each["quantity"]: each["value"] for each in done.json()["scores"]}
    before = {each["quantity"]: each["value"] for each in trained.json()["scores"]}
    assert of["top1"] > before["top1"]
    assert done.json()["training"]["init"]["file"] == "runs/one"
    refused = run(*again[:-2], code=2)
    assert "init: '" in refused.err


def test_a_classifier_of_other_classes_begins_fresh(run: Command, trained: Done) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    labels = np.arange(40) % 4
    np.savez("four.npz", x_train=images, y_train=labels, x_test=images[:8], y_test=labels[:8])
    sets = ("depth=1", "output.num_classes=4", "image.size=16")
    options = [word for each in sets for word in ("--set", each)]
    done = run(
        "train", "vittm-digits", *options, "--data", "npz:four.npz", "--epochs", "1", "-o", "four",
        "--init", "runs/one/bundle.safetensors",
    )  # fmt: skip
    assert "2 resampled: embeds.process.position, embeds.memory.position" in done.err
    assert "4 left out: classifiers.memory.linear.bias, classifiers.memory.linear" in done.err
    assert "classifiers begin fresh: these weights are for 10 other classes" in done.err
    other = run(
        "train", "vit-b-16", "--set", "image.size=8", "--set", "image.channels=1",
        "--set", "output.num_classes=10", "--set", "process.embed.patch_size=4", "--data", "digits",
        "-o", "vit", "--init", "four.npz", code=2,
    )  # fmt: skip
    assert "four.npz is damaged or no file of weights" in other.err


def test_a_vit_of_timm_is_a_start(run: Command, folder: Path) -> None:
    torch.manual_seed(0)
    vit = timm.models.VisionTransformer(
        img_size=16, patch_size=4, in_chans=1, embed_dim=64, depth=1, num_heads=4, mlp_ratio=2,
        num_classes=5,
    )  # fmt: skip
    save_file(vit.state_dict(), "vit.safetensors")
    words = ("--set", "depth=1", "--data", "digits", "--epochs", "1", "--threads", "1")
    done = run("train", "vittm-digits", *words, "-o", "one", "--init", "vit.safetensors")
    assert "1 resampled: embeds.process.position" in done.err
    assert "classifiers begin fresh" in done.err
    deeper = run(
        "train", "vittm-digits", *words, "--set", "depth=2", "-o", "two",
        "--init", "vit.safetensors", code=2,
    )  # fmt: skip
    assert "these weights have 1 blocks, the process stream 2" in deeper.err


def test_a_training_that_a_store_knows_is_paid_for_once(run: Command, trained: Done) -> None:
    run(*SHORT, "--db", "kept.db")
    [row] = run("runs", "--db", "kept.db", "--json").json()["runs"]
    assert row["place"] == str(Path("runs/one").absolute())
    assert row["detail"]["scores"]["top1"] == trained.json()["scores"][0]["value"]
    done = run(*SHORT[:-1], "elsewhere", "--db", "kept.db")
    assert (
        f"the same training lies finished in {row['place']}, and is copied from there" in done.err
    )
    assert load_bundle("elsewhere").record() == load_bundle("runs/one").record()
    child = run(*SHORT[:-1], "child", "--init", "elsewhere", "--db", "kept.db")
    assert "the same training" not in child.err
    first, second = run("runs", "--db", "kept.db", "--json").json()["runs"]
    assert first["place"] == str(Path("elsewhere").absolute())
    assert second["parent_id"] == first["id"] == row["id"]
    assert " run 1 " in run("runs", "--db", "kept.db").out
    shutil.rmtree("elsewhere")
    again = run(*SHORT[:-1], "again", "--db", "kept.db")
    assert "is copied" not in again.err


@pytest.mark.slow
def test_a_candidate_of_a_search_trained_alone_has_the_same_curve(
    run: Command, folder: Path
) -> None:
    words = ("--set", "evaluate.top1.epochs=2", "--trials", "1", "--objective", "top1,params")
    run("search", "digits", *words)
    with open_store("archdsl.db") as store:
        [trial] = store.trials.all(store.studies.all()[0].id)
        behind = store.measurements.of_trial(trial.id)["top1"]
    spec = json.dumps(dict(run("show", "0", "--json").json()["spec"]))
    (folder / "found.yaml").write_text(spec)
    threads = ("--data", "digits", "--epochs", "2", "--seed", "0", "-o", "alone")
    run("train", "found.yaml", *threads)
    rows = csv.DictReader((folder / "alone/epochs.csv").read_text().splitlines())
    assert [float(row["top1"]) for row in rows] == pytest.approx(behind.detail["history"][0], 1e-5)


def test_pictures_without_a_test_part(run: Command, folder: Path) -> None:
    generator = np.random.default_rng(0)
    for part, count in (("train", 12), ("val", 4)):
        for name, colour in (("red fox", (220, 40, 20)), ("blue jay", (20, 40, 220))):
            place = folder / "photos" / part / name
            place.mkdir(parents=True)
            for number in range(count):
                height, width = generator.integers(16, 40, 2)
                pixels = generator.normal(colour, 30, (height, width, 3)).clip(0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number}.png")
    words = ("train", "vittm-digits", "--data", "folder:photos", "-o", "run", "--epochs", "8")
    sets = run(*words, code=2).err.partition("add: ")[2].split()
    assert sets == ["--set", "image.channels=3", "--set", "output.num_classes=2"]
    done = run(*words, *sets, "--set", "image.size=16", "--set", "depth=1")
    assert "8 validation images" in done.out
    assert "there is no test part" in done.out
    found = run("predict", "run", "photos/val/red fox/0.png", "--json").json()
    assert found["pictures"][0]["classes"][0]["class"] == "red fox"
    scored = run("eval", "run", "--data", "folder:photos")
    assert "scored on  validation (val/)" in scored.out
    assert "top-5" not in scored.out
    assert "has no test part" in run("eval", "run", "--data", "folder:photos", "--part", "test",
                                     code=2).err  # fmt: skip


def test_a_bundle_of_other_weights_is_refused(run: Command, trained: Done) -> None:
    file = Path("runs/one/bundle.safetensors")
    content = bytearray(file.read_bytes())
    content[-5] ^= 64
    file.write_bytes(content)
    done = run(*SHORT, code=2)
    assert "is damaged, or its weights were exchanged" in done.err


def test_a_bundle_of_another_training_is_refused(run: Command, trained: Done) -> None:
    again = (*ARGUMENTS, "--epochs", "1", "-o", "runs/two", "--seed", "1")
    run(*again)
    shutil.copy("runs/one/bundle.safetensors", "runs/two/bundle.safetensors")
    done = run(*again, code=2)
    assert "bundle.safetensors was exchanged" in done.err
    assert "seed: 0 there, 1 asked for" in done.err


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
