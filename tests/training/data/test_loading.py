"""Batches that processes read ahead are those that are read between the steps."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from archdsl.device_lock import FOLDER_VARIABLE, exclusive
from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.files import FileSplit
from archdsl.training.data.loading import batches, processes
from archdsl.training.data.source import open_data
from archdsl.training.data.views import views_of
from archdsl.training.loop import fit
from archdsl.training.recipe import Broken, Recipe
from archdsl.training.tasks.classification import Classification
from archdsl.training.world import World

CPU = torch.device("cpu")
RECIPE = Recipe(
    epochs=2, batch=6, crop="random_resized", flip=0.5, erasing=0.5, repeats=2, warmup_epochs=0
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey noise of several sizes in two classes."""
    root, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for part, count in (("train", 10), ("val", 2)):
        for name in ("a", "b"):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (12 + number, 16), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{number}.png")
    return root


def opened(
    folder: Path, cores: int, monkeypatch: pytest.MonkeyPatch, broken: Broken = "stop"
) -> Dataset:
    """The pictures of a folder, with so many cores to decode them."""
    monkeypatch.setattr("archdsl.training.data.loading.usable_cores", lambda: cores)
    monkeypatch.setattr("archdsl.training.data.files.FEWEST", 1)
    data = open_data(f"folder:{folder}", image_size=(8, 8), broken=broken)
    assert isinstance(data.train, FileSplit)
    return replace(data, train=replace(data.train, threads=cores))


def read(data: Dataset) -> list[tuple[Tensor, Tensor]]:
    views = views_of(RECIPE, data.train, seed=0)
    picked = torch.arange(len(data.train)).split(3)
    return list(batches(data.train, [picked], device=CPU, views=views, epoch=1))


def test_batches_do_not_depend_on_who_reads_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for cores in (1, 2):
        data = opened(folder, cores, monkeypatch)
        views = views_of(RECIPE, data.train, seed=0)
        assert processes(data.train, views=views, device=CPU) == (2 if cores == 2 else 0)
        found.append(read(data))
    assert len(found[0]) == 7
    for one, other in zip(*found, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_processes_only_where_they_pay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = opened(folder, 2, monkeypatch)
    as_they_are = {"views": None, "device": CPU}
    assert processes(data.train, **as_they_are) == 0, "decoded once, by threads"
    moved = views_of(Recipe(crop="pad"), data.train, seed=0)
    assert processes(data.train, views=moved, device=CPU) == 0
    torch.set_num_threads(2)
    views = views_of(RECIPE, data.train, seed=0)
    assert processes(data.train, views=views, device=CPU) == 0, "the network has both cores"


@pytest.mark.parametrize("cores", [1, 2])
def test_a_broken_picture_is_named_whoever_reads_it(
    folder: Path, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(folder, cores, monkeypatch)
    path = folder / "train" / "a" / "3.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:70])
    try:
        with pytest.raises(DataError, match=r"3\.png cannot be decoded") as caught:
            read(data)
    finally:
        path.write_bytes(whole)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("shown", [RECIPE, Recipe()])
def test_broken_pictures_to_train_on_are_passed_over_where_asked(
    *,
    folder: Path,
    tmp_path: Path,
    cores: int,
    shown: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(folder, tmp_path / "pictures")
    root = tmp_path / "pictures"
    (root / "train" / "a" / "5.png").write_bytes(b"no picture")
    path = root / "train" / "b" / "3.png"
    path.write_bytes(path.read_bytes()[:70])
    with pytest.raises(DataError, match=r"5\.png cannot be decoded"):
        opened(root, cores, monkeypatch)
    data = opened(root, cores, monkeypatch, broken="skip")
    assert "passed over: 1 picture that cannot be read (train/a/5.png)" in data.remarks
    views = views_of(shown, data.train, seed=0)
    picked = torch.arange(len(data.train)).split(3)
    for epoch in (1, 2):
        found = list(batches(data.train, [picked], device=CPU, views=views, epoch=epoch))
        assert [len(images) for images, _ in found] == [3] * 6 + [1]
        labels = torch.cat([labels for _, labels in found])
        assert labels.tolist() == [0] * 9 + [1] * 10
        assert torch.equal(found[4][0][0], found[4][0][1]), "another of its batch in its place"
    assert len(caplog.messages) == 1
    assert "passed over, the 1. of 19 to train on" in caplog.messages[0]
    (root / "val" / "b" / "0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"val.b.0\.png cannot be decoded"):
        opened(root, cores, monkeypatch, broken="skip")


def test_a_training_does_not_depend_on_who_reads(
    folder: Path, make_model: Callable[..., nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for cores in (1, 2):
        model = make_model(num_classes=2)
        fit(
            model,
            opened(folder, cores, monkeypatch),
            task=Classification(),
            recipe=RECIPE,
            seed=0,
            device=CPU,
            storage=None,
            report=lambda epoch, values: None,
        )
        found.append(model.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize("cores", [1, 2])
def test_epochs_follow_each_other_from_any_step_on(
    folder: Path, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, world = opened(folder, cores, monkeypatch), World(rank=1, size=2)
    views = views_of(RECIPE, data.train, seed=0)
    orders = [torch.randperm(len(data.train)).repeat(2).split(4) for _ in range(3)]
    words = {"device": CPU, "views": views, "world": world}
    apart = [
        each
        for epoch, order in enumerate(orders, start=4)
        for each in batches(data.train, [order], epoch=epoch, **words)
    ]
    found = list(batches(data.train, iter(orders), epoch=4, skip=5, **words))
    assert len(found) == len(apart) - 5
    for one, other in zip(found, apart[5:], strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


@pytest.mark.parametrize("ends", ["whole", "in its second epoch", "after its first epoch"])
def test_processes_stay_for_a_training_and_not_longer(
    folder: Path, ends: str, make_model: Callable[..., nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, seen = {*psutil.Process().children()}, list[frozenset[psutil.Process]]()

    def on_step(*_: Any) -> None:
        seen.append(frozenset(psutil.Process().children()) - before)
        if len(seen) == 6 and ends == "in its second epoch":
            raise DataError("no more")

    def report(*_: Any) -> None:
        if ends == "after its first epoch":
            raise DataError("no more")

    with nullcontext() if ends == "whole" else pytest.raises(DataError, match="no more"):
        fit(
            make_model(num_classes=2),
            opened(folder, 2, monkeypatch),
            task=Classification(),
            recipe=RECIPE,
            seed=0,
            device=CPU,
            storage=None,
            report=report,
            on_step=on_step,
        )
    assert len(seen) == {"whole": 8, "in its second epoch": 6, "after its first epoch": 4}[ends]
    assert len(seen[0]) == 2
    assert {*seen} == {seen[0]}
    assert {*psutil.Process().children()} == before


def test_nothing_is_read_beside_a_measurement(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    data = opened(folder, 2, monkeypatch)
    found: list[Any] = []
    reading = threading.Thread(target=lambda: found.extend(read(data)))
    with exclusive("cpu"):
        reading.start()
        time.sleep(0.8)
        assert not found and reading.is_alive()
    reading.join(30)
    assert len(found) == 7


PROGRAM = """
import sys, torch
from archdsl.training.data import files, loading
files.FEWEST = 1
from archdsl.training.data.source import open_data
from archdsl.training.data.views import views_of
from archdsl.training.recipe import Recipe
torch.set_num_threads(2)
train = open_data(f"folder:{sys.argv[1]}", image_size=(8, 8)).train
torch.set_num_threads(1)
loading.usable_cores = lambda: 2
views = views_of(Recipe(crop="random_resized"), train, seed=0)
picked = torch.arange(len(train)).split(2)
for _ in loading.batches(train, [picked], device=torch.device("cpu"), views=views):
    print("read", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.slow
@pytest.mark.process
def test_processes_that_read_do_not_outlive_a_killed_training(folder: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as training:
        assert training.stdout is not None
        assert training.stdout.readline() == b"read\n"
        readers = psutil.Process(training.pid).children()
        assert len(readers) == 2
        os.kill(training.pid, signal.SIGKILL)
    _, left = psutil.wait_procs(readers, timeout=15)
    assert not left
