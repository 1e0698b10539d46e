"""What each part of a network is, in the few words that a drawing has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from archdsl.plan.plan import (
    BlocksStep,
    ExchangeStep,
    OutputPlan,
    PartPlan,
    Plan,
    StreamName,
    StreamPlan,
)
from archdsl.spec.base import words
from archdsl.spec.embeds import Embed
from archdsl.spec.heads import Head

OTHER: Mapping[StreamName, StreamName] = {"process": "memory", "memory": "process"}

TOGETHER = "\N{NO-BREAK SPACE}"
"""Keeps what it stands between on one line."""


@dataclass(frozen=True, kw_only=True)
class Caption:
    """A heading and what is to be known beside it."""

    title: str
    notes: tuple[str, ...] = ()


def _caption(title: str, *notes: str) -> Caption:
    """A caption; notes that say nothing are left out."""
    return Caption(title=title, notes=tuple(note for note in notes if note))


Maker = Callable[[Any], Caption]
"""From the keyword arguments of a module to its caption."""


def image(plan: Plan) -> str:
    """What goes in."""
    channels, height, width = plan.image
    return f"image {channels} × {height} × {width}"


def made_from(plan: Plan, name: StreamName) -> str:
    """What the first tokens of a stream are made of: `image`, the other stream, or nothing."""
    origin = words(Embed)[plan.streams[name].embed.type].origin
    return OTHER[name] if origin in ("other", "copy") else origin


def embed(name: StreamName, stream: StreamPlan) -> Caption:
    """How the first tokens of a stream are made."""
    found = _look_up(_EMBEDS, stream.embed, other=OTHER[name])
    placed = stream.embed.type not in ("copy", "learned")
    return _caption(
        found.title,
        *found.notes,
        f"of the image at {_sides(*stream.resize)}" if stream.resize else "",
        "plus positions" if placed else "",
    )


def size(stream: StreamPlan) -> Caption:
    """Tokens and width of a stream, and how the tokens come about."""
    prefix = "".join(f" +{TOGETHER}{_TOKENS.get(each, each)}" for each in stream.prefix_tokens)
    grid = stream.grid
    placed = f"{grid[0]} × {grid[1]}" if grid[0] > 1 else f"{grid[1]}"
    note = f"{placed}{prefix}" if prefix or grid[0] > 1 else ""
    return _caption(f"{_count(stream.tokens, 'token')} × {stream.dim}", note)


def blocks(step: BlocksStep) -> Caption:
    """The blocks that a stream passes one after the other."""
    [block] = set(step.blocks)
    times = len(step.blocks)
    found = _look_up(_BLOCKS, block)
    repeated = f", ×{TOGETHER}{times}" if times > 1 else ""
    return _caption(f"{found.title}{repeated}", *found.notes, _shared(block))


def head(step: ExchangeStep) -> Caption:
    """What a read or write gathers, and how."""
    found = _look_up(_HEADS, step.head)
    normed = step.norm.placement == "pre" and step.normalised
    return _caption(
        f"{step.word}: {found.title}",
        *found.notes,
        "the class token asks" if step.queries == "cls" else "",
        "patches answer" if step.keys == "patches" else "",
        f"LayerNorm of {_both(step.normalised)} first" if normed else "",
        "its map serves the write" if step.gives_map else "",
        _shared(step.head),
    )


def replaced_norms(exchanges: Iterable[ExchangeStep]) -> str:
    """The norm of what runs from one state whose result becomes both streams; empty where there
    is none."""
    for step in exchanges:
        if step.norm.placement == "replace" and step.normalised:
            several = "one for both streams" if step.norm.shared else "one for each stream"
            shared = ", the same in all layers" if step.norm.weights_shared else ""
            return f"LayerNorm, {several}{shared}"
    return ""


def fusion(step: ExchangeStep) -> Caption:
    """How what was gathered joins its stream."""
    found = _look_up(_FUSIONS, step.fusion)
    queries = "class token alone" if step.queries == "cls" else ""
    return _caption(found.title, *found.notes, queries, _shared(step.fusion))


def classifier(name: str, output: OutputPlan) -> Caption:
    """What one classifier makes of the final tokens."""
    found = output.classifiers[name]
    return _caption(
        f"classifier {name}",
        "LayerNorm" if found.norm in ("tokens", "both") else "",
        _POOLS.get(found.pool, found.pool),
        "of both, side by side" if len(found.streams) > 1 else "",
        "LayerNorm" if found.norm in ("pooled", "both") else "",
        f"linear to {_count(output.num_classes, 'class')}",
    )


def is_returned(name: str, output: OutputPlan) -> bool:
    """Whether a classifier's logits are (part of) what the model returns."""
    return output.predict in ("mean", name)


def result(output: OutputPlan) -> str:
    """What comes out."""
    return f"answer: {'their mean' if output.predict == 'mean' else f'classifier {output.predict}'}"


def reads_target(step: ExchangeStep) -> bool:
    """Whether what a head gathers depends on the stream it is for."""
    found = words(Head).get(step.head.type)
    return bool(getattr(found, "reads_target", True))


def _look_up(makers: Mapping[str, Maker], part: PartPlan, **more: str) -> Caption:
    """Words for a part; for one nobody has found words for, its own."""
    teller = makers.get(part.type)
    if teller:
        return teller({**part.arguments, **more})
    notes = (f"{key} {value}".replace("_", " ") for key, value in part.arguments.items())
    return _caption(part.type.replace("_", " "), *notes)


_EMBEDS: Mapping[str, Maker] = {
    "patch": lambda a: _caption(f"patches of {_sides(a['patch_height'], a['patch_width'])}"),
    "conv_stem": lambda a: _caption(
        f"{len(a['strides'])} convolutions",
        *(f"{each} {', '.join(map(str, a[each]))}" for each in ("kernels", "strides")),
    ),
    "downsample": lambda a: _caption(
        f"patches of {a['other']}",
        f"{'averaged' if a['method'] == 'average' else a['method'] + ','} to "
        f"{_sides(a['rows'], a['columns'])}",
    ),
    "learned": lambda a: _caption("learned tokens"),
    "copy": lambda a: _caption(f"copy of {a['other']}"),
}
_BLOCKS: Mapping[str, Maker] = {
    "transformer": lambda a: _caption(
        "transformer block",
        f"{_heads(a)} of {a['dim'] // a['num_heads']}",
        f"MLP {a['mlp_dim']}",
        f"layer scale from {a['layer_scale']:g}" if "layer_scale" in a else "",
    ),
    "mlp": lambda a: _caption(
        "MLP block",
        f"hidden width {a['mlp_dim']}",
        "no LayerNorm" if a.get("norm") is False else "",
    ),
}
_HEADS: Mapping[str, Maker] = {
    "linear_attention": lambda a: _caption(
        "linear attention",
        f"{a['latent_dim']} latent channels",
        _heads(a),
        "not normalised" if a.get("normalise") is False else "",
        "out-projection" if a.get("out_proj") else "",
    ),
    "cross_attention": lambda a: _caption(
        "cross-attention",
        _heads(a),
        f"in the source's width {a['source_dim']}" if a.get("carried") else "",
        "queries among the keys" if a.get("with_query") else "",
        "no out-projection" if a.get("out_proj") is False else "",
    ),
    "latent_attention": lambda a: _caption(
        "latent attention", f"{a['latent_dim']} latent channels", _heads(a)
    ),
    "tied_attention": lambda a: _caption(
        "tied attention",
        "back along the read's map",
        "values of the read" if a.get("tied_values") else "",
        "shares renormalised" if a.get("renormalise") else "",
    ),
    "self_attention": lambda a: _caption("self-attention", "of the source", _heads(a)),
    "mlp": lambda a: _caption("MLP", "of the source", f"hidden width {a['mlp_dim']}"),
    "token_summary": lambda a: _caption("token summary", "weighted sums of all tokens"),
}
_FUSIONS: Mapping[str, Maker] = {
    "add": lambda a: _caption("add"),
    "erase": lambda a: _caption("erase: take its place"),
    "add_erase": lambda a: _caption("add and erase by a gate"),
}
_POOLS = {"mean": "mean of tokens", "cls": "class token", "distillation": "distillation token"}
_TOKENS = {"cls": f"class{TOGETHER}token", "distillation": f"distillation{TOGETHER}token"}


def _heads(a: Mapping[str, Any]) -> str:
    return _count(a["num_heads"], "head")


def _count(number: Any, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _sides(height: object, width: object) -> str:
    return f"{height}{TOGETHER}×{TOGETHER}{width}"


def _both(names: tuple[StreamName, ...]) -> str:
    return "both" if len(names) > 1 else names[0]


def _shared(part: PartPlan) -> str:
    return "one for all layers" if part.shared else ""
