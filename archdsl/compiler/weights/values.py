"""Whether the values of some tensors can be weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from archdsl.compiler.weights.mismatch import tensors_listed


def is_floating(tensor: Tensor) -> bool:
    """Whether a tensor holds a floating-point number for each of its elements."""
    return tensor.is_floating_point() and tensor.layout is torch.strided and not tensor.is_meta


def not_floating(found: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors that hold anything else, and what."""
    return [f"{name} ({_kind(each)})" for name, each in found.items() if not is_floating(each)]


def not_finite(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """A line that names tensors some of whose values are not finite in the type they are to get.

    Args:
        found: floating-point tensors, by name.
        wanted: those that they are copied to, by the same names and more.
    """
    names = []
    for name, tensor in found.items():
        own = wanted[name].dtype
        wrong = int((~tensor.to(own).isfinite()).sum())
        if wrong:
            type_name = str(own).removeprefix("torch.")
            names.append(f"{name} ({wrong} of {tensor.numel()} values in {type_name})")
    return [f"  not finite: {tensors_listed(names)}"] if names else []


def _kind(tensor: Tensor) -> str:
    if tensor.is_meta:
        return "no values: on the meta device"
    kinds = [tensor.dtype] if tensor.layout is torch.strided else [tensor.dtype, tensor.layout]
    return ", ".join(str(each).removeprefix("torch.") for each in kinds)
