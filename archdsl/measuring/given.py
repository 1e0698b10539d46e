"""What `measure` and `compare` are given: a model, and the conditions in torch's words or ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator
from torch import nn

from archdsl.arguments.kinds import instance, where, words_of
from archdsl.document.tree import plain_scalar
from archdsl.measuring.conditions import Conditions
from archdsl.spec.model import ModelSpec

_ASKED = words_of(Conditions, "batch", "dtype", "threads", "heads", "max_seconds")


def _device(value: Any) -> Any:
    """A device of torch's by its name here; the first of its kind needs no number."""
    text = str(value) if isinstance(value, torch.device) else value
    return text.removesuffix(":0") if isinstance(text, str) else text


def _dtype(value: Any) -> Any:
    return str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else value


def _read_by(read: Callable[[Any], Any], kind: Any) -> Any:
    return Annotated[kind, BeforeValidator(read)]


def _is_shape(value: Any) -> bool:
    sizes = [plain_scalar(each) for each in value] if isinstance(value, list | tuple) else []
    return len(sizes) == 3 and all(type(each) is int and each > 0 for each in sizes)


MODEL = instance(
    nn.Module,
    ModelSpec,
    str,
    Path,
    Mapping,
    wanted="a model; give an nn.Module, the name or path of a document, the document as a mapping, "
    "what archdsl.load made of it, or timm:NAME",
)
_DEVICE = instance(
    str, wanted="a device; give 'cpu', 'cuda', a part of a GPU's name, 'any', or a torch.device"
)
WORDS: Mapping[str, Any] = {
    **_ASKED,
    "image_shape": where(_is_shape, wanted="(channels, height, width), three whole numbers above 0")
    | None,
    "device": _read_by(_device, _DEVICE),
    "dtype": _read_by(_dtype, _ASKED["dtype"]),
    "heads": _ASKED["heads"] | None,
}
"""Parameters of both."""
