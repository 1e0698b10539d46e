"""What the words of a recipe do, step by step, beside calculations that know nothing of timm."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import timm
import torch
from timm.data.mixup import Mixup
from torch import Tensor, nn

from archdsl.compiler.build import build
from archdsl.compiler.plain import is_plain
from archdsl.errors import ArchdslError, DocumentError
from archdsl.nn.network import Network
from archdsl.plan.read import read_model
from archdsl.training.data.source import open_data
from archdsl.training.mixing import mix
from archdsl.training.optimizer import (
    build_optimizer,
    build_schedule,
    check_schedule,
    optimizer_remarks,
    parameter_groups,
)
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification
from archdsl.training.trainer import Trainer

CPU = torch.device("cpu")
CLASSES = 3


class Flat(nn.Module):
    """One linear map from 4x4 images to the logits of three classes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_heads(images)["head"]

    def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
        return {"head": self.head(images.flatten(1))}

    def no_weight_decay(self) -> set[str]:
        return set()


class Noise:
    """A split of 4x4 noise, which remembers what was asked of it."""

    broken = None

    def __init__(self, count: int, *, side: int = 4) -> None:
        generator = torch.Generator().manual_seed(1)
        self.images = torch.randn(count, 1, side, side, generator=generator)
        self.labels = torch.arange(count) % CLASSES
        self.asked: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.labels)

    def decoders(self, *, whole: bool) -> int:
        return 0

    def to(self, device: torch.device) -> Noise:
        return self

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        self.asked.append(indices.tolist())
        return self.images[indices], self.labels[indices]


def trainer_of(
    model: nn.Module,
    split: Noise,
    recipe: Recipe,
    *,
    after_step: Callable[[Tensor, int], None] = lambda loss, images: None,
    task: Classification | None = None,
) -> Trainer:
    data = replace(open_data("digits"), train=split, class_names=("a", "b", "c"))
    return Trainer(
        model,
        data,
        task=task or Classification(),
        recipe=recipe,
        seed=5,
        device=CPU,
        after_step=after_step,
    )


def compiled(name: str, *settings: str) -> Network:
    return build(read_model(name, settings).spec, seed=0)


def small(*settings: str) -> Network:
    """A network of 4x4 images; of fixed weights, none of them zero."""
    words = ("image.size=4", "output.num_classes=3", "depth=3", "process.dim=16")
    network = compiled("vittm-digits", *words, "process.embed.patch_size=2", *settings)
    generator = torch.Generator().manual_seed(2)
    for weight in network.parameters():
        weight.data += 0.02 * torch.randn(weight.shape, generator=generator)
    return network


def learning_rates(recipe: Mapping[str, float], steps: int) -> np.ndarray:
    """Of each step: a straight line to `lr`, then half a cosine to `min_lr`."""
    warmup = int(recipe["warmup_steps"])
    step = np.arange(steps)
    rising = recipe["warmup_lr"] + (recipe["lr"] - recipe["warmup_lr"]) * step / warmup
    share = (step - warmup) / (steps - warmup)
    above = (recipe["lr"] - recipe["min_lr"]) * (1 + np.cos(np.pi * share)) / 2
    return np.where(step < warmup, rising, recipe["min_lr"] + above)


SCHEDULE = {"lr": 0.02, "min_lr": 0.001, "warmup_lr": 0.004, "warmup_steps": 3}


def test_a_training_is_what_its_recipe_says_step_by_step() -> None:
    """AdamW that decays everything, a summed loss, clipped gradients and a moving average."""
    recipe = Recipe(
        epochs=3, batch=8, loss="bce", label_smoothing=0.0, weight_decay=0.3, decay_all=True,
        clip_grad=0.5, ema=0.8, **SCHEDULE,
    )  # fmt: skip
    model, split = Flat(), Noise(21)
    weight, bias = (each.detach().double().numpy() for each in model.head.parameters())
    found: list[tuple[Tensor, ...]] = []

    def after_step(loss: Tensor, images: int) -> None:
        averaged = trainer.averaged
        assert averaged is not None
        tensors = (*model.head.parameters(), *averaged.head.parameters())
        found.append((loss, *(each.detach().clone() for each in tensors)))

    trainer = trainer_of(model, split, recipe, after_step=after_step)
    for epoch in (1, 2, 3):
        trainer.train_epoch(epoch)

    weights = np.concatenate([weight, bias[:, None]], axis=1)  # (classes, 16 + 1)
    mean, square, average = np.zeros_like(weights), np.zeros_like(weights), weights.copy()
    assert [len(each) for each in split.asked] == [7] * 9
    for step, (indices, rate) in enumerate(
        zip(split.asked, learning_rates(SCHEDULE, 9), strict=True), start=1
    ):
        inputs = split.images[indices].flatten(1).double().numpy()
        inputs = np.concatenate([inputs, np.ones((len(indices), 1))], axis=1)
        targets = np.eye(CLASSES)[split.labels[indices]]
        share = 1 / (1 + np.exp(-inputs @ weights.T))
        loss = -(targets * np.log(share) + (1 - targets) * np.log(1 - share)).sum(1).mean()
        gradient = (share - targets).T @ inputs / len(indices)
        gradient *= min(1, 0.5 / (np.linalg.norm(gradient) + 1e-6))
        weights = weights * (1 - rate * 0.3)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        scale = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        weights = weights - rate * mean / (1 - 0.9**step) / scale
        average = weights if step == 1 else 0.8 * average + 0.2 * weights
        told, *tensors = found[step - 1]
        assert told.item() == pytest.approx(loss, rel=1e-5), step
        for mine, theirs in ((weights, tensors[:2]), (average, tensors[2:])):
            np.testing.assert_allclose(theirs[0], mine[:, :-1], atol=1e-5, err_msg=str(step))
            np.testing.assert_allclose(theirs[1], mine[:, -1], atol=1e-5, err_msg=str(step))


def test_the_loss_of_smoothed_and_of_mixed_labels() -> None:
    model, split = Flat(), Noise(6)
    images, labels = split.batch(torch.arange(6))
    logits = model(images).detach().double()
    smoothed = 0.9 * torch.eye(CLASSES)[labels].double() + 0.1 / CLASSES
    per_class = smoothed * logits.sigmoid().log() + (1 - smoothed) * (-logits).sigmoid().log()
    likelihood = smoothed * logits.log_softmax(dim=1)
    for words, by_hand in (({"loss": "bce"}, per_class), ({}, likelihood)):
        recipe = Recipe(label_smoothing=0.1, **words)
        expected = -by_hand.sum(dim=1).mean().item()
        for targets in (labels, smoothed.float()):
            loss = Classification().loss(model, images, targets, recipe=recipe)
            assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("accumulate", [2, 3, 9])
def test_a_batch_in_parts_moves_the_weights_as_a_whole_one(accumulate: int) -> None:
    whole, parts = small().double(), small().double()
    for model, count in ((whole, 1), (parts, accumulate)):
        split = Noise(7)
        split.images = split.images.double()
        recipe = Recipe(epochs=2, batch=9, clip_grad=0, accumulate=count, optimizer="sgd")
        trainer_of(model, split, recipe).train_epoch(1)
        assert sorted(index for part in split.asked for index in part) == list(range(7))
        assert len(split.asked) == min(count, 7)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def decays(model: nn.Module, recipe: Recipe) -> dict[str, float]:
    names = {id(weight): name for name, weight in model.named_parameters()}
    groups = build_optimizer(model, recipe).param_groups
    return {names[id(w)]: group["weight_decay"] for group in groups for w in group["params"]}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lamb", "muon"])
def test_everything_decays_where_the_recipe_says_so(optimizer: Any) -> None:
    model = small()
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    some = decays(model, Recipe(weight_decay=0.3, optimizer=optimizer))
    every = decays(model, Recipe(weight_decay=0.3, optimizer=optimizer, decay_all=True))
    assert some.keys() == every.keys() == trained
    assert set(every.values()) == {0.3}
    spared = {name for name, decay in some.items() if decay == 0}
    assert spared == {
        name for name, weight in model.named_parameters()
        if weight.ndim == 1 or name.endswith(".position")
    }  # fmt: skip


def shares(groups: list[dict[str, Any]]) -> Counter[tuple[float, float]]:
    """Numbers of parameters by their weight decay and share of the learning rate."""
    found: Counter[tuple[float, float]] = Counter()
    for group in groups:
        numel = sum(weight.numel() for weight in group["params"])
        found[group["weight_decay"], round(group.get("lr_scale", 1.0), 12)] += numel
    return found


def test_the_layers_of_a_vit_learn_at_the_rates_that_timm_gives_its_own() -> None:
    words = ("depth=3", "process.dim=32", "image.size=32", "process.embed.patch_size=16",
             "process.block.head_dim=16", "output.num_classes=7")  # fmt: skip
    ours = compiled("vit-b-16", *words)
    theirs = timm.create_model(
        "vit_base_patch16_224", img_size=32, embed_dim=32, num_heads=2, depth=3, num_classes=7
    )
    recipe = Recipe(layer_decay=0.6, weight_decay=0.1)
    assert shares(parameter_groups(ours, recipe)) == shares(parameter_groups(theirs, recipe))
    assert len(shares(parameter_groups(ours, recipe))) > 6


def test_streams_learn_from_their_embeddings_to_their_classifiers() -> None:
    model = small("exchange.read.weights=shared")
    names = {id(weight): name for name, weight in model.named_parameters()}
    optimizer = build_optimizer(model, Recipe(layer_decay=0.5, lr=0.02))
    build_schedule(optimizer, recipe=Recipe(warmup_epochs=0, lr=0.02), steps_per_epoch=2)
    rates = {names[id(w)]: group["lr"] for group in optimizer.param_groups for w in group["params"]}
    expected = {"embeds": 0.02 / 16, "layers.0": 0.02 / 8, "layers.1": 0.02 / 4,
                "layers.2": 0.02 / 2, "shared": 0.02 / 2, "classifiers": 0.02}  # fmt: skip
    for name, rate in rates.items():
        [room] = [room for room in expected if name.startswith(f"{room}.")]
        before = name.startswith("classifiers") and ".norm." in name
        assert rate == pytest.approx(0.02 / 2 if before else expected[room]), name


def test_a_schedule_longer_than_the_training_is_refused() -> None:
    check_schedule(Recipe(epochs=2, batch=8, warmup_steps=5), images=17)
    with pytest.raises(DocumentError, match=r"6 steps are no fewer than all 6 of 2 epochs of 17"):
        check_schedule(Recipe(epochs=2, batch=8, warmup_steps=6), images=17)


def test_muon_trains_matrices_and_says_what_it_leaves() -> None:
    model, split = small("exchange.write.fusion=add_erase"), Noise(12)
    recipe = Recipe(epochs=2, batch=6, optimizer="muon", lr=2e-3)
    [told] = optimizer_remarks(model, recipe)
    for kind in ("classifiers (198)", "gates (", "position tables (", "biases and norms ("):
        assert kind in told
    assert optimizer_remarks(model, Recipe()) == []
    trainer = trainer_of(model, split, recipe)
    trainer.train_epoch(1)
    names = {id(weight): name for name, weight in model.named_parameters()}
    states = trainer._optimizer.state
    by_muon = {names[id(weight)] for weight, state in states.items() if state["use_muon"]}
    assert by_muon == {
        name for name, weight in model.named_parameters()
        if weight.ndim >= 2 and not name.startswith("classifiers.")
        and ".gate." not in name and not name.endswith(".position")
    }  # fmt: skip


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lamb", "muon"])
def test_every_optimiser_learns(optimizer: Any) -> None:
    losses: list[float] = []
    rate = {"sgd": 0.05, "lamb": 0.02}.get(optimizer, 0.01)
    recipe = Recipe(epochs=25, batch=12, optimizer=optimizer, lr=rate, label_smoothing=0)
    trainer = trainer_of(
        small(), Noise(24), recipe, after_step=lambda loss, _: losses.append(loss.item())
    )
    for epoch in range(1, 26):
        trainer.train_epoch(epoch)
    assert losses[-1] < 0.85 * losses[0]


@pytest.mark.parametrize(
    "words",
    [
        {"mixup": 0.7},
        {"cutmix": 1.0},
        {"mixup": 0.5, "cutmix": 0.5},
        {"mixup": 0.5, "mix_prob": 0.5},
    ],
)
def test_images_are_mixed_as_timm_mixes_them(words: dict[str, float]) -> None:
    recipe = Recipe(label_smoothing=0.2, **words)
    theirs = Mixup(
        mixup_alpha=recipe.mixup,
        cutmix_alpha=recipe.cutmix,
        prob=recipe.mix_prob,
        label_smoothing=0.2,
        num_classes=3,
    )
    split = Noise(6, side=16)
    for seed in range(12):
        np.random.seed(seed)
        expected, targets = theirs(split.images.clone(), split.labels)
        np.random.seed(77)
        before = np.random.get_state()[1].tolist()
        found = mix(split.images.clone(), split.labels, recipe=recipe, num_classes=3, seed=seed)
        assert torch.equal(found[0], expected)
        assert torch.equal(found[1], targets)
        assert np.random.get_state()[1].tolist() == before, "nobody else's draws change"


def test_an_odd_batch_is_mixed_too() -> None:
    split = Noise(5)
    images, targets = mix(
        split.images.clone(), split.labels, recipe=Recipe(mixup=1.0), num_classes=3, seed=3
    )
    share = (targets[0].max().item() - 0.1 / 3) / 0.9
    torch.testing.assert_close(images[0], share * split.images[0] + (1 - share) * split.images[4])
    torch.testing.assert_close(images[2], split.images[2])
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(5))


def test_who_is_mixed_and_what_is_dropped_follows_from_the_seed_and_the_step() -> None:
    recipe = Recipe(epochs=3, batch=5, mixup=1.0, cutmix=1.0, drop_path=0.5)

    def losses(epochs: tuple[int, ...]) -> list[float]:
        found: list[float] = []
        model, split = small(), Noise(14)
        trainer = trainer_of(
            model, split, recipe, after_step=lambda loss, _: found.append(loss.item())
        )
        for epoch in epochs:
            state = {name: each.clone() for name, each in small().state_dict().items()}
            model.load_state_dict(state)
            torch.rand(3)
            np.random.rand(3)
            trainer.train_epoch(epoch)
        return found

    both, second = losses((1, 2)), losses((2,))
    assert both[3] == second[0], "the first step of an epoch, from the same weights"
    assert len(set(both)) == 6


def rates_of(model: Network) -> list[float]:
    return [
        block.drop_path1.drop_prob
        for layer in model.layers
        for block in [layer["process"].blocks[0]]
        if isinstance(block.drop_path1, timm.layers.DropPath)
    ]


def test_paths_are_dropped_in_training_alone_and_more_of_the_last_layers() -> None:
    model, seen = small(), []
    trainer = trainer_of(
        model,
        Noise(6),
        Recipe(epochs=1, batch=6, warmup_epochs=0, drop_path=0.2),
        after_step=lambda loss, images: seen.append(rates_of(model)),
    )
    assert is_plain(model)
    trainer.train_epoch(1)
    assert is_plain(model)
    assert seen == [pytest.approx([0.0, 0.1, 0.2])]


def test_a_shared_block_drops_as_its_layers_do_on_average() -> None:
    model, seen = small("process.block.weights=shared"), []
    trainer = trainer_of(
        model,
        Noise(6),
        Recipe(epochs=1, batch=6, warmup_epochs=0, drop_path=0.2),
        after_step=lambda loss, images: seen.append(
            model.get_submodule("shared.process_block").drop_path2.drop_prob
        ),
    )
    trainer.train_epoch(1)
    assert seen == [pytest.approx(0.1)]


def test_a_rate_that_no_block_could_have_is_refused() -> None:
    with pytest.raises(ArchdslError, match=r"drop_path 0.2 has no effect"):
        trainer_of(Flat(), Noise(6), Recipe(drop_path=0.2))


@pytest.mark.parametrize("amp", ["bfloat16", "float16"])
def test_shorter_numbers_train_to_about_the_same(amp: Any) -> None:
    losses: dict[Any, list[float]] = {amp: [], False: []}
    for each, found in losses.items():
        recipe = Recipe(epochs=4, batch=12, amp=each, loss="bce")
        trainer = trainer_of(
            small(), Noise(24), recipe, after_step=lambda loss, _, to=found: to.append(loss.item())
        )
        for epoch in range(1, 5):
            trainer.train_epoch(epoch)
        assert ("scaler" in trainer.state()) == (each == "float16")
    assert losses[amp] != losses[False]
    assert losses[amp] == pytest.approx(losses[False], rel=0.03)
    assert all(map(math.isfinite, losses[amp]))


def test_the_scale_of_a_loss_halves_where_its_gradient_overflows_and_the_step_is_left_out() -> None:
    model, split = Flat(), Noise(24)
    recipe = Recipe(epochs=2, batch=6, amp="float16", warmup_epochs=0, ema=0.5)
    scales, weights = [], [model.head.weight.detach().clone()]

    def after_step(loss: Tensor, images: int) -> None:
        scales.append(trainer.state()["scaler"]["scale"])
        weights.append(model.head.weight.detach().clone())

    class Overflowing(Classification):
        """Twice, in steps that follow on each other."""

        def loss(self, model: nn.Module, images: Tensor, *rest: Any, **words: Any) -> Tensor:
            loss = super().loss(model, images, *rest, **words)
            return loss * (1e30 if len(scales) in (1, 2) else 1)

    trainer = trainer_of(model, split, recipe, after_step=after_step, task=Overflowing())
    trainer.train_epoch(1)
    assert scales == [2.0**16, 2.0**15, 2.0**14, 2.0**14]
    moved = [not torch.equal(one, other) for one, other in pairwise(weights)]
    assert moved == [True, False, False, True]
