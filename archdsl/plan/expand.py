"""From words to numbers: a `ModelSpec` becomes a `Plan`, or every rule it breaks is reported."""

from __future__ import annotations

from archdsl.plan.exceptions import LayerWords, base_layer, layer_words
from archdsl.plan.output import expand_output
from archdsl.plan.plan import (
    BlocksStep,
    ExchangeStep,
    NormPlan,
    PartPlan,
    Plan,
    Step,
    StreamName,
    StreamPlan,
)
from archdsl.plan.published import unused_tensors
from archdsl.spec.blocks import TransformerBlock
from archdsl.spec.exchange import Exchange
from archdsl.spec.layers import LayerSpec
from archdsl.spec.model import ModelSpec
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape
from archdsl.spec.streams import MemoryStream, ProcessStream, StreamLayer

Shapes = dict[StreamName, StreamShape]


def expand(spec: ModelSpec) -> Plan:
    """Work out every layer and every size.

    Raises:
        InvalidSpecError: every broken rule (a patch that does not divide the image, …).
    """
    rules = Rules()
    shapes, embeds = _streams(spec, rules)
    layers = _layers(spec, shapes, rules)
    output = expand_output(spec, rules)
    if spec.published_layout and not spec.memory:
        rules.refuse("only two-stream models have a published layout", "published_layout")
    rules.raise_broken()
    streams = {
        name: StreamPlan(
            tokens=shape.tokens,
            dim=shape.dim,
            grid=shape.grid,
            embed=embeds[name],
            prefix_tokens=_stream(spec, name).prefix_tokens,
        )
        for name, shape in shapes.items()
    }
    plan = Plan(
        image=(spec.image.channels, *spec.image.size),
        streams=streams,
        layers=layers,
        output=output,
    )
    return unused_tensors(plan) if spec.published_layout else plan


def _stream(spec: ModelSpec, name: StreamName) -> ProcessStream | MemoryStream:
    stream = spec.process if name == "process" else spec.memory
    if stream is None:
        raise LookupError(name)
    return stream


def _streams(spec: ModelSpec, rules: Rules) -> tuple[Shapes, dict[StreamName, PartPlan]]:
    """Shapes and embeddings of the streams. What is refused here gets a size that fits anything, so
    that every other word can still be judged."""
    names: tuple[StreamName, ...] = ("process", "memory") if spec.memory else ("process",)
    block = spec.process.block
    num_heads = None
    if isinstance(block, TransformerBlock):
        num_heads = block.heads(spec.process.dim, rules.at("process", "block")) or 1
    shapes: Shapes = {}
    embeds: dict[StreamName, PartPlan] = {}
    for name in names:
        stream = _stream(spec, name)
        dim = stream.dim or spec.process.dim
        grid = stream.embed.grid(spec.image.size, rules.at(name, "embed")) or (1, 1)
        shapes[name] = StreamShape(
            name=name,
            grid=grid,
            prefix_tokens=len(stream.prefix_tokens),
            dim=dim,
            num_heads=num_heads,
        )
        embeds[name] = PartPlan(
            type=stream.embed.type,
            arguments=stream.embed.arguments(channels=spec.image.channels, dim=dim),
        )
    return shapes, embeds


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
    exchange = layer.spec.exchange or Exchange()
    steps: list[Step] = []
    for word in exchange.order:
        step: Step | None
        if word in ("read", "write"):
            step = _exchange_step(word, exchange, shapes, rules)
        else:
            step = _blocks_step(word, layer.spec, shapes, rules)
        if step:
            steps.append(step)
    return tuple(steps)


def _check_words(layer: LayerSpec, shapes: Shapes, rules: Rules) -> None:
    """Words of a layer that have no effect where they stand."""
    if "memory" not in shapes:
        if layer.memory:
            rules.refuse("there is no memory stream", "memory")
        if layer.exchange:
            rules.refuse("there is no memory stream to exchange with", "exchange")
    exchange = layer.exchange or Exchange()
    if len(set(exchange.order)) < len(exchange.order):
        rules.refuse("each word runs at most once in a layer", "exchange", "order")
    words = {
        "read": (exchange.read, ("exchange", "read")),
        "process": (layer.process.block, ("process", "block")),
        "write": (exchange.write, ("exchange", "write")),
        "memory": (layer.memory and layer.memory.block, ("memory", "block")),
    }
    for word, (value, path) in words.items():
        if value and word not in exchange.order:
            rules.refuse("never runs: exchange.order leaves it out", *path)


def _exchange_step(
    word: str, exchange: Exchange, shapes: Shapes, rules: Rules
) -> ExchangeStep | None:
    head = exchange.read if word == "read" else exchange.write
    if head is None or len(shapes) < 2:
        return None
    names: tuple[StreamName, StreamName] = (
        ("process", "memory") if word == "read" else ("memory", "process")
    )
    target, source = shapes[names[0]], shapes[names[1]]
    if exchange.norm.shared and target.dim != source.dim:
        widths = " and ".join(str(shape.dim) for shape in shapes.values())
        rules.refuse(
            f"one norm cannot serve the widths {widths}; write shared: false",
            "exchange",
            "norm",
            "shared",
        )
    arguments = head.arguments(target=target, source=source, rules=rules.at("exchange", word))
    if arguments is None:
        return None
    return ExchangeStep(
        word="read" if word == "read" else "write",
        target=names[0],
        source=names[1],
        norm=NormPlan(placement=exchange.norm.placement, shared=exchange.norm.shared),
        head=PartPlan(type=head.type, arguments=arguments),
        fusion=PartPlan(
            type=head.fusion.type,
            arguments=head.fusion.arguments(target),
            shared=head.fusion.shared,
        ),
    )


def _blocks_step(word: str, layer: LayerSpec, shapes: Shapes, rules: Rules) -> BlocksStep | None:
    name: StreamName = "process" if word == "process" else "memory"
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
    part = PartPlan(type=words.block.type, arguments=arguments)
    return BlocksStep(word=name, blocks=(part,) * words.blocks)
