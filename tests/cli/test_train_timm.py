"""Models of timm's trained, scored and used as ours are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from archdsl.store.store import open_store
from archdsl.training.bundle import load_bundle
from tests.cli.conftest import Command

RUN = ("train", "timm:test_vit", "--data", "folder:pictures", "--threads", "1", "--epochs", "1")


@pytest.fixture
def pictures(folder: Path) -> Path:
    draws = np.random.default_rng(0)
    for part, count in (("train", 8), ("val", 4)):
        for name in "ab":
            place = folder / "pictures" / part / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = draws.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    return folder / "pictures"


def test_a_model_of_timm_becomes_a_bundle(run: Command, pictures: Path) -> None:
    words = (*RUN, "--set", "image.size=[32, 48]", "-o", "one", "--db", "runs.db")
    told = run(*words, "--json").json()
    bundle = load_bundle("one")
    assert bundle.spec.document() == {"timm": "test_vit", "image": [3, 32, 48], "num_classes": 2}
    assert bundle.record()["arch_id"] == told["arch_id"]
    assert bundle.class_names == ("a", "b")
    theirs = timm.create_model("test_vit", img_size=(32, 48), num_classes=2)
    theirs.load_state_dict(bundle.network.state_dict())
    picture = Image.open(pictures / "val" / "a" / "0.png")
    [logits] = theirs.eval()(
        bundle.reading.normalisation.apply(torch.tensor(bundle.pixels(picture)[None]))
    )
    shares = dict(zip("ab", logits.softmax(0).tolist(), strict=True))
    assert bundle.predict(picture) == pytest.approx(shares, abs=1e-6)
    [score] = [each for each in told["scores"] if each["quantity"] == "top1"]
    scored = run("eval", "one", "--data", "folder:pictures", "--json").json()
    assert scored["top1"]["value"] == score["value"]
    assert "found finished" in run(*words).out
    with open_store("runs.db") as store:
        [row] = store.runs.all()
        kept = store.architectures.find(row.arch_id)
    assert (kept.kind, kept.label) == ("module", "timm:test_vit")
    assert kept.facts["params"] == sum(each.numel() for each in theirs.parameters())
    again = run(*RUN, "--set", "image.size=[32, 48]", "-o", "two", "--init", "one").err
    assert "0 resampled" in again
    assert "classifiers begin fresh" not in again
    wide = run(*RUN, "--set", "image.size=48", "-o", "wide", "--init", "one").err
    assert "1 resampled" in wide
    assert "pos_embed" not in wide.partition("resampled")[2].partition("\n")[2]
    # Weights that are told nothing of: the classifier is another's.
    save_file(theirs.state_dict(), "vit.safetensors")
    bare = ("--set", "image.size=[32, 48]", "--recipe", "small-images", "-o", "three")
    assert "classifiers begin fresh" in run(*RUN, *bare, "--init", "vit.safetensors").err


def test_stochastic_depth_and_batch_norms(run: Command, pictures: Path) -> None:
    Path("drop.yaml").write_text(
        "{archdsl: 1, kind: recipe, name: drop, epochs: 1, drop_path: 0.2, ema: 0.5,"
        " optimizer: muon}"
    )
    words = ("--data", "folder:pictures", "--set", "image.size=32", "--recipe", "drop.yaml")
    run("train", "timm:test_efficientnet", *words, "-o", "net", "--threads", "1")
    bundle = load_bundle("net")
    [remark] = [each for each in bundle.training["remarks"] if "muon" in each]
    assert "classifier.weight" in remark
    refused = run("train", "timm:vgg11", *words, "-o", "vgg", code=2)
    assert "drop_path 0.2 has no effect: timm:vgg11 has none" in refused.err


def test_a_model_of_timm_is_a_teacher(run: Command, folder: Path) -> None:
    words = ("--data", "digits", "--threads", "1", "--epochs", "1")
    run("train", "timm:resnet10t", *words, "-o", "teacher")
    run("train", "vittm-digits", *words, "-o", "one", "--set", "teacher=teacher")
    recipe = load_bundle("one").training["recipe"]
    assert recipe["teacher"] == "teacher"
    assert recipe["teacher_weights"] == load_bundle("teacher").weights
    nowhere = ("--set", "teacher=nowhere")
    refused = run("train", "vittm-digits", *words, "-o", "two", *nowhere, code=2)
    assert "nowhere is no bundle" in refused.err


def test_what_a_model_of_timm_cannot_be(run: Command, folder: Path) -> None:
    words = ("--data", "digits", "-o", "one")
    near = run("train", "timm:resnet10x", *words, code=2)
    assert "has no model 'resnet10x'; did you mean timm:resnet10t" in near.err
    small = run("train", "timm:test_vit", *words, code=2)
    assert "timm:test_vit takes no images of 8x8 pixels and 1 channel with 10 classes" in small.err
    size = run("train", "timm:test_vit", *words, "--set", "image.size=32", code=2)
    assert "add: --set image.size=8" in size.err
    other = run("train", "timm:test_vit", *words, "--set", "depth=2", code=2)
    assert "--set depth=2: timm:test_vit is no document" in other.err
    assert not (folder / "one").exists()
