"""Parameters and multiply-adds of a plan, from its numbers alone; the traced count must agree."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from math import prod

from archdsl.plan.plan import (
    BlocksStep,
    ClassifierPlan,
    ExchangeStep,
    PartPlan,
    Plan,
    StreamPlan,
    WordStep,
    classifier_streams,
    word_steps,
)
from archdsl.spec.base import words
from archdsl.spec.blocks import Block
from archdsl.spec.cost import Cost, layer_norm, linear
from archdsl.spec.embeds import Embed
from archdsl.spec.fusion import Fusion
from archdsl.spec.heads import Head


def _costs(union: object) -> dict[str, Callable[..., Cost]]:
    """What each word of a union costs: `type` to its class's `cost`."""
    return {word: each.cost for word, each in words(union).items()}


BLOCKS, HEADS, EMBEDS, FUSIONS = _costs(Block), _costs(Head), _costs(Embed), _costs(Fusion)


@dataclass(frozen=True, kw_only=True)
class PartCost:
    """What one part of a network costs.

    Args:
        path: of its module in the compiled network: `embeds.memory`, `layers.3.read`.
        cost: for one image; weights that several layers share count where they are met first.
    """

    path: str
    cost: Cost

    @property
    def word(self) -> str:
        """The stream of an embedding, the word of a layer, the name of a classifier."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What every part of a network costs, in the order they run."""

    embeds: tuple[PartCost, ...]
    layers: tuple[tuple[PartCost, ...], ...]
    classifiers: tuple[PartCost, ...]

    @property
    def total(self) -> Cost:
        """What one image costs, all classifiers included."""
        in_layers = (part for layer in self.layers for part in layer)
        parts = (*self.embeds, *in_layers, *self.classifiers)
        return sum((part.cost for part in parts), Cost())


def costs(plan: Plan) -> Costs:
    """What every part of a network costs for one image."""
    layers = _Layers(plan)
    return Costs(
        embeds=tuple(
            PartCost(path=f"embeds.{name}", cost=_embed(stream))
            for name, stream in plan.streams.items()
        ),
        layers=tuple(
            tuple(
                PartCost(path=f"layers.{number}.{step.word}", cost=layers.step(step))
                for step in word_steps(layer)
            )
            for number, layer in enumerate(plan.layers)
        ),
        classifiers=tuple(
            PartCost(path=f"classifiers.{name}", cost=_classifier(plan, name, classifier))
            for name, classifier in plan.output.classifiers.items()
        ),
    )


def cost(plan: Plan) -> Cost:
    """What one image costs, all classifiers included."""
    return costs(plan).total


def params_of(plan: Plan, parts: Collection[str], *, norms: Collection[str]) -> int:
    """Parameters of some parts of a network; what several of them share counts once.

    Args:
        plan: of the network.
        parts: paths as in `PartCost`.
        norms: paths of words of whose parameters only those of the norms count.
    """
    found, layers = costs(plan), _Layers(plan)
    total = sum(each.cost.params for each in found.embeds + found.classifiers if each.path in parts)
    for number, layer in enumerate(plan.layers):
        for step in word_steps(layer):
            path = f"layers.{number}.{step.word}"
            if path in parts:
                total += layers.step(step).params
            elif path in norms and isinstance(step, ExchangeStep):
                total += layers.norms(step).params
    return total


def params_allocated(plan: Plan) -> int:
    """Parameters that exist, the unused tensors of the published layout included."""
    return cost(plan).params + sum(prod(shape) for shape in plan.unused.values())


def _embed(stream: StreamPlan) -> Cost:
    tokens = stream.grid[0] * stream.grid[1]
    embed = EMBEDS[stream.embed.type](tokens=tokens, **stream.embed.arguments)
    tables = len(stream.prefix_tokens)
    if stream.embed.type == "copy":
        return embed
    if stream.embed.type != "learned":
        tables += stream.tokens
    return embed + Cost(params=tables * stream.dim)


@dataclass(frozen=True)
class _Layers:
    """Costs of steps; the weights of a shared part count where it is met first."""

    plan: Plan
    met: set[object] = field(default_factory=set)

    def step(self, step: WordStep) -> Cost:
        return self.exchange(step) if isinstance(step, ExchangeStep) else self.blocks(step)

    def exchange(self, step: ExchangeStep) -> Cost:
        target, source = self.plan.streams[step.target], self.plan.streams[step.source]
        head = HEADS[step.head.type](
            target_tokens=1 if step.queries == "cls" else target.tokens,
            source_tokens=source.tokens - (len(source.prefix_tokens) if step.keys != "all" else 0),
            **step.head.arguments,
            **({"need_map": True} if step.gives_map else {}),
        )
        fusion = FUSIONS[step.fusion.type](**step.fusion.arguments)
        return (
            self.norms(step)
            + self._once(head, step.head, f"{step.word}_head", step.takes_map_of)
            + self._once(fusion, step.fusion, f"{step.word}_fusion")
        )

    def blocks(self, step: BlocksStep) -> Cost:
        total, tokens = Cost(), self.plan.streams[step.word].tokens
        for block in step.blocks:
            each = BLOCKS[block.type](tokens=tokens, **block.arguments)
            total += self._once(each, block, f"{step.word}_block")
        return total

    def norms(self, step: ExchangeStep) -> Cost:
        total = Cost()
        for position, name in enumerate(step.normalised):
            stream = self.plan.streams[name]
            norm = layer_norm(stream.tokens, stream.dim)
            owned = not (step.norm.shared and position)
            role = "both" if step.norm.shared else name
            if owned and not (step.norm.weights_shared and self._is_met(("norm", role))):
                total += norm
            else:
                total += _without_params(norm)
        return total

    def _once(self, cost: Cost, part: PartPlan, *role: object) -> Cost:
        repeated = part.shared and self._is_met((*role, part))
        return _without_params(cost) if repeated else cost

    def _is_met(self, key: object) -> bool:
        met = key in self.met
        self.met.add(key)
        return met


def _without_params(cost: Cost) -> Cost:
    return cost + Cost(params=-cost.params)


def _classifier(plan: Plan, name: str, classifier: ClassifierPlan) -> Cost:
    names = classifier_streams(name, classifier)
    dim = sum(plan.streams[each].dim for each in names)
    total = linear(1, dim, plan.output.num_classes)
    if classifier.norm in ("tokens", "both"):
        total += layer_norm(plan.streams[names[0]].tokens, dim)
    if classifier.norm in ("pooled", "both"):
        total += layer_norm(1, dim)
    return total
