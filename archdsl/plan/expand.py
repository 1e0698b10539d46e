"""From words to numbers: a `ModelSpec` becomes a `Plan`, or every rule it breaks is reported."""

from __future__ import annotations

from archdsl.plan.exceptions import LayerWords, base_layer, layer_words
from archdsl.plan.exchange import exchange_step
from archdsl.plan.output import expand_output
from archdsl.plan.plan import BlocksStep, ParallelStep, PartPlan, Plan, Step, StreamName, WordStep
from archdsl.plan.published import unused_tensors
from archdsl.plan.streams import Shapes, expand_streams
from archdsl.spec.exchange import Exchange, Word
from archdsl.spec.layers import LayerSpec
from archdsl.spec.model import ModelSpec
from archdsl.spec.rules import Rules
from archdsl.spec.streams import StreamLayer

WRITES: dict[Word, StreamName] = {
    "read": "process",
    "process": "process",
    "write": "memory",
    "memory": "memory",
}
"""The stream each word changes."""


def expand(spec: ModelSpec) -> Plan:
    """Work out every layer and every size.

    Raises:
        InvalidSpecError: every broken rule (a patch that does not divide the image, …).
    """
    rules = Rules()
    streams, shapes = expand_streams(spec, rules)
    layers = _layers(spec, shapes, rules)
    output = expand_output(spec, streams, rules)
    if spec.published_layout and not spec.memory:
        rules.refuse("only two-stream models have a published layout", "published_layout")
    rules.raise_broken()
    plan = Plan(
        image=(spec.image.channels, *spec.image.size),
        streams=streams,
        layers=layers,
        output=output,
    )
    return unused_tensors(plan, inherited=spec.published_layout)


def _layers(spec: ModelSpec, shapes: Shapes, rules: Rules) -> tuple[tuple[Step, ...], ...]:
    layers = layer_words(spec, rules)
    of_base = Rules()
    _layer(base_layer(spec), shapes, of_base)
    made: dict[int, tuple[Step, ...]] = {}
    for layer in layers:
        if id(layer) in made:
            continue
        of_layer = Rules()
        made[id(layer)] = _layer(layer, shapes, of_layer)
        for rule in of_layer.broken:
            # What is wrong with a word that no exception changes is said once, of the word itself.
            inherited = None if layer.changes(rule.path) else of_base.at_path(rule.path)
            if inherited:
                rules.refuse(inherited.message, *inherited.path)
            else:
                rules.refuse(rule.message, *layer.blamed(rule.path))
    if all(layer.spec for layer in layers):
        _check_layers_work(spec, [layer.spec for layer in layers if layer.spec], rules)
    return tuple(made[id(layer)] for layer in layers)


def _check_layers_work(spec: ModelSpec, layers: list[LayerSpec], rules: Rules) -> None:
    heads = [
        head
        for layer in layers
        if layer.exchange
        for head in (layer.exchange.read, layer.exchange.write)
    ]
    if spec.memory and not any(heads):
        rules.refuse("no layer reads or writes it; add exchange.read, or remove memory", "memory")
    elif not any(heads) and not any(layer.process.block for layer in layers):
        rules.refuse("the layers do nothing; add process.block", "process")


def _layer(layer: LayerWords, shapes: Shapes, rules: Rules) -> tuple[Step, ...]:
    if layer.spec is None:
        return ()
    _check_words(layer.spec, shapes, rules)
    steps: list[Step] = []
    for place in (layer.spec.exchange or Exchange()).places():
        made = [_word_step(word, layer.spec, shapes, rules) for word in place]
        found = tuple(step for step in made if step)
        if len(found) > 1:
            steps.append(ParallelStep(parallel=found))
        else:
            steps.extend(found)
    return tuple(steps)


def _word_step(word: Word, layer: LayerSpec, shapes: Shapes, rules: Rules) -> WordStep | None:
    if word in ("read", "write"):
        return exchange_step(word, layer.exchange or Exchange(), shapes, rules)
    return _blocks_step(WRITES[word], layer, shapes, rules)


def _check_words(layer: LayerSpec, shapes: Shapes, rules: Rules) -> None:
    """Words of a layer that have no effect where they stand, or cannot stand there."""
    if "memory" not in shapes:
        if layer.memory:
            rules.refuse("there is no memory stream", "memory")
        if layer.exchange:
            rules.refuse("there is no memory stream to exchange with", "exchange")
    exchange = layer.exchange or Exchange()
    order = exchange.words()
    if len(set(order)) < len(order):
        rules.refuse("each word runs at most once in a layer", "exchange", "order")
    else:
        _check_together(exchange, rules)
    words = {
        "read": (exchange.read, ("exchange", "read")),
        "process": (layer.process.block, ("process", "block")),
        "write": (exchange.write, ("exchange", "write")),
        "memory": (layer.memory and layer.memory.block, ("memory", "block")),
    }
    for word, (value, path) in words.items():
        if value and word not in order:
            rules.refuse("never runs: exchange.order leaves it out", *path)


def _check_together(exchange: Exchange, rules: Rules) -> None:
    """Words that run from the same state change streams of their own, and nothing else."""
    for number, place in enumerate(exchange.places()):
        if not isinstance(exchange.order[number], str) and len(place) < 2:
            message = "an inner list holds two or more words that run from the same state"
            rules.refuse(message, "exchange", "order", number)
        changed = [WRITES[word] for word in place]
        for stream in sorted({name for name in changed if changed.count(name) > 1}):
            both = " and ".join(word for word in place if WRITES[word] == stream)
            message = f"{both} both change the {stream} stream; they cannot run together"
            rules.refuse(message, "exchange", "order", number)
        exchanges = [w for w in place if w in ("read", "write") and getattr(exchange, w)]
        if len(place) > 1 and exchanges and exchange.norm.placement == "replace":
            message = (
                f"replace changes both streams, so {' and '.join(exchanges)} cannot run together "
                "with another word; write pre or none"
            )
            rules.refuse(message, "exchange", "norm", "placement")


def _blocks_step(
    name: StreamName, layer: LayerSpec, shapes: Shapes, rules: Rules
) -> BlocksStep | None:
    words: StreamLayer | None = layer.process if name == "process" else layer.memory
    if words is None or name not in shapes:
        return None
    if words.block is None:
        if words.blocks != 1:
            rules.refuse("has no effect: there is no block to repeat", name, "blocks")
        return None
    arguments = words.block.arguments(dim=shapes[name].dim, rules=rules.at(name, "block"))
    if arguments is None:
        return None
    shared = words.block.weights == "shared"
    part = PartPlan(type=words.block.type, arguments=arguments, shared=shared)
    return BlocksStep(word=name, blocks=(part,) * words.blocks)
