"""Which device to train on."""

from __future__ import annotations

import torch

from archdsl.errors import DeviceError

CHOICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> torch.device:
    """Find the device a name asks for; `auto` takes CUDA where there is one.

    Raises:
        DeviceError: an unknown name, or CUDA where there is none.
    """
    if name not in CHOICES:
        raise DeviceError(f"'{name}' is not a device to train on; allowed are {', '.join(CHOICES)}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        reason = "finds no GPU" if torch.version.cuda else "was built without CUDA"
        raise DeviceError(f"cuda was asked for, but torch {reason}; this machine has: cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
