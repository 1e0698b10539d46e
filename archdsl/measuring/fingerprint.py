"""The stable identity of a device and of the software that drives it.

What drifts by itself (clocks, temperature, load) is a reading, not identity, and is not here.
Two latencies may be compared only when their fingerprints are equal.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from archdsl.identity import digest
from archdsl.usable_cores import restriction

_CPU_INFO = Path("/proc/cpuinfo")
_NVIDIA_QUERY = ["nvidia-smi", "--query-gpu=uuid,driver_version,power.limit"]
_NVIDIA_FORMAT = "--format=csv,noheader,nounits"


def fingerprint(device: torch.device) -> dict[str, Any]:
    """Identity of `device` as plain JSON data.

    `threads` is the number torch uses now, so a caller that sets it asks inside that setting.
    `usable_cores` is there only where this process may not use all `logical_cores`. `power_limit_w`
    is in watts. What the device does not have or does not tell is None.
    """
    usable = restriction()
    own = _cuda_identity(device) if device.type == "cuda" else _cpu_identity()
    return {
        "kind": device.type,
        **own,
        "logical_cores": os.cpu_count(),
        # Younger than what is stored, so it is left out at its default.
        **({} if usable is None else {"usable_cores": usable}),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda if device.type == "cuda" else None,
    }


def fingerprint_id(identity: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that name a fingerprint."""
    return digest(dict(identity))


def cpu_name() -> str:
    """The processor's model name, as the system tells it."""
    if _CPU_INFO.is_file():
        for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model") and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def _cpu_identity() -> dict[str, Any]:
    return {
        "name": cpu_name(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "driver": None,
        "power_limit_w": None,
    }


def _cuda_identity(device: torch.device) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(device)
    driver, power_limit_w = _nvidia_driver(str(properties.uuid))
    return {
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "driver": driver,
        "power_limit_w": power_limit_w,
    }


def _nvidia_driver(uuid: str) -> tuple[str | None, float | None]:
    """Driver version and power limit (W) of the GPU with `uuid`, where nvidia-smi tells them."""
    try:
        answer = subprocess.run(
            [*_NVIDIA_QUERY, _NVIDIA_FORMAT],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None, None
    return parse_nvidia(answer, uuid)


def parse_nvidia(answer: str, uuid: str) -> tuple[str | None, float | None]:
    """Driver version and power limit (W) in the lines `uuid, driver, limit` of nvidia-smi.

    The driver is one for all GPUs; the limit belongs to the GPU asked for, and is None for a
    slice of one (its identifier is not listed) and where the card does not tell.
    """
    driver, limit = None, None
    for line in answer.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != 3:
            continue
        driver = cells[1]
        if cells[0].removeprefix("GPU-") == uuid.removeprefix("GPU-"):
            limit = float(cells[2]) if cells[2].replace(".", "", 1).isdigit() else None
    return driver, limit
