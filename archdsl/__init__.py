"""archdsl: a vision architecture as a short YAML document, compiled, measured and searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from archdsl.compiler.weights.reading import StateDict
    from archdsl.compiler.weights.warm_start import WarmStart
    from archdsl.nn.network import Network
    from archdsl.spec.model import ModelSpec

__version__ = "0.1.0"
__all__ = ["__version__", "compile", "load", "load_weights", "warm_start"]


def load(path_or_name: str | Path) -> ModelSpec:
    """Read a model document and check it whole.

    Args:
        path_or_name: a file, or the name of a document on the `specs/` shelf.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem of the document, each with file:line:column.
    """
    from archdsl.plan.read import read_model

    return read_model(str(path_or_name)).spec


def compile(spec: ModelSpec) -> Network:
    """Build the PyTorch module of a document, with fresh weights drawn from torch's global seed.

    Raises:
        InvalidSpecError: the parts of `spec` do not fit together.
    """
    # Imported here so that reading documents never costs the import of torch.
    from archdsl.compiler.build import build

    return build(spec)


def load_weights(
    model: Network,
    weights: str | Path | StateDict,
    layout: Literal["auto", "archdsl", "timm", "vittm"] = "auto",
) -> None:
    """Copy published weights into a compiled model: our own, those of timm's ViTs and CrossViTs,
    of ViTTMs.

    Args:
        model: a compiled document.
        weights: a state dict, or a file (safetensors, or torch's format read without unpickling).
        layout: how the tensors are named (`archdsl`, `timm`, `vittm`); `auto` tells from the names.

    Raises:
        WeightsError: the file cannot be read, or its tensors are not those of `model`, which is
            then unchanged.
    """
    from archdsl.compiler.weights.load import load_weights as copy_weights

    copy_weights(model, weights, layout)


def warm_start(model: Network, weights: str | Path | StateDict) -> WarmStart:
    """Copy what fits of a trained ViT into a compiled model that has more than a ViT.

    Args:
        model: a compiled document whose process stream has as many blocks as the ViT.
        weights: a ViT's or DeiT's state dict in timm's layout, or a file of one (safetensors, or
            torch's format read without unpickling).

    Returns:
        Which parameters hold the ViT's values, which its position table on another grid, and which
        stay as they were drawn.

    Raises:
        WeightsError: the file cannot be read, or its blocks are not those of the process stream;
            the model is then unchanged.
    """
    from archdsl.compiler.weights.warm_start import warm_start as start

    return start(model, weights)
