"""Linear attention against its formula, written out token by token."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from archdsl.nn.heads.linear_attention import LinearAttention
from tests.fixtures.references import drawn, of, randn, same

TOKENS, SOURCE_TOKENS, DIM, HEADS = 5, 7, 12, 3


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("out_proj", [True, False])
def test_linear_attention_may_skip_its_normaliser_and_have_a_projection(
    normalise: bool, out_proj: bool
) -> None:
    head = drawn(
        LinearAttention(
            target_dim=DIM,
            source_dim=8,
            latent_dim=6,
            num_heads=HEADS,
            normalise=normalise,
            out_proj=out_proj,
        )
    )
    target, source = randn(2, TOKENS, DIM), randn(2, SOURCE_TOKENS, 8)
    q, k = (
        torch.where(x > 0, 1 + x, x.exp()) for x in (of(head, "q", target), of(head, "k", source))
    )
    parts = []
    for a, b, c in zip(*(x.chunk(HEADS, -1) for x in (q, k, of(head, "v", source))), strict=True):
        shares = a @ b.transpose(1, 2)
        if normalise:
            shares = shares / (shares.sum(dim=-1, keepdim=True) + 1e-6)
        parts.append(shares @ c)
    read = torch.cat(parts, dim=-1)
    same(head(target, source), of(head, "proj", read) if out_proj else read)


def test_linear_attention_is_its_formula() -> None:
    torch.manual_seed(0)
    heads, target_dim, latent_dim = 3, 12, 6
    head = LinearAttention(target_dim=12, source_dim=8, latent_dim=6, num_heads=heads).double()
    target = torch.randn(2, 5, 12, dtype=torch.float64)
    source = torch.randn(2, 7, 8, dtype=torch.float64)
    q, k = 1 + functional.elu(head.q(target)), 1 + functional.elu(head.k(source))
    v = head.v(source)
    expected = torch.zeros(2, 5, 12, dtype=torch.float64)
    for h in range(heads):
        latent = slice(h * latent_dim // heads, (h + 1) * latent_dim // heads)
        values = slice(h * target_dim // heads, (h + 1) * target_dim // heads)
        weights = q[..., latent] @ k[..., latent].transpose(1, 2)  # (batch, target, source)
        weights = weights / (weights.sum(dim=-1, keepdim=True) + 1e-6)
        expected[..., values] = weights @ v[..., values]
    torch.testing.assert_close(head(target, source), expected, rtol=0, atol=1e-12)


def test_each_image_is_read_alone() -> None:
    torch.manual_seed(0)
    head = LinearAttention(target_dim=12, source_dim=12, latent_dim=12, num_heads=2)
    target, source = torch.randn(3, 4, 12), torch.randn(3, 9, 12)
    together = head(target, source)
    for image in range(3):
        alone = head(target[image : image + 1], source[image : image + 1])
        torch.testing.assert_close(together[image : image + 1], alone, rtol=0, atol=1e-6)
