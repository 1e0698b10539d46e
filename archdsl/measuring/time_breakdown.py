"""Which part of a network takes which share of the time: for looking at, never for comparing.

Every part is timed inside whole forward calls, so that it finds caches as it does in use. The
clocks themselves take time, and an uninterrupted call may be faster: shares, not latencies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.compiler.build import build_plan
from archdsl.measuring.call_memory import check_call_fits
from archdsl.measuring.clock import Clock, clock_of
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
        NotEnoughMemoryError: the network, or a call of it, does not fit.
        DeviceLockError: other processes of ours do not leave the device in time.
    """
    place = find_device(device)
    conditions = Conditions(device=device, batch=batch)
    with applied(conditions, place):
        network = build_plan(plan)
        check_call_fits(network, image_shape=plan.image, conditions=conditions, device=place)
        network.eval().to(place)
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(batch, *plan.image, generator=generator, device="cpu")
        timer = _PartTimer(network, images.to(place), clock=clock_of(place))
        with locked(place), torch.inference_mode():
            calls = timer.calls_ms(max_seconds=max_seconds)
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


class _PartTimer:
    """Times the parts of a network in its forward calls, by hooks around each.

    Args:
        network: on the clock's device; the hooks stay on it.
        images: (batch, channels, height, width), on the same device.
        clock: of the device.
    """

    def __init__(self, network: Network, images: Tensor, *, clock: Clock) -> None:
        self._network, self._images, self._clock = network, images, clock
        self._spans: list[tuple[str, Any, Any]] = []
        for path, modules in network.parts().items():
            for module in modules:
                self._time(path, module)

    def _time(self, path: str, module: nn.Module) -> None:
        started: list[Any] = []

        def before(*_: Any) -> None:
            started.append(self._clock.moment())

        def after(*_: Any) -> None:
            self._spans.append((path, started.pop(), self._clock.moment()))

        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)

    def calls_ms(self, *, max_seconds: float) -> list[dict[str, float]]:
        """Milliseconds by path of each call, those that warm up left out."""
        for _ in range(WARM_UP_CALLS):
            self._call_ms()

        calls: list[dict[str, float]] = []
        spent_s = 0.0
        while len(calls) < LEAST_CALLS or (spent_s < max_seconds and len(calls) < MOST_CALLS):
            calls.append(self._call_ms())
            spent_s += calls[-1][WHOLE] / 1e3
        return calls

    def _call_ms(self) -> dict[str, float]:
        """Milliseconds by path of one call."""
        clock = self._clock
        self._spans.clear()
        start = clock.moment()
        self._network.forward_heads(self._images)
        end = clock.moment()
        clock.wait()
        found: dict[str, float] = defaultdict(float, {WHOLE: clock.ms(start, end)})
        for path, begun, done in self._spans:
            found[path] += clock.ms(begun, done)
        return found


def _shares(calls: list[dict[str, float]]) -> dict[str, float]:
    whole = sum(each[WHOLE] for each in calls)
    paths = [path for path in calls[0] if path != WHOLE]
    shares = {path: sum(each[path] for each in calls) / whole for path in paths}
    return {**shares, OTHER: 1 - sum(shares.values())}
