"""A network becomes the call that is measured: in this one place, whatever is measured of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from archdsl.compiler.optimize import Optimized
from archdsl.compiler.passes.rewrite import Target
from archdsl.errors import MeasureError
from archdsl.measuring.backends import moved
from archdsl.measuring.call_memory import check_call_fits
from archdsl.measuring.clock import Call
from archdsl.measuring.conditions import CallConditions, Conditions
from archdsl.measuring.copies import copy_of
from archdsl.measuring.variants import Quickest
from archdsl.training.device import synchronize

WARM_CALLS_BEFORE_CAPTURE = 3
"""PyTorch's own number, see "CUDA graphs" in its notes: libraries allocate in the first calls."""

# Given a type here: torch leaves this constructor without any.
_stream: Callable[..., torch.cuda.Stream] = torch.cuda.Stream


class Prepared(NamedTuple):
    """A forward call on one batch, and the bytes of the weights and images that it holds."""

    call: Call
    held_bytes: int


def prepare(
    network: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    conditions: CallConditions,
    device: torch.device,
) -> Prepared:
    """One forward call of a copy of `network` on one batch of random images, as conditions say.

    The caller's network stays where it is, in its type and mode. What the call returns is as the
    network likes: a tensor, or any collection of them.

    Args:
        network: takes images (batch, channels, height, width).
        image_shape: (channels, height, width).
        conditions: batch, types, heads; with those of a latency the network is compiled, or its
            kernels recorded, where they say so.
        device: where it runs.

    Raises:
        NotEnoughMemoryError: the copy, the images and what the call needs do not fit.
        MeasureError: the network cannot be copied; all heads are asked for and it has no
            `forward_heads`; torch.compile fails; CUDA graphs are asked for and the device has none.
    """
    check_call_fits(network, image_shape=image_shape, conditions=conditions, device=device)
    low: torch.dtype = getattr(torch, conditions.dtype)
    dtype = torch.float32 if conditions.autocast else low
    network = copy_of(network).eval().to(device=device, dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(conditions.batch, *image_shape, generator=generator, device="cpu")
    images = images.to(device=device, dtype=dtype)
    if conditions.channels_last:
        network = network.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    tensors = [*network.parameters(), *network.buffers(), images]
    held_bytes = sum(tensor.untyped_storage().nbytes() for tensor in tensors)
    mode = conditions.compile if isinstance(conditions, Conditions) else None
    if conditions.optimize:
        target = target_of(conditions, image_shape=image_shape, device=device)
        network = Optimized(network, target)
    if isinstance(network, Optimized):
        held_bytes += network.more_bytes
    backend = conditions.backend if isinstance(conditions, Conditions) else "torch"
    if backend != "torch":
        network = moved(network, backend, image_shape=image_shape)
    forward = _forward(network, conditions)
    if mode is not None:
        forward = torch.compile(forward, mode=mode, dynamic=False)
    call: Call = partial(forward, images)
    if conditions.autocast:
        call = _under_autocast(call, device, low)
    if mode is not None:
        _compile_now(call, device, frozen=isinstance(network, Optimized))
    if isinstance(conditions, Conditions) and conditions.cuda_graphs:
        if device.type != "cuda":
            raise MeasureError(f"CUDA graphs are asked for, but the device is {device.type}")
        call = _captured(call, device)
    return Prepared(call, held_bytes)


def target_of(
    conditions: CallConditions, *, image_shape: tuple[int, int, int], device: torch.device
) -> Target:
    """What a network is rewritten for where `conditions` ask for it."""
    compiled = isinstance(conditions, Conditions) and (
        conditions.compile is not None or conditions.backend != "torch"
    )
    return Target(
        device=device,
        image=image_shape,
        batch=conditions.batch,
        heads=conditions.heads,
        packs=not (compiled or conditions.autocast),
        choose=Quickest(device, getattr(torch, conditions.dtype)),
    )


def _forward(network: nn.Module, conditions: CallConditions) -> Callable[[torch.Tensor], Any]:
    if conditions.heads == "predicted":
        return network
    forward_heads = getattr(network, "forward_heads", None)
    if not callable(forward_heads):
        raise MeasureError(
            f"{type(network).__name__} has no forward_heads, so its latency with all heads cannot "
            "be measured; ask for heads: predicted"
        )
    found: Callable[[torch.Tensor], Any] = forward_heads
    return found


def _under_autocast(call: Call, device: torch.device, dtype: torch.dtype) -> Call:
    def cast() -> Any:
        # Entered for each call, as in use: the weights are cast in each.
        with torch.autocast(device.type, dtype=dtype):
            return call()

    return cast


def _compile_now(call: Call, device: torch.device, *, frozen: bool) -> None:
    """Call once, which compiles, so that no timed call does.

    Args:
        call: of a compiled network.
        device: where.
        frozen: weights become constants of what is compiled.
    """
    from torch._inductor import config as inductor_config  # takes a second

    if frozen:
        torch._dynamo.reset()  # what was compiled otherwise of the same class would be used
    try:
        with inductor_config.patch(freezing=frozen), torch.inference_mode():
            call()
        synchronize(device)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        first = str(error).strip().partition("\n")[0]
        raise MeasureError(
            f"torch.compile could not compile the network: {first}; it needs a working C++ "
            "compiler on the CPU and Triton on a GPU: install them, or measure without compile"
        ) from error


def _captured(call: Call, device: torch.device) -> Call:
    """The kernels of one call as a graph; calling it replays them on the same memory."""
    with torch.cuda.device(device), torch.inference_mode():
        beside = _stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_CALLS_BEFORE_CAPTURE):
                call()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = call()

    def replay(keep: Any = result) -> None:
        graph.replay()

    return replay
