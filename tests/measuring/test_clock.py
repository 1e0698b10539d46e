"""Clocks of devices: the time of calls, to the end of their work."""

from __future__ import annotations

import time
from functools import partial

import pytest
import torch

from archdsl.measuring.clock import CpuClock, clock_of, time_calls

CPU = torch.device("cpu")


def test_the_host_times_calls_in_a_row_in_ms() -> None:
    clock = clock_of(CPU)
    assert isinstance(clock, CpuClock)
    one = time_calls(partial(time.sleep, 0.01), clock=clock)
    three = time_calls(partial(time.sleep, 0.01), clock=clock, calls=3)
    assert one >= 10
    assert three >= 30


def test_moments_follow_each_other() -> None:
    clock = clock_of(CPU)
    first = clock.moment()
    time.sleep(0.002)
    second = clock.moment()
    clock.wait()
    assert clock.ms(first, second) >= 2
    assert clock.ms(first, first) == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_times_its_work_and_not_only_the_launches() -> None:
    device = torch.device("cuda", 0)
    clock = clock_of(device)
    small, large = (torch.randn(size, size, device=device) for size in (64, 8192))
    time_calls(lambda: large @ large, clock=clock)
    short = time_calls(lambda: small @ small, clock=clock)
    assert time_calls(lambda: large @ large, clock=clock, calls=3) > 3 * short
    start = clock.moment()
    large @ large
    end = clock.moment()
    clock.wait()
    assert clock.ms(start, end) > short
