"""What a training leaves on disk: one checkpoint while it runs, its weights at the end."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from archdsl.files import not_written
from archdsl.identity import canonical_json

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.safetensors"

PROGRESS_KEY = "archdsl.progress"
"""Where the metadata of the weights keep the progress they belong to."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training has come.

    Args:
        key: identity of the training's arguments.
        correct: correct validation images after each finished epoch.
        seconds: wall time of the finished epochs, over all runs.
    """

    key: str
    correct: tuple[int, ...] = ()
    seconds: float = 0.0


class CheckpointFolder:
    """The files of one training.

    Whatever instant a process dies at, the folder holds the last finished epoch whole.

    Raises:
        WriteError: here and in `save` and `finish`: the disk is full, or refuses the file.
    """

    def __init__(self, folder: Path, *, keys: Collection[str]) -> None:
        self.folder = folder
        self.keys = keys
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_written(folder, error) from None

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress | None:
        """Load the furthest state of a training with one of its keys.

        Returns:
            None when there is none: files of other arguments are left alone until replaced.
        """
        return self.restore_weights(model) or self.restore_checkpoint(model, optimizer)

    def restore_weights(self, model: nn.Module) -> Progress | None:
        path = self.folder / WEIGHTS
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
        except (FileNotFoundError, SafetensorError):
            return None
        progress = progress_in(metadata, keys=self.keys)
        if progress is not None:
            model.load_state_dict(load_file(path))
            (self.folder / CHECKPOINT).unlink(missing_ok=True)
        return progress

    def restore_checkpoint(
        self, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> Progress | None:
        state = read_state(self.folder / CHECKPOINT, keys=self.keys)
        return None if state is None else load_state(state, model, optimizer)

    def save(self, progress: Progress, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Replace the checkpoint; on return the new one is on disk."""
        state = state_of(progress, model, optimizer)
        write_atomically(self.folder / CHECKPOINT, lambda path: torch.save(state, path))

    def finish(self, progress: Progress, model: nn.Module) -> None:
        """Write the final weights with the progress in their metadata; drop the checkpoint."""
        weights, metadata = weights_of(model), metadata_of(progress)
        write_atomically(self.folder / WEIGHTS, lambda path: save_file(weights, path, metadata))
        (self.folder / CHECKPOINT).unlink(missing_ok=True)


def state_of(
    progress: Progress, model: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """What a checkpoint holds."""
    return {
        "progress": asdict(progress),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }


def read_state(source: Path | IO[bytes], *, keys: Collection[str]) -> dict[str, Any] | None:
    """What a checkpoint holds; None when there is none of a training with one of these keys."""
    try:
        state: dict[str, Any] = torch.load(source, map_location="cpu", weights_only=True)
    except (FileNotFoundError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError):
        # A damaged file is no state to go on from: as if there were none.
        return None
    return state if state["progress"]["key"] in keys else None


def load_state(
    state: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> Progress:
    """Go back to what a checkpoint holds."""
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return read_progress(state["progress"])


def weights_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """All tensors; those that share memory once each, so that any reader can load the file."""
    return {
        name: tensor.detach().cpu().clone().contiguous()
        for name, tensor in model.state_dict().items()
    }


def metadata_of(progress: Progress) -> dict[str, str]:
    """What the file of the weights says beside them."""
    return {PROGRESS_KEY: canonical_json(asdict(progress))}


def progress_in(metadata: dict[str, str], *, keys: Collection[str]) -> Progress | None:
    """The progress beside weights; None when they are not of a training with one of these keys."""
    if PROGRESS_KEY not in metadata:
        return None
    found = json.loads(metadata[PROGRESS_KEY])
    return read_progress(found) if found["key"] in keys else None


def read_progress(found: dict[str, Any]) -> Progress:
    return Progress(key=found["key"], correct=tuple(found["correct"]), seconds=found["seconds"])


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write beside `path`, flush to disk, then take its place: readers see old or new, whole.

    Raises:
        WriteError: the disk is full, or refuses the file.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        write(temporary)
        flush_to_disk(temporary)
        temporary.replace(path)
        flush_to_disk(path.parent)
    except (OSError, RuntimeError, SafetensorError) as error:
        # torch and safetensors put errors of their own around what the system said.
        failure = not_written(path, error)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise failure from None


def flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
