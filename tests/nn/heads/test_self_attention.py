"""Self-attention inside the source against its formula."""

from __future__ import annotations

from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from archdsl.nn.heads.self_attention import SelfAttention

TOKENS, SOURCE_TOKENS, DIM, HEADS = 5, 7, 12, 3


Module = TypeVar("Module", bound=nn.Module)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def drawn(module: Module) -> Module:
    """The module in double precision, norms and biases drawn at random too."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.double()


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def of(module: nn.Module, name: str, tokens: Tensor) -> Tensor:
    """One linear map of a module, written out."""
    weight, bias = (module.get_parameter(f"{name}.{each}") for each in ("weight", "bias"))
    return tokens @ weight.T + bias


def attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Attention head by head: what is read, and the map of each head."""
    maps, read = [], []
    for a, b, c in zip(*(each.chunk(HEADS, dim=-1) for each in (q, k, v)), strict=True):
        scores = (a @ b.transpose(1, 2) / a.shape[-1] ** 0.5).exp()
        maps.append(scores / scores.sum(dim=-1, keepdim=True))
        read.append(maps[-1] @ c)
    return torch.cat(read, dim=-1), maps


@pytest.mark.parametrize("target_dim", [DIM, 8])
def test_self_attention_is_of_the_source_alone(target_dim: int) -> None:
    head = drawn(SelfAttention(target_dim=target_dim, source_dim=DIM, num_heads=HEADS))
    source = randn(2, SOURCE_TOKENS, DIM)
    q, k, v = of(head, "qkv", source).chunk(3, dim=-1)
    read = head(randn(2, SOURCE_TOKENS, target_dim), source)
    assert read.shape == (2, SOURCE_TOKENS, target_dim)
    same(read, of(head, "proj", attend(q, k, v)[0]))
