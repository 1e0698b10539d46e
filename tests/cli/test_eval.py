"""`archdsl eval` and `archdsl predict`: a bundle beside the truth, and without any."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archdsl.training.bundle import load_bundle
from archdsl.training.data.source import open_data
from tests.cli.conftest import Command, Done

NAMES = {1: "1", 3: "3", 7: "7"}


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Some digits of three classes as pictures, in a folder in one piece."""
    test = open_data("digits").splits()["test"]
    labels, images = test.labels.tolist(), test.images.numpy()[:, 0]  # type: ignore[attr-defined]
    for number, (label, pixels) in enumerate(zip(labels, images, strict=True)):
        if label in NAMES:
            place = folder / "pictures" / NAMES[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / f"{number}.png")
    return folder / "pictures"


def test_it_counts_exactly(run: Command, trained: Done) -> None:
    found = run("eval", "runs/one", "--data", "digits", "--json").json()
    of_training = {each["quantity"]: each for each in trained.json()["scores"]}
    assert found["parts"] == {"test": "20 % of every class, by seed 0"}
    assert found["trained_on"] is True
    for name in ("top1", "top5"):
        assert found[name]["value"] == of_training[f"test_{name}"]["value"]
    bundle, test = load_bundle("runs/one"), open_data("digits").splits()["test"]
    pixels, labels = test.images.numpy(), test.labels.numpy()  # type: ignore[attr-defined]
    shares = bundle.probabilities(list(pixels)).numpy().astype(float)
    answers, sure = shares.argmax(1), shares.max(1)
    wrong = {(each["class"], each["taken_for"]): each["images"] for each in found["mixed_up"]}
    for a in range(10):
        row = found["classes"][a]
        assert row["images"] == (labels == a).sum()
        assert row["correct"] == ((labels == a) & (answers == a)).sum()
        assert row["predicted"] == (answers == a).sum()
        for b in set(range(10)) - {a}:
            assert wrong.get((str(a), str(b)), 0) == ((labels == a) & (answers == b)).sum()
    inside = [(sure > n / 15) & (sure <= (n + 1) / 15) for n in range(15)]
    gaps = [abs(sure[i].sum() - (answers == labels)[i].sum()) for i in inside]
    assert found["calibration"]["error"] == pytest.approx(100 * sum(gaps) / 359, abs=1e-4)


def test_classes_are_matched_by_name(run: Command, trained: Done, pictures: Path) -> None:
    done = run("eval", "runs/one", "--data", "folder:pictures", "--part", "all", "--json")
    whole = run("eval", "runs/one", "--data", "digits", "--json").json()
    found = done.json()
    assert found["trained_on"] is False
    for label in (1, 3, 7):
        for word in ("images", "correct", "recall"):
            assert found["classes"][label][word] == whole["classes"][label][word]
    text = run("eval", "runs/one/bundle.safetensors", "--data", "folder:pictures")
    assert "scored on  test (20 % of every class, by seed 0)" in text.out
    assert "not the data it was trained on" in text.out
    assert "--part all scores all images of these data" in text.err
    assert "classes are matched by name: 3 of the network's 10" in text.err
    (pictures / "7").rename(pictures / "seven")
    refused = run("eval", "runs/one", "--data", "folder:pictures", code=2)
    assert "has classes that the network was not trained for: 'seven'; it knows '0'" in refused.err


def test_a_few_pictures_are_scored_whole(run: Command, trained: Done, pictures: Path) -> None:
    for name, count in (("1", 1), ("3", 2), ("7", 2)):
        for path in sorted((pictures / name).iterdir())[count:]:
            path.unlink()
    arguments = ("eval", "runs/one", "--data", "folder:pictures")
    assert "give at least 3 to '1' (1)" in run(*arguments, code=2).err
    found = run(*arguments, "--part", "all", "--json").json()
    assert [row["images"] for row in found["classes"]] == [0, 1, 0, 2, 0, 0, 0, 2, 0, 0]
    assert "scored on  train (" in run(*arguments, "--part", "all").out
    Path("list.csv").write_text("file,label\n" + "".join(
        f"{path},{path.parent.name}\n" for path in sorted(pictures.glob("*/*.png"))
    ))  # fmt: skip
    listed = run("eval", "runs/one", "--data", "csv:list.csv", "--part", "all", "--json").json()
    with tarfile.open("pictures.tar", "w") as shard:
        for path in sorted(pictures.glob("*/*.png")):
            shard.add(path, path.name)
            path.with_suffix(".cls").write_text(path.parent.name)
            shard.add(path.with_suffix(".cls"), f"{path.stem}.cls")
    sharded = run(
        "eval", "runs/one", "--data", "wds/pictures.tar", "--part", "all", "--json"
    ).json()
    assert listed["classes"] == sharded["classes"] == found["classes"]


def test_images_of_another_kind_are_refused(run: Command, trained: Done) -> None:
    images, labels = np.arange(30 * 36, dtype=np.uint8).reshape(30, 6, 6), np.arange(30) % 3
    np.savez("small.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    done = run("eval", "runs/one", "--data", "npz:small.npz", code=2)
    assert "holds images of 6 pixels, the network takes 8" in done.err
    part = run("eval", "nowhere", "--data", "digits", code=2)
    assert "there is no bundle nowhere" in part.err


def test_pictures_are_predicted_without_any_data(
    run: Command, trained: Done, pictures: Path
) -> None:
    files = sorted(map(str, (pictures / "7").iterdir()))
    done = run("predict", "runs/one", *files, "--json").json()
    assert [each["picture"] for each in done["pictures"]] == files
    bundle = load_bundle("runs/one")
    for each in done["pictures"]:
        expected = list(bundle.predict(each["picture"]).items())[:3]
        found = [(row["class"], row["probability"]) for row in each["classes"]]
        assert found == [(name, pytest.approx(share)) for name, share in expected]
    table = run("predict", "runs/one", files[0], "--top", "1").out.splitlines()
    assert table[1].split()[:2] == [files[0], done["pictures"][0]["classes"][0]["class"]]


def test_broken_pictures_are_named_at_the_end(run: Command, trained: Done, pictures: Path) -> None:
    good = str(next((pictures / "7").iterdir()))
    Path("no.png").write_text("nothing")
    done = run("predict", "runs/one", "no.png", good, "gone.png", code=2)
    assert good in done.out
    first, second, last = done.err.splitlines()
    assert first.startswith("no.png cannot be decoded")
    assert second.startswith("gone.png cannot be read: no such file or directory; see that it is")
    assert last == "archdsl: 2 of 3 pictures cannot be read"


def test_the_surest_mistakes_are_shown(run: Command, trained: Done, folder: Path) -> None:
    arguments = ("eval", "runs/one", "--data", "digits", "--mistakes", "mistakes.html")
    whole = run(*arguments, "--json").json()
    wrong = sum(each["images"] for each in whole["mixed_up"])
    page = (folder / "mistakes.html").read_text()
    assert page.count('<img src="data:image/png;base64,') == min(wrong, 60)
    assert f"{wrong} mistakes in 359 images of digits (test)" in page
    bundle, test = load_bundle("runs/one"), open_data("digits").splits()["test"]
    pixels, labels = test.images.numpy(), test.labels.numpy()  # type: ignore[attr-defined]
    shares = bundle.probabilities(list(pixels)).numpy().astype(float)
    sure = np.where(shares.argmax(1) == labels, 0, shares.max(1))
    first = int(sure.argmax())
    url = page.split('<img src="data:image/png;base64,')[1].split('"')[0]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(url))))
    assert (shown == pixels[first, 0]).all()
    answer = shares[first].argmax()
    assert f"taken for <b>{answer}</b> ({sure[first]:.1%})<br>\nis <b>{labels[first]}</b>" in page

    run(*arguments)
    (folder / "mistakes.html").write_text("mine")
    assert "--force" in run(*arguments, code=2).err
    assert (folder / "mistakes.html").read_text() == "mine"
