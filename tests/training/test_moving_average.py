"""A moving average is the result of a training; what it is of is kept and told beside it. And all
that a step depends on survives: the average, the scale of the loss, who is mixed and dropped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from archdsl.compiler.build import build
from archdsl.nn.network import Network
from archdsl.plan.read import read_model
from archdsl.storage.folder import Folder
from archdsl.training.checkpoint import read_weights
from archdsl.training.data.dataset import Dataset
from archdsl.training.divergence import DivergedError
from archdsl.training.loop import FitResult, Values, evaluate, fit
from archdsl.training.recipe import Recipe
from archdsl.training.removal import remove_training
from archdsl.training.tasks.classification import Classification

CPU = torch.device("cpu")
RECIPE = Recipe(
    epochs=3, batch=299, accumulate=2, loss="bce", mixup=0.5, cutmix=1.0, ema=0.7, drop_path=0.3,
    amp="float16",
)  # fmt: skip


def network() -> Network:
    return build(read_model("vittm-digits", ["depth=2", "process.dim=16"]).spec, seed=0)


def train(
    model: nn.Module,
    digits: Dataset,
    folder: Path | None = None,
    *,
    recipe: Recipe = RECIPE,
    report: Callable[[int, Values], None] = lambda epoch, values: None,
    on_step: Callable[[Tensor, int], None] = lambda loss, images: None,
) -> FitResult:
    return fit(
        model,
        digits,
        task=Classification(),
        recipe=recipe,
        seed=0,
        device=CPU,
        storage=Folder(folder) if folder else None,
        report=report,
        on_step=on_step,
    )


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(each, second[name]) for name, each in first.items()
    )


def test_the_average_is_the_result_and_what_it_is_of_is_kept(
    digits: Dataset, tmp_path: Path
) -> None:
    model, reported = network(), []
    result = train(model, digits, tmp_path / "seed-0", report=lambda _, v: reported.append(v))
    folder = tmp_path / "seed-0"
    kept, raw = (load_file(folder / f"weights{each}.safetensors") for each in ("", "-without-ema"))
    assert same(dict(model.state_dict()), kept)
    assert not same(kept, raw)
    scored = {"task": Classification(), "device": CPU, "batch": 299}
    assert evaluate(model, digits.validation, **scored) == result.counts
    assert tuple(reported) == result.history
    model.load_state_dict(raw)
    of_raw = evaluate(model, digits.validation, **scored)
    assert result.raw_history[-1]["top1"] == 100 * of_raw["correct"] / result.images
    assert len(result.raw_history) == 3
    with (folder / "weights-without-ema.safetensors").open("rb") as stream:
        found = read_weights(stream)
    assert found is not None
    assert found.progress is not None

    again = network()
    assert train(again, digits, folder) == result, "a finished training is not repeated"
    assert same(dict(again.state_dict()), kept)
    assert len(remove_training(str(tmp_path), [0])) == 2
    assert not folder.exists()


def test_a_recipe_without_an_average_has_one_result(digits: Dataset, tmp_path: Path) -> None:
    recipe = Recipe(epochs=1, batch=600, warmup_epochs=0)
    result = train(network(), digits, tmp_path, recipe=recipe)
    assert result.raw_history == ()
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("step", [1, 7])
def test_an_interrupted_training_goes_on_with_all_of_its_state(
    digits: Dataset, tmp_path: Path, optimizer: Any, step: int
) -> None:
    recipe = RECIPE.model_copy(update={"optimizer": optimizer})
    undisturbed, interrupted, resumed = network(), network(), network()
    expected = train(undisturbed, digits, recipe=recipe)
    steps: list[int] = []

    def interrupt(loss: Tensor, images: int) -> None:
        steps.append(images)
        if len(steps) == 4 + step:  # within the second or the third epoch, of four steps each
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(interrupted, digits, tmp_path, recipe=recipe, on_step=interrupt)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state.keys() == {"progress", "model", "optimizer", "ema", "scaler"}
    torch.manual_seed(step)
    result = train(resumed, digits, tmp_path, recipe=recipe)
    assert (result.history, result.raw_history) == (expected.history, expected.raw_history)
    assert same(dict(resumed.state_dict()), dict(undisturbed.state_dict()))


class Explosive(nn.Module):
    """Its gradient, or its loss, becomes infinite in a step of the training."""

    def __init__(self, *, step: int, gradient: bool) -> None:
        super().__init__()
        self.head = nn.Linear(64, 10)
        self.left, self.gradient = step, gradient

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_heads(images)["head"]

    def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
        self.left -= self.training
        logits = self.head(images.flatten(1))
        if self.training and self.left == 0:
            if not self.gradient:
                return {"head": logits * torch.inf}
            logits.register_hook(lambda gradient: gradient * torch.inf)
        return {"head": logits}

    def no_weight_decay(self) -> set[str]:
        return set()


@pytest.mark.parametrize("gradient", [False, True])
def test_a_training_that_diverges_says_where_and_what_is_left(
    digits: Dataset, tmp_path: Path, gradient: bool
) -> None:
    recipe = Recipe(epochs=3, batch=64, lr=0.01, clip_grad=0)
    steps: list[int] = []
    with pytest.raises(DivergedError) as caught:
        train(
            Explosive(step=17 + 2, gradient=gradient),
            digits,
            tmp_path,
            recipe=recipe,
            on_step=lambda loss, images: steps.append(images),
        )
    message = str(caught.value)
    what = "gradient" if gradient else "loss"
    assert message.startswith(f"the {what} became ")
    for part in ("in epoch 2, step 2 (", "learning rate 0.00873", "gradient norm ", "a lower lr",
                 f"checkpoint is that of epoch 1: {tmp_path / 'checkpoint.pt'}"):  # fmt: skip
        assert part in message
    assert len(steps) <= 17 + 2 + 50
    found = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert all(each.isfinite().all() for each in found["model"].values())
    with pytest.raises(DivergedError, match="no epoch was finished before"):
        train(Explosive(step=2, gradient=gradient), digits, recipe=recipe)
