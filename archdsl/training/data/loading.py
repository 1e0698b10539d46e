"""How batches come in: read between the steps, or ahead of them by processes of their own."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, tee
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate, get_worker_info
from torchvision.transforms.functional import to_pil_image

from archdsl.device_lock import used
from archdsl.errors import DataError
from archdsl.training.data.dataset import Split
from archdsl.training.data.views import Views
from archdsl.training.device import lock_names
from archdsl.training.draws import undisturbed
from archdsl.training.world import ALONE, World
from archdsl.usable_cores import usable_cores

AHEAD = 2
"""Batches that each process has ready or on the way."""
FLOAT32 = 4
"""Bytes."""
SHARED_MEMORY = Path("/dev/shm")
"""Through which they come; containers often have little of it."""

Read = tuple[Tensor, Mapping[int, DataError]]
"""The images of a batch, and what is wrong with those that cannot be read, by their place."""
Asked = tuple[int, Any, Any]
"""An epoch, and of a batch the indices and which occurrence of each it is, as arrays: tensors would
be sent through files."""


def batches(
    split: Split,
    picked: Iterable[Sequence[Tensor]],
    *,
    device: torch.device,
    views: Views | None = None,
    epoch: int = 0,
    skip: int = 0,
    world: World = ALONE,
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Read the batches of one epoch after the other, in their order; see `Split.batch`.

    Where it pays, processes read ahead, from one epoch into the next. They end with this iterator,
    at the latest some seconds after this process, however that ends.

    Args:
        split: has the images.
        picked: of each epoch, asked for when its turn comes: (batch,) indices of each batch.
        device: where the batches are delivered.
        views: what is shown of the images; None shows them as they are.
        epoch: the first one: which views.
        skip: so many of its first batches are not read.
        world: of the processes that share each batch; this one reads its part.

    Raises:
        DataError: an image cannot be decoded, or a process that reads was ended.
    """
    asked = _asked(picked, epoch=epoch, skip=skip, world=world)
    most = processes(split, views=views, device=device)
    soon = list(islice(asked, max(1, most)))
    if not soon:
        return
    workers = most and min(len(soon), _fit(split, soon))
    wanted, asked = tee(chain(soon, asked))
    if not workers and views is None and split.broken is None:
        there = split.to(device)
        yield from (there.batch(torch.from_numpy(indices)) for _, indices, _ in asked)
        return
    loader = DataLoader(
        _Reader(split, views, lock_names(device)),
        batch_size=None,
        sampler=cast(Iterable[Any], wanted),
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        collate_fn=_as_it_is,
        pin_memory=device.type == "cuda",
        # They share all that this process has read of the pictures.
        multiprocessing_context="fork" if workers else None,
        generator=torch.Generator(),  # else it would draw from the model's
    )
    for (_, places, _), (read, lost) in zip(asked, _received(loader), strict=True):
        indices = torch.from_numpy(places)
        if lost:
            indices = _without(lost, indices, split)
        images = read.to(device, non_blocking=True)
        if not images.is_floating_point():
            images = split.normalisation.apply(images)
        yield images, split.labels[indices].to(device, non_blocking=True)


def processes(split: Split, *, views: Views | None, device: torch.device) -> int:
    """How many processes read: none where nothing is decoded, or nothing else could be done
    meanwhile.

    On the CPU (`benchmarks/loading.py`) threads decode as fast between the steps; they draw no
    views. A network that has all cores to itself is held up by whatever runs beside it.
    """
    decoders = split.decoders(whole=views is not None and views.whole)
    cores, threads = min(decoders, usable_cores()), torch.get_num_threads()
    if device.type == "cuda":
        return cores if cores > 1 else 0
    return cores - threads + 1 if views is not None and threads < cores else 0


def _fit(split: Split, soon: Sequence[Asked]) -> int:
    """How many processes have the room for their batches."""
    batch = FLOAT32 * prod(split.shape) * max(len(indices) for _, indices, _ in soon)
    return shutil.disk_usage(SHARED_MEMORY).free // (batch * (AHEAD + 1))


def _asked(
    picked: Iterable[Sequence[Tensor]], *, epoch: int, skip: int, world: World
) -> Iterator[Asked]:
    """See `batches`."""
    for number, each in enumerate(picked, start=epoch):
        for indices, copies in islice(zip(each, _copies(each), strict=True), skip, None):
            yield number, world.part(indices).numpy(), world.part(copies).numpy()
        skip = 0


def _copies(picked: Sequence[Tensor]) -> Sequence[Tensor]:
    """Of each batch, which occurrence of each index it has."""
    order = torch.cat([*picked])
    found, where = order.sort(stable=True)
    places = torch.arange(len(order))
    begins = torch.where(found.diff(prepend=found.new_tensor([-1])) != 0, places, 0)
    copies = torch.empty_like(order)
    copies[where] = places - begins.cummax(0).values
    return torch.split(copies, [len(indices) for indices in picked])


def _without(lost: Mapping[int, DataError], indices: Tensor, split: Split) -> Tensor:
    """The indices of a batch, in which another stands for each broken picture; each is told once.

    Raises:
        DataError: they are not to be passed over, or there is no other.
    """
    if split.broken is None or len(lost) == len(indices):
        raise next(iter(lost.values()))
    for place, error in lost.items():
        index = int(indices[place])
        if index not in split.broken:
            split.broken[index] = error
            logging.getLogger(__name__).warning(
                f"passed over, the {len(split.broken)}. of {len(split)} to train on: {error}"
            )
    return indices[_in_place_of(lost, len(indices))]


def _in_place_of(lost: Mapping[int, DataError], count: int) -> list[int]:
    """The places of a batch that are read, the first of them in place of each that is lost."""
    first = next(place for place in range(count) if place not in lost)
    return [first if place in lost else place for place in range(count)]


@dataclass(frozen=True)
class _Reader(Dataset[Any]):
    """Reads a batch."""

    split: Split
    views: Views | None
    devices: Sequence[str]

    def __getitem__(self, asked: Asked) -> Read:
        if get_worker_info() is None:
            return self._attempt(*asked)
        with used(self.devices):
            return self._attempt(*asked)

    def _attempt(self, epoch: int, indices: Any, copies: Any) -> Read:
        try:
            return self._read(epoch, indices, copies), {}
        except DataError as error:  # raised by a process, it would come with a traceback
            if self.split.broken is None:
                return torch.empty(0), {0: error}
        found, lost = {}, {}
        for place in range(len(indices)):
            one = slice(place, place + 1)
            try:
                found[place] = self._read(epoch, indices[one], copies[one])
            except DataError as error:
                lost[place] = error
        if not found:
            return torch.empty(0), lost
        return torch.cat([found[place] for place in _in_place_of(lost, len(indices))]), lost

    def _read(self, epoch: int, indices: Any, copies: Any) -> Tensor:
        if self.views is None:
            return self.split.pixels(torch.from_numpy(indices))
        wanted = indices.tolist()
        if self.views.whole:
            pictures = map(self.split.picture, wanted)
        else:
            pictures = map(to_pil_image, self.split.pixels(torch.from_numpy(indices)))
        with undisturbed():
            found: Tensor = default_collate(  # into shared memory, in a process
                [
                    self.views.draw(picture, epoch=epoch, index=index, copy=copy)
                    for picture, index, copy in zip(pictures, wanted, copies.tolist(), strict=True)
                ]
            )
        return found


def _received(loader: DataLoader[Any]) -> Iterator[Any]:
    """
    Raises:
        DataError: a process is gone.
    """
    try:
        yield from loader
    except RuntimeError as error:
        raise DataError(
            f"a process that reads pictures was ended ({error}); with less memory in use, or "
            "fewer cores for a training, it may stay"
        ) from error


def _as_it_is(read: Any) -> Any:
    return read
