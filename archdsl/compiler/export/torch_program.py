"""A network as a program of `torch.export`: `model.pt2`."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from archdsl.compiler.export.preprocessing import PREPROCESSING, Preprocessing
from archdsl.files import write_whole

FILE = "model.pt2"
TRACED_BATCH = 2
"""Images it is traced with; torch takes one image for a size that never changes."""

SCRIPT = """\
import torch

told = {"preprocessing.json": ""}
network = torch.export.load(Path(__file__).with_name("model.pt2"), extra_files=told).module()
read = json.loads(told["preprocessing.json"])


def logits_of(images):
    with torch.no_grad():
        return network(torch.from_numpy(images)).numpy()
"""


def traced(network: nn.Module, image_shape: tuple[int, int, int]) -> ExportedProgram:
    """What `network(images)` computes, for any number of images."""
    images = torch.zeros(TRACED_BATCH, *image_shape)
    with torch.no_grad():
        return torch.export.export(
            network, (images,), dynamic_shapes=({0: Dim("batch", min=1)},), strict=False
        )


def write(network: nn.Module, folder: Path, preprocessing: Preprocessing) -> list[Path]:
    """Write the program, with what is said of its images as a file inside."""
    told = {PREPROCESSING: json.dumps(preprocessing.record())}
    program = BytesIO()  # into a file on a full disk, torch's writer ends the process
    torch.export.save(traced(network, preprocessing.image_shape), program, extra_files=told)
    write_whole(folder / FILE, program.getvalue())
    return [folder / FILE]


def load(folder: Path) -> Callable[[Tensor], Tensor]:
    """The program, as it is read from the file."""
    return torch.export.load(folder / FILE).module()
