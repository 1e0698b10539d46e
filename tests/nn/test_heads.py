"""Linear attention against its formula, written out token by token."""

from __future__ import annotations

import torch
from torch.nn import functional

from archdsl.nn.heads.linear_attention import LinearAttention


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
