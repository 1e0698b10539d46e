"""Which part of a network takes which share of the time: for looking at, never for comparing.

Every part is timed inside whole forward calls, so that it finds caches as it does in use. The
clocks themselves take time, and an uninterrupted call may be faster: shares, not latencies.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import nn

from archdsl.compiler.build import build_plan
from archdsl.measuring import cuda
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.devices import applied, find_device, locked
from archdsl.measuring.fingerprint import fingerprint
from archdsl.nn.network import Network
from archdsl.plan.plan import Plan

OTHER = "other"
"""What no part takes: handing tensors on, and the clocks."""
WARM_UP_CALLS = 3
LEAST_CALLS = 6
MOST_CALLS = 300
WHOLE = ""


@dataclass(frozen=True, kw_only=True)
class PartTimes:
    """How the time of a forward call is divided.

    Args:
        shares: path of each part (`layers.3.read`) to its share of the time; with `OTHER` they make
            1.
        call_ms: median time of a call with the clocks in it.
        calls: how many the shares are of.
        batch: images per call.
        device: its name.
        threads: on the CPU.
        torch: its version.
    """

    shares: Mapping[str, float]
    call_ms: float
    calls: int
    batch: int
    device: str
    threads: int
    torch: str


def measure_parts(
    plan: Plan, *, device: str = "cpu", batch: int = 1, max_seconds: float = 3.0
) -> PartTimes:
    """Time every part of a network inside its forward calls: eager, float32, all classifiers.

    The device is locked for it. Calls slower than the median one are left out: something else was
    going on.

    Args:
        plan: the network; its weights do not matter.
        device: `cpu`, `cuda`, or a part of a GPU's name.
        batch: images per call.
        max_seconds: of timed calls, at least six.

    Raises:
        DeviceError: the device is not there.
        LeaseError: other processes of ours do not leave the device in time.
    """
    place = find_device(device)
    with applied(Conditions(device=device, batch=batch), place):
        network = build_plan(plan).eval().to(place)
        images = torch.randn(batch, *plan.image, generator=torch.Generator().manual_seed(0))
        clock = _Clock(on_gpu=place.type == "cuda")
        call = clock.timed(WHOLE, network.forward_heads)
        _time_parts(network, clock)
        current = torch.cuda.device(place) if place.type == "cuda" else nullcontext()
        with locked(place), current, torch.inference_mode():
            calls = _calls(clock, call, images.to(place), max_seconds=max_seconds)
        known = fingerprint(place)
        threads = torch.get_num_threads()
    calm = median(each[WHOLE] for each in calls)
    kept = [each for each in calls if each[WHOLE] <= calm]
    return PartTimes(
        shares=_shares(kept),
        call_ms=calm,
        calls=len(kept),
        batch=batch,
        device=str(known["name"]),
        threads=threads,
        torch=str(known["torch"]),
    )


class _Clock:
    """Notes when calls begin and end.

    Args:
        on_gpu: by the GPU's clock, read once everything is done, or by the host's.
    """

    def __init__(self, *, on_gpu: bool) -> None:
        self._on_gpu = on_gpu
        self._spans: list[tuple[str, Any, Any]] = []

    def timed(self, path: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, timed under `path`."""

        def run(*inputs: Any, **options: Any) -> Any:
            start = self._now()
            result = call(*inputs, **options)
            self._spans.append((path, start, self._now()))
            return result

        return run

    def _now(self) -> Any:
        return cuda.mark() if self._on_gpu else time.perf_counter()

    def taken_ms(self) -> dict[str, float]:
        """Time under each path since this was last asked."""
        if self._on_gpu:
            torch.cuda.synchronize()
        found: dict[str, float] = defaultdict(float)
        for path, start, end in self._spans:
            found[path] += start.elapsed_time(end) if self._on_gpu else (end - start) * 1e3
        self._spans.clear()
        return found


def _time_parts(network: Network, clock: _Clock) -> None:
    """Put the clock around all that the parts of a network do.

    Embeddings and classifiers are called by more than one name, so hooks would not see everything.
    """
    named: dict[str, tuple[nn.Module, tuple[str, ...]]] = {}
    for name, embed in network.embeds.items():
        named[f"embeds.{name}"] = embed, ("patches", "placed")
    for number, layer in enumerate(network.layers):
        for word, step in layer.named_children():
            named[f"layers.{number}.{word}"] = step, ("forward",)
    for name, classifier in network.classifiers.items():
        named[f"classifiers.{name}"] = classifier, ("normalised", "forward")
    for path, (module, methods) in named.items():
        for method in methods:
            setattr(module, method, clock.timed(path, getattr(module, method)))


def _calls(
    clock: _Clock, call: Callable[..., Any], images: torch.Tensor, *, max_seconds: float
) -> list[dict[str, float]]:
    """Milliseconds by path of each call, those that warm up left out."""
    for _ in range(WARM_UP_CALLS):
        call(images)
    clock.taken_ms()
    found: list[dict[str, float]] = []
    spent_ms = 0.0
    while len(found) < LEAST_CALLS or (spent_ms < max_seconds * 1e3 and len(found) < MOST_CALLS):
        call(images)
        found.append(clock.taken_ms())
        spent_ms += found[-1][WHOLE]
    return found


def _shares(calls: list[dict[str, float]]) -> dict[str, float]:
    whole = sum(each[WHOLE] for each in calls)
    paths = [path for path in calls[0] if path != WHOLE]
    shares = {path: sum(each[path] for each in calls) / whole for path in paths}
    return {**shares, OTHER: 1 - sum(shares.values())}
