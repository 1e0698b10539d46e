"""Classifiers: which tokens they see, normalise and pool."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.nn.classifier import Classifier


def normalised(made: nn.Module, name: str, tokens: Tensor) -> Tensor:
    weight, bias = (made.get_parameter(f"{name}.{each}") for each in ("weight", "bias"))
    return functional.layer_norm(tokens, weight.shape, weight, bias, eps=1e-6)


def linear(made: Classifier, pooled: Tensor) -> Tensor:
    return pooled @ made.get_parameter("linear.weight").T + made.get_parameter("linear.bias")


def classifier(streams: dict[str, int], *, dim: int, pool: str, norm: str) -> Classifier:
    made = Classifier(streams=streams, dim=dim, num_classes=4, pool=pool, norm=norm)
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return made.double()


@pytest.mark.parametrize("norm", ["tokens", "pooled", "both", "none"])
@pytest.mark.parametrize("pool", ["mean", "cls", "distillation"])
def test_classifiers_normalise_pool_and_map(pool: str, norm: str) -> None:
    made = classifier({"memory": 2}, dim=6, pool=pool, norm=norm)
    streams = {name: torch.randn(2, 5, 6, dtype=torch.float64) for name in ("process", "memory")}
    seen = made.normalised(streams)
    assert list(seen) == ["memory"]
    tokens = streams["memory"]
    if norm in ("tokens", "both"):
        tokens = normalised(made, "norm", tokens)
    torch.testing.assert_close(seen["memory"], tokens, rtol=0, atol=1e-12)
    pooled = {"mean": tokens[:, 2:].mean(dim=1), "cls": tokens[:, 0], "distillation": tokens[:, 1]}
    expected = pooled[pool]
    if norm in ("pooled", "both"):
        expected = normalised(made, "pooled_norm", expected)
    torch.testing.assert_close(made(seen), linear(made, expected), rtol=0, atol=1e-12)


def test_one_classifier_sees_several_streams_side_by_side() -> None:
    made = classifier({"memory": 0, "process": 1}, dim=10, pool="mean", norm="pooled")
    streams = {
        "process": torch.randn(2, 3, 6, dtype=torch.float64),
        "memory": torch.randn(2, 5, 4, dtype=torch.float64),
    }
    # In the classifier's own order, and without the prefix token of one of them.
    pooled = torch.cat([streams["memory"].mean(dim=1), streams["process"][:, 1:].mean(dim=1)], -1)
    expected = linear(made, normalised(made, "pooled_norm", pooled))
    torch.testing.assert_close(made(made.normalised(streams)), expected, rtol=0, atol=1e-12)
