"""What a training keeps in its storage: a checkpoint while it runs, its weights at the end."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, BinaryIO, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from archdsl.compiler.weights.reading import told_of
from archdsl.identity import canonical_json
from archdsl.nn.network import Network
from archdsl.storage.storage import Storage
from archdsl.training.data.reading import Reading
from archdsl.training.tasks.task import Counts

CHECKPOINT = "checkpoint.pt"
CHECKPOINTS_IN_TURN = ("checkpoint-even.pt", "checkpoint-odd.pt")
"""Where a write that is cut short may leave half a file: it never damages the epoch before."""
WEIGHTS = "weights.safetensors"
RAW_WEIGHTS = "weights-without-ema.safetensors"
"""Of a training whose result is a moving average: what it is the average of."""

PROGRESS_KEY = "archdsl.progress"
"""Where the metadata of the weights keep the progress they belong to."""


_LOG = logging.getLogger(__name__)
_DAMAGED = (
    *(EOFError, RuntimeError, ValueError, pickle.UnpicklingError),
    *(AttributeError, LookupError, TypeError),
)
"""Damaged pickles lead torch's reader astray in many ways."""
READING = "reading"
"""Where they keep how the pictures were read, see `Reading`."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training has come.

    Args:
        key: what names the training, see `run_keys`.
        counts: what its task counted on validation images after each finished epoch.
        raw_counts: the same of the weights that a moving average, the result, is of; empty without.
        steps: of the epoch after those, that are done.
        seconds: wall time of the finished epochs, over all runs.
    """

    key: str
    counts: tuple[Counts, ...] = ()
    raw_counts: tuple[Counts, ...] = ()
    steps: int = 0
    seconds: float = 0.0


class Checkpoints:
    """The files of one training.

    Whatever instant a process dies at, the last finished epoch is there whole.

    Args:
        storage: of this training alone.
        keys: that its files may bear, see `run_keys`. Files of other trainings are left alone
            until they are replaced.

    Raises:
        WriteError: in all methods, see `Storage`.
    """

    def __init__(self, storage: Storage, *, keys: Collection[str]) -> None:
        self._storage, self._keys = storage, keys
        self._names = (CHECKPOINT,) if storage.replaces_whole else CHECKPOINTS_IN_TURN

    def restore(
        self, model: nn.Module, load_state: Callable[[Mapping[str, Any]], None]
    ) -> Progress | None:
        """Load the furthest state of the training; None when there is none.

        Args:
            model: gets the result of a training that is finished.
            load_state: takes the state of one that is not.
        """
        finished = self._storage.read(WEIGHTS, read_weights)
        if finished is not None and (progress := finished.progress) and progress.key in self._keys:
            model.load_state_dict(finished.tensors)
            self._drop()
            return progress
        unread: list[None] = []

        def read(stream: BinaryIO) -> dict[str, Any] | None:
            state = read_checkpoint(stream, keys=self._keys)
            if state is None:
                unread.append(state)
            return state

        found = [state for name in self._names if (state := self._storage.read(name, read))]
        if not found:
            if unread:
                _LOG.warning(
                    "the checkpoint in %s is damaged, or of another training, and is not used: "
                    "this one begins at its beginning",
                    self._storage,
                )
            return None
        furthest = max(found, key=lambda each: _how_far(each["progress"]))
        load_state(furthest)
        return cast(Progress, furthest["progress"])

    def save(self, progress: Progress, state: Mapping[str, Any]) -> None:
        """Write a checkpoint; on return it is there, and the one before is not any more, unless it
        is that of the last finished epoch."""
        name = self._name(progress)
        self._storage.write(
            name, partial(write_checkpoint, {"progress": asdict(progress), **state})
        )
        if not progress.steps:
            self._drop(but=name)

    def where(self, progress: Progress) -> str:
        """Where the checkpoint of a progress lies."""
        return str(self._storage / self._name(progress))

    def finish(
        self,
        progress: Progress,
        model: nn.Module,
        *,
        reading: Reading,
        raw: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Write the final weights, with the progress and what they are given in their metadata;
        drop the checkpoint.

        Args:
            raw: what a moving average, the final weights, is of.
        """
        told = told_of(model.plan) if isinstance(model, Network) else {}
        text = canonical_json({**asdict(progress), **told, READING: reading.record()})
        files = {RAW_WEIGHTS: raw, WEIGHTS: weights_of(model)}  # the last one says: finished
        for name, tensors in files.items():
            if tensors is not None:
                content = save(dict(tensors), {PROGRESS_KEY: text})
                self._storage.write(name, partial(_write, content))
        self._drop()

    def _name(self, progress: Progress) -> str:
        number = len(progress.counts) + (progress.steps > 0)
        return self._names[number % len(self._names)]

    def _drop(self, but: str = "") -> None:
        for name in self._names:
            if name != but:
                self._storage.remove(name)


def _how_far(progress: Progress) -> tuple[int, int]:
    return len(progress.counts), progress.steps


def _write(content: bytes, stream: BinaryIO) -> None:
    stream.write(content)


def write_checkpoint(state: dict[str, Any], stream: BinaryIO) -> None:
    try:
        torch.save(state, stream)
    except RuntimeError as error:
        # Of what the stream raised, torch makes an error of its own, even of Ctrl-C.
        raise error.__context__ or error from None


def read_checkpoint(stream: BinaryIO, *, keys: Collection[str]) -> dict[str, Any] | None:
    """What a checkpoint holds; None when it is damaged or of another training."""
    try:
        state: dict[str, Any] = torch.load(stream, map_location="cpu", weights_only=True)
        state["progress"] = read_progress(state["progress"])
    except _DAMAGED:
        return None
    return state if state["progress"].key in keys else None


@dataclass(frozen=True, kw_only=True)
class StoredWeights:
    """A file of weights: its tensors by name, the progress of the training they end, and how its
    pictures were read, where the file says it."""

    tensors: dict[str, Tensor]
    progress: Progress | None
    reading: Reading | None = None


def read_weights(stream: BinaryIO) -> StoredWeights | None:
    """What a file of weights holds; None when it is damaged."""
    content = stream.read()
    try:
        tensors = load(content)
    except SafetensorError:
        return None
    # Eight bytes say how long the JSON is that follows them.
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    found = header.get("__metadata__", {}).get(PROGRESS_KEY)
    if found is None:
        return StoredWeights(tensors=tensors, progress=None)
    told = json.loads(found)
    return StoredWeights(
        tensors=tensors,
        progress=read_progress(told),
        reading=Reading.read(told[READING]) if READING in told else None,
    )


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """All tensors; those that share memory once each, so that any reader can load the file."""
    return {
        name: tensor.detach().cpu().clone().contiguous()
        for name, tensor in model.state_dict().items()
    }


def read_progress(found: dict[str, Any]) -> Progress:
    if "correct" in found:  # written when there was no task but classification
        found = {**found, "counts": [{"correct": each} for each in found["correct"]]}
    return Progress(
        key=found["key"],
        counts=tuple(found["counts"]),
        raw_counts=tuple(found.get("raw_counts", ())),
        steps=found.get("steps", 0),
        seconds=found["seconds"],
    )
