"""The device of a training, by its name in a run profile."""

from __future__ import annotations

import pytest
import torch

from archdsl.errors import DeviceError
from archdsl.plan.read import read_model
from archdsl.training.device import choose_device, cpu_threads, threads_for


def test_the_processors_are_always_there() -> None:
    assert choose_device("cpu", profile="local") == torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_without_cuda() -> None:
    assert choose_device("auto", profile="local") == torch.device("cpu")
    with pytest.raises(DeviceError, match=r"write training: \{device: cpu\} or"):
        choose_device("cuda", profile="local")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_with_cuda() -> None:
    for name in ("auto", "cuda"):
        assert choose_device(name, profile="local") == torch.device("cuda")


@pytest.mark.parametrize(
    ("name", "batch", "device", "expected"),
    [
        ("vittm-digits", 64, "cpu", 1),
        ("vittm-digits", 4096, "cpu", 6),
        ("vit-b-16", 64, "cpu", 8),
        ("vittm-digits", 64, "cuda", 8),
    ],
)
def test_a_training_takes_as_many_threads_as_it_is_worth(
    name: str, batch: int, device: str, expected: int
) -> None:
    plan = read_model(name).plan
    assert threads_for(plan, batch=batch, most=8, device=torch.device(device)) == expected
    assert threads_for(plan, batch=batch, most=1, device=torch.device(device)) == 1


def test_threads_are_a_bound_and_are_set_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for most, expected in ((1, 1), (2, 2), (8, 3)):
            with cpu_threads(most):
                assert torch.get_num_threads() == expected
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
