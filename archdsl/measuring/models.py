"""What a user hands in to be measured, as a module: a document, a network, or any other module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim.swa_utils import AveragedModel

from archdsl.compiler.baseline import timm_model
from archdsl.compiler.build import build
from archdsl.compiler.plain import is_plain
from archdsl.errors import MeasureError, NameNotFoundError
from archdsl.measuring.candidate import ImageShape
from archdsl.measuring.module_identity import module_identity
from archdsl.nn.network import Network
from archdsl.plan.baseline import TIMM
from archdsl.plan.read import read_spec
from archdsl.spec.model import ModelSpec

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)

Source = nn.Module | ModelSpec | str | Path | Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A module that is measured, and what it is called.

    Args:
        module: takes images (batch, channels, height, width).
        image_shape: (channels, height, width).
        label: its name for people.
        identity: the `arch_id` of a model; of any other module a digest, see `module_identity`.
        kind: `model` for a `Network` as it was compiled, `module` for everything else.
    """

    module: nn.Module
    image_shape: ImageShape
    label: str
    identity: str
    kind: Literal["model", "module"]


def resolve(source: Source, *, image_shape: ImageShape | None = None) -> Subject:
    """The module that `source` stands for, built with fresh weights where it is none yet.

    Args:
        source: a module; a model document, its name or path, or what it says as a mapping; or
            `timm:NAME`, which is built without downloading anything.
        image_shape: (channels, height, width), where it is not that of the plan, nor the one that
            timm gives its models (`pretrained_cfg`).

    Raises:
        NameNotFoundError: no document or model of timm's of that name; names the nearest.
        DocumentError: every problem of the document.
        MeasureError: nothing tells the shape of the images, or a module has no weights yet.
        NotEnoughMemoryError: weights that are to be drawn do not fit.
    """
    if isinstance(source, nn.Module):
        return _of_module(source, image_shape)
    if isinstance(source, str) and source.startswith(TIMM):
        return _of_module(timm_model(source.removeprefix(TIMM)), image_shape, label=source)
    return _of_module(build(read_spec(source)), image_shape)


def resolve_all(
    sources: Sequence[Source], *, image_shape: ImageShape | None = None
) -> list[Subject]:
    """See `resolve`.

    Raises:
        NameNotFoundError: every name that leads nowhere.
    """
    found: list[Subject] = []
    unknown: list[str] = []
    for source in sources:
        try:
            found.append(resolve(source, image_shape=image_shape))
        except NameNotFoundError as error:
            unknown.append(str(error))
    if unknown:
        raise NameNotFoundError("\n".join(unknown))
    return found


def _of_module(
    module: nn.Module, image_shape: ImageShape | None, *, label: str | None = None
) -> Subject:
    _refuse_unmade(module)
    if is_plain(module):
        return _of_network(module, image_shape)
    shape = image_shape or _known_shape(module)
    if shape is None:
        raise MeasureError(
            f"nothing tells which images {type(module).__qualname__} takes: it has no plan, and no "
            "pretrained_cfg or default_cfg as timm's models have; say "
            "image_shape=(channels, height, width)"
        )
    return Subject(
        module=module,
        image_shape=shape,
        label=label or _label(module),
        identity=module_identity(module, image_shape=shape),
        kind="module",
    )


def _refuse_unmade(module: nn.Module) -> None:
    """
    Raises:
        MeasureError: a weight has no shape or no values yet.
    """
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        if is_lazy(tensor):
            reason = "made in its first call: call it once on images, then measure it"
        elif tensor.is_meta:
            reason = (
                "on the meta device, without values: module.to_empty(device='cpu') gives it some"
            )
        else:
            continue
        raise MeasureError(f"{name} of {type(module).__qualname__} is {reason}")


def _of_network(network: Network, image_shape: ImageShape | None) -> Subject:
    spec, plan = network.spec, network.plan
    if image_shape is not None and tuple(image_shape) != plan.image:
        raise MeasureError(
            f"image_shape is {tuple(image_shape)}, but the document's images are {plan.image} "
            "(channels, height, width); leave image_shape out, or change image in the document"
        )
    return Subject(
        module=network,
        image_shape=plan.image,
        label=spec.name if spec else f"a network of arch_id {plan.arch_id}",
        identity=plan.arch_id,
        kind="model",
    )


def _known_shape(module: nn.Module) -> ImageShape | None:
    while isinstance(inner := _inside(module), nn.Module):
        module = inner
    if isinstance(module, Network):  # changed since it was compiled, or wrapped
        return module.plan.image
    found = _configured(module, "input_size")
    if not isinstance(found, list | tuple) or len(found) != 3:
        return None
    channels, height, width = (int(size) for size in found)
    return channels, height, width


def _inside(module: nn.Module) -> object:
    """What a module wraps that only runs it otherwise: torch.compile, DataParallel and its kin."""
    return module.module if isinstance(module, _WRAPPERS) else getattr(module, "_orig_mod", None)


def _label(module: nn.Module) -> str:
    name = _configured(module, "architecture")
    return f"{TIMM}{name}" if isinstance(name, str) else type(module).__qualname__


def _configured(module: nn.Module, word: str) -> Any:
    """A word of the configuration that timm gives its models."""
    for name in ("pretrained_cfg", "default_cfg"):
        configuration = getattr(module, name, None)
        if isinstance(configuration, Mapping) and configuration.get(word):
            return configuration[word]
    return None
