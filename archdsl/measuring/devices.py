"""Which device a measurement runs on, and torch's settings while it does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from archdsl.device_lock import SharedDeviceLock, exclusive
from archdsl.errors import DeviceError
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.fingerprint import cpu_name
from archdsl.training.device import lock_names
from archdsl.usable_cores import restriction

_settings = threading.RLock()
_PRECISION_OF_EACH = hasattr(torch.backends.cudnn, "conv")
"""Torch 2.9 and later have a precision for each kind of work; the older words no longer mix in."""


def find_device(asked: str) -> torch.device:
    """The device a study asks for.

    Args:
        asked: `cpu`, `cuda` (the first GPU), a part of a GPU's name such as `A100`, or `any`
            (the first GPU where there is one, else the CPU).

    Raises:
        DeviceError: it is not there; names the devices that are.
    """
    if asked == "cpu":
        return torch.device("cpu")
    names = gpu_names()
    if asked == "any" and not names:
        return torch.device("cpu")
    for index, name in enumerate(names):
        if asked in ("cuda", "any") or asked.casefold() in name.casefold():
            return torch.device("cuda", index)
    there = ", ".join([f"cpu ({cpu_name()})", *(f"cuda ({name})" for name in names)])
    raise DeviceError(
        f"no device '{asked}' here; there is: {there}. Ask for one of these (cpu, cuda or a part "
        "of a GPU's name), or run where the device is"
    )


def gpu_names() -> list[str]:
    """Names of the CUDA devices this process may use, by index."""
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


@contextmanager
def locked(device: torch.device) -> Iterator[None]:
    """The device for this process alone, among all that use archdsl on this host.

    On a GPU the processors, which feed it, are shared with trainers and with measurements of
    other GPUs, but not with a measurement of the processors themselves.

    Raises:
        DeviceLockError: others do not leave it in time.
    """
    own, *beside = lock_names(device)
    with ExitStack() as held:
        held.enter_context(exclusive(own))
        held.enter_context(SharedDeviceLock(beside))
        yield


@contextmanager
def applied(conditions: Conditions, device: torch.device) -> Iterator[None]:
    """Torch's thread count and float32 precision as the conditions say, and `device` as its
    current one if it is a GPU; the rest as by default; all set back afterwards. Torch's own count
    knows no quota of time, so it is bounded where the process may not use all of the host's cores.

    They are the whole process's: other threads that want them otherwise wait.
    """
    with _settings:
        threads = torch.get_num_threads()
        torch.set_num_threads(conditions.threads or min(threads, restriction() or threads))
        try:
            with as_by_default(device), ExitStack() as on_gpu:
                if device.type == "cuda":
                    on_gpu.enter_context(tf32(conditions.tf32))
                    on_gpu.enter_context(torch.cuda.device(device))
                yield
        finally:
            torch.set_num_threads(threads)


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Whether float32 products and convolutions on CUDA may run in TensorFloat-32.

    Both are set, for cuDNN's convolutions may by default and cuBLAS's products may not.
    """
    backends: Any = torch.backends
    if _PRECISION_OF_EACH:
        with _set(
            backends.cuda.matmul, backends.cudnn.conv, fp32_precision="tf32" if allowed else "ieee"
        ):
            yield
    else:
        with _set(backends.cuda.matmul, backends.cudnn, allow_tf32=allowed):
            yield


@contextmanager
def as_by_default(device: torch.device) -> Iterator[None]:
    """Torch as a process of its own has it, whatever the caller's was told: no autocast around, on
    the CPU float32 products in float32, kernels chosen without regard to determinism."""
    mkldnn: Any = torch.backends.mkldnn
    deterministic = torch.get_deterministic_debug_mode()
    with _settings, ExitStack() as held:
        held.enter_context(torch.autocast(device.type, enabled=False))
        held.callback(torch.set_deterministic_debug_mode, deterministic)
        torch.set_deterministic_debug_mode("default")
        if device.type == "cuda":
            held.enter_context(_set(torch.backends.cudnn, benchmark=False))
        elif _PRECISION_OF_EACH:
            held.enter_context(_set(mkldnn.matmul, mkldnn.conv, fp32_precision="ieee"))
        else:
            held.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
            torch.set_float32_matmul_precision("highest")
        yield


@contextmanager
def _set(*places: object, **words: object) -> Iterator[None]:
    """One word of some of torch's settings, set back afterwards."""
    [(word, value)] = words.items()
    before = [getattr(place, word) for place in places]
    try:
        for place in places:
            setattr(place, word, value)
        yield
    finally:
        for place, old in zip(places, before, strict=True):
            setattr(place, word, old)
