"""Layers that are run backwards in training: what lies between them is computed again, not kept.

A word that adds to a stream what it computes of the other one alone, y = x + f(other), is undone by
x = y - f(other). Layers of such words alone (Rev-ViT, arXiv 2302.04869) keep their last streams for
the backward pass, however many they are; each word is then evaluated a second time, with the
gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from archdsl.nn.fusion import AddFusion
from archdsl.nn.heads.mlp import MlpHead
from archdsl.nn.heads.self_attention import SelfAttention
from archdsl.nn.layer import Borrowed, Exchange, Layer, Streams

OF_SOURCE_ALONE = (SelfAttention, MlpHead)
"""Heads whose result does not depend on the target's tokens."""
_INSIDE = (*OF_SOURCE_ALONE, nn.Linear, nn.LayerNorm, nn.GELU)
"""What a second evaluation gives the same of, and leaves no trace in: nothing random, no count of
calls."""
_EXACT = (torch.float32, torch.float64)
"""With shorter numbers, x + f - f would not be x."""
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def run_layers(layers: Iterable[nn.Module], streams: Streams, *, training: bool) -> Streams:
    """All streams through layers, one after the other.

    Args:
        layers: in the order they run.
        training: reversible layers are to be run backwards, where a gradient is asked for.
    """
    if not (training and _can_compute_again(streams)):  # nor does torch.compile know groupby
        for layer in layers:
            streams = layer(streams)
        return streams
    for reversible, run in groupby(layers, is_reversible):
        if reversible:
            streams = _run_reversible([cast(Layer, layer) for layer in run], streams)
        else:
            for layer in run:
                streams = layer(streams)
    return streams


def is_reversible(layer: nn.Module) -> bool:
    """Whether the streams in front of a layer follow from those behind it, as its modules are now:
    each word adds to one stream what it computes of the other, and nobody hooks into them."""
    return (
        type(layer) is Layer
        and not layer.together
        and not _hooked(layer)
        and all(map(_is_reversible_word, layer.values()))
    )


def _is_reversible_word(step: nn.Module) -> bool:
    if type(step) is not Exchange or step.replace or step.queries is not None or step.skipped:
        return False
    fusion, (*_, head) = _owned(step.fusion), _parts(step)
    return (
        type(fusion) is AddFusion
        and type(head) in OF_SOURCE_ALONE
        and not any(map(_hooked, (step, step.norms, fusion)))
        and all(map(_is_repeatable, (each for part in _parts(step) for each in part.modules())))
    )


def _is_repeatable(module: nn.Module) -> bool:
    # Of a replica, or while other tensors are put in their place, weights are no parameters.
    own = type(module) in _INSIDE and not _hooked(module)
    return own and all(
        isinstance(getattr(module, name), nn.Parameter | None) for name in module._parameters
    )


def _hooked(module: nn.Module) -> bool:
    return any(vars(module)[name] for name in _HOOKS)


def _owned(module: nn.Module) -> nn.Module:
    return module.owned if isinstance(module, Borrowed) else module


def _parts(step: Exchange) -> list[nn.Module]:
    """What computes on the source: its norm, where it has one, and the head."""
    norm = step.norm_of(step.source)
    return [_owned(each) for each in (norm, step.head) if each is not None]


def _can_compute_again(streams: Streams) -> bool:
    """Whether this is a plain call in which gradients are asked for: no tracing, no transform."""
    return (
        torch.is_grad_enabled()
        and all(isinstance(each, Tensor) and each.dtype in _EXACT for each in streams.values())
        and not torch.compiler.is_compiling()
        and torch._C._get_tracing_state() is None
        and not torch._C._are_functorch_transforms_active()
    )


def _run_reversible(layers: Sequence[Layer], streams: Streams) -> Streams:
    words = _Words(layers)
    weights = dict(words.named_parameters())
    found = _Reversible.apply(
        words, tuple(streams), tuple(weights), *streams.values(), *weights.values()
    )
    return dict(zip(streams, found, strict=True))


class _Words(nn.Module):
    """The words of some layers, run forwards without gradient and backwards with it.

    Args:
        layers: reversible ones.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = tuple(layers)  # not registered: parts alone have parameters to be exchanged
        self.steps = [cast(Exchange, step) for layer in layers for step in layer.values()]
        # Once each: a module that is there twice does not get its own tensors back.
        parts = dict.fromkeys(part for step in self.steps for part in _parts(step))
        self.parts = nn.ModuleList(parts)

    def run(self, streams: Streams) -> Streams:
        """All streams -> all streams."""
        for layer in self.layers:
            streams = layer(streams)
        return streams

    def forward(self, streams: Streams, gradients: Streams) -> tuple[Streams, dict[Tensor, Tensor]]:
        """Streams behind the words, and the gradients of these -> the gradients of the streams in
        front of them, and those of the weights."""
        streams, gradients = dict(streams), dict(gradients)
        of_weights: dict[Tensor, Tensor] = {}
        for step in reversed(self.steps):
            source = streams[step.source].detach().requires_grad_()
            weights = [w for part in _parts(step) for w in part.parameters() if w.requires_grad]
            with torch.enable_grad():
                read = step.read_source(source)
            streams[step.target] = streams[step.target] - read.detach()
            given = gradients[step.target].to(read.dtype)
            more, *own = torch.autograd.grad(read, [source, *weights], given)
            gradients[step.source] = gradients[step.source] + more
            for weight, gradient in zip(weights, own, strict=True):
                known = of_weights.get(weight)
                of_weights[weight] = gradient if known is None else known + gradient
        return gradients, of_weights


class _Reversible(torch.autograd.Function):
    """Words as one operation, which keeps no more than the streams behind them."""

    @staticmethod
    def forward(
        ctx: Any, words: _Words, names: tuple[str, ...], weights: tuple[str, ...], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """Streams, then weights -> streams."""
        ctx.words, ctx.names, ctx.weights = words, names, weights
        kind = tensors[0].device.type
        ctx.autocast = {
            "device_type": kind,
            "dtype": torch.get_autocast_dtype(kind),
            "enabled": torch.is_autocast_enabled(kind),
            "cache_enabled": False,  # it would keep weights of here, which have no gradient
        }
        with torch.autocast(**ctx.autocast):
            streams = words.run(dict(zip(names, tensors, strict=False)))
        found = tuple(streams[name] for name in names)
        ctx.save_for_backward(*found, *tensors[len(names) :])
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of each stream and weight."""
        count, saved = len(ctx.names), ctx.saved_tensors
        # Tensors of their own: hooks of the weights see the gradient once, when it is whole.
        weights = [
            weight.detach().requires_grad_(needed)
            for weight, needed in zip(
                saved[count:], ctx.needs_input_grad[-len(saved) + count :], strict=True
            )
        ]
        with torch.autocast(**ctx.autocast):
            of_streams, of_weights = functional_call(
                ctx.words,
                dict(zip(ctx.weights, weights, strict=True)),
                (
                    dict(zip(ctx.names, saved, strict=False)),
                    dict(zip(ctx.names, gradients, strict=True)),
                ),
            )
        return (
            None,
            None,
            None,
            *(of_streams[name] for name in ctx.names),
            *map(of_weights.get, weights),
        )
