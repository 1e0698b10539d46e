"""The network of an exported source file: from images to tokens, through layers, to logits."""

from __future__ import annotations

from typing import cast

from torch import nn

from archdsl.compiler.export.source_blocks import parameter
from archdsl.compiler.export.source_layers import LayerSource, Parts, norm_call, shape_of
from archdsl.compiler.export.source_text import Call, Classes, Expression, call, line, lines
from archdsl.compiler.export.source_words import word_call
from archdsl.nn.classifier import TOKEN, Classifier
from archdsl.nn.embeds.stream import StreamEmbed
from archdsl.nn.network import Network
from archdsl.plan.plan import StreamPlan


def network_text(network: Network, classes: Classes) -> str:
    """Of the class `Network`; the classes of its parts are noted among those of the file."""
    plan = network.plan
    embeds = {
        name: _embed_call(network, name, classes)
        for name, each in plan.streams.items()
        if each.embed.type != "copy"
    }
    layers = [LayerSource(network, number, classes) for number in range(len(plan.layers))]
    shared = {name: made for layer in layers for name, made in layer.shared.items()}
    names = [classes.name("Layer", layer.text(shared=bool(shared))) for layer in layers]
    streams = ", ".join(plan.streams)
    tokens = [
        *_embed_lines(network),
        *lines(
            "for layer in self.layers:",
            f"    {streams} = layer({streams}{', self.shared' if shared else ''})",
        ),
    ]
    return "\n".join(
        [
            "class Network(nn.Module):",
            '    """Streams are embedded, run through the layers, and classified."""',
            "",
            "    def __init__(self) -> None:",
            "        super().__init__()",
            line("self.embeds = ", call("Parts", **embeds)),
            *([line("self.shared = ", call("Parts", **shared))] if shared else []),
            line("self.layers = ", call("nn.ModuleList", _layers(names))),
            line("self.classifiers = ", call("Parts", **_classifier_calls(network))),
            "",
            *_methods(network, tokens),
        ]
    )


def _layers(names: list[str]) -> Expression:
    if len(names) > 1 and len(set(names)) == 1:
        return f"{names[0]}() for _ in range({len(names)})"
    return Call("", [("", f"{name}()") for name in names], ("[", "]"))


def _embed_call(network: Network, name: str, classes: Classes) -> Call:
    module, plan = cast(StreamEmbed, network.embeds[name]), _plans(network)[name]
    parts: Parts = {"embed": word_call("embed", plan.embed, classes)}
    if module.prefix is not None:
        parts["prefix"] = parameter(module.prefix.shape[1], plan.dim)
    if module.position is not None:
        parts["position"] = parameter(plan.tokens, plan.dim)
    return call("Parts", **parts)


def _embed_lines(network: Network) -> list[str]:
    embeds = {name: cast(StreamEmbed, each) for name, each in network.embeds.items()}
    found: list[str] = []
    for name in network.embeds._order:
        embed, own = embeds[name], f"self.embeds.{name}"
        shape = f"  # {shape_of(_plans(network)[name])}"
        [other] = [each for each in embeds if each != name] or [""]
        if embed.origin == "copy":
            found += lines(f"{name} = {other}{shape}")
            continue
        source, tokens = "images", name
        if embed.origin == "other":
            source = f"{other}_patches"
        elif other and embeds[other].origin == "other":
            tokens = f"{name}_patches"
        if embed.resize and embed.origin == "image":
            source = "resized"
            size = f'images, {embed.resize}, mode="bicubic", align_corners=False'
            found += [line("resized = ", f"functional.interpolate({size})")]
        made = f"{own}.embed({source})"
        if embed.origin == "nothing":
            made = f"{own}.embed.table.expand(images.shape[0], -1, -1)"
        found += lines(f"{tokens} = {made}")
        if embed.prefix is not None:
            found += lines(
                f"prefix = {own}.prefix.expand(images.shape[0], -1, -1)",
                f"{name} = torch.cat([prefix, {tokens}], dim=1)",
            )
            tokens = name
        if embed.position is not None:
            found += lines(f"{name} = {tokens} + {own}.position")
        elif tokens != name:
            found += lines(f"{name} = {tokens}")
        found[-1] += shape
    return found


def _classifiers(network: Network) -> dict[str, Classifier]:
    return {name: cast(Classifier, each) for name, each in network.classifiers.items()}


def _plans(network: Network) -> dict[str, StreamPlan]:
    return {str(name): each for name, each in network.plan.streams.items()}


def _classifier_calls(network: Network) -> Parts:
    found: Parts = {}
    for name, each in _classifiers(network).items():
        norms = {"norm": each.norm, "pooled_norm": each.pooled_norm}
        parts: Parts = {
            part: norm_call(norm) for part, norm in norms.items() if isinstance(norm, nn.LayerNorm)
        }
        if network.num_classes:
            parts["linear"] = f"nn.Linear({each.dim}, {network.num_classes})"
        found[name] = call("Parts", **parts)
    return found


def _methods(network: Network, tokens: list[str]) -> list[str]:
    """`forward`; where there are several classifiers, also `forward_heads`."""
    classifiers, output = _classifiers(network), network.plan.output
    images = f"images: (batch, {', '.join(map(str, network.plan.image))})"
    what = f"logits: (batch, {network.num_classes})" if network.num_classes else "pooled features"
    for name, each in classifiers.items():
        if isinstance(each.norm, nn.LayerNorm):
            norm = f"self.classifiers.{name}.norm"
            tokens += lines(*(f"{stream} = {norm}({stream})" for stream in each.streams))
    if len(classifiers) == 1:
        [(name, each)] = classifiers.items()
        return [
            "    def forward(self, images: Tensor) -> Tensor:",
            f'        """{images} -> {what}."""',
            *tokens,
            *_answer(network, name, "return "),
        ]
    answer = f'logits["{output.predict}"]'
    if output.predict == "mean":
        every = "list(logits.values())"
        answer = f"torch.stack({every}).mean(dim=0)"
        if not network.num_classes and len({each.dim for each in classifiers.values()}) > 1:
            answer = f"torch.cat({every}, dim=1)"
    found = [
        "    def forward(self, images: Tensor) -> Tensor:",
        f'        """{images} -> {what}."""',
        *lines("logits = self.forward_heads(images)", f"return {answer}"),
        "",
        "    def forward_heads(self, images: Tensor) -> dict[str, Tensor]:",
        f'        """{images} -> those of each classifier."""',
        *tokens,
        *lines("logits = {}"),
    ]
    for name in classifiers:
        found += _answer(network, name, f'logits["{name}"] = ')
    return [*found, *lines("return logits")]


def _answer(network: Network, name: str, start: str) -> list[str]:
    """Tokens to logits; `start` is put before the last expression."""
    classifier, own = _classifiers(network)[name], f"self.classifiers.{name}"
    pieces = []
    for stream, prefix in classifier.streams.items():
        if classifier.pool in TOKEN:
            pieces.append(f"{stream}[:, {TOKEN[classifier.pool]}]")
        else:
            patches = f"{stream}[:, {prefix}:]" if prefix else stream
            pieces.append(f"{patches}.mean(dim=1)")
    together = len(pieces) > 1
    found = lines(
        together and f"side_by_side = [{', '.join(pieces)}]",
        f"pooled = {'torch.cat(side_by_side, dim=-1)' if together else pieces[0]}"
        f"  # (batch, {classifier.dim})",
    )
    last = "pooled"
    if isinstance(classifier.pooled_norm, nn.LayerNorm):
        last = f"{own}.pooled_norm(pooled)"
    if network.num_classes:
        if last != "pooled":
            found += lines(f"pooled = {last}")
        last = f"{own}.linear(pooled)"
    return [*found, *lines(f"{start}{last}")]
