"""Names of tensors in published weights, and what they are called here.

Each layout is an ordered list of (pattern, replacement); the first pattern that matches a whole
name renames it. A replacement that ends in a number in brackets is a piece of a tensor: pieces are
joined along their second axis, in that order. Nothing here knows shapes or values.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import takewhile
from typing import Literal

Layout = Literal["archdsl", "timm", "vittm"]
LAYOUTS: tuple[Layout, ...] = ("archdsl", "timm", "vittm")
Table = list[tuple[str, str]]

_BLOCK_PARTS = r"(?:norm1|attn|ls1|norm2|mlp|ls2)"
_HEAD_PARTS = r"(?:q|k|v|q_norm|k_norm|v_norm|proj|norm|fc1|fc2)"

_VITTM: Table = [
    (r"memory_pos_embed", r"embeds.memory.position"),
    (r"process_pos_embed", r"embeds.process.position"),
    (r"(memory|process)_embedder\.proj\.(\w+)", r"embeds.\1.embed.proj.\2"),
    (r"patch_embed\.proj\.(\w+)", r"embeds.memory.embed.proj.\1"),
    (r"blocks\.(\d+)\.(" + _BLOCK_PARTS + r"\..+)", r"layers.\1.process.blocks.0.\2"),
    (r"(read|write)_norm\.(\d+)\.(\w+)", r"layers.\2.\1.norms.both.\3"),
    (r"(read|write)_head\.(\d+)\.(?:mlp\.)?(" + _HEAD_PARTS + r"\.\w+)", r"layers.\2.\1.head.\3"),
    (r"(read|write)_fusion\.linear\.(\w+)", r"shared.\1_fusion.gate.\2"),
    (r"mem_blocks\.(\d+)\.(?:mlp\.)?(\w+\.\w+)", r"layers.\1.memory.blocks.0.\2"),
    (r"fc_norm\.(\w+)", r"classifiers.memory.pooled_norm.\1"),
    (r"head\.(\w+)", r"classifiers.memory.linear.\1"),
    (r"process_norm\.(\w+)", r"classifiers.process.norm.\1"),
    (r"fc_norm_process\.(\w+)", r"classifiers.process.pooled_norm.\1"),
    (r"process_head\.(\w+)", r"classifiers.process.linear.\1"),
]


def _crossvit(branch: int, stream: str, word: str) -> Table:
    """A branch of timm's CrossViT: its number there, its stream here, and the word by which its
    class token asks the other stream."""
    here = rf"layers.\1.{word}.head"
    return [
        (rf"cls_token_{branch}", f"embeds.{stream}.prefix[0]"),
        (rf"pos_embed_{branch}", f"embeds.{stream}.position"),
        (rf"patch_embed\.{branch}\.(proj\..+)", rf"embeds.{stream}.embed.\1"),
        (rf"blocks\.(\d+)\.blocks\.{branch}\.(.+)", rf"layers.\1.{stream}.blocks.\2"),
        (rf"blocks\.(\d+)\.projs\.{branch}\.(.+)", rf"{here}.there.\2"),
        (rf"blocks\.(\d+)\.fusion\.{branch}\.norm1\.(\w+)", rf"{here}.norm.\2"),
        (rf"blocks\.(\d+)\.fusion\.{branch}\.attn\.w([qkv])\.(\w+)", rf"{here}.head.\2.\3"),
        (rf"blocks\.(\d+)\.fusion\.{branch}\.attn\.proj\.(\w+)", rf"{here}.head.proj.\2"),
        (rf"blocks\.(\d+)\.revert_projs\.{branch}\.(.+)", rf"{here}.back.\2"),
        (rf"norm\.{branch}\.(\w+)", rf"classifiers.{stream}.norm.\1"),
        (rf"head\.{branch}\.(\w+)", rf"classifiers.{stream}.linear.\1"),
    ]


_TIMM: Table = [
    *_crossvit(0, "memory", "write"),
    *_crossvit(1, "process", "read"),
    (r"cls_token", r"embeds.process.prefix[0]"),
    (r"dist_token", r"embeds.process.prefix[1]"),
    (r"pos_embed", r"embeds.process.position"),
    (r"patch_embed\.proj\.(\w+)", r"embeds.process.embed.proj.\1"),
    (r"blocks\.(\d+)\.(" + _BLOCK_PARTS + r"\..+)", r"layers.\1.process.blocks.0.\2"),
    (r"norm\.(\w+)", r"classifiers.process.norm.\1"),
    (r"fc_norm\.(\w+)", r"classifiers.process.pooled_norm.\1"),
    (r"head\.(\w+)", r"classifiers.process.linear.\1"),
    (r"head_dist\.(\w+)", r"classifiers.distillation.linear.\1"),
]
_PATTERNS: dict[Layout, list[tuple[re.Pattern[str], str]]] = {
    "archdsl": [],
    "timm": [(re.compile(pattern), name) for pattern, name in _TIMM],
    "vittm": [(re.compile(pattern), name) for pattern, name in _VITTM],
}
_OURS = ("embeds.", "layers.", "classifiers.")
_PIECE = re.compile(r"(.+)\[(\d+)\]")


def prefix_of(names: Collection[str]) -> str:
    """What stands before all names and keeps them from being known: `module.`, `_orig_mod.`, any
    such path. Empty where some name is known as it is, or none is without it."""
    levels = zip(*(name.split(".")[:-1] for name in names), strict=False)
    shared = [parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, levels)]
    starts = ["".join(f"{part}." for part in shared[:count]) for count in range(len(shared) + 1)]
    known = (
        start for start in starts if any(_is_known(name.removeprefix(start)) for name in names)
    )
    return next(known, "")


def _is_known(name: str) -> bool:
    return name.startswith(_OURS) or any(renamed(name, layout) != name for layout in LAYOUTS)


def guess(names: Collection[str]) -> Layout:
    """The layout that a set of tensor names is written in."""
    if any(name.startswith(_OURS) for name in names):
        return "archdsl"
    return "vittm" if "memory_pos_embed" in names else "timm"


def renamed(name: str, layout: Layout) -> str:
    """The name a tensor has in our modules; unchanged where no pattern knows it."""
    for pattern, replacement in _PATTERNS[layout]:
        if pattern.fullmatch(name):
            return pattern.sub(replacement, name)
    return name


def whole(name: str) -> str:
    """The name of the tensor that a piece belongs to; any other name unchanged."""
    piece = _PIECE.fullmatch(name)
    return piece[1] if piece else name
