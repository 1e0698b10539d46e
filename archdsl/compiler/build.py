"""The builder: the one place that knows both the words of a plan and the modules that do them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from archdsl.free_memory import refuse_beyond_memory
from archdsl.nn.blocks import MlpBlock, transformer_block
from archdsl.nn.classifier import Classifier
from archdsl.nn.embeds.conv_stem import ConvStem
from archdsl.nn.embeds.downsample import Downsample
from archdsl.nn.embeds.learned import LearnedEmbed
from archdsl.nn.embeds.patch import PatchEmbed
from archdsl.nn.embeds.stream import StreamEmbed
from archdsl.nn.fusion import AddEraseFusion, AddFusion, EraseFusion
from archdsl.nn.heads.cross_attention import cross_attention
from archdsl.nn.heads.latent_attention import LatentAttention
from archdsl.nn.heads.linear_attention import LinearAttention
from archdsl.nn.heads.mlp import MlpHead
from archdsl.nn.heads.self_attention import SelfAttention
from archdsl.nn.heads.tied_attention import TiedAttention
from archdsl.nn.heads.token_summary import TokenSummary
from archdsl.nn.initialise import initialise
from archdsl.nn.layer import (
    Blocks,
    Borrowed,
    Exchange,
    Layer,
    MappedExchange,
    TiedExchange,
    stream_norm,
)
from archdsl.nn.network import Network
from archdsl.plan.expand import expand
from archdsl.plan.plan import (
    BlocksStep,
    ClassifierPlan,
    ExchangeStep,
    ParallelStep,
    PartPlan,
    Plan,
    StreamPlan,
    WordStep,
    classifier_streams,
    word_steps,
)
from archdsl.spec.base import words
from archdsl.spec.embeds import Embed
from archdsl.spec.model import ModelSpec

Makers = dict[str, Callable[..., nn.Module]]

EMBEDS: Makers = {
    "patch": PatchEmbed,
    "conv_stem": ConvStem,
    "downsample": Downsample,
    "learned": LearnedEmbed,
    "copy": nn.Identity,
}
BLOCKS: Makers = {"transformer": transformer_block, "mlp": MlpBlock}
HEADS: Makers = {
    "linear_attention": LinearAttention,
    "cross_attention": cross_attention,
    "latent_attention": LatentAttention,
    "tied_attention": TiedAttention,
    "self_attention": SelfAttention,
    "mlp": MlpHead,
    "token_summary": TokenSummary,
}
FUSIONS: Makers = {
    "add": AddFusion,
    "erase": EraseFusion,
    "add_erase": AddEraseFusion,
}


def build(spec: ModelSpec, *, seed: int | None = None) -> Network:
    """The module of a document, with fresh weights.

    Args:
        spec: a document.
        seed: of the weights, which leaves torch's global seed as it is; they are drawn from the
            global one unless given.

    Raises:
        InvalidSpecError: the parts of `spec` do not fit together.
        NotEnoughMemoryError: its weights do not fit into main memory.
    """
    device = torch.get_default_device()
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices, enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        network = build_plan(expand(spec))
    network.spec = spec
    return network


def build_plan(plan: Plan) -> Network:
    """The module of a plan, with fresh weights drawn from torch's global seed.

    Raises:
        NotEnoughMemoryError: they do not fit into main memory, where they are to be.
    """
    # Assembled without memory: the defaults that modules draw of their own would be for nothing.
    network, device = build_without_weights(plan), torch.get_default_device()
    if device.type == "cpu":
        refuse_large_weights(network)
    network.to_empty(device=device)
    initialise(network)
    return network


def refuse_large_weights(module: nn.Module) -> None:
    """
    Args:
        module: on the meta device, to be given weights in main memory.

    Raises:
        NotEnoughMemoryError: they do not fit.
    """
    weights = list(module.parameters())
    refuse_beyond_memory(
        sum(weight.nbytes for weight in weights),
        what=f"a network of {sum(map(torch.numel, weights)) / 1e6:.2f} M weights",
        remedy="set smaller widths or a smaller depth",
    )


def build_without_weights(plan: Plan) -> Network:
    """The module of a plan on the meta device: shapes, but no memory and no time."""
    with torch.device("meta"):
        return _assemble(plan)


def _assemble(plan: Plan) -> Network:
    shared = _Shared()
    layers = [_layer(plan, number, shared) for number in range(len(plan.layers))]
    return Network(
        embeds={name: _embed(stream) for name, stream in plan.streams.items()},
        layers=layers,
        classifiers={
            name: _classifier(plan, name, each) for name, each in plan.output.classifiers.items()
        },
        shared=shared.modules,
        plan=plan,
    )


class _Shared:
    """Modules whose weights several layers borrow, by role; a second one of a role is numbered."""

    def __init__(self) -> None:
        self.modules: dict[str, nn.Module] = {}
        self._roles: dict[tuple[str, object], str] = {}

    def borrow(self, role: str, key: object, make: Callable[[], nn.Module]) -> Borrowed:
        """The module that all words of one role and equal keys share."""
        if (role, key) not in self._roles:
            number = sum(known == role for known, _ in self._roles) + 1
            self._roles[role, key] = role if number == 1 else f"{role}_{number}"
            self.modules[self._roles[role, key]] = make()
        return Borrowed(f"shared.{self._roles[role, key]}")


def _embed(stream: StreamPlan) -> StreamEmbed:
    copied = stream.embed.type == "copy"
    return StreamEmbed(
        embed=_make(EMBEDS, stream.embed),
        tokens=stream.tokens,
        dim=stream.dim,
        prefix_tokens=() if copied else stream.prefix_tokens,
        origin=words(Embed)[stream.embed.type].origin,
        positions=stream.embed.type not in ("copy", "learned"),
        resize=stream.resize,
    )


def _classifier(plan: Plan, name: str, classifier: ClassifierPlan) -> Classifier:
    streams = {each: plan.streams[each] for each in classifier_streams(name, classifier)}
    return Classifier(
        streams={each: len(stream.prefix_tokens) for each, stream in streams.items()},
        dim=sum(stream.dim for stream in streams.values()),
        num_classes=plan.output.num_classes,
        pool=classifier.pool,
        norm=classifier.norm,
    )


def _layer(plan: Plan, number: int, shared: _Shared) -> Layer:
    layer = plan.layers[number]
    made: dict[str, nn.Module] = {
        step.word: _step(plan, step, shared, number) for step in word_steps(layer)
    }
    together: list[dict[str, str]] = [
        {step.word: _changes(step) for step in group.parallel}
        for group in layer
        if isinstance(group, ParallelStep)
    ]
    return Layer(made, together)


def _changes(step: WordStep) -> str:
    return step.word if isinstance(step, BlocksStep) else step.target


def _step(plan: Plan, step: WordStep, shared: _Shared, number: int) -> nn.Module:
    """A word of the layer of that number."""
    if isinstance(step, BlocksStep):
        blocks = [_part(BLOCKS, block, f"{step.word}_block", shared) for block in step.blocks]
        return Blocks(stream=step.word, blocks=blocks)
    source = plan.streams[step.source]
    arguments: dict[str, Any] = {
        "target": step.target,
        "source": step.source,
        "norms": _norms(plan, step, shared),
        "replace": step.norm.placement == "replace",
        "head": _part(HEADS, step.head, f"{step.word}_head", shared, step.takes_map_of),
        "fusion": _part(FUSIONS, step.fusion, f"{step.word}_fusion", shared),
        "queries": 1 if step.queries == "cls" else None,
        "skipped": len(source.prefix_tokens) if step.keys == "patches" else 0,
    }
    if step.takes_map_of:
        tied = step.head.arguments.get("tied_values")
        values = Borrowed(f"layers.{number}.read.head.v") if tied else None
        return TiedExchange(values=values, **arguments)
    return MappedExchange(**arguments) if step.gives_map else Exchange(**arguments)


def _norms(plan: Plan, step: ExchangeStep, shared: _Shared) -> dict[str, nn.Module]:
    dims = {str(name): plan.streams[name].dim for name in step.normalised}
    if step.norm.shared and dims:
        dims = {"both": next(iter(dims.values()))}
    if not step.norm.weights_shared:
        return {name: stream_norm(dim) for name, dim in dims.items()}
    return {
        name: shared.borrow(f"{name}_norm", dim, partial(stream_norm, dim))
        for name, dim in dims.items()
    }


def _part(
    makers: Makers, part: PartPlan, role: str, shared: _Shared, beside: PartPlan | None = None
) -> nn.Module:
    """A module of a layer's own, or the one all layers share."""
    if not part.shared:
        return _make(makers, part)
    return shared.borrow(role, (part, beside), partial(_make, makers, part))


def _make(makers: Makers, part: PartPlan) -> nn.Module:
    return makers[part.type](**dict(part.arguments))
