"""The MLP of each source token against its formula."""

from __future__ import annotations

from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.nn.heads.mlp import MlpHead

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


@pytest.mark.parametrize("target_dim", [DIM, 8])
def test_mlp_head_is_of_each_source_token(target_dim: int) -> None:
    head = drawn(MlpHead(target_dim=target_dim, source_dim=DIM, mlp_dim=9))
    source = randn(2, SOURCE_TOKENS, DIM)
    read = head(randn(2, SOURCE_TOKENS, target_dim), source)
    same(read, of(head, "fc2", functional.gelu(of(head, "fc1", source))))
