"""Writes along the map of the read against their formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from archdsl.nn.heads.tied_attention import TiedAttention
from tests.fixtures.references import drawn, normed, of, randn, same

TOKENS, SOURCE_TOKENS, DIM, HEADS = 5, 7, 12, 3


def shares() -> Tensor:
    """A read's map: rows of source tokens, which each took from all target tokens."""
    return randn(2, HEADS, SOURCE_TOKENS, TOKENS).softmax(dim=-1)


@pytest.mark.parametrize("renormalise", [True, False])
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("out_proj", [True, False])
@pytest.mark.parametrize("tied_values", [True, False])
def test_tied_attention_goes_back_along_the_map(
    renormalise: bool, norm: bool, out_proj: bool, tied_values: bool
) -> None:
    head = drawn(
        TiedAttention(
            target_dim=DIM,
            source_dim=8,
            num_heads=HEADS,
            tied_values=tied_values,
            renormalise=renormalise,
            norm=norm,
            out_proj=out_proj,
        )
    )
    taken = shares()
    source = randn(2, SOURCE_TOKENS, DIM if tied_values else 8)
    v = source if tied_values else of(head, "v", source)
    v = normed(head, "v_norm", v) if norm else v
    expected = torch.zeros(2, TOKENS, DIM, dtype=torch.float64)
    width = DIM // HEADS
    for number in range(HEADS):
        channels = slice(number * width, (number + 1) * width)
        for token in range(TOKENS):
            given = taken[:, number, :, token]  # what each source token took from this token
            if renormalise:
                given = given / (given.sum(dim=-1, keepdim=True) + 1e-6)
            expected[:, token, channels] = (given.unsqueeze(-1) * v[..., channels]).sum(dim=1)
    same(head(taken, source), of(head, "proj", expected) if out_proj else expected)


def test_renormalised_shares_add_up_to_one() -> None:
    # Values that are all one come back as the sums of the shares.
    ones = torch.ones(2, SOURCE_TOKENS, DIM, dtype=torch.float64)
    heads = [
        TiedAttention(
            target_dim=DIM, source_dim=DIM, num_heads=HEADS, tied_values=True, renormalise=each
        )
        for each in (True, False)
    ]
    taken = shares()
    renormalised, plain = (head(taken, ones) for head in heads)
    torch.testing.assert_close(
        renormalised, torch.ones(2, TOKENS, DIM, dtype=torch.float64), rtol=0, atol=1e-5
    )
    sums = taken.sum(dim=-2).transpose(1, 2)  # (batch, target tokens, heads)
    same(plain, sums.repeat_interleave(DIM // HEADS, dim=-1))
