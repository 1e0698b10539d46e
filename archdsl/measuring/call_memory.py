"""Whether a forward call fits into memory, before anything is allocated for it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from archdsl.free_memory import refuse_beyond_memory
from archdsl.measuring.conditions import CallConditions, Conditions
from archdsl.measuring.copies import copy_of
from archdsl.training.device import free_bytes

GROWTH = 1000
"""What a call holds at its peak is at most so many times its weights and images: where even that is
free, it need not be worked out."""


def check_call_fits(
    network: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    conditions: CallConditions,
    device: torch.device,
) -> None:
    """Refuse a forward call of a copy of `network` that needs more memory than there is.

    Args:
        network: takes images (batch, channels, height, width); stays as it is.
        image_shape: (channels, height, width).
        conditions: batch and types.
        device: where it would run.

    Raises:
        NotEnoughMemoryError: it does; says how much.
    """
    weights = sum(tensor.nbytes for tensor in chain(network.parameters(), network.buffers()))
    needed = weights + 4 * conditions.batch * prod(image_shape)
    free = free_bytes(device)
    # A compiled call holds less of what lies between operations.
    eager = not isinstance(conditions, Conditions) or conditions.compile is None
    if eager and needed <= free < GROWTH * needed:
        needed += _activation_bytes(network, (conditions.batch, *image_shape), conditions)
    refuse_beyond_memory(
        needed,
        what=f"a call with a batch of {conditions.batch} images {image_shape}",
        remedy="measure a smaller batch, smaller images or a smaller network",
        free=free,
    )


def _activation_bytes(
    network: nn.Module, shape: tuple[int, ...], conditions: CallConditions
) -> int:
    """The most that lies between the operations of a call; 0 where it is not to be known."""
    try:
        without = _without_memory(network).eval().to(dtype=getattr(torch, conditions.dtype))
        images = torch.empty(shape, device="meta", dtype=getattr(torch, conditions.dtype))
        eager = torch.compiler.set_stance("force_eager")
        with eager, torch.inference_mode(), _Held(without) as held:
            without(images)
    except Exception:  # whatever others' modules raise that cannot run without values
        return 0
    most: int = held.most
    return most


def _without_memory(network: nn.Module) -> nn.Module:
    """A copy on the meta device, that shares nothing with `network` and allocates nothing."""
    memo: dict[int, Any] = {}
    for weight in network.parameters():
        empty = torch.empty_like(weight, device="meta")
        memo[id(weight)] = nn.Parameter(empty, requires_grad=False)
    for buffer in network.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy_of(network, memo)


class _Held(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows what tensors hold, but those of a network itself."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        own = chain(network.parameters(), network.buffers())
        self._own = {_reference(tensor.untyped_storage()) for tensor in own}
        self._held: dict[Any, int] = {}
        self.most: int = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self._held[_reference(storage)] = storage.nbytes()
        self._held = {
            each: size
            for each, size in self._held.items()
            if each not in self._own and not each.expired()
        }
        self.most = max(self.most, sum(self._held.values()))
        return made


# Given a type here: torch leaves this constructor without any.
_reference: Callable[[torch.UntypedStorage], Any] = StorageWeakRef
