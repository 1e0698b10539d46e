"""Blocks against what they stand for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.nn.blocks import MlpBlock, transformer_block


def normalised(made: nn.Module, name: str, tokens: Tensor) -> Tensor:
    weight, bias = (made.get_parameter(f"{name}.{each}") for each in ("weight", "bias"))
    return functional.layer_norm(tokens, weight.shape, weight, bias, eps=1e-6)


@pytest.mark.parametrize(("dim", "mlp_dim"), [(12, 1), (12, 5), (49, 131), (768, 3071), (3, 1000)])
def test_transformer_blocks_have_the_very_width_asked_for(dim: int, mlp_dim: int) -> None:
    block = transformer_block(dim=dim, num_heads=1, mlp_dim=mlp_dim)
    assert block.get_parameter("mlp.fc1.weight").shape == (mlp_dim, dim)


def test_mlp_block_is_a_residual_of_each_token() -> None:
    block = MlpBlock(dim=6, mlp_dim=3)
    tokens = torch.randn(2, 4, 6)
    together = block(tokens)
    torch.testing.assert_close(together[:, 1:2], block(tokens[:, 1:2]))
    nn.init.zeros_(block.fc2.weight)
    nn.init.zeros_(block.fc2.bias)
    torch.testing.assert_close(block(tokens), tokens)


def of(module: nn.Module, name: str, tokens: Tensor) -> Tensor:
    """One linear map of a module, written out."""
    weight, bias = (module.get_parameter(f"{name}.{each}") for each in ("weight", "bias"))
    return tokens @ weight.T + bias


@pytest.mark.parametrize("norm", [True, False])
def test_mlp_block_with_and_without_its_norm(norm: bool) -> None:
    block = MlpBlock(dim=6, mlp_dim=3, norm=norm).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    tokens = torch.randn(2, 4, 6, dtype=torch.float64)
    seen = tokens
    if norm:
        weight, bias = (block.get_parameter(f"norm.{each}") for each in ("weight", "bias"))
        seen = functional.layer_norm(tokens, (6,), weight, bias, eps=1e-5)
    expected = tokens + of(block, "fc2", functional.gelu(of(block, "fc1", seen)))
    torch.testing.assert_close(block(tokens), expected, rtol=0, atol=1e-12)
    assert len(list(block.parameters())) == (6 if norm else 4)


def test_layer_scale_weighs_each_channel_of_both_branches() -> None:
    block = transformer_block(dim=6, num_heads=2, mlp_dim=5, layer_scale=0.25).double()
    scales = [block.get_parameter(f"ls{n}.gamma") for n in (1, 2)]
    assert all((scale == 0.25).all() for scale in scales)
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    tokens = torch.randn(2, 4, 6, dtype=torch.float64)
    attention = block.get_submodule("attn")(normalised(block, "norm1", tokens))
    between = tokens + scales[0] * attention
    mlp = block.get_submodule("mlp")(normalised(block, "norm2", between))
    expected = between + scales[1] * mlp
    torch.testing.assert_close(block(tokens), expected, rtol=0, atol=1e-12)
