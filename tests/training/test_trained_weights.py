"""The weights behind a stored measurement are found, or it is said why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from archdsl.errors import WeightsError
from archdsl.records import Measurement
from archdsl.storage.folder import Folder
from archdsl.training.data.dataset import Dataset
from archdsl.training.loop import fit
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification
from archdsl.training.trained_weights import load_trained_weights

MakeModel = Callable[..., nn.Module]


def measured(detail: Mapping[str, Any]) -> Measurement:
    return Measurement(
        quantity="top1",
        value=90.0,
        low=85.0,
        high=95.0,
        unit="%",
        protocol={"evaluator": "top1/1", "seeds": [3, 5]},
        detail=detail,
    )


@pytest.fixture
def trained(tmp_path: Path, digits: Dataset, make_model: MakeModel) -> dict[int, nn.Module]:
    """A network for each seed, trained into `files` of this folder."""
    networks = {}
    for seed in (3, 5):
        networks[seed] = make_model()
        fit(
            networks[seed],
            digits,
            task=Classification(),
            recipe=Recipe(epochs=1, batch=512, warmup_epochs=0),
            seed=seed,
            device=torch.device("cpu"),
            storage=Folder(tmp_path / "files" / f"seed-{seed}"),
            report=lambda epoch, value: None,
        )
    return networks


def equal(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_the_weights_of_each_seed(
    trained: dict[int, nn.Module],
    make_model: MakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = make_model()
    load_trained_weights(model, measured({"weights": str(tmp_path / "files")}))
    assert equal(model, trained[3]), "the first seed"
    load_trained_weights(model, measured({"weights": f"file://{tmp_path}/files"}), seed=5)
    assert equal(model, trained[5])
    monkeypatch.chdir(tmp_path)
    load_trained_weights(model, measured({"weights": "files"}))
    assert equal(model, trained[3])


def test_what_is_not_there(
    trained: dict[int, nn.Module], make_model: MakeModel, tmp_path: Path
) -> None:
    here = measured({"weights": str(tmp_path / "files")})
    with pytest.raises(WeightsError, match="not measured by a training"):
        load_trained_weights(make_model(), measured({}))
    with pytest.raises(WeightsError, match=r"seed 4 is none of those behind this top1: 3, 5"):
        load_trained_weights(make_model(), here, seed=4)
    with pytest.raises(WeightsError, match=r"files/seed-3/weights.safetensors does not fit"):
        load_trained_weights(make_model(width=16), here)
    weights = tmp_path / "files/seed-3/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=rf"{tmp_path}/files/seed-3 holds no whole weights"):
        load_trained_weights(make_model(), here)
    weights.unlink()
    with pytest.raises(WeightsError, match=rf"{tmp_path}/files/seed-3 holds no whole weights"):
        load_trained_weights(make_model(), here)
