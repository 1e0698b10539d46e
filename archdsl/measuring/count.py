"""Parameters and multiply-adds of any network, counted by tracing it; of ours also by its plan.

Two conventions (one multiply-add counts 1):
    macs_fvcore: what fvcore counts, and timm's tables and the paper print as GMACs and GFLOPs; the
        products inside fused attention count nothing.
    macs: the same with those products counted.
A LayerNorm counts 5 an element in both, as fvcore has it.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.compiler.build import build_without_weights
from archdsl.compiler.passes import traceable
from archdsl.compiler.passes.rewrite import Target
from archdsl.compiler.plain import is_plain
from archdsl.errors import MeasureError
from archdsl.measuring.copies import copy_of
from archdsl.nn.network import Network
from archdsl.plan.cost import cost
from archdsl.plan.plan import BlocksStep, ParallelStep, Plan, Step, WordStep

with warnings.catch_warnings():
    # torch announces the end of TorchScript, which fvcore still traces with.
    warnings.simplefilter("ignore", FutureWarning)
    from fvcore.nn import FlopCountAnalysis
    from fvcore.nn.jit_handles import get_shape

# Operations that move, add or compare values; no convention counts them.
_FREE = (
    "add", "add_", "sub", "mul", "rsub", "neg", "exp", "elu", "gelu", "sigmoid", "softmax", "mean",
    "sum", "stack", "cat", "expand", "expand_as", "unflatten", "flatten", "reshape", "transpose",
    "permute", "select", "slice", "unbind", "chunk", "split", "dropout", "contiguous",
    "relu", "reciprocal", "im2col", "upsample_bicubic2d",
)  # fmt: skip
# The same in modules of others.
_FREE_ELSEWHERE = (
    "div", "hardsigmoid", "hardsigmoid_", "hardswish", "hardswish_", "hardtanh", "hardtanh_",
    "log_softmax", "max_pool2d", "mish", "mish_", "pad", "pow", "rsqrt", "sigmoid_", "silu",
    "silu_", "sqrt", "tanh",
)  # fmt: skip
_ATTENTION = "fused attention"

Handler = Callable[[list[Any], list[Any]], Counter[str]]
"""Inputs and outputs of an operation -> what it counts, by name."""


@dataclass(frozen=True, kw_only=True)
class Count:
    """Parameters and multiply-adds of one network, for one image, every classifier run.

    Args:
        params: those that a forward pass uses.
        params_allocated: all, with those that published layouts hold and never use.
        macs: with the products inside fused attention.
        macs_fvcore: without them.
        uncounted: operations of a network that is not ours which nobody knows how to count; in
            `macs` they are 0.
    """

    params: int
    params_allocated: int
    macs: int
    macs_fvcore: int
    uncounted: tuple[str, ...] = ()


def count(model: Plan | nn.Module, *, image_shape: tuple[int, int, int] | None = None) -> Count:
    """Count a network by tracing a forward pass of one image.

    A plan, and a network that does what its plan says, is traced without weights and must count
    what the plan counts. Any other module is traced as it is, on its own device.

    Args:
        model: stays as it is.
        image_shape: (channels, height, width); a network of ours knows its own.

    Raises:
        MeasureError: no image shape; a module that cannot be traced; of a plan or its network: an
            operation nobody knows how to count, or the trace and the plan disagree.
    """
    if isinstance(model, Plan):
        return _count_plan(model)
    if is_plain(model):
        return _count_plan(model.plan)
    shape = model.plan.image if isinstance(model, Network) else image_shape
    if shape is None:
        raise MeasureError(
            f"nothing tells which images {type(model).__qualname__} takes; say "
            "image_shape=(channels, height, width)"
        )
    return _count_module(model, shape)


def _count_plan(plan: Plan) -> Count:
    operations = _traced(plan)
    found = _counted(build_without_weights(plan), operations)
    expected = cost(plan)
    for quantity in ("params", "macs", "macs_fvcore"):
        traced, planned = getattr(found, quantity), getattr(expected, quantity)
        if traced != planned:
            raise MeasureError(
                f"{quantity}: the traced module has {traced}, the plan {planned}; "
                "the cost of a word and its module disagree"
            )
    return found


def _count_module(model: nn.Module, image_shape: tuple[int, int, int]) -> Count:
    elsewhere: dict[str, Handler] = dict.fromkeys(_FREE_ELSEWHERE, _nothing)
    handlers = {**elsewhere, **(_OF_OURS if isinstance(model, Network) else {})}
    model = copy_of(model)
    tensor = next(chain(model.parameters(), model.buffers()), torch.empty(0))
    dtype = tensor.dtype if tensor.is_floating_point() else torch.float32
    images = torch.zeros(1, *image_shape, device=tensor.device, dtype=dtype)
    try:
        analysis = _analysis(model, images, handlers)
        operations, unknown = analysis.by_operator(), analysis.unsupported_ops()
    except Exception as error:  # whatever a stranger's forward pass may raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise MeasureError(
            f"{type(model).__qualname__} cannot be traced with images of shape "
            f"{tuple(images.shape)}: {reason}"
        ) from error
    return replace(_counted(model, operations), uncounted=tuple(sorted(unknown)))


def _counted(model: nn.Module, operations: Counter[str]) -> Count:
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    unused = sum(size for name, size in sizes.items() if name.startswith("unused."))
    macs = int(sum(operations.values()))
    return Count(
        params=sum(sizes.values()) - (unused if isinstance(model, Network) else 0),
        params_allocated=sum(sizes.values()),
        macs=macs,
        macs_fvcore=macs - int(operations[_ATTENTION]),
    )


def _traced(plan: Plan) -> Counter[str]:
    """Multiply-adds by operation. Equal layers are traced once: they cost the same.

    Raises:
        MeasureError: an operation nobody knows how to count.
    """
    repeats = Counter(tuple(_unshared(step) for step in layer) for layer in plan.layers)
    network = build_without_weights(replace(plan, layers=tuple(repeats), unused={}))
    analysis = _analysis(network, torch.empty(1, *plan.image, device="meta"), _OF_OURS)
    by_module: dict[str, Counter[str]] = analysis.by_module_and_operator()
    unknown = analysis.unsupported_ops()
    if unknown:
        raise MeasureError(f"cannot count these operations: {', '.join(sorted(unknown))}")
    total = Counter(by_module[""])
    for index, times in enumerate(repeats.values()):
        for operation, macs in by_module[f"network.layers.{index}"].items():
            total[operation] += macs * (times - 1)
    return total


def _unshared(step: Step) -> Step:
    """The step with weights of its own: what a layer does is then counted under its own name."""
    if isinstance(step, ParallelStep):
        return ParallelStep(parallel=tuple(_word_unshared(word) for word in step.parallel))
    return _word_unshared(step)


def _word_unshared(step: WordStep) -> WordStep:
    if isinstance(step, BlocksStep):
        return replace(step, blocks=tuple(replace(block, shared=False) for block in step.blocks))
    return replace(
        step,
        head=replace(step.head, shared=False),
        fusion=replace(step.fusion, shared=False),
        norm=replace(step.norm, weights_shared=False),
    )


class _Everything(nn.Module):
    """Every classifier's logits and every stream's tokens, as a tuple.

    The tracer drops what leads to no output, but a stream without a classifier is computed too.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = self.network.forward_features(images)
        return (*self.network.forward_head(features).values(), *features.values())


def _analysis(
    model: nn.Module, images: Tensor, handlers: Mapping[str, Handler]
) -> FlopCountAnalysis:
    """A trace of a network, which is rewritten for it.

    Args:
        handlers: of operations, beside those that every network has.
    """
    traceable.apply(model, Target(device=images.device, dtype=images.dtype))
    traced = _Everything(model) if isinstance(model, Network) else model
    analysis = FlopCountAnalysis(traced.eval(), images)
    analysis.set_op_handle("aten::scaled_dot_product_attention", _attention)
    every = {**dict.fromkeys(_FREE, _nothing), **handlers}
    analysis.set_op_handle(**{f"aten::{name}": handler for name, handler in every.items()})
    analysis.uncalled_modules_warnings(False).unsupported_ops_warnings(False)
    analysis.tracer_warnings("none")
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad(), _plain_attention():
        warnings.simplefilter("ignore")
        analysis.total()  # traces now, and keeps what it finds
    return analysis


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Without the fused kernel of `nn.MultiheadAttention`, which hides its products."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _attention(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Queries times keys, and the result times values; inputs: (batch, heads, tokens, channels)."""
    query, key, value = (get_shape(each) for each in inputs[:3])
    scores, mixed = prod(query) * key[-2], prod(query[:-1]) * key[-2] * value[-1]
    return Counter({_ATTENTION: scores + mixed})


def _half_for_each_element(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Division by linear attention's normaliser: published code folds it into an einsum of three
    operands, of which fvcore counts half a multiply-add for each element."""
    return Counter({"div": prod(get_shape(outputs[0])) // 2})


def _nothing(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    return Counter()


_OF_OURS: Mapping[str, Handler] = {"div": _half_for_each_element}
