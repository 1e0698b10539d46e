"""Modules that are traced whole, and without weights, in place of others: for counting."""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from archdsl.compiler.passes.rewrite import Rewrite, Target
from archdsl.nn.fusion import EraseFusion


class MatrixConv2d(nn.Module):
    """A convolution as one matrix product over its patches.

    Args:
        conv: of one group, padded with zeros; its weights are taken over.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.kernel, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.padding = tuple(int(side) for side in conv.padding)

    def forward(self, images: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs, rows, columns)."""
        axes = zip(
            images.shape[-2:], self.kernel, self.stride, self.dilation, self.padding, strict=True
        )
        grid = [
            (int(side) + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for side, kernel, stride, dilation, padding in axes
        ]
        patches = unfold(images, self.kernel, self.dilation, self.padding, self.stride)
        values = torch.matmul(self.weight.flatten(1), patches)
        if self.bias is not None:
            values = values + self.bias[:, None]
        return values.reshape(len(images), -1, *grid)


class LookingErase(nn.Module):
    """Erase fusion that looks at what it erases: a tracer drops what leads to no output, and a
    network computes it all the same."""

    def forward(self, target: Tensor, read: Tensor) -> Tensor:
        """Both (batch, tokens, dim)."""
        return read + (target - target)


def apply(network: nn.Module, target: Target) -> Rewrite:
    """Rewrite what the tracer does not follow; convolutions on a target without memory alone."""
    explanation = []
    for path, module in list(network.named_modules()):
        if isinstance(module, EraseFusion):
            network.set_submodule(path, LookingErase())
            explanation.append(f"{path}: erase fusion looks at what it erases")
        elif target.device.type == "meta" and _is_matrix_product(module):
            network.set_submodule(path, MatrixConv2d(module))
            explanation.append(f"{path}: a convolution is a matrix product")
    return Rewrite(network=network, explanation=tuple(explanation))


def _is_matrix_product(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    return (
        isinstance(module, nn.Conv2d)
        and module.groups == 1
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )
