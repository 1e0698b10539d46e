"""The device of a training, by its name in a run profile."""

from __future__ import annotations

import pytest
import torch

from archdsl.errors import DeviceError
from archdsl.training.device import choose_device


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
