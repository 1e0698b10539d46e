"""What a training leaves at a URL: as in a folder, but nothing is renamed or changed in place."""

from __future__ import annotations

import io
import json
from collections.abc import Collection
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from archdsl.storage.remote import RemoteFolder
from archdsl.training.checkpoint import (
    WEIGHTS,
    CheckpointFolder,
    Progress,
    load_state,
    metadata_of,
    progress_in,
    read_state,
    state_of,
    weights_of,
)

CHECKPOINTS = ("checkpoint-even.pt", "checkpoint-odd.pt")
"""Two names take turns, so that an upload that is cut short never damages the epoch before."""


class UploadedCheckpoints:
    """The files of one training at a URL; see `CheckpointFolder`.

    A copy of the files passes through memory, and none lies on this machine.

    Raises:
        WriteError: in all methods: the place does not answer, or refuses.
    """

    def __init__(self, depot: RemoteFolder, *, keys: Collection[str]) -> None:
        self._depot, self._keys = depot, keys

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress | None:
        """Load the furthest state of a training with one of its keys.

        Returns:
            None when there is none: files of other arguments are left alone until replaced.
        """
        return self._restore_weights(model) or self._restore_checkpoint(model, optimizer)

    def save(self, progress: Progress, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Upload a checkpoint; on return it is there, and the one before is not any more."""
        buffer = io.BytesIO()
        torch.save(state_of(progress, model, optimizer), buffer)
        turn = len(progress.correct) % 2
        self._depot.write(CHECKPOINTS[turn], buffer.getvalue())
        self._depot.remove(CHECKPOINTS[1 - turn])

    def finish(self, progress: Progress, model: nn.Module) -> None:
        """Upload the final weights with the progress in their metadata; drop the checkpoint."""
        self._depot.write(WEIGHTS, save(weights_of(model), metadata_of(progress)))
        self._drop_checkpoints()

    def _restore_weights(self, model: nn.Module) -> Progress | None:
        content = self._depot.read(WEIGHTS)
        if content is None:
            return None
        try:
            weights = load(content)
        except SafetensorError:
            return None
        progress = progress_in(_metadata(content), keys=self._keys)
        if progress is not None:
            model.load_state_dict(weights)
            self._drop_checkpoints()
        return progress

    def _restore_checkpoint(
        self, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> Progress | None:
        contents = [content for name in CHECKPOINTS if (content := self._depot.read(name))]
        states = [read_state(io.BytesIO(content), keys=self._keys) for content in contents]
        found = [state for state in states if state is not None]
        if not found:
            return None
        furthest = max(found, key=lambda state: len(state["progress"]["correct"]))
        return load_state(furthest, model, optimizer)

    def _drop_checkpoints(self) -> None:
        for name in CHECKPOINTS:
            self._depot.remove(name)


def checkpoints_at(
    place: Path | RemoteFolder, *, keys: Collection[str]
) -> CheckpointFolder | UploadedCheckpoints:
    """The files of one training, wherever they are.

    Raises:
        WriteError: the folder cannot be made.
    """
    if isinstance(place, RemoteFolder):
        return UploadedCheckpoints(place, keys=keys)
    return CheckpointFolder(place, keys=keys)


def _metadata(content: bytes) -> dict[str, str]:
    """Of a whole file of safetensors: eight bytes say how long the JSON is that follows them."""
    end = 8 + int.from_bytes(content[:8], "little")
    metadata: dict[str, str] = json.loads(content[8:end]).get("__metadata__", {})
    return metadata
