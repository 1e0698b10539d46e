"""Self-attention inside the source against its formula."""

from __future__ import annotations

import pytest

from archdsl.nn.heads.self_attention import SelfAttention
from tests.fixtures.references import attend, drawn, of, randn, same

TOKENS, SOURCE_TOKENS, DIM, HEADS = 5, 7, 12, 3


@pytest.mark.parametrize("target_dim", [DIM, 8])
def test_self_attention_is_of_the_source_alone(target_dim: int) -> None:
    head = drawn(SelfAttention(target_dim=target_dim, source_dim=DIM, num_heads=HEADS))
    source = randn(2, SOURCE_TOKENS, DIM)
    q, k, v = of(head, "qkv", source).chunk(3, dim=-1)
    read = head(randn(2, SOURCE_TOKENS, target_dim), source)
    assert read.shape == (2, SOURCE_TOKENS, target_dim)
    same(read, of(head, "proj", attend(q, k, v, heads=HEADS)[0]))
