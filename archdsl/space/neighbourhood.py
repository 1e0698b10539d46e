"""The space around a plain model, slot by slot, so that a model can be searched without a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from archdsl.document.merge import merge_trees
from archdsl.document.tree import tree_of
from archdsl.errors import DocumentError
from archdsl.plan.read import Checked, check_model
from archdsl.spec.blocks import TransformerBlock
from archdsl.spec.embeds import Downsample, Embed, LearnedEmbed, PatchEmbed
from archdsl.spec.heads import LatentAttention, LinearAttention
from archdsl.spec.values import whole

SOURCE = "neighbourhood"
LATENT_RATIOS = (0.125, 0.25, 0.5, 1.0)
MLP_RATIOS = (1, 2, 3, 4)

Valid = Callable[[tuple[str, ...], Any], bool]


def neighbourhood(model: Checked) -> dict[str, Any]:
    """A space to lay over `model`: its depth, widths, token counts, heads, norms, memory block.

    Every option is valid while the other holes are at the model's own values, which come first.
    """
    space = _without_empty(
        {
            "depth": _choose(model.spec.depth, _depths(model.spec.depth)),
            "process": _process(model),
            "memory": _memory(model) if model.spec.memory else None,
            "exchange": _exchange(model) if model.spec.exchange else None,
        }
    )
    return _only_valid(model, space)


def _depths(depth: int) -> Iterable[int]:
    return (max(1, round(depth * share)) for share in (0.5, 0.75, 1.25))


def _process(model: Checked) -> dict[str, Any]:
    stream = model.spec.process
    words: dict[str, Any] = {"embed": _embed(model, stream.embed)}
    if not isinstance(stream.block, TransformerBlock):
        return words
    unit = stream.block.head_dim or stream.block.num_heads or 1
    widths = (max(1, round(stream.dim * share / unit)) * unit for share in (0.5, 0.75, 1.25))
    words["dim"] = _choose(stream.dim, widths)
    words["block"] = {"mlp_ratio": _choose(stream.block.mlp_ratio, MLP_RATIOS)}
    return words


def _memory(model: Checked) -> dict[str, Any]:
    memory = model.spec.memory
    assert memory is not None
    words: dict[str, Any] = {"embed": _embed(model, memory.embed)}
    if memory.block is None:
        options = {"none": None, "mlp": {"type": "mlp", "mlp_ratio": 0.5}}
        words["block"] = {"choose": options}
    return words


def _exchange(model: Checked) -> dict[str, Any]:
    exchange = model.spec.exchange
    assert exchange is not None
    placements = [exchange.norm.placement, *(p for p in ("replace", "pre"))]
    words: dict[str, Any] = {"norm": {"placement": _choose(placements[0], placements)}}
    block = model.spec.process.block
    head_dim = block.head_dim if isinstance(block, TransformerBlock) else None
    for word, head in (("read", exchange.read), ("write", exchange.write)):
        if isinstance(head, LinearAttention | LatentAttention):
            ratios = [r for r in LATENT_RATIOS if head_dim is None or whole(r * head_dim)]
            words[word] = {"latent_ratio": _choose(head.latent_ratio, ratios)}
    return words


def _embed(model: Checked, embed: Embed) -> dict[str, Any]:
    """Options for the number of tokens."""
    if isinstance(embed, PatchEmbed):
        return {"patch_size": _patches(model, embed.patch_size)}
    if isinstance(embed, LearnedEmbed):
        counts = (max(1, round(embed.num_tokens * share)) for share in (0.5, 0.75, 1.25))
        return {"num_tokens": _choose(embed.num_tokens, counts)}
    if isinstance(embed, Downsample) and embed.grid[0] == embed.grid[1]:
        side = embed.grid[0]
        return {"grid": _choose(side, (max(1, side - 1), side + 1))}
    return {}


def _patches(model: Checked, patch: tuple[int, int]) -> Any:
    """The patch sizes next to this one that divide the image."""
    if patch[0] != patch[1]:
        return None
    height, width = model.spec.image.size
    sizes = [n for n in range(1, min(height, width) + 1) if not height % n and not width % n]
    position = sizes.index(patch[0])
    return _choose(patch[0], sizes[max(0, position - 1) : position + 2])


def _choose(own: Any, others: Iterable[Any]) -> Any:
    """A hole whose first option is the model's own value; None if that is the only one."""
    options = [own]
    options += [other for other in dict.fromkeys(others) if other not in options]
    return {"choose": options} if len(options) > 1 else None


def _without_empty(words: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for key, value in words.items():
        inner = value
        if isinstance(value, Mapping) and "choose" not in value:
            inner = _without_empty(value)
        if inner:
            kept[key] = inner
    return kept


def _only_valid(model: Checked, space: dict[str, Any]) -> dict[str, Any]:
    """The space without options that give no model beside the model's own other values."""

    def valid(path: tuple[str, ...], option: Any) -> bool:
        overlay = option
        for step in reversed(path):
            overlay = {step: overlay}
        try:
            check_model(merge_trees(model.tree, tree_of(overlay, source=SOURCE)))
        except DocumentError:
            return False
        return True

    return _filtered(space, (), valid)


def _filtered(words: dict[str, Any], path: tuple[str, ...], valid: Valid) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in words.items():
        if "choose" not in value:
            kept[key] = _filtered(value, (*path, key), valid)
            continue
        options = value["choose"]
        if isinstance(options, dict):
            left: Any = {n: o for n, o in options.items() if valid((*path, key), o)}
        else:
            left = [option for option in options if valid((*path, key), option)]
        if len(left) > 1:
            kept[key] = {"choose": left}
    return {key: value for key, value in kept.items() if value}
