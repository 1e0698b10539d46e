"""Words that change what a step costs and not what it is: recomputing, compiling, channels last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from archdsl.compiler.build import build, build_plan
from archdsl.compiler.plain import is_plain
from archdsl.errors import ArchdslError
from archdsl.nn.network import Network
from archdsl.plan.expand import expand
from archdsl.plan.read import read_model
from archdsl.storage.folder import Folder
from archdsl.training.data.dataset import Dataset
from archdsl.training.loop import fit
from archdsl.training.preflight import check_fits
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification

CPU = torch.device("cpu")
WORDS: Mapping[str, Any] = {
    "epochs": 2, "batch": 300, "mixup": 0.5, "cutmix": 1.0, "drop_path": 0.3, "ema": 0.7,
}  # fmt: skip


class Stopped(Exception):
    pass


def network(*sets: str) -> Network:
    return build(read_model("vittm-digits", ["depth=2", *sets]).spec, seed=0)


def trained(
    model: nn.Module,
    data: Dataset,
    *,
    folder: Path | None = None,
    report: Callable[..., None] = lambda *_: None,
    **words: Any,
) -> dict[str, Tensor]:
    """The weights of a training, by name."""
    fit(
        model,
        data,
        task=Classification(),
        recipe=Recipe(**{**WORDS, **words}),
        seed=3,
        device=CPU,
        storage=None if folder is None else Folder(folder),
        report=report,
    )
    return {name: each.detach().clone() for name, each in model.state_dict().items()}


def assert_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def vit() -> nn.Module:
    torch.manual_seed(0)
    return timm.models.VisionTransformer(
        img_size=8, patch_size=2, in_chans=1, embed_dim=32, depth=2, num_heads=2, num_classes=10,
        drop_path_rate=0.3,
    )  # fmt: skip


@pytest.mark.parametrize("make", [network, vit])
def test_what_is_computed_again_has_the_same_gradients(
    make: Callable[[], nn.Module], digits: Dataset
) -> None:
    model = make()
    again = trained(model, digits, grad_checkpointing=True)
    assert is_plain(model) or make is vit
    assert not getattr(model, "grad_checkpointing", False)
    assert_equal(again, trained(make(), digits))


def test_less_is_kept_for_the_backward_pass() -> None:
    plan = expand(read_model("vittm-digits", ["depth=8"]).spec)
    kept, again = (
        check_fits(
            lambda: build_plan(plan),
            task=Classification(),
            image_shape=plan.image,
            recipe=Recipe(batch=512, grad_checkpointing=each),
            device=CPU,
        )
        for each in (False, True)
    )
    assert again < kept / 3


def test_nothing_to_compute_again_is_refused(
    make_model: Callable[..., nn.Module], digits: Dataset
) -> None:
    with pytest.raises(ArchdslError, match="grad_checkpointing has no effect"):
        trained(make_model(), digits, grad_checkpointing=True, drop_path=0.0)


@pytest.mark.slow
def test_a_compiled_training_goes_on_as_an_undisturbed_one(
    make_model: Callable[..., nn.Module], digits: Dataset, tmp_path: Path
) -> None:
    def stop(epoch: int, _: Any) -> None:
        if epoch == 1:
            raise Stopped

    words = {"compile": "default", "batch": 1079, "drop_path": 0.0}
    whole = trained(make_model(), digits, **words)
    with pytest.raises(Stopped):
        trained(make_model(), digits, folder=tmp_path, report=stop, **words)
    assert_equal(whole, trained(make_model(), digits, folder=tmp_path, **words))
    eager = trained(make_model(), digits, **{**words, "compile": None})
    assert not torch.equal(whole["memory.weight"], eager["memory.weight"]), "draws of its own"


def test_channels_come_last_in_memory_alone(
    make_model: Callable[..., nn.Module], digits: Dataset
) -> None:
    words = {"drop_path": 0.0, "epochs": 1}
    model, seen = make_model(), []
    model.body[0].register_forward_hook(  # type: ignore[union-attr]
        lambda _, images, found: seen.append(found.is_contiguous(memory_format=torch.channels_last))
    )
    last = trained(model, digits, channels_last=True, **words)
    assert all(seen[:4])
    for name, each in trained(make_model(), digits, **words).items():
        torch.testing.assert_close(last[name], each, rtol=1e-3, atol=1e-4)
