"""Cross attention, latent attention and token summaries against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.nn.heads.cross_attention import CrossAttention
from archdsl.nn.heads.latent_attention import LatentAttention
from archdsl.nn.heads.token_summary import TokenSummary
from tests.fixtures.references import drawn

TOKENS, SOURCE_TOKENS, DIM, HEADS = 5, 7, 12, 3


def pair(source_dim: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    target = torch.randn(2, TOKENS, DIM, dtype=torch.float64)
    return target, torch.randn(2, SOURCE_TOKENS, source_dim, dtype=torch.float64)


def of_head(tokens: Tensor, number: int) -> Tensor:
    """The channels of one attention head."""
    width = tokens.shape[-1] // HEADS
    return tokens[..., number * width : (number + 1) * width]


@pytest.mark.parametrize("source_dim", [DIM, 8])
def test_cross_attention_is_its_formula(source_dim: int) -> None:
    target, source = pair(source_dim)
    head = CrossAttention(target_dim=DIM, source_dim=source_dim, num_heads=HEADS)
    drawn(head)
    q, k = head.q_norm(head.q(target)), head.k_norm(head.k(source))
    v = head.v_norm(head.v(source))
    mixed = []
    for number in range(HEADS):
        scores = of_head(q, number) @ of_head(k, number).transpose(1, 2) / (DIM / HEADS) ** 0.5
        mixed.append(scores.softmax(dim=-1) @ of_head(v, number))
    expected = head.proj(torch.cat(mixed, dim=-1))
    torch.testing.assert_close(head(target, source), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("source_dim", [DIM, 8])
def test_latent_attention_is_its_formula(source_dim: int) -> None:
    target, source = pair(source_dim)
    head = LatentAttention(target_dim=DIM, source_dim=source_dim, latent_dim=6, num_heads=HEADS)
    drawn(head)
    q, k = head.q_norm(head.q(target)), head.k_norm(head.k(source))
    v = head.v_norm(head.v(source))
    mixed = []
    for number in range(HEADS):
        by_channel = of_head(q, number).softmax(dim=-1)  # each token's weights of the channels
        by_token = of_head(k, number).softmax(dim=1)  # each channel's weights of the source tokens
        mixed.append(by_channel @ (by_token.transpose(1, 2) @ of_head(v, number)))
    expected = head.proj(torch.cat(mixed, dim=-1))
    torch.testing.assert_close(head(target, source), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("source_dim", [DIM, 8])
def test_a_token_summary_is_its_formula(source_dim: int) -> None:
    target, source = pair(source_dim)
    head = TokenSummary(target_dim=DIM, source_dim=source_dim, tokens=TOKENS)
    drawn(head)
    own = source
    if source_dim != DIM:
        own = source @ head.get_parameter("source.weight").T + head.get_parameter("source.bias")
    every = torch.cat([own, target], dim=1)
    weights = head.fc2(functional.gelu(head.fc1(head.norm(every)))).softmax(dim=1)
    expected = torch.zeros_like(target)
    for token in range(TOKENS):
        expected[:, token] = (weights[:, :, token : token + 1] * every).sum(dim=1)
    torch.testing.assert_close(head(target, source), expected, rtol=0, atol=1e-12)


ALL: list[nn.Module] = [
    CrossAttention(target_dim=DIM, source_dim=DIM, num_heads=HEADS),
    LatentAttention(target_dim=DIM, source_dim=DIM, latent_dim=6, num_heads=HEADS),
    TokenSummary(target_dim=DIM, source_dim=DIM, tokens=TOKENS),
]


@pytest.mark.parametrize("head", ALL, ids=lambda head: type(head).__name__)
def test_each_image_is_read_alone(head: nn.Module) -> None:
    target, source = pair(DIM)
    drawn(head)
    together = head(target, source)
    torch.testing.assert_close(together[1:], head(target[1:], source[1:]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("head", ALL, ids=lambda head: type(head).__name__)
def test_the_order_of_source_tokens_is_no_matter(head: nn.Module) -> None:
    target, source = pair(DIM)
    drawn(head)
    torch.testing.assert_close(
        head(target, source), head(target, source.flip(1)), rtol=0, atol=1e-12
    )
