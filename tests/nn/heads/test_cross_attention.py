"""Cross-attention against its formula: norms, the map it hands on, queries carried over."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from archdsl.nn.heads.cross_attention import Carried, CrossAttention, cross_attention
from tests.fixtures.references import attend, drawn, normed, of, randn, same

TOKENS, SOURCE_TOKENS, DIM, HEADS = 5, 7, 12, 3


@pytest.mark.parametrize("norms", ["", "q", "k", "v", "qk", "kv", "qkv"])
@pytest.mark.parametrize("out_proj", [True, False])
def test_cross_attention_with_some_norms_only(norms: str, out_proj: bool) -> None:
    head = cross_attention(
        target_dim=DIM, source_dim=8, num_heads=HEADS, norms=norms, out_proj=out_proj
    )
    drawn(head)
    target, source = randn(2, TOKENS, DIM), randn(2, SOURCE_TOKENS, 8)
    tokens = {"q": target, "k": source, "v": source}
    q, k, v = (
        normed(head, f"{each}_norm", of(head, each, tokens[each]))
        if each in norms
        else of(head, each, tokens[each])
        for each in "qkv"
    )
    read = attend(q, k, v, heads=HEADS)[0]
    same(head(target, source), of(head, "proj", read) if out_proj else read)
    names = {name.partition(".")[0] for name, _ in head.named_parameters()}
    assert names == {*"qkv", *(f"{each}_norm" for each in norms), *(["proj"] if out_proj else [])}


def test_a_map_that_is_asked_for_changes_nothing_that_is_read() -> None:
    head = drawn(CrossAttention(target_dim=DIM, source_dim=8, num_heads=HEADS))
    target, source = randn(2, TOKENS, DIM), randn(2, SOURCE_TOKENS, 8)
    read, shares = head(target, source, need_map=True)
    same(read, head(target, source))
    assert shares.shape == (2, HEADS, TOKENS, SOURCE_TOKENS)
    same(shares.sum(dim=-1), torch.ones(2, HEADS, TOKENS, dtype=torch.float64))
    q, k, v = (
        normed(head, f"{each}_norm", of(head, each, tokens))
        for each, tokens in (("q", target), ("k", source), ("v", source))
    )
    same(shares, torch.stack(attend(q, k, v, heads=HEADS)[1], dim=1))


def test_asking_tokens_may_be_among_the_keys() -> None:
    head = cross_attention(target_dim=DIM, source_dim=DIM, num_heads=HEADS, with_query=True)
    plain = cross_attention(target_dim=DIM, source_dim=DIM, num_heads=HEADS)
    drawn(head)
    plain.double().load_state_dict(head.state_dict())
    target, source = randn(2, TOKENS, DIM), randn(2, SOURCE_TOKENS, DIM)
    same(head(target, source), plain(target, torch.cat([source, target], dim=1)))


@pytest.mark.parametrize("with_query", [True, False])
@pytest.mark.parametrize("norms", ["", "qk"])
def test_queries_carried_to_the_source_and_back(with_query: bool, norms: str) -> None:
    # CrossViT: there, a residual of attention in the source's width, and back.
    head = cross_attention(
        target_dim=8,
        source_dim=DIM,
        num_heads=HEADS,
        norms=norms,
        with_query=with_query,
        carried=True,
    )
    assert isinstance(head, Carried)
    drawn(head)
    target, source = randn(2, TOKENS, 8), randn(2, SOURCE_TOKENS, DIM)
    query = of(head, "there.2", functional.gelu(normed(head, "there.0", target, eps=1e-6)))
    asking, answering = (normed(head, "norm", each, eps=1e-6) for each in (query, source))
    if with_query:
        answering = torch.cat([asking, answering], dim=1)
    tokens = {"q": asking, "k": answering, "v": answering}
    q, k, v = (
        normed(head, f"head.{each}_norm", of(head, f"head.{each}", tokens[each]))
        if each in norms
        else of(head, f"head.{each}", tokens[each])
        for each in "qkv"
    )
    query = query + of(head, "head.proj", attend(q, k, v, heads=HEADS)[0])
    read = of(head, "back.2", functional.gelu(normed(head, "back.0", query, eps=1e-6)))
    same(head(target, source), read)


def shares() -> Tensor:
    """A read's map: rows of source tokens, which each took from all target tokens."""
    return randn(2, HEADS, SOURCE_TOKENS, TOKENS).softmax(dim=-1)
