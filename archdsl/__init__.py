"""archdsl: a vision architecture as a short YAML document, compiled, measured and searched."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from archdsl.nn.network import Network
    from archdsl.spec.model import ModelSpec

__version__ = "0.1.0"
__all__ = ["__version__", "compile", "load"]


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
