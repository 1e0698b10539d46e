"""One small valid document, and how a changed one is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archdsl.errors import DocumentError
from archdsl.plan.read import read_model

VALID = """\
archdsl: 1
name: x
image: {size: 32, channels: 3}
depth: 2
process:
  embed: {type: patch, patch_size: 8}
  dim: 48
  block: {type: transformer, head_dim: 16, mlp_ratio: 2}
memory:
  embed: {type: patch, patch_size: 4}
  block: {type: mlp, mlp_ratio: 0.5}
exchange:
  norm: {placement: replace, shared: true}
  read: {type: linear_attention, latent_ratio: 0.5}
  write: {type: linear_attention, latent_ratio: 0.5}
output: {num_classes: 10, streams: [memory, process], predict: memory}
"""

Refused = Callable[[str], list[str]]


@pytest.fixture
def valid() -> str:
    return VALID


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Rows of the message for a document's text: `line:column path message`."""

    def rows(text: str) -> list[str]:
        path = tmp_path / "x.yaml"
        path.write_text(text)
        with pytest.raises(DocumentError) as caught:
            read_model(str(path))
        heading, *lines = str(caught.value).splitlines()
        count = len(caught.value.problems)
        assert heading == f"{path}: {count} problem{'s' if count > 1 else ''}"
        return [" ".join(line.split()) for line in lines]

    return rows
