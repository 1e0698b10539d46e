"""Parameters and multiply-adds, counted by tracing the module and checked against the plan.

The trace runs without weights. Two conventions (one multiply-add counts 1):
    macs_fvcore: what fvcore counts on published models, and the paper prints as GFLOPs; the
        products inside fused attention count nothing.
    macs: the same with those products counted.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from archdsl.compiler.build import build_without_weights
from archdsl.errors import MeasureError
from archdsl.nn.fusion import EraseFusion
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
_ATTENTION = "fused attention"


@dataclass(frozen=True, kw_only=True)
class Count:
    """Parameters and multiply-adds of one network, for one image, every classifier run."""

    params: int
    params_allocated: int
    macs: int
    macs_fvcore: int


def count(plan: Plan) -> Count:
    """Count a plan by building it without weights and tracing a forward pass.

    Raises:
        MeasureError: an operation nobody knows how to count, or the trace and the plan disagree.
    """
    operations = _traced(plan)
    macs = sum(operations.values())
    sizes = {name: p.numel() for name, p in build_without_weights(plan).named_parameters()}
    found = Count(
        params=sum(size for name, size in sizes.items() if not name.startswith("unused.")),
        params_allocated=sum(sizes.values()),
        macs=macs,
        macs_fvcore=macs - operations[_ATTENTION],
    )
    expected = cost(plan)
    for quantity in ("params", "macs", "macs_fvcore"):
        traced, planned = getattr(found, quantity), getattr(expected, quantity)
        if traced != planned:
            raise MeasureError(
                f"{quantity}: the traced module has {traced}, the plan {planned}; "
                "the cost of a word and its module disagree"
            )
    return found


def _traced(plan: Plan) -> Counter[str]:
    """Multiply-adds by operation. Equal layers are traced once: they cost the same."""
    repeats = Counter(tuple(_unshared(step) for step in layer) for layer in plan.layers)
    network = build_without_weights(replace(plan, layers=tuple(repeats), unused={}))
    by_module = _analyse(network, plan.image)
    total = Counter(by_module[""])
    for index, times in enumerate(repeats.values()):
        for operation, macs in by_module[f"network.layers.{index}"].items():
            total[operation] += macs * (times - 1)
    return total


def _unshared(step: Step) -> Step:
    """The step with weights of its own: what a layer does is then counted under its own name."""
    if isinstance(step, ParallelStep):
        words = tuple(_word_unshared(word) for word in step.parallel)
        return ParallelStep(parallel=words)
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


class _Unfolded(nn.Module):
    """A convolution as one matrix product over its patches, which can be traced without weights."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, images: Tensor) -> Tensor:
        conv, padding = self.conv, int(self.conv.padding[0])
        sides = zip(images.shape[-2:], conv.kernel_size, conv.stride, strict=True)
        grid = [(int(side) + 2 * padding - kernel) // stride + 1 for side, kernel, stride in sides]
        patches = unfold(images, conv.kernel_size, stride=conv.stride, padding=padding)
        return torch.matmul(conv.weight.flatten(1), patches).reshape(1, -1, *grid)


class _Erased(nn.Module):
    """Erase fusion that looks at what it erases: the tracer drops what leads to no output, and a
    network computes it all the same."""

    def forward(self, target: Tensor, read: Tensor) -> Tensor:
        return read + (target - target)


def _traceable(network: nn.Module) -> None:
    """Put modules that are traced whole, and without weights, in place of others."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d):
                setattr(module, name, _Unfolded(child))
            elif isinstance(child, EraseFusion):
                setattr(module, name, _Erased())


def _analyse(network: Network, image: tuple[int, int, int]) -> dict[str, Counter[str]]:
    """Multiply-adds by module and operation."""
    _traceable(network)
    analysis = FlopCountAnalysis(_Everything(network).eval(), torch.empty(1, *image, device="meta"))
    analysis.set_op_handle("aten::scaled_dot_product_attention", _attention)
    analysis.set_op_handle("aten::div", _half_for_each_element)
    analysis.set_op_handle(**{f"aten::{name}": _nothing for name in _FREE})
    analysis.uncalled_modules_warnings(False).unsupported_ops_warnings(False)
    analysis.tracer_warnings("none")
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counted: dict[str, Counter[str]] = analysis.by_module_and_operator()
        unknown = analysis.unsupported_ops()
    if unknown:
        raise MeasureError(f"cannot count these operations: {', '.join(sorted(unknown))}")
    return counted


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
