"""Writing a network in a format, and holding what was written against the module."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import torch

from archdsl.compiler.export.engine import Engine
from archdsl.compiler.export.formats import Format
from archdsl.compiler.export.taken import Taken
from archdsl.errors import ArchdslError
from archdsl.free_memory import lacks_memory

BATCHES = (1, 3)
"""Numbers of images that are compared: any is to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Exported:
    """A network in a format.

    Args:
        files: that were written.
        engine: what was loaded from them.
        difference: the largest of its logits to the module's, over the largest logit.
    """

    files: list[Path]
    engine: Engine
    difference: float


def export(taken: Taken, name: str, into: Format, folder: Path) -> Exported:
    """Write a network, read it again, and compare it on random images.

    Args:
        taken: the network.
        name: of the format.
        into: the format.
        folder: that is there.

    Raises:
        ArchdslError: the exporter fails, or what it wrote computes something else.
    """
    with told_as_ours(f"exporting to {name} failed"), quiet():
        files = list(into.write(taken.network, folder, taken.preprocessing))
    with told_as_ours(f"what was exported to {name} does not run in {into.engine()}"):
        engine = Engine(into.load(folder))
        apart = [_difference(taken, engine, each) for each in BATCHES]
    difference = max(apart, key=lambda each: (isnan(each), each))
    if not difference <= into.tolerance:
        raise ArchdslError(
            f"what was exported to {name} computes something else than the module: logits differ "
            f"by {difference:.2g} of the largest, and {into.tolerance:g} is allowed; please report "
            "it"
        )
    return Exported(files=files, engine=engine, difference=difference)


def _difference(taken: Taken, engine: Engine, batch: int) -> float:
    generator = torch.Generator().manual_seed(batch)
    images = torch.randn(batch, *taken.preprocessing.image_shape, generator=generator)
    with torch.inference_mode():
        expected, found = taken.network(images), engine(images)
    if found.shape != expected.shape:
        raise RuntimeError(f"logits are {tuple(found.shape)}, not {tuple(expected.shape)}")
    apart, largest = float((found - expected).abs().max()), float(expected.abs().max())
    return apart / largest if largest else apart


@contextmanager
def told_as_ours(what: str) -> Iterator[None]:
    """Whatever others' exporters and engines raise, as ours: first line of its cause."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ArchdslError) or lacks_memory(error):
            raise
        cause = error.__cause__ or error
        first = next((line for line in str(cause).splitlines() if line.strip()), "")
        raise ArchdslError(f"{what}: {type(cause).__name__}: {first}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without what exporters say to those who write exporters."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
