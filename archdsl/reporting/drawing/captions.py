"""What each part of a network is, in the few words that a drawing has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from archdsl.plan.plan import (
    Arguments,
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


Maker = Callable[[Any], Caption]
"""From the keyword arguments of a module to its caption."""


def image_words(plan: Plan) -> str:
    """What goes in."""
    channels, height, width = plan.image
    return f"image {channels} × {height} × {width}"


def made_from(plan: Plan, name: StreamName) -> str:
    """What the first tokens of a stream are made of: `image`, the other stream, or nothing."""
    origin = words(Embed)[plan.streams[name].embed.type].origin
    return OTHER[name] if origin in ("other", "copy") else origin


def embed_caption(name: StreamName, stream: StreamPlan) -> Caption:
    """How the first tokens of a stream are made."""
    found = _look_up(_EMBEDS, stream.embed, other=OTHER[name])
    notes = list(found.notes)
    if stream.resize:
        notes.append(f"of the image at {_sides(*stream.resize)}")
    if stream.embed.type not in ("copy", "learned"):
        notes.append("plus positions")
    return Caption(title=found.title, notes=tuple(notes))


def size_caption(stream: StreamPlan) -> Caption:
    """Tokens and width of a stream, and how the tokens come about."""
    prefix = "".join(f" +{TOGETHER}{_TOKENS.get(each, each)}" for each in stream.prefix_tokens)
    grid = stream.grid
    placed = f"{grid[0]} × {grid[1]}" if grid[0] > 1 else f"{grid[1]}"
    notes = (f"{placed}{prefix}",) if prefix or grid[0] > 1 else ()
    return Caption(title=f"{_count(stream.tokens, 'token')} × {stream.dim}", notes=notes)


def block_caption(step: BlocksStep) -> Caption:
    """The blocks that a stream passes one after the other."""
    [block] = set(step.blocks)
    times = len(step.blocks)
    found = _look_up(_BLOCKS, block)
    repeated = f", ×{TOGETHER}{times}" if times > 1 else ""
    return Caption(title=f"{found.title}{repeated}", notes=(*found.notes, *_shared(block)))


def head_caption(step: ExchangeStep) -> Caption:
    """What a read or write gathers, and how."""
    found = _look_up(_HEADS, step.head)
    notes = list(found.notes)
    if step.queries == "cls":
        notes.append("the class token asks")
    if step.keys == "patches":
        notes.append("patches answer")
    if step.norm.placement == "pre" and step.normalised:
        notes.append(f"LayerNorm of {_both(step.normalised)} first")
    if step.gives_map:
        notes.append("its map serves the write")
    return Caption(title=f"{step.word}: {found.title}", notes=(*notes, *_shared(step.head)))


def replaced_norms(exchanges: Iterable[ExchangeStep]) -> str:
    """The norm of what runs from one state whose result becomes both streams; empty where there
    is none."""
    for step in exchanges:
        if step.norm.placement == "replace" and step.normalised:
            several = "one for both streams" if step.norm.shared else "one for each stream"
            shared = ", the same in all layers" if step.norm.weights_shared else ""
            return f"LayerNorm, {several}{shared}"
    return ""


def fusion_caption(step: ExchangeStep) -> Caption:
    """How what was gathered joins its stream."""
    found = _look_up(_FUSIONS, step.fusion)
    queries = ("class token alone",) if step.queries == "cls" else ()
    return Caption(title=found.title, notes=(*found.notes, *queries, *_shared(step.fusion)))


def classifier_caption(name: str, output: OutputPlan) -> Caption:
    """What one classifier makes of the final tokens."""
    classifier = output.classifiers[name]
    before = ("LayerNorm",) if classifier.norm in ("tokens", "both") else ()
    after = ("LayerNorm",) if classifier.norm in ("pooled", "both") else ()
    pool = _POOLS.get(classifier.pool, classifier.pool)
    both = ("of both, side by side",) if len(classifier.streams) > 1 else ()
    linear = f"linear to {_count(output.num_classes, 'class')}"
    return Caption(title=f"classifier {name}", notes=(*before, pool, *both, *after, linear))


def is_returned(name: str, output: OutputPlan) -> bool:
    """Whether a classifier's logits are (part of) what the model returns."""
    return output.predict in ("mean", name)


def result_words(output: OutputPlan) -> str:
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
    notes = tuple(f"{key} {value}".replace("_", " ") for key, value in part.arguments.items())
    return Caption(title=part.type.replace("_", " "), notes=notes)


def _conv_stem(a: Mapping[str, Any]) -> Caption:
    kernels, strides = (", ".join(map(str, a[each])) for each in ("kernels", "strides"))
    return Caption(
        title=f"{len(a['strides'])} convolutions",
        notes=(f"kernels {kernels}", f"strides {strides}"),
    )


def _downsample(a: Arguments) -> Caption:
    how = "averaged" if a["method"] == "average" else f"{a['method']},"
    return Caption(
        title=f"patches of {a['other']}", notes=(f"{how} to {_sides(a['rows'], a['columns'])}",)
    )


def _transformer(a: Arguments) -> Caption:
    heads = f"{_heads(a)} of {int(str(a['dim'])) // int(str(a['num_heads']))}"
    scale = (f"layer scale from {a['layer_scale']:g}",) if "layer_scale" in a else ()
    return Caption(title="transformer block", notes=(heads, f"MLP {a['mlp_dim']}", *scale))


def _mlp_block(a: Arguments) -> Caption:
    plain = ("no LayerNorm",) if a.get("norm") is False else ()
    return Caption(title="MLP block", notes=(f"hidden width {a['mlp_dim']}", *plain))


def _linear_attention(a: Arguments) -> Caption:
    notes = [f"{a['latent_dim']} latent channels", _heads(a)]
    notes += ["not normalised"] if a.get("normalise") is False else []
    notes += ["out-projection"] if a.get("out_proj") else []
    return Caption(title="linear attention", notes=tuple(notes))


def _cross_attention(a: Arguments) -> Caption:
    notes = [_heads(a)]
    notes += [f"in the source's width {a['source_dim']}"] if a.get("carried") else []
    notes += ["queries among the keys"] if a.get("with_query") else []
    notes += ["no out-projection"] if a.get("out_proj") is False else []
    return Caption(title="cross-attention", notes=tuple(notes))


def _tied_attention(a: Arguments) -> Caption:
    notes = ["back along the read's map"]
    notes += ["values of the read"] if a.get("tied_values") else []
    notes += ["shares renormalised"] if a.get("renormalise") else []
    return Caption(title="tied attention", notes=tuple(notes))


_EMBEDS: Mapping[str, Maker] = {
    "patch": lambda a: Caption(title=f"patches of {_sides(a['patch_height'], a['patch_width'])}"),
    "conv_stem": _conv_stem,
    "downsample": _downsample,
    "learned": lambda a: Caption(title="learned tokens"),
    "copy": lambda a: Caption(title=f"copy of {a['other']}"),
}
_BLOCKS: Mapping[str, Maker] = {"transformer": _transformer, "mlp": _mlp_block}
_HEADS: Mapping[str, Maker] = {
    "linear_attention": _linear_attention,
    "cross_attention": _cross_attention,
    "latent_attention": lambda a: Caption(
        title="latent attention", notes=(f"{a['latent_dim']} latent channels", _heads(a))
    ),
    "tied_attention": _tied_attention,
    "self_attention": lambda a: Caption(title="self-attention", notes=("of the source", _heads(a))),
    "mlp": lambda a: Caption(title="MLP", notes=("of the source", f"hidden width {a['mlp_dim']}")),
    "token_summary": lambda a: Caption(
        title="token summary", notes=("weighted sums of all tokens",)
    ),
}
_FUSIONS: Mapping[str, Maker] = {
    "add": lambda a: Caption(title="add"),
    "erase": lambda a: Caption(title="erase: take its place"),
    "add_erase": lambda a: Caption(title="add and erase by a gate"),
}
_POOLS = {"mean": "mean of tokens", "cls": "class token", "distillation": "distillation token"}
_TOKENS = {"cls": f"class{TOGETHER}token", "distillation": f"distillation{TOGETHER}token"}


def _heads(a: Arguments) -> str:
    return _count(a["num_heads"], "head")


def _count(number: Any, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _sides(height: object, width: object) -> str:
    return f"{height}{TOGETHER}×{TOGETHER}{width}"


def _both(names: tuple[StreamName, ...]) -> str:
    return "both" if len(names) > 1 else names[0]


def _shared(part: PartPlan) -> tuple[str, ...]:
    return ("one for all layers",) if part.shared else ()
