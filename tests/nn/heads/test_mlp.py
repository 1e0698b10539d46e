"""The MLP of each source token against its formula."""

from __future__ import annotations

import pytest
from torch.nn import functional

from archdsl.nn.heads.mlp import MlpHead
from tests.fixtures.references import drawn, of, randn, same

TOKENS, SOURCE_TOKENS, DIM, HEADS = 5, 7, 12, 3


@pytest.mark.parametrize("target_dim", [DIM, 8])
def test_mlp_head_is_of_each_source_token(target_dim: int) -> None:
    head = drawn(MlpHead(target_dim=target_dim, source_dim=DIM, mlp_dim=9))
    source = randn(2, SOURCE_TOKENS, DIM)
    read = head(randn(2, SOURCE_TOKENS, target_dim), source)
    same(read, of(head, "fc2", functional.gelu(of(head, "fc1", source))))
