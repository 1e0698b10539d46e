"""Linear attention that gathers the source before it is projected: (phi(k)^T x) Wv in place of
phi(k)^T (x Wv), which are equal, and cost s d D and c d D + c s D multiply-adds (s source tokens of
width D, c latent channels, width d of the target; H heads leave the first as it is and divide the
c d D of the second by H)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.compiler.passes.calls import calls_of, forward_of
from archdsl.compiler.passes.packed import pack
from archdsl.compiler.passes.rewrite import Pass, Rewrite, Target
from archdsl.nn.heads.cross_attention import join_heads, split_heads
from archdsl.nn.heads.linear_attention import NORMALISER_EPS, LinearAttention

FIRST = "source first"


class SourceFirstAttention(nn.Module):
    """The same as a `LinearAttention`, whose modules are taken over.

    Args:
        head: what it computes.
    """

    reads_directly = ("v",)
    """Its weights are taken, and it is never called."""

    def __init__(self, head: LinearAttention) -> None:
        super().__init__()
        self.num_heads, self.normalise = head.num_heads, head.normalise
        self.q, self.k, self.v, self.proj = head.q, head.k, head.v, head.proj

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Read from `source` for every token of `target`; shapes as in `archdsl.nn.heads`."""
        heads = self.num_heads
        q = 1 + functional.elu(split_heads(self.q(target), heads))
        k = 1 + functional.elu(self.k(source))  # (batch, source_tokens, latent)
        gathered = torch.bmm(k.transpose(1, 2), source)  # (batch, latent, source_dim)
        batch, latent, dim = gathered.shape
        sums = k.sum(dim=1).reshape(batch, heads, latent // heads, 1)
        # (heads, batch * latent/heads, source_dim) x (heads, source_dim, dim/heads)
        by_head = gathered.reshape(batch, heads, latent // heads, dim).transpose(0, 1)
        weight = self.v.weight.reshape(heads, -1, dim).transpose(1, 2)
        state = torch.bmm(by_head.reshape(heads, -1, dim), weight)
        state = state.reshape(heads, batch, latent // heads, -1).transpose(0, 1)
        state = state + sums * self.v.bias.reshape(1, heads, 1, -1)
        if self.normalise:
            q = q / (torch.matmul(q, sums) + NORMALISER_EPS)
        read: Tensor = self.proj(join_heads(torch.matmul(q, state)))
        return read


def saved_macs(head: LinearAttention, source_tokens: int) -> int:
    """Multiply-adds that it saves for one image; negative where it costs some."""
    dim, source_dim = head.v.out_features, head.v.in_features
    latent = head.k.out_features
    before = source_tokens * source_dim * dim + latent * source_tokens * dim // head.num_heads
    # The last 1: the value's bias, which each latent channel sees as often as keys add up to.
    after = latent * source_tokens * source_dim + latent * (source_dim + 1) * dim // head.num_heads
    return before - after


def _apply(network: nn.Module, target: Target) -> Rewrite:
    run, explanation = forward_of(network, target), []
    heads = calls_of(network, run, LinearAttention) if run is not None else {}
    for path, call in heads.items():
        head, (asked, source) = call.module, call.inputs
        saved = saved_macs(head, source.shape[1])
        if saved <= 0:
            continue
        variants: dict[str, nn.Module] = {FIRST: SourceFirstAttention(head), "values first": head}
        chosen = target.choose(
            f"linear attention {_shape(asked)} <- {_shape(source)}, {head.k.out_features} latent",
            {name: _as_run(each, call.inputs, target) for name, each in variants.items()},
        )
        fewer = f"{saved / 1e6:.2f} M multiply-adds fewer"
        if chosen == FIRST:
            network.set_submodule(path, variants[FIRST])
            explanation.append(f"{path}: source first, {fewer}")
        else:
            explanation.append(f"{path}: stays as it is, which is quicker here than {fewer}")
    return Rewrite(network=network, explanation=tuple(explanation))


def _as_run(head: nn.Module, inputs: tuple[Tensor, ...], target: Target) -> Callable[[], Any]:
    """A call of a head as it will be once its linear maps are packed."""
    weights = {id(each): each for each in head.parameters()}
    made = copy.deepcopy(head, weights)
    if not target.training:
        pack(made, partial(made, *inputs), target)
    return partial(made, *inputs)


def _shape(tokens: Tensor) -> str:
    return "x".join(map(str, tokens.shape))


SOURCE_FIRST = Pass(
    name="source_first",
    needs="linear attention whose source has more tokens than the latent channels are worth",
    trains=True,
    apply=_apply,
)
