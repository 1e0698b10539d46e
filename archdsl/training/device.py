"""Which device to train on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from socket import gethostname

import torch

from archdsl.device_lock import CPU, SharedDeviceLock
from archdsl.errors import DeviceError
from archdsl.free_memory import free_memory
from archdsl.plan.baseline import Baseline
from archdsl.plan.cost import cost
from archdsl.plan.plan import Plan
from archdsl.training.world import World

MACS_PER_THREAD = 10**9
"""Of a batch's forward pass. With less, a second thread saves little (a tenth to a third of the
time on a quiet machine) and waits for the first, spinning, when anything else runs: ten times as
long (`benchmarks/training_threads.py`)."""


class TrainingDeviceError(DeviceError):
    """The device that a run profile trains on is not there."""


def choose_device(name: str, *, profile: str | None = None) -> torch.device:
    """Find the device a name asks for; `auto` takes CUDA where there is one.

    Args:
        name: `auto`, `cpu` or `cuda`.
        profile: the run profile whose `training.device` it is, if it is one's.

    Raises:
        TrainingDeviceError: CUDA is asked for where there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        reason = "there is no GPU here" if torch.version.cuda else "torch was built without CUDA"
        if profile is None:
            raise TrainingDeviceError(f"cannot use cuda: {reason}; say --device cpu or auto")
        raise TrainingDeviceError(
            f"the run profile '{profile}' asks for training on cuda, but {reason}; "
            "write training: {device: cpu} or {device: auto} in it"
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def lock_names(device: torch.device) -> tuple[str, ...]:
    """Names of the locks that work on `device` needs; the device's own is the first.

    A GPU's is named by its identifier, for its index differs between processes. Work on a GPU
    shares the processors too: it feeds the GPU from them.
    """
    if device.type != "cuda":
        return (CPU,)
    return (f"cuda-{torch.cuda.get_device_properties(device).uuid}", CPU)


def shared_lock(device: torch.device, world: World) -> SharedDeviceLock:
    """The hold on what all processes of this machine train on; its first one has it for all.

    If each held its own, a measurer could wait for one of them that waits for another, which has
    already given way.

    Args:
        device: of this process.
        world: all of them ask at the same time.
    """
    everyones = world.gather((gethostname(), lock_names(device)))
    here = [rank for rank, (host, _) in enumerate(everyones) if host == gethostname()]
    names = dict.fromkeys(name for rank in here for name in everyones[rank][1])
    return SharedDeviceLock(
        [*names] if world.rank == here[0] else (), synchronize=partial(synchronize, device)
    )


def free_bytes(device: torch.device) -> int:
    """Memory that work on `device` could have at the most, in bytes."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free_memory()


def synchronize(device: torch.device) -> None:
    """Wait until `device` has finished what it was asked to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads of the processors at the most; set back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, count))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_for(plan: Plan | Baseline, *, batch: int, most: int, device: torch.device) -> int:
    """How many threads the training of a network is worth, for `cpu_threads`; the same each time.

    Args:
        plan: the network's.
        batch: images of a step.
        most: cores that the training has to itself.
        device: where it runs; what a GPU is fed by does not depend on the network's size.
    """
    if device.type == "cuda":
        return most
    if isinstance(plan, Baseline):
        # Not above: `archdsl doctor` asks for devices where timm cannot be imported.
        from archdsl.compiler.baseline import baseline_macs

        macs = baseline_macs(plan)
    else:
        macs = cost(plan).macs
    return max(1, min(most, round(batch * macs / MACS_PER_THREAD)))
