"""The builder: the one place that knows both the words of a plan and the modules that do them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from archdsl.nn.blocks import MlpBlock, transformer_block
from archdsl.nn.classifier import Classifier
from archdsl.nn.embed import PatchEmbed, StreamEmbed
from archdsl.nn.fusion import AddEraseFusion, AddFusion, EraseFusion
from archdsl.nn.heads.cross_attention import CrossAttention
from archdsl.nn.heads.latent_attention import LatentAttention
from archdsl.nn.heads.linear_attention import LinearAttention
from archdsl.nn.heads.token_summary import TokenSummary
from archdsl.nn.initialise import initialise
from archdsl.nn.layer import Blocks, Borrowed, Exchange, Layer
from archdsl.nn.network import Network
from archdsl.plan.expand import expand
from archdsl.plan.plan import BlocksStep, ExchangeStep, PartPlan, Plan, Step
from archdsl.spec.model import ModelSpec

EMBEDS: dict[str, Callable[..., nn.Module]] = {"patch": PatchEmbed}
BLOCKS: dict[str, Callable[..., nn.Module]] = {"transformer": transformer_block, "mlp": MlpBlock}
HEADS: dict[str, Callable[..., nn.Module]] = {
    "linear_attention": LinearAttention,
    "cross_attention": CrossAttention,
    "latent_attention": LatentAttention,
    "token_summary": TokenSummary,
}
FUSIONS: dict[str, Callable[..., nn.Module]] = {
    "add": AddFusion,
    "erase": EraseFusion,
    "add_erase": AddEraseFusion,
}


def build(spec: ModelSpec) -> Network:
    """The module of a document, with fresh weights drawn from torch's global seed.

    Raises:
        InvalidSpecError: the parts of `spec` do not fit together.
    """
    return build_plan(expand(spec))


def build_plan(plan: Plan) -> Network:
    """The module of a plan, with fresh weights drawn from torch's global seed."""
    # Assembled without memory: the defaults that modules draw of their own would be for nothing.
    network = build_without_weights(plan).to_empty(device=torch.get_default_device())
    initialise(network)
    return network


def build_without_weights(plan: Plan) -> Network:
    """The module of a plan on the meta device: shapes, but no memory and no time."""
    with torch.device("meta"):
        return _assemble(plan)


def _assemble(plan: Plan) -> Network:
    embeds = {
        name: StreamEmbed(
            embed=_make(EMBEDS, stream.embed),
            tokens=stream.tokens,
            dim=stream.dim,
            prefix_tokens=stream.prefix_tokens,
        )
        for name, stream in plan.streams.items()
    }
    shared: dict[str, nn.Module] = {}
    layers = [
        Layer({step.word: _step(plan, step, shared) for step in layer}) for layer in plan.layers
    ]
    classifiers = {
        name: Classifier(
            dim=plan.streams[name].dim,
            prefix_tokens=len(plan.streams[name].prefix_tokens),
            num_classes=plan.output.num_classes,
            pool=classifier.pool,
            norm=classifier.norm,
        )
        for name, classifier in plan.output.classifiers.items()
    }
    return Network(
        embeds={str(name): embed for name, embed in embeds.items()},
        layers=layers,
        classifiers={str(name): classifier for name, classifier in classifiers.items()},
        shared=shared,
        plan=plan,
    )


def _step(plan: Plan, step: Step, shared: dict[str, nn.Module]) -> nn.Module:
    if isinstance(step, BlocksStep):
        return Blocks(stream=step.word, blocks=[_make(BLOCKS, block) for block in step.blocks])
    return _exchange(plan, step, shared)


def _exchange(plan: Plan, step: ExchangeStep, shared: dict[str, nn.Module]) -> Exchange:
    return Exchange(
        target=step.target,
        source=step.source,
        target_dim=plan.streams[step.target].dim,
        source_dim=plan.streams[step.source].dim,
        replace=step.norm.placement == "replace",
        shared_norm=step.norm.shared,
        head=_make(HEADS, step.head),
        fusion=_fusion(step, shared),
    )


def _fusion(step: ExchangeStep, shared: dict[str, nn.Module]) -> nn.Module:
    """The fusion of a step; a shared one is made once for all reads, once for all writes."""
    if not step.fusion.shared:
        return _make(FUSIONS, step.fusion)
    owned = shared.setdefault(f"{step.word}_fusion", _make(FUSIONS, step.fusion))
    return Borrowed(owned)


def _make(makers: dict[str, Callable[..., nn.Module]], part: PartPlan) -> nn.Module:
    arguments: dict[str, Any] = dict(part.arguments)
    return makers[part.type](**arguments)
