"""What does not fit into memory: refused before it is allocated, with what is needed and free."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from torch import nn

import archdsl
from archdsl import free_memory
from archdsl.device_lock import CPU
from archdsl.device_lock.lock_file import LockFile
from archdsl.errors import NotEnoughMemoryError
from archdsl.measuring.conditions import Conditions, MemoryConditions
from archdsl.measuring.measure import compare, measure
from archdsl.measuring.peak_memory import measure_memory
from archdsl.measuring.prepare import prepare
from archdsl.measuring.time_breakdown import measure_parts
from archdsl.plan.expand import expand
from archdsl.plan.read import read_spec
from archdsl.records import State
from archdsl.runners.evaluation import state_of
from archdsl.spec.model import ModelSpec

HUGE = {
    "archdsl": 1,
    "name": "huge",
    "image": {"size": 8, "channels": 1},
    "depth": 60,
    "process": {
        "embed": {"type": "patch", "patch_size": 4},
        "dim": 65536,
        "block": {"type": "transformer", "head_dim": 64},
    },
    "output": {"num_classes": 10},
}
"""3,000 G weights."""
CPU_ONLY = torch.device("cpu")


def free(monkeypatch: pytest.MonkeyPatch, amount: float) -> None:
    """Let there be so many bytes of memory."""
    for module in ("archdsl.free_memory", "archdsl.training.device"):
        monkeypatch.setattr(f"{module}.free_memory", lambda: int(amount))


def test_weights_that_do_not_fit() -> None:
    makes: list[Callable[[ModelSpec], object]] = [measure, archdsl.compile]
    for build in makes:
        with pytest.raises(NotEnoughMemoryError, match=r"M weights takes .* GB .* are free") as no:
            build(read_spec(HUGE))
        assert state_of(no.value) is State.OUT_OF_MEMORY
    with pytest.raises(NotEnoughMemoryError, match="smaller depth"):
        compare("vittm-digits", HUGE)
    with pytest.raises(NotEnoughMemoryError, match="smaller depth"):
        measure_parts(expand(read_spec(HUGE)))


def test_weights_of_timm_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 10**6)
    with pytest.raises(NotEnoughMemoryError, match=r"0\.37 M weights takes"):
        measure("timm:test_vit")


@pytest.mark.parametrize("model", ["vittm-digits", "timm:test_vit", "timm:test_resnet"])
def test_what_a_call_holds_is_known_before(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    name = model.removeprefix("timm:")
    module = timm.create_model(name) if name != model else archdsl.compile(archdsl.load(name))
    shape = (1, 8, 8) if name == model else (3, 160, 160)
    before = copy.deepcopy(module.state_dict())
    words: dict[str, Any] = {"image_shape": shape, "device": CPU_ONLY}
    conditions = Conditions(device="cpu", batch=64, heads="predicted")
    memory = MemoryConditions(device="cpu", batch=64, heads="predicted")
    peak = measure_memory(module, image_shape=shape, conditions=memory).value * 2**20
    free(monkeypatch, 1.15 * peak)
    prepare(module, conditions=conditions, **words)
    free(monkeypatch, 0.6 * peak)  # the least: what an operation takes meanwhile comes on top
    with pytest.raises(NotEnoughMemoryError, match=r"a batch of 64 images .* a smaller batch"):
        prepare(module, conditions=conditions, **words)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


class Branches(nn.Module):
    """Asks for values, which nothing has before it runs; asks for too much where told to."""

    def __init__(self, *, excess: bool) -> None:
        super().__init__()
        self.linear, self.excess = nn.Linear(4, 4), excess

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.sum().item() == math.inf or self.excess:
            return torch.empty(10**14)
        answer: torch.Tensor = self.linear(images)
        return answer


def test_what_cannot_be_known_before_is_said_when_it_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free(monkeypatch, 10_000)
    shape = (1, 4, 4)
    measure(Branches(excess=False), image_shape=shape, threads=1, max_seconds=0.01)
    with pytest.raises(NotEnoughMemoryError, match=r"Branches on images .* ran out of memory"):
        measure(Branches(excess=True), image_shape=shape, threads=1, max_seconds=0.01)


class Watches(nn.Module):
    """Notes whether the device was another's while it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        lock = LockFile(CPU, "use")
        assert not lock.attempt(1), "nobody holds the device"  # LOCK_SH
        answer: torch.Tensor = self.linear(images)
        return answer


def test_no_call_is_made_without_the_lock() -> None:
    words: dict[str, Any] = {"threads": 1, "max_seconds": 0.01}
    shape = (1, 4, 4)
    measure(Watches(), image_shape=shape, **words)
    compare(Watches(), Watches(), image_shape=shape, **words)
    memory = MemoryConditions(device="cpu", batch=1, heads="predicted")
    measure_memory(Watches(), image_shape=shape, conditions=memory)


def test_a_limit_of_addresses_is_one_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda kind: (2**30, 2**30))
    monkeypatch.setattr("psutil.Process.memory_info", lambda self: type("Held", (), {"vms": 2**29}))
    assert free_memory.free_memory() == 2**29


def test_an_error_of_memory_is_no_internal_one() -> None:
    from archdsl.cli.handling import explain

    for error in (MemoryError("held"), RuntimeError("can't allocate memory: held")):
        message, code = explain(error)
        assert (code, "internal" in message, "held" in message) == (2, False, True)
