"""Checkpoints at a URL: whole or as before, gone on with anywhere, refused before they cost."""

from __future__ import annotations

import importlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch
from torch import nn

from archdsl.errors import WriteError
from archdsl.storage.remote import RemoteFolder, storage_at
from archdsl.training.data.dataset import Dataset
from archdsl.training.loop import FitResult, fit
from archdsl.training.recipe import Recipe

DRIVERS = Path(__file__).parents[1] / "drivers"
MakeModel = Callable[..., nn.Module]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The file system behind `shelf://bucket/…`, and an empty bucket in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(DRIVERS)
    Path("bucket").mkdir()
    sys.modules.pop("archdsl_shelf", None)
    made = importlib.import_module("archdsl_shelf").ShelfFileSystem
    fsspec.register_implementation("shelf", made, clobber=True)
    yield made
    made.clear_instance_cache()


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's own, all in this process."""
    made = fsspec.filesystem("memory")
    yield made
    made.rm("/", recursive=True)


def train(
    model: nn.Module,
    data: Dataset,
    folder: Path | RemoteFolder | None,
    *,
    report: Callable[[int, float], None] = lambda epoch, top1: None,
) -> FitResult:
    return fit(
        model,
        data,
        recipe=Recipe(epochs=4, batch=256),
        seed=0,
        device=torch.device("cpu"),
        folder=folder,
        report=report,
    )


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("url", ["shelf://bucket/a/seed-0", "memory://bucket/a/seed-0"])
@pytest.mark.parametrize("last", [2, 3])
def test_a_training_goes_on_from_a_url(
    *, shelf: Any, memory: Any, digits: Dataset, make_model: MakeModel, url: str, last: int
) -> None:
    place = RemoteFolder(url)
    with pytest.raises(KeyboardInterrupt):
        train(make_model(), digits, place, report=collect([], until=last))
    assert len(names_at(url)) == 1, "the one before is not needed any more"
    epochs: list[int] = []
    resumed, undisturbed = make_model(), make_model()
    result = train(resumed, digits, place, report=lambda epoch, _: epochs.append(epoch))
    assert train(undisturbed, digits, None).history == result.history
    assert epochs == [1, 2, 3, 4]
    assert same_weights(resumed, undisturbed)
    assert names_at(url) == ["weights.safetensors"]
    again = make_model()
    assert train(again, digits, place) == result, "a finished training is not repeated"
    assert same_weights(again, undisturbed)


def names_at(url: str) -> list[str]:
    system, path = fsspec.url_to_fs(url)
    return sorted(Path(name).name for name in system.ls(path, detail=False))


@pytest.mark.parametrize("last", [1, 2, 3])
def test_an_upload_that_breaks_down_costs_one_epoch(
    shelf: Any, digits: Dataset, make_model: MakeModel, last: int
) -> None:
    place = RemoteFolder("shelf://bucket/a")
    reported: list[int] = []

    def break_next(epoch: int, top1: float) -> None:
        reported.append(epoch)
        shelf.failures = 2 if epoch == last else 0

    with pytest.raises(WriteError, match=r"cannot write shelf://bucket/a/.*ConnectionResetError"):
        train(make_model(), digits, place, report=break_next)
    assert reported == list(range(1, last + 1)), "what is not there is not reported"
    reported.clear()
    with pytest.raises(KeyboardInterrupt):
        train(make_model(), digits, place, report=collect(reported, until=last))
    assert reported == list(range(1, last + 1)), "and what was reported is there"
    resumed, undisturbed = make_model(), make_model()
    train(resumed, digits, place)
    train(undisturbed, digits, None)
    assert same_weights(resumed, undisturbed)


def collect(epochs: list[int], *, until: int) -> Callable[[int, float], None]:
    def report(epoch: int, top1: float) -> None:
        epochs.append(epoch)
        if epoch == until:
            raise KeyboardInterrupt

    return report


def test_a_connection_that_was_ended_is_made_anew(shelf: Any) -> None:
    depot = RemoteFolder("shelf://bucket/deep/down")
    depot.write("file", b"old")
    shelf.failures, before = 1, shelf.connections
    depot.write("file", b"new")
    assert depot.read("file") == b"new"
    assert shelf.connections == before + 1


def test_files(shelf: Any) -> None:
    depot = RemoteFolder("shelf://bucket/") / "folder"
    assert str(depot) == "shelf://bucket/folder"
    assert depot.read("file") is None
    depot.remove("file")
    depot.check()
    assert names_at("shelf://bucket/folder") == []
    depot.write("file", b"content")
    assert depot.read("file") == b"content" == Path("bucket/folder/file").read_bytes()
    depot.remove("file")
    assert depot.read("file") is None


def test_a_bucket_is_not_made_by_mistake(shelf: Any) -> None:
    with pytest.raises(WriteError, match=r"cannot write shelf://bukcet/.*FileNotFoundError"):
        RemoteFolder("shelf://bukcet/files").check()
    assert names_at("shelf://bucket") == [] and not Path("bukcet").exists()


def test_a_place_that_refuses(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, path: str, value: bytes, **words: Any) -> None:
        raise PermissionError(13, "Forbidden")

    monkeypatch.setattr(shelf, "pipe_file", refuse)
    with pytest.raises(WriteError, match="PermissionError: Forbidden; see that the run profile's"):
        RemoteFolder("shelf://bucket/files").check()


def test_a_place_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(WriteError, match="ConnectionRefusedError"):
        RemoteFolder(f"ftp://127.0.0.1:{port}/files").check()


def test_a_place_that_hangs(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(shelf, "isdir", lambda self, path: ended.wait(60))
    with pytest.raises(
        WriteError, match=r"cannot reach shelf://bucket/files: no answer within 0\.1"
    ):
        RemoteFolder("shelf://bucket/files").check(seconds=0.1)
    ended.set()


def test_a_folder_is_a_folder_however_it_is_written(tmp_path: Path) -> None:
    assert storage_at("files") == Path("files")
    assert storage_at(f"file://{tmp_path}/files") == tmp_path / "files"
    assert isinstance(storage_at("s3://bucket/files"), RemoteFolder)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="this system has no such folder")
def test_the_system_says_why_a_folder_cannot_be(digits: Dataset, make_model: MakeModel) -> None:
    """Nothing is free in `/proc`, which is not why."""
    with pytest.raises(WriteError, match=r"cannot write /proc/nope: no such file or directory;"):
        train(make_model(), digits, Path("/proc/nope"))
