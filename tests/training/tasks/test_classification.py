"""Classification: the loss of several classifiers, right answers, and how far to trust them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from archdsl.analysis.statistics import wilson_interval
from archdsl.errors import ArchdslError
from archdsl.metrics import TRAINED
from archdsl.training.recipe import Recipe
from archdsl.training.tasks import TASKS
from archdsl.training.tasks.classification import Classification

MakeModel = Callable[..., nn.Module]
TASK = Classification()


class Given(nn.Module):
    """Answers with the images themselves: they are logits."""

    def forward(self, images: Tensor) -> Tensor:
        return images


def test_right_answers_are_counted_and_what_is_no_number_is_wrong() -> None:
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [torch.nan, 1.0], [0.0, torch.inf]])
    counts = TASK.count(Given(), logits, torch.tensor([0, 1, 1, 1, 1]))
    assert counts["correct"] == 2


def test_a_batch_norm_needs_more_than_one_image() -> None:
    model, images = nn.BatchNorm1d(2), torch.randn(1, 2)
    with pytest.raises(ArchdslError, match="cannot normalise one image by itself; say a larger"):
        TASK.loss(model, images, torch.tensor([0]), recipe=Recipe())


def test_scores_follow_from_counts() -> None:
    counts = {"correct": 9, "correct_of_five": 11}
    for metric, right in (("top1", 9), ("top5", 11)):
        score = TASK.score(metric, counts, images=12)
        assert score.value == 100 * right / 12
        assert (score.low, score.high) == wilson_interval(right, 12)[:2]
        assert score.counts == {"correct": right}


def test_counts_of_before_give_the_metric_of_before() -> None:
    assert TASK.values({"correct": 9}, images=12) == {"top1": 75}


def test_every_trained_metric_has_a_task_that_makes_it() -> None:
    assert set(TASKS) == set(TRAINED)
    logits, labels = torch.eye(6), torch.arange(6)
    for metric, task in TASKS.items():
        counts = {name: each.tolist() for name, each in task.count(Given(), logits, labels).items()}
        assert task.values(counts, images=6)[metric] == 100
        assert task.score(metric, counts, images=6).low < 100


def test_the_loss_is_the_sum_over_classifiers(make_model: MakeModel) -> None:
    model = make_model().eval()
    images, labels = torch.randn(4, 1, 8, 8), torch.tensor([0, 3, 9, 3])
    heads = cast(Callable[[Tensor], dict[str, Tensor]], model.forward_heads)(images)
    log_probabilities = [logits.log_softmax(dim=1) for logits in heads.values()]
    targets = torch.full((4, 10), 0.02).scatter_(1, labels[:, None], 0.82)
    expected = sum(-(targets * log).sum(dim=1).mean() for log in log_probabilities)
    found = TASK.loss(model, images, labels, recipe=Recipe(label_smoothing=0.2))
    assert len(heads) == 2
    assert torch.allclose(found, torch.as_tensor(expected))
