"""Metrics that weigh classes alike: scikit-learn's values, and intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    top_k_accuracy_score,
)
from torch import Tensor, nn

from archdsl.analysis.statistics import wilson_interval
from archdsl.training.tasks.classification import Classification
from archdsl.training.tasks.task import Counts

TASK = Classification()
CLASSES = 8
CONFUSED = np.array(
    [
        [0.9, 0.05, 0.0, 0.05],
        [0.2, 0.6, 0.1, 0.1],
        [0.0, 0.1, 0.8, 0.1],
        [0.3, 0.1, 0.1, 0.5],
    ]
)
"""Of the images of each class, the shares that are taken for each."""


class Given(nn.Module):
    """Answers with the images themselves: they are logits."""

    def forward(self, images: Tensor) -> Tensor:
        return images


def counted(logits: Tensor, labels: Tensor, *, batch: int = 64) -> dict[str, int | list[int]]:
    sums: dict[str, Tensor] = {}
    for some, of_some in zip(logits.split(batch), labels.split(batch), strict=True):
        for name, found in TASK.count(Given(), some, of_some).items():
            sums[name] = sums[name] + found if name in sums else found
    return {name: found.tolist() for name, found in sums.items()}


def of_matrix(matrix: NDArray[np.int64]) -> Counts:
    """The counts of a confusion matrix: rows are classes, columns what they were taken for."""
    return {
        "correct": int(matrix.trace()),
        "hits": matrix.diagonal().tolist(),
        "predicted": matrix.sum(axis=0).tolist(),
        "labelled": matrix.sum(axis=1).tolist(),
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("missing", ["none", "a label", "a class"])
def test_values_are_those_of_scikit_learn(seed: int, missing: str) -> None:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (300,), generator=draw) ** 2 // CLASSES  # some never
    logits = torch.randn(300, CLASSES, generator=draw)
    logits[torch.arange(300), labels] += 1
    if missing != "none":
        labels[labels == 3] = 4
    if missing == "a class":
        logits[:, 3] = -10
    values = TASK.values(counted(logits, labels), images=300)
    truth, taken = labels.numpy(), logits.argmax(dim=1).numpy()
    with pytest.warns(UserWarning, match="y_pred contains classes"):
        balanced = balanced_accuracy_score(truth, taken)
    five = top_k_accuracy_score(truth, logits.numpy(), k=5, labels=range(CLASSES))
    assert values == pytest.approx(
        {
            "top1": 100 * (truth == taken).mean(),
            "top5": 100 * five,
            "balanced_accuracy": 100 * balanced,
            "f1": 100 * f1_score(truth, taken, average="macro", zero_division=0),
        }
    )


def test_what_is_no_number_is_taken_for_no_class() -> None:
    logits = torch.eye(6)[[0, 1, 2, 3]]
    logits[2, 1], logits[3, 5] = 0.5, torch.nan
    counts = counted(logits, torch.tensor([0, 1, 1, 3]))
    assert counts == {
        "correct": 2,
        "correct_of_five": 3,
        "hits": [1, 1, 0, 0, 0, 0],
        "predicted": [1, 1, 1, 0, 0, 0],
        "labelled": [1, 2, 0, 1, 0, 0],
    }


def test_the_interval_of_even_classes_is_that_of_a_share() -> None:
    matrix = np.full((4, 4), 5) + np.diag([20] * 4)
    score = TASK.score("balanced_accuracy", of_matrix(matrix), images=160)
    assert (score.low, score.high) == pytest.approx(wilson_interval(100, 160)[:2])


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1"])
@pytest.mark.parametrize(
    "matrix", [np.diag([3, 30, 300]), np.diag([3, 30, 300])[::-1]], ids=["all right", "few right"]
)
def test_nothing_is_known_for_certain(metric: str, matrix: NDArray[np.int64]) -> None:
    score = TASK.score(metric, of_matrix(matrix), images=333)
    assert 0 <= score.low <= score.value <= score.high <= 100
    assert score.high - score.low > 10, "there are three images of a class"


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1"])
@pytest.mark.parametrize("sizes", [(50, 50, 50, 50), (200, 100, 30, 15)], ids=["even", "uneven"])
def test_intervals_hold_the_value_of_all_such_images(metric: str, sizes: tuple[int, ...]) -> None:
    draw, held = np.random.default_rng(0), 0
    certain = np.round(CONFUSED * np.array(sizes)[:, None] * 1e6).astype(np.int64)
    truth = TASK.values(of_matrix(certain), images=int(certain.sum()))[metric]
    for _ in range(400):
        matrix = np.stack([draw.multinomial(*row) for row in zip(sizes, CONFUSED, strict=True)])
        score = TASK.score(metric, of_matrix(matrix), images=sum(sizes))
        held += score.low <= truth <= score.high
    # F1's is wider than it need be where classes are uneven: its bound is that of the mean.
    assert 0.92 < held / 400 < 0.995


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1"])
def test_many_classes_take_no_time(metric: str) -> None:
    classes = np.full(20_000, 5)
    counts = {"hits": classes - 1, "predicted": classes, "labelled": classes}
    score = TASK.score(metric, counts, images=100_000)
    assert score.value == pytest.approx(80)
    assert score.low < score.value < score.high
