"""Parameters and multiply-adds of a plan, from its numbers alone; the traced count must agree."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from archdsl.plan.plan import ClassifierPlan, ExchangeStep, PartPlan, Plan, Step, StreamPlan
from archdsl.spec.base import words
from archdsl.spec.blocks import Block
from archdsl.spec.cost import Cost, layer_norm, linear
from archdsl.spec.embed import Embed
from archdsl.spec.fusion import Fusion
from archdsl.spec.heads import Head


def _costs(union: object) -> dict[str, Callable[..., Cost]]:
    """What each word of a union costs: `type` to its class's `cost`."""
    return {word: each.cost for word, each in words(union).items()}


BLOCKS, HEADS, EMBEDS, FUSIONS = _costs(Block), _costs(Head), _costs(Embed), _costs(Fusion)


def cost(plan: Plan) -> Cost:
    """What one image costs, all classifiers included."""
    total = Cost()
    for stream in plan.streams.values():
        total += _embed(stream)
    shared: set[tuple[str, PartPlan]] = set()
    for layer in plan.layers:
        for step in layer:
            total += _step(plan, step)
            if isinstance(step, ExchangeStep):
                total += _fusion(step, shared)
    for name, classifier in plan.output.classifiers.items():
        total += _classifier(plan.streams[name], classifier, plan.output.num_classes)
    return total


def params_allocated(plan: Plan) -> int:
    """Parameters that exist, the unused tensors of the published layout included."""
    return cost(plan).params + sum(prod(shape) for shape in plan.unused.values())


def _embed(stream: StreamPlan) -> Cost:
    tokens = stream.grid[0] * stream.grid[1]
    tables = (stream.tokens + len(stream.prefix_tokens)) * stream.dim
    embed = EMBEDS[stream.embed.type](tokens=tokens, **stream.embed.arguments)
    return embed + Cost(params=tables)


def _step(plan: Plan, step: Step) -> Cost:
    if isinstance(step, ExchangeStep):
        target, source = plan.streams[step.target], plan.streams[step.source]
        norms = layer_norm(target.tokens, target.dim) + layer_norm(source.tokens, source.dim)
        if step.norm.shared:
            norms += Cost(params=-2 * target.dim)
        return norms + HEADS[step.head.type](
            target_tokens=target.tokens, source_tokens=source.tokens, **step.head.arguments
        )
    total = Cost()
    for block in step.blocks:
        tokens = plan.streams[step.word].tokens
        total += BLOCKS[block.type](tokens=tokens, **block.arguments)
    return total


def _fusion(step: ExchangeStep, shared: set[tuple[str, PartPlan]]) -> Cost:
    """Cost of a fusion; the weights of a shared one count where it is met first."""
    total = FUSIONS[step.fusion.type](**step.fusion.arguments)
    if step.fusion.shared and (step.word, step.fusion) in shared:
        total += Cost(params=-total.params)
    shared.add((step.word, step.fusion))
    return total


def _classifier(stream: StreamPlan, classifier: ClassifierPlan, num_classes: int) -> Cost:
    total = linear(1, stream.dim, num_classes)
    if classifier.norm in ("tokens", "both"):
        total += layer_norm(stream.tokens, stream.dim)
    if classifier.norm in ("pooled", "both"):
        total += layer_norm(1, stream.dim)
    return total
