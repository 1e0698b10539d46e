"""`archdsl confirm`: members of a front trained in full."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import archdsl
from tests.cli.conftest import Command, Done, unpack_trained_study

SHORT = ("confirm", "--data", "digits", "--epochs", "1", "--threads", "1", "--seeds", "1")


def test_members_are_trained_with_seeds_that_the_search_did_not_use(
    run: Command, searched: Done, folder: Path
) -> None:
    members = run("front", "--json").json()["members"]
    done = run(*SHORT, "--json")
    found = done.json()
    assert [each["trial"] for each in found["members"]] == [each["trial"] for each in members]
    assert f"trial {members[0]['trial']}, seed 1 (1 of {len(members)})" in done.err
    for before, now in zip(members, found["members"], strict=True):
        assert list(now["by_seed"]) == ["1"]
        assert now["found"]["value"] == before["values"]["top1"]["value"]
        assert now["change"] == pytest.approx(now["confirmed"]["value"] - now["found"]["value"])
        assert now["confirmed"]["low"] < now["by_seed"]["1"] < now["confirmed"]["high"]
        bundle = archdsl.load_bundle(folder / now["bundles"]["1"])
        assert bundle.training["seed"] == 1
    best = max(found["members"], key=lambda each: each["confirmed"]["value"])
    assert best["on_front"]

    again = run(*SHORT)
    assert "training" not in again.err, "what is trained is found"
    lines = again.out.splitlines()
    assert lines[0].strip() == "top1 of the front of 'tabular', trained in full"
    assert [line.split()[-1] for line in lines[2 : 2 + len(members)]] == [
        "still" if each["on_front"] else "more" for each in found["members"]
    ]
    assert "intervals of what was trained in full are over the images" in again.out

    assert not any(each["same_images"] for each in found["members"])
    assert "had its top1 from other images, labels or parts, or from a table" in again.out

    python = archdsl.confirm(data="digits", seeds=1, epochs=1, threads=1)
    assert [each.by_seed[1] for each in python] == [
        each["by_seed"]["1"] for each in found["members"]
    ]


def test_what_to_train_on_is_asked_for(run: Command, searched: Done) -> None:
    assert "has its top1 from a table; say what to train on" in run("confirm", code=2).err


def test_like_is_compared_with_like(run: Command, folder: Path) -> None:
    unpack_trained_study(folder)
    words = ("confirm", "--epochs", "1", "--threads", "1", "--seeds", "1")
    assert "like with like" not in run(*words).out
    assert all(each["same_images"] for each in run(*words, "--json").json()["members"])


def test_what_is_odd_of_the_data_is_said_once(run: Command, folder: Path) -> None:
    unpack_trained_study(folder)
    shown = load_digits()
    images, labels = (shown.images[:200] * 15).astype(np.uint8), shown.target[:200]
    np.savez("few.npz", x_train=images, y_train=labels, x_test=images[:9], y_test=labels[:9])
    words = ("--data", "npz:few.npz", "--epochs", "1", "--threads", "1", "--seeds", "1")
    done = run("confirm", *words, "-o", "there")
    assert done.err.count("images of test") == 1
    assert done.err.count("training ") == 2
