"""What names a training: its architecture, data, recipe and seed, not what Python calls things."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from archdsl.compiler.build import build_plan, build_without_weights
from archdsl.nn.network import Network
from archdsl.plan.read import read_model
from archdsl.spec.heads import CrossAttention, LinearAttention
from archdsl.spec.model import ModelSpec
from archdsl.storage.folder import Folder
from archdsl.training.checkpoint import PROGRESS_KEY
from archdsl.training.data.dataset import Dataset
from archdsl.training.loop import FitResult, Values, fit
from archdsl.training.recipe import Recipe
from archdsl.training.run_key import run_keys
from archdsl.training.tasks.classification import Classification
from archdsl.training.tasks.task import Task

RECIPE = Recipe(epochs=2, batch=512, warmup_epochs=0.5)
SMALL = ["depth=1", "process.dim=16", "process.block.head_dim=8"]


def network(*sets: str) -> Network:
    return build_without_weights(read_model("vittm-digits", sets).plan)


CLASSIFICATION = Classification()


class OtherTask(Classification):
    name = "other"


def keys(
    model: nn.Module,
    data: Dataset,
    *,
    task: Task = CLASSIFICATION,
    recipe: Recipe = RECIPE,
    seed: int = 0,
) -> list[str]:
    return list(run_keys(model, data, task=task, recipe=recipe, seed=seed))


@pytest.mark.slow
def test_everything_that_decides_the_course_makes_another(digits: Dataset) -> None:
    made = [
        keys(network(), digits),
        keys(network(), digits, seed=1),
        keys(network(), digits, task=OtherTask()),
        keys(network(), digits, recipe=Recipe(epochs=3)),
        keys(network("depth=3"), digits),
        keys(network().half(), digits),
    ]
    found = [key for each in made for key in each]
    assert len(set(found)) == len(found)


def test_a_network_of_published_layout_has_other_weights(digits: Dataset) -> None:
    models = [
        read_model("vittm-b-28-28", [f"published_layout={word}", "depth=1"]).plan
        for word in ("true", "false")
    ]
    assert models[0].arch_id == models[1].arch_id
    first, second = (keys(build_without_weights(plan), digits) for plan in models)
    assert not set(first) & set(second)


def test_a_setting_that_all_heads_gain_changes_nothing(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(network(), digits)
    made = Network.__init__

    def gains(self: Network, **arguments: Any) -> None:
        made(self, **arguments)
        for module in self.modules():
            if type(module).__name__ in ("LinearAttention", "Exchange", "Network"):
                module.novel = 3  # type: ignore[assignment]

    monkeypatch.setattr(Network, "__init__", gains)
    assert keys(network(), digits) == before


def test_a_revision_of_its_own_words_names_a_training_anew(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(network(), digits)
    monkeypatch.setattr(CrossAttention, "revision", 2)
    assert keys(network(), digits) == before, "no word of this network"
    monkeypatch.setattr(LinearAttention, "revision", 2)
    [second] = keys(network(), digits)
    monkeypatch.setattr(ModelSpec, "revision", 2)
    [third] = keys(network(), digits)
    assert len({*before, second, third}) == len(before) + 2


def test_a_changed_network_is_no_longer_named_by_its_plan(digits: Dataset) -> None:
    changed = network()
    block = next(part for part in changed.modules() if type(part).__name__ == "Attention")
    block.scale = 1.0  # type: ignore[assignment]
    [key] = keys(changed, digits)
    assert key not in keys(network(), digits)


def test_a_module_of_ones_own_is_named_by_its_settings(
    digits: Dataset, make_model: Callable[..., nn.Module]
) -> None:
    [first], [second] = keys(make_model(), digits), keys(make_model(width=16), digits)
    assert first != second
    assert keys(make_model(), digits) == [first]


def trained(
    data: Dataset, folder: Path, *, stop: int | None = None
) -> tuple[Network, FitResult, list[int]]:
    torch.manual_seed(0)
    model = build_plan(read_model("vittm-digits", SMALL).plan)
    epochs: list[int] = []

    def report(epoch: int, values: Values) -> None:
        epochs.append(epoch)
        if epoch == stop:
            raise KeyboardInterrupt

    result = fit(
        model,
        data,
        task=Classification(),
        recipe=RECIPE,
        seed=0,
        device=torch.device("cpu"),
        storage=Folder(folder),
        report=report,
    )
    return model, result, epochs


def test_files_under_the_older_key_are_gone_on_with(digits: Dataset, tmp_path: Path) -> None:
    new, old = keys(network(*SMALL), digits)
    with pytest.raises(KeyboardInterrupt):
        trained(digits, tmp_path, stop=1)
    checkpoint = tmp_path / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True)
    assert state["progress"]["key"] == new
    state["progress"] |= {"key": old, "seconds": 1000.0}
    torch.save(state, checkpoint)
    _, result, _ = trained(digits, tmp_path)
    assert result.seconds > 1000, "the first epoch was not trained again"
    weights = tmp_path / "weights.safetensors"
    with safe_open(weights, framework="pt") as file:
        written = file.metadata()
    assert new in written[PROGRESS_KEY], "what is written bears the new key"
    save_file(load_file(weights), weights, {PROGRESS_KEY: written[PROGRESS_KEY].replace(new, old)})
    before = weights.read_bytes()
    _, found, _ = trained(digits, tmp_path)
    assert found == result
    assert weights.read_bytes() == before, "and is left as it is"
