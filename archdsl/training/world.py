"""The processes that train one network together, as torchrun starts them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")
S = TypeVar("S", Tensor, NDArray[Any])


@dataclass(frozen=True, kw_only=True)
class World:
    """The processes that train one network together.

    Args:
        rank: of this one, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes files and speaks."""
        return self.rank == 0

    def part(self, work: S) -> S:
        """What this process does of some work, as even as can be; may be nothing."""
        each, more = divmod(len(work), self.size)
        begin = self.rank * each + min(self.rank, more)
        found: S = work[begin : begin + each + (self.rank < more)]
        return found

    def sum(self, value: Tensor) -> Tensor:
        """The sum of all processes' values."""
        if self.size > 1:
            value = value.clone()
            distributed.all_reduce(value)
        return value

    def sum_all(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The same of values by name, of which a process without any work has none."""
        if self.size == 1:
            return dict(values)
        found: dict[str, Tensor] = {}
        for each in self.gather({name: value.cpu() for name, value in values.items()}):
            for name, value in each.items():
                found[name] = found[name] + value if name in found else value
        return found

    def any(self, *true: bool) -> list[bool]:
        """Whether each is true of any process; a GPU is not waited for."""
        return list(true) if self.size == 1 else self.sum(torch.tensor(true).int()).bool().tolist()

    def gather(self, value: T) -> list[T]:
        """Every process's value, by rank."""
        if self.size == 1:
            return [value]
        everyones: list[T] = [value] * self.size
        distributed.all_gather_object(everyones, value)
        return everyones

    def share(self, value: T) -> T:
        """The first process's value, in all."""
        if self.size == 1:
            return value
        shared = [value]
        distributed.broadcast_object_list(shared, src=0)
        return shared[0]

    def waits(self, loss: nn.Module, *, last: bool) -> AbstractContextManager[None]:
        """Around a backward pass of `parallel`'s module: gradients are shared in the last one."""
        return nullcontext() if self.size == 1 or last else loss.no_sync()  # type: ignore[operator]

    def share_statistics(self, *models: nn.Module | None) -> None:
        """Give batch norms the mean of all processes' running statistics; each has its own until
        then, of its part of each batch, as timm's script does (`--dist-bn reduce`)."""
        for model in models if self.size > 1 else ():
            if model is not None:
                from timm.utils.distributed import distribute_bn

                distribute_bn(model, self.size, reduce=True)  # type: ignore[no-untyped-call]

    def parallel(self, loss: nn.Module, device: torch.device) -> nn.Module:
        """A module whose backward passes leave the mean of all processes' gradients.

        Args:
            loss: every parameter that has a gradient gets one in each backward pass.
            device: where it is.
        """
        if self.size == 1:
            return loss
        places = [torch.cuda.current_device()] if device.type == "cuda" else None
        with warnings.catch_warnings():
            # torch 2.15 has another word for it, which torch 2.6 does not know.
            warnings.simplefilter("ignore", FutureWarning)
            # See `share_statistics`; the first process's would take the place of all others' else.
            return DistributedDataParallel(loss, device_ids=places, broadcast_buffers=False)


ALONE = World()


def freeze_unused(model: nn.Module, loss: Tensor) -> None:
    """Ask for no gradient of parameters that a loss does not depend on: others wait for none."""
    seen, used, nodes = set[Any](), set[int](), [loss.grad_fn]
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if (variable := getattr(node, "variable", None)) is not None:
            used.add(id(variable))
        nodes += [before for before, _ in node.next_functions]
    for weight in model.parameters():
        if id(weight) not in used:
            weight.requires_grad_(False)


def started_world() -> World:
    """How this process was started: alone, or by torchrun."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return World(rank=int(os.environ["RANK"]), size=size) if size > 1 else ALONE


@contextmanager
def joined(world: World, device: torch.device) -> Iterator[None]:
    """With the other processes of a world at hand: by NCCL where each has a GPU, else by Gloo."""
    if world.size == 1 or distributed.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # What lies on the CPU goes by Gloo in either case.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield
        world.any(True)  # nobody leaves while another still waits for something
    finally:
        distributed.destroy_process_group()
