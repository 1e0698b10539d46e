"""The modules of an exported source file, by the words of a plan that they are for."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from inspect import getsource
from typing import Literal

from archdsl.compiler import build
from archdsl.compiler.export.source_blocks import BLOCKS, EMBEDS
from archdsl.compiler.export.source_heads import HEADS, Maker
from archdsl.compiler.export.source_text import CLASS, Call, Classes, call
from archdsl.errors import ArchdslError
from archdsl.plan.plan import PartPlan

_KINDS: Mapping[str, tuple[Mapping[str, Maker], build.Makers]] = {
    "embed": (EMBEDS, build.EMBEDS),
    "block": (BLOCKS, build.BLOCKS),
    "head": (HEADS, build.HEADS),
    "fusion": ({}, build.FUSIONS),
}
"""What is written out for its options, and all modules there are."""
_ELSEWHERE = re.compile(r"; shapes as in\s+`archdsl\.nn\.heads`")


def word_call(
    kind: Literal["embed", "block", "head", "fusion"],
    part: PartPlan,
    classes: Classes,
    *,
    mapped: bool = False,
) -> Call:
    """The call that makes a module: of a class that its options are worked into, or of its own.

    Args:
        kind: of the word.
        part: the word with its arguments.
        classes: those of the file.
        mapped: of a head that also gives its attention map.

    Raises:
        ArchdslError: the word is made by a function, and nothing says how it is written out.
    """
    written, makers = _KINDS[kind]
    if part.type in written:
        more = {"mapped": True} if mapped else {}
        return written[part.type](classes, {**part.arguments, **more})
    maker = makers[part.type]
    if not isinstance(maker, type):
        raise ArchdslError(f"the {kind} {part.type} is not written as source; export to torch")
    arguments = {name: repr(value) for name, value in part.arguments.items()}
    return call(classes.name(maker.__name__, _own_text(maker)), **arguments)


def _own_text(maker: type) -> str:
    """The source of a class, with the numbers that its file has names for."""
    text = getsource(maker).rstrip().replace(f"class {maker.__name__}(", f"class {CLASS}(", 1)
    for name, value in vars(sys.modules[maker.__module__]).items():
        if name.isupper() and isinstance(value, int | float):
            text = re.sub(rf"\b{name}\b", repr(value), text)
    return _ELSEWHERE.sub("", text)
