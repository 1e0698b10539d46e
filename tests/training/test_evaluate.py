"""What is counted on a split does not depend on its batches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archdsl.training.data.dataset import Dataset
from archdsl.training.loop import evaluate
from archdsl.training.tasks.classification import Classification


class Constant(nn.Module):
    """Always answers with the same logits."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, images: Tensor) -> Tensor:
        assert not self.training
        return self.logits.expand(len(images), -1)


@pytest.mark.parametrize("batch", [1000, 50])
def test_accuracy_counts_the_right_answers(digits: Dataset, batch: int) -> None:
    _, labels = digits.validation.batch(torch.arange(len(digits.validation)))
    model = Constant([0.0] * 3 + [1.0] + [0.0] * 6)
    found = evaluate(
        model,
        digits.validation,
        task=Classification(),
        device=torch.device("cpu"),
        batch=batch,
    )
    assert found["correct"] == int((labels == 3).sum())
    assert found["labelled"] == torch.bincount(labels).tolist()
    assert model.training
