"""One model taken through epochs, all chance drawn from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from typing import Any, cast

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn

from archdsl.errors import ArchdslError
from archdsl.training.checkpoint import weights_of
from archdsl.training.data.dataset import Dataset, even_weights
from archdsl.training.data.loading import batches
from archdsl.training.data.views import views_of
from archdsl.training.divergence import LossWatch
from archdsl.training.draws import generator, seed_of, undisturbed
from archdsl.training.drop_path import DropPaths
from archdsl.training.mixing import mix
from archdsl.training.optimizer import build_optimizer, build_schedule
from archdsl.training.recipe import Recipe
from archdsl.training.recomputing import Recomputing
from archdsl.training.tasks.task import Task
from archdsl.training.teacher import Teacher, teacher_of
from archdsl.training.world import ALONE, World, freeze_unused


class Trainer:
    """Takes a model through one epoch at a time.

    An epoch depends on its number alone: its order and what is shown of the images are drawn from
    that, what the model draws and who is mixed with whom from the number of the step.

    Args:
        model: on `device`.
        dataset: its train split alone is read.
        task: gives the loss.
        recipe: what the optimiser, its schedule and the batches are made of.
        seed: of all that is drawn.
        after_step: called as after_step(loss, images) after each step of the optimiser; the loss is
            the mean over so many images, on `device`.
        images: the first so many of the train split alone; all unless given.
        world: of the processes that share each step.

    Raises:
        ArchdslError: a word of the recipe has no effect on the model, or a step has fewer images
            than processes share it.
    """

    def __init__(
        self,
        model: nn.Module,
        dataset: Dataset,
        *,
        task: Task,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        after_step: Callable[[Tensor, int], None],
        images: int | None = None,
        world: World = ALONE,
    ) -> None:
        train = dataset.train
        self._world = world
        self._rank = () if world.first else (world.rank,)  # the first draws as one alone does
        if recipe.channels_last:
            model.to(memory_format=torch.channels_last)
        self._model, self._task, self._recipe = model, task, recipe
        self._views = views_of(recipe, train, seed=seed)
        # Views are drawn on the CPU.
        self._train = train.to(device) if self._views is None else train
        self._seed, self._device, self._after_step = seed, device, after_step
        self._num_classes = dataset.num_classes
        self._class_weights = self._image_weights = None
        if recipe.classes != "as_they_are":
            even = even_weights(dataset)
            if recipe.classes == "weighted":
                self._class_weights = even.to(device)
            else:
                self._image_weights = even[train.labels.cpu()]
        self._images = len(train) if images is None else images
        # Even parts: a last step of one image would upset batch norms and the average gradient.
        self._sizes = [
            _even(images, min(recipe.accumulate, images))
            for images in _even(self._images, math.ceil(self._images / recipe.batch))
        ]
        """Images of each part of each step: of what is on the device at a time."""
        self._steps = len(self._sizes)
        self._read = batches(self._train, (), device=device)
        self._read_to: tuple[int, int] | None = None
        self._optimizer = build_optimizer(model, recipe)
        self._schedule = build_schedule(self._optimizer, recipe=recipe, steps_per_epoch=self._steps)
        scaled = precision_of(recipe, device) == torch.float16
        self._scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        self._drop_paths = DropPaths(model, recipe.drop_path)
        self._recomputing = Recomputing(model, recipe.grad_checkpointing)
        self._watch, self._step = LossWatch(epoch=0, scaled=scaled), 0
        self._ema = ModelEmaV3(model, decay=recipe.ema) if recipe.ema is not None else None
        self._teacher = teacher_of(recipe, dataset, device)
        of_timm: Any = self._teacher and getattr(model, "set_distilled_training", None)
        if of_timm:
            of_timm(True)  # in training, it then gives the answers of both its classifiers
        self._loss = self._loss_of_all()

    def _loss_of_all(self) -> nn.Module:
        """Takes a batch to its loss; with others, gradients are the mean of all processes'."""
        loss = _Loss(self._model, self._task, self._recipe, self._class_weights, self._teacher)
        if self._world.size == 1:
            return self._compiled(loss)
        fewest = self._images // self._steps // self._recipe.accumulate
        if fewest < self._world.size:
            raise ArchdslError(
                f"{self._world.size} processes cannot share steps of {fewest} images; start fewer, "
                "or say a larger batch"
            )
        images = torch.zeros(2, *self._train.shape, device=self._device)
        self._model.train()
        with undisturbed():
            # Once the optimiser knows them all: what it keeps is the same in any world.
            freeze_unused(self._model, loss(images, self._task.blank_targets(images)))
        return self._world.parallel(self._compiled(loss), self._device)

    def _compiled(self, loss: nn.Module) -> nn.Module:
        if self._recipe.compile is None:
            return loss
        # For each size of a step: else what is computed would depend on the sizes seen before it.
        found = torch.compile(loss, mode=self._recipe.compile, dynamic=False)
        return cast(nn.Module, found)

    @property
    def averaged(self) -> nn.Module | None:
        """The moving average of the model, where the recipe has one."""
        return None if self._ema is None else cast(nn.Module, self._ema.module)

    def state(self) -> dict[str, Any]:
        """All that the epochs to come depend on, but for their numbers."""
        parts = {"model": self._model, "optimizer": self._optimizer, "ema": self.averaged}
        scaler = {"scaler": self._scaler} if self._scaler.is_enabled() else {}
        return {
            name: part.state_dict()  # type: ignore[attr-defined]  # what they have in common
            for name, part in {**parts, **scaler}.items()
            if part is not None
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from the `state` of another."""
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["ema"])
        if self._scaler.is_enabled():
            self._scaler.load_state_dict(state["scaler"])

    def adopt_average(self) -> dict[str, Tensor] | None:
        """Give the model its moving average; the weights it had, None without an average."""
        if self.averaged is None:
            return None
        before = weights_of(self._model)
        self._model.load_state_dict(self.averaged.state_dict())
        return before

    @property
    def steps(self) -> int:
        """How many steps of the epoch are done.

        Raises:
            DivergedError: the loss or gradient of one is infinite or not a number.
        """
        self._watch.check()
        return self._step

    def train_epoch(self, epoch: int, *, begin: int = 0) -> None:
        """Train through epoch `epoch`, counted from 1, of which the first steps may be done.

        Processes that read ahead stay for the next epoch, until it comes or `close`.

        Raises:
            DivergedError: a loss or gradient is infinite or not a number.
        """
        self._model.train()
        scaled = self._scaler.is_enabled()
        self._watch, self._step = LossWatch(epoch=epoch, begin=begin, scaled=scaled), begin
        with (
            self._reading(epoch, begin) as read,
            self._drop_paths.inside(),
            self._recomputing.inside(),
        ):
            for step, parts in enumerate(self._sizes[begin:], start=begin):
                number, images = (epoch - 1) * self._steps + step, sum(parts)
                self._schedule.step_update(number)
                loss = self._backward(
                    islice(read, len(parts)), parts=len(parts), images=images, number=number
                )
                norm = self._move()
                if self._ema is not None:
                    self._ema.update(self._model, step=number + 1)
                rate = max(group["lr"] for group in self._optimizer.param_groups)
                self._watch.add(loss, norm, rate=rate)
                self._step = step + 1
                self._after_step(loss, images)
        self._watch.check()
        self.share_statistics()

    def share_statistics(self) -> None:
        """Make the running statistics of batch norms the same in all processes."""
        self._world.share_statistics(self._model, self.averaged)

    def close(self) -> None:
        """End the processes that read ahead."""
        self._read.close()

    @contextmanager
    def _reading(self, epoch: int, begin: int) -> Iterator[Iterator[tuple[Tensor, Tensor]]]:
        """The batches of an epoch, from a step on, and behind them those of the epochs after it."""
        last = max(epoch, self._recipe.epochs)
        if self._read_to != (epoch, begin):
            self.close()
            counts = list(chain.from_iterable(self._sizes))
            self._read = batches(
                self._train,
                (torch.split(self._order(each), counts) for each in range(epoch, last + 1)),
                device=self._device,
                views=self._views,
                epoch=epoch,
                skip=sum(map(len, self._sizes[:begin])),
                world=self._world,
            )
        self._read_to = None
        yield self._read
        self._read_to = (epoch + 1, 0) if epoch < last else None

    def _order(self, epoch: int) -> Tensor:
        """The indices of an epoch: as many as there are images."""
        draws = generator(self._seed, epoch, "order")
        if self._image_weights is None:
            order = torch.randperm(self._images, generator=draws)
        else:
            weights = self._image_weights[: self._images]
            order = torch.multinomial(weights, self._images, replacement=True, generator=draws)
        return order.repeat_interleave(self._recipe.repeats)[: len(order)]

    def _backward(
        self, read: Iterable[tuple[Tensor, Tensor]], *, parts: int, images: int, number: int
    ) -> Tensor:
        """The gradients of a step of so many images, of one part after the other; its loss.

        Args:
            read: this process's images of each part.
            parts: how many there are.
            images: of all processes.
            number: of the step.
        """
        self._optimizer.zero_grad()
        losses: list[Tensor] = []
        for part, (some, targets) in enumerate(read):
            draw = partial(seed_of, self._seed, "step", number, part, *self._rank)
            if self._recipe.mixup or self._recipe.cutmix:
                some, targets = mix(  # noqa: PLW2901
                    some,
                    targets,
                    recipe=self._recipe,
                    num_classes=self._num_classes,
                    seed=draw("mix"),
                )
            if self._recipe.channels_last:
                some = some.contiguous(memory_format=torch.channels_last)  # noqa: PLW2901
            torch.manual_seed(draw("model"))
            with self._world.waits(self._loss, last=part == parts - 1):
                with autocast(self._recipe, self._device), _compiles():
                    loss = self._loss(some, targets) * (len(some) / images)
                # The mean of all processes' gradients is to be that of all images.
                torch.autograd.backward(self._scaler.scale(loss * self._world.size))
            losses.append(loss.detach())
        return self._world.sum(torch.stack(losses).sum())

    def _move(self) -> Tensor:
        """Move the weights against the gradient; its norm, before it is clipped."""
        self._scaler.unscale_(self._optimizer)
        weights = list(self._model.parameters())
        if self._recipe.clip_grad:
            norm = nn.utils.clip_grad_norm_(weights, self._recipe.clip_grad)
        else:
            norm = nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None])
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return norm


def _even(whole: int, parts: int) -> list[int]:
    """The sizes of so many parts."""
    return [whole // parts + (part < whole % parts) for part in range(parts)]


def precision_of(recipe: Recipe, device: torch.device) -> torch.dtype:
    """What most operations of a training compute in."""
    if isinstance(recipe.amp, str):
        return torch.bfloat16 if recipe.amp == "bfloat16" else torch.float16
    return torch.bfloat16 if recipe.amp and device.type == "cuda" else torch.float32


def autocast(recipe: Recipe, device: torch.device) -> torch.autocast:
    """Whatever a step's loss is computed under."""
    precision = precision_of(recipe, device)
    if precision == torch.float32:
        return torch.autocast(device.type, enabled=False)
    return torch.autocast(device.type, dtype=precision)


@contextmanager
def _compiles() -> Iterator[None]:
    """
    Raises:
        ArchdslError: torch.compile failed.
    """
    try:
        yield
    except RuntimeError as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        first = str(error).strip().partition("\n")[0]
        raise ArchdslError(
            f"torch.compile could not compile the network: {first}; it needs a working C++ "
            "compiler on the CPU and Triton on a GPU: install them, or train without compile"
        ) from error


class _Loss(nn.Module):
    """A batch to its loss, by a model and a task."""

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        recipe: Recipe,
        class_weights: Tensor | None,
        teacher: Teacher | None,
    ) -> None:
        super().__init__()
        self.model = model
        self._loss = partial(task.loss, recipe=recipe, class_weights=class_weights)
        self._teacher = teacher

    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        taught = None if self._teacher is None else self._teacher(images)
        return self._loss(self.model, images, targets, taught=taught)
