"""The formats that networks are exported to: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from archdsl.compiler.export import onnx_file, source, torch_program
from archdsl.compiler.export.preprocessing import Preprocessing
from archdsl.errors import ArchdslError


def _nothing() -> None:
    """It takes nothing that archdsl has not."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """How a network is written, and read again.

    Args:
        write: writes the network into a folder, and says which files; whatever it raises is told.
        load: of that folder what computes the same: images -> logits.
        engine: name and version of what runs it.
        tolerance: how far its logits may be off, over the largest logit.
        script: of `classify.py`, the lines that make `read`, what `Preprocessing.record` says, and
            `logits_of(images)`, of and to arrays.
        check: sees that what it takes is installed.
    """

    write: Callable[[nn.Module, Path, Preprocessing], Sequence[Path]]
    load: Callable[[Path], Callable[[Tensor], Tensor]]
    engine: Callable[[], str]
    tolerance: float
    script: str
    check: Callable[[], None] = _nothing


FORMATS: Mapping[str, Format] = {
    "source": Format(
        write=source.write,
        load=source.load,
        engine=lambda: f"torch {torch.__version__}",
        tolerance=1e-6,
        script=source.SCRIPT,
    ),
    "onnx": Format(
        write=onnx_file.write,
        load=onnx_file.load,
        engine=onnx_file.engine,
        tolerance=1e-4,
        script=onnx_file.SCRIPT,
        check=onnx_file.check,
    ),
    "torch": Format(
        write=torch_program.write,
        load=torch_program.load,
        engine=lambda: f"torch {torch.__version__}",
        tolerance=1e-4,
        script=torch_program.SCRIPT,
    ),
}


def chosen(words: str) -> dict[str, Format]:
    """The formats of a list with commas, each once.

    Raises:
        ArchdslError: names what is no format, and those there are; what one takes is not installed.
    """
    names = list(dict.fromkeys(each.strip() for each in words.split(",")))
    unknown = [each for each in names if each not in FORMATS]
    if unknown:
        raise ArchdslError(
            f"--to {words}: {', '.join(map(repr, unknown))} is no format; there are "
            f"{', '.join(FORMATS)}, several with commas between them"
        )
    found = {name: FORMATS[name] for name in names}
    for each in found.values():
        each.check()
    return found
