"""Checkpoints at a URL: whole or as before, gone on with anywhere, refused before they cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch
from torch import nn

from archdsl.errors import WriteError
from archdsl.storage.folder import Folder
from archdsl.storage.remote import RemoteFolder
from archdsl.storage.storage import Storage
from archdsl.training.data.dataset import Dataset
from archdsl.training.loop import FitResult, Values, fit
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification

MakeModel = Callable[..., nn.Module]


def train(
    model: nn.Module,
    data: Dataset,
    storage: Storage | None,
    *,
    report: Callable[[int, Values], None] = lambda epoch, values: None,
) -> FitResult:
    return fit(
        model,
        data,
        task=Classification(),
        recipe=Recipe(epochs=4, batch=256),
        seed=0,
        device=torch.device("cpu"),
        storage=storage,
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


@pytest.mark.parametrize("content", [b"hello", b"", b"PK\x03\x04 cut off", None])
def test_a_checkpoint_that_cannot_be_used_is_told_of(
    tmp_path: Path,
    digits: Dataset,
    make_model: MakeModel,
    caplog: pytest.LogCaptureFixture,
    content: bytes | None,
) -> None:
    """Damaged, or none of a training."""
    if content is None:
        torch.save({"weights": {}}, tmp_path / "checkpoint.pt")
    else:
        (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(KeyboardInterrupt):
        train(make_model(), digits, Folder(tmp_path), report=collect([], until=1))
    assert f"the checkpoint in {tmp_path} is damaged, or of another training" in caplog.text
    caplog.clear()
    with pytest.raises(KeyboardInterrupt):
        train(make_model(), digits, Folder(tmp_path), report=collect([], until=2))
    assert not caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("last", [1, 2, 3])
def test_an_upload_that_breaks_down_costs_one_epoch(
    *, shelf: Any, digits: Dataset, make_model: MakeModel, last: int, early: bool
) -> None:
    place = RemoteFolder("shelf://bucket/a")
    reported: list[int] = []
    shelf.early = early

    def break_next(epoch: int, values: Values) -> None:
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


def collect(epochs: list[int], *, until: int) -> Callable[[int, Values], None]:
    def report(epoch: int, values: Values) -> None:
        epochs.append(epoch)
        if epoch == until:
            raise KeyboardInterrupt

    return report


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="this system has no such folder")
def test_the_system_says_why_a_folder_cannot_be(digits: Dataset, make_model: MakeModel) -> None:
    """Nothing is free in `/proc`, which is not why."""
    with pytest.raises(WriteError, match=r"cannot write /proc/nope/.*: no such file or directory;"):
        train(make_model(), digits, Folder("/proc/nope"))
