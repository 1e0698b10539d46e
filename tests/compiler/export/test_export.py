"""Exporters that fail, and what computes something else, end with one line that says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archdsl.compiler.export.export import export
from archdsl.compiler.export.formats import FORMATS
from archdsl.compiler.export.preprocessing import Preprocessing
from archdsl.compiler.export.taken import Taken
from archdsl.errors import ArchdslError


class Undecided(nn.Module):
    """Computes by what it sees, which no exporter can follow."""

    def forward(self, images: Tensor) -> Tensor:
        pooled = images.mean(dim=(2, 3))
        return pooled if pooled.sum() > 0 else -pooled


class Drawing(nn.Module):
    """Never computes the same twice."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3)) + torch.rand(images.shape[0], 3)


def taken(network: nn.Module) -> Taken:
    return Taken(
        network=network.eval(),
        name="network",
        arch_id="0",
        weights="",
        document={},
        preprocessing=Preprocessing(
            class_names="abc", channels=3, image_size=(4, 4), crop_pct=1.0, depth=16,
            mean=(0.0,) * 3, std=(1.0,) * 3,
        ),
    )  # fmt: skip


def test_an_exporter_that_fails(tmp_path: Path) -> None:
    with pytest.raises(ArchdslError, match=r"^exporting to torch failed: \w+: .*[^\n]+$") as raised:
        export(taken(Undecided()), "torch", FORMATS["torch"], tmp_path)
    assert "data-dependent" in str(raised.value)


def test_what_computes_something_else(tmp_path: Path) -> None:
    with pytest.raises(ArchdslError, match="computes something else than the module: logits"):
        export(taken(Drawing()), "torch", FORMATS["torch"], tmp_path)


def test_what_was_written_does_not_load(tmp_path: Path) -> None:
    form = replace(FORMATS["torch"], write=lambda *_: [])
    with pytest.raises(ArchdslError, match=r"exported to torch does not run in torch 2.*: File"):
        export(taken(nn.Sequential(nn.Flatten(), nn.Linear(48, 3))), "torch", form, tmp_path)
