"""Peak memory of one forward call, in MiB (2^20 bytes).

It is the weights, the images and the most that was allocated beside them at any moment of the call.
On a GPU the caching allocator counts. On the CPU torch's profiler lists every allocation and
release, those inside an operation included; the process's resident memory, which moves with the
allocator's habits, is never looked at. Both counts are of bytes asked for, so they repeat exactly.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from archdsl.measuring.clock import Call
from archdsl.measuring.conditions import MemoryConditions
from archdsl.measuring.devices import as_by_default, find_device, locked
from archdsl.measuring.fingerprint import fingerprint as fingerprint_of
from archdsl.measuring.prepare import prepare
from archdsl.records import Measurement

EVALUATOR = "memory/1"
"""Changes whenever the way of measuring changes the number."""
REPEATS = 2
MIB = 2**20


def measure_memory(
    model: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    conditions: MemoryConditions,
    fingerprint: Mapping[str, Any] | None = None,
) -> Measurement:
    """The peak memory of a forward call of `model`; the value is MiB. The device is locked for it.

    Args:
        model: takes images (batch, channels, height, width); left as it is.
        image_shape: (channels, height, width).
        conditions: device, batch, types and heads.
        fingerprint: of the device, where the caller already has it.

    Raises:
        DeviceError: the device is not there.
        MeasureError: all heads are asked for and the model has no `forward_heads`.
        NotEnoughMemoryError: it does not fit.
        DeviceLockError: other processes of ours do not leave the device in time.
    """
    device = find_device(conditions.device)
    with as_by_default(device), locked(device), torch.inference_mode():
        prepared = prepare(model, image_shape=image_shape, conditions=conditions, device=device)
        prepared.call()  # libraries allocate in the first call what they keep
        peaks = [_peak_bytes(prepared.call, device) for _ in range(REPEATS)]
    values = [(prepared.held_bytes + peak) / MIB for peak in peaks]
    return Measurement(
        quantity="memory",
        value=max(values),
        low=min(values),
        high=max(values),
        unit="MiB",
        protocol=memory_protocol(conditions, device, fingerprint),
        detail={
            "weights_and_images_mib": prepared.held_bytes / MIB,
            "activations_mib": max(peaks) / MIB,
        },
    )


def memory_protocol(
    conditions: MemoryConditions,
    device: torch.device,
    fingerprint: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What peak memories must share to be compared."""
    return {
        "evaluator": EVALUATOR,
        **conditions.keyed(),
        "fingerprint": dict(fingerprint if fingerprint is not None else fingerprint_of(device)),
    }


def _peak_bytes(call: Call, device: torch.device) -> int:
    """Bytes allocated at the most during one call beyond those allocated before it."""
    if device.type != "cuda":
        return _peak_on_cpu(call)
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _peak_on_cpu(call: Call) -> int:
    # Without a GPU the profiler's library complains of that on stderr, once, unless told not to.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    # One cycle has nothing to accumulate; torch 2.11 warns unless it is asked to.
    cpu = [ProfilerActivity.CPU]
    with profile(activities=cpu, profile_memory=True, acc_events=True) as found:
        call()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        found.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    changes = [event for event in events if event.get("name") == "[memory]"]
    held = peak = 0
    for change in sorted(changes, key=lambda event: float(event["ts"])):
        held += change["args"]["Bytes"]
        peak = max(peak, held)
    return peak
