"""A LayerNorm's scale and shift become part of the linear map behind it, where nothing else sees
what it makes."""

from __future__ import annotations

import torch
from timm.layers.attention import Attention
from timm.layers.mlp import Mlp
from timm.models.vision_transformer import Block
from torch import nn

from archdsl.compiler.passes.rewrite import Pass, Rewrite, Target
from archdsl.nn.blocks import MlpBlock
from archdsl.nn.classifier import Classifier


def _apply(network: nn.Module, target: Target) -> Rewrite:
    explanation = []
    for path, module in list(network.named_modules()):
        for norm, linear in _pairs(module):
            if _fold(module, norm, linear):
                explanation.append(f"{path}: {norm} is part of {linear}")
    return Rewrite(network=network, explanation=tuple(explanation))


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Names of norms and of the linear maps that alone see what they make."""
    if type(module) is Block and type(module.attn) is Attention and type(module.mlp) is Mlp:
        return [("norm1", "attn.qkv"), ("norm2", "mlp.fc1")]
    if type(module) is MlpBlock:
        return [("norm", "fc1")]
    if type(module) is Classifier:
        return [("pooled_norm", "linear")]
    return []


def _fold(holder: nn.Module, norm_path: str, linear_path: str) -> bool:
    """Both become new modules: those that were there belong to the plain network, too."""
    norm, linear = holder.get_submodule(norm_path), holder.get_submodule(linear_path)
    if not isinstance(norm, nn.LayerNorm) or type(linear) is not nn.Linear:
        return False
    if not norm.elementwise_affine or norm.normalized_shape != (linear.in_features,):
        return False
    bare = nn.LayerNorm(norm.normalized_shape, eps=norm.eps, elementwise_affine=False)
    weight, like = linear.weight.detach().double(), {"like": linear.weight}
    scale = norm.weight.detach().double()
    shift = torch.zeros_like(scale) if norm.bias is None else norm.bias.detach().double()
    bias = weight @ shift
    if linear.bias is not None:
        bias = bias + linear.bias.detach().double()
    holder.set_submodule(norm_path, bare)
    holder.set_submodule(linear_path, _linear(weight * scale, bias, **like))
    return True


def _linear(weight: torch.Tensor, bias: torch.Tensor, *, like: torch.Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    made.weight = nn.Parameter(weight.to(like), requires_grad=False)
    made.bias = nn.Parameter(bias.to(like), requires_grad=False)
    return made


FOLDED = Pass(
    name="folded",
    needs="a LayerNorm in front of a linear map that alone sees it",
    trains=False,
    apply=_apply,
)
