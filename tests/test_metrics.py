"""The table of metrics, and what is derived from it by rule."""

from __future__ import annotations

import math

from archdsl.measuring.evaluators import EVALUATED
from archdsl.measuring.settings import SETTINGS
from archdsl.metrics import MEASURED, METRICS, TRAINED, on_test_images, trained_for


def test_every_metric_is_whole() -> None:
    for name, metric in METRICS.items():
        assert metric.units[metric.unit] == 1, name
        assert metric.best in metric.bounds and metric.bounds[0] < metric.bounds[1]
        assert bool(metric.evaluated) == (metric.source != "plan")
    assert all(math.isfinite(METRICS[name].best) for name in TRAINED), "curves are judged by it"


def test_what_is_measured_can_be_evaluated() -> None:
    assert set(MEASURED) == set(SETTINGS) == set(EVALUATED)


def test_names_by_rule() -> None:
    assert on_test_images("top1") == "test_top1"
    assert trained_for({"latency": {}, "top1": {"data": "digits"}}) == "top1"
    assert trained_for({"latency": {}, "top1": {"table": "known.csv"}}) is None
