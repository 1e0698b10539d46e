"""A network becomes a call: as the conditions say, of a copy, whatever it answers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archdsl.errors import MeasureError
from archdsl.measuring.conditions import Conditions, MemoryConditions
from archdsl.measuring.prepare import prepare

CPU = torch.device("cpu")


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_heads(images)["memory"]

    def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
        logits = self.linear(images.flatten(1))
        return {"memory": logits, "process": logits + 1}


def call(network: nn.Module, **words: object) -> object:
    conditions = MemoryConditions.model_validate({"device": "cpu", "batch": 5} | words)
    prepared = prepare(network, image_shape=(3, 2, 2), conditions=conditions, device=CPU)
    with torch.no_grad():
        return prepared.call()


def test_the_call_answers_as_the_network_does() -> None:
    network = TwoHeads()
    heads = call(network)
    assert isinstance(heads, dict)
    assert {name: tuple(each.shape) for name, each in heads.items()} == {
        "memory": (5, 2),
        "process": (5, 2),
    }
    predicted = call(network, heads="predicted")
    assert isinstance(predicted, Tensor)
    assert torch.equal(predicted, heads["memory"]), "the same images each time"


def test_the_network_is_left_as_it_was() -> None:
    network = TwoHeads().train()
    prepared = call(network, dtype="bfloat16", heads="predicted")
    assert isinstance(prepared, Tensor)
    assert prepared.dtype is torch.bfloat16
    assert network.training and network.linear.weight.dtype is torch.float32


def test_weights_and_images_are_counted() -> None:
    conditions = MemoryConditions(device="cpu", batch=5)
    prepared = prepare(TwoHeads(), image_shape=(3, 2, 2), conditions=conditions, device=CPU)
    assert prepared.held_bytes == 4 * (12 * 2 + 2 + 5 * 12)


def test_what_cannot_be_prepared() -> None:
    with pytest.raises(MeasureError, match="Linear has no forward_heads"):
        call(nn.Linear(2, 2))
    graphs = Conditions(device="any", batch=1, cuda_graphs=True)
    with pytest.raises(MeasureError, match="the device is cpu"):
        prepare(TwoHeads(), image_shape=(3, 2, 2), conditions=graphs, device=CPU)
