"""Latencies of other engines: conditions of their own, and the same answers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

import archdsl
from archdsl.errors import ArchdslError
from archdsl.measuring.backends import BACKENDS, moved
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.engines import side_by_side
from archdsl.measuring.latency import latency_protocol
from archdsl.measuring.models import resolve
from archdsl.measuring.optimizing import drawn
from archdsl.plan.read import read_model

CPU = torch.device("cpu")
SHORT = Conditions(device="cpu", batch=2, heads="predicted", max_seconds=0.1)


def test_what_engines_do_not_take_is_refused_all_at_once() -> None:
    words: dict[str, Any] = {"device": "cuda", "batch": 1, "backend": "onnxruntime"}
    with pytest.raises(ValidationError) as caught:
        Conditions(**words, dtype="float16", compile="default")
    told = str(caught.value)
    for line in (
        "is not for the backend onnxruntime; say device: cpu",
        "say dtype: float32",
        "say heads: predicted",
        "is torch's, and the backend is onnxruntime; remove it",
    ):
        assert line in told


def test_the_key_tells_the_engine_where_there_is_one() -> None:
    pytest.importorskip("onnxruntime", reason="an extra")
    assert "backend" not in SHORT.keyed(), "what is stored stays where it is"
    assert "engine" not in latency_protocol(SHORT, CPU)
    other = SHORT.model_copy(update={"backend": "onnxruntime"})
    found = latency_protocol(other, CPU)
    assert found["backend"] == "onnxruntime"
    assert found["engine"].startswith("onnxruntime 1.")


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.slow
def test_answers_are_the_same(name: str) -> None:
    pytest.importorskip(name, reason="an extra")
    network = drawn(archdsl.compile(read_model("vittm-digits", ["depth=2"]).spec, seed=0)).eval()
    images = torch.randn(3, *network.plan.image)
    with torch.inference_mode():
        expected = network(images)
        for each in (network, archdsl.optimize(network, passes="needed,source_first,folded")):
            found = moved(each, name, image_shape=network.plan.image)(images)
            assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.slow
def test_they_stand_side_by_side() -> None:
    pytest.importorskip("onnxruntime", reason="an extra")
    found = side_by_side(resolve("vittm-digits"), SHORT, ["all"])
    names = [each.backend for each in found.rows]
    assert names[:2] == ["torch", "onnxruntime"]
    assert {*names[1:], *found.missing} == set(BACKENDS)
    assert found.rows[0].share.value == 1
    assert all(0 <= each.difference < 1e-4 and each.latency_ms > 0 for each in found.rows)
    with pytest.raises(ArchdslError, match="no backend is called tvm; there are torch, onnx"):
        side_by_side(resolve("vittm-digits"), SHORT, ["tvm"])
