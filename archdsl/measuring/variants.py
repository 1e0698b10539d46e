"""Which of several ways to compute the same is the quickest here: measured once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch

from archdsl.training.device import synchronize

ROUNDS = 7
LEAST_SECONDS = 0.003
"""Of one sample: shorter ones are repeated calls."""

_CHOSEN: dict[tuple[str, int, str, str], str] = {}
"""Device, threads, type and what it is about -> what was chosen, while this process lives."""


class Quickest:
    """Chooses by latency; see `archdsl.compiler.passes.rewrite.Choose`.

    Args:
        device: where the calls run.
        dtype: of what they compute with.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._device, self._dtype = device, dtype

    def __call__(self, what: str, calls: Mapping[str, Callable[[], Any]]) -> str:
        """The name of the quickest; of equals the first."""
        key = (str(self._device), torch.get_num_threads(), str(self._dtype), what)
        if key not in _CHOSEN:
            _CHOSEN[key] = self._measured(calls)
        return _CHOSEN[key]

    def _measured(self, calls: Mapping[str, Callable[[], Any]]) -> str:
        with torch.inference_mode():
            seconds = {name: self._sample(call, 1) for name, call in calls.items()}  # warms up
            seconds = {name: self._sample(call, 1) for name, call in calls.items()}
            times = max(1, round(LEAST_SECONDS / max(min(seconds.values()), 1e-6)))
            rounds = [
                {name: self._sample(call, times) for name, call in calls.items()}
                for _ in range(ROUNDS)
            ]
        return min(calls, key=lambda name: median(each[name] for each in rounds))

    def _sample(self, call: Callable[[], Any], times: int) -> float:
        synchronize(self._device)
        started = time.perf_counter()
        for _ in range(times):
            call()
        synchronize(self._device)
        return time.perf_counter() - started
