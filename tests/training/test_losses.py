"""The loss of several classifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from archdsl.training.losses import ClassifierLoss

MakeModel = Callable[..., nn.Module]


def test_the_loss_is_the_sum_over_classifiers(make_model: MakeModel) -> None:
    model = make_model().eval()
    images, labels = torch.randn(4, 1, 8, 8), torch.tensor([0, 3, 9, 3])
    heads = cast(Callable[[Tensor], dict[str, Tensor]], model.forward_heads)(images)
    log_probabilities = [logits.log_softmax(dim=1) for logits in heads.values()]
    targets = torch.full((4, 10), 0.02).scatter_(1, labels[:, None], 0.82)
    expected = sum(-(targets * log).sum(dim=1).mean() for log in log_probabilities)
    found = ClassifierLoss(label_smoothing=0.2)(model, images, labels)
    assert len(heads) == 2
    assert torch.allclose(found, torch.as_tensor(expected))
