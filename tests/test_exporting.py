"""`archdsl.export`: networks for other engines from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import archdsl
from archdsl.errors import ArchdslError, ArgumentError

SMALL = {"name": "small", "depth": 1}


def test_a_network_goes_with_the_weights_that_it_has(tmp_path: Path) -> None:
    spec = archdsl.load("vittm-digits")
    network = archdsl.compile(spec, seed=3)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.1)
    network.train()
    report = archdsl.export(network, to="torch", folder=tmp_path / "out")
    assert network.training, "it is a copy that is exported"
    assert report["weights"] == "as they were handed in"
    assert json.loads((tmp_path / "out/report.json").read_text()) == report
    program = torch.export.load(tmp_path / "out/model.pt2").module()
    images = torch.randn(3, 1, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(program(images), network.eval()(images))
    with pytest.raises(ArchdslError, match="holds something"):
        archdsl.export(network, to="torch", folder=tmp_path / "out")
    network.layers = network.layers[:1]
    with pytest.raises(ArgumentError, match="is not what its document 'vittm-digits' says"):
        archdsl.export(network, to="torch", folder=tmp_path / "out", force=True)


def test_a_document_goes_with_fresh_ones(tmp_path: Path) -> None:
    document = {**archdsl.load("vittm-digits").document(), **SMALL}
    report = archdsl.export(document, to=["source"], folder=tmp_path, seed=4)
    assert report["weights"] == "fresh, of seed 4, classifiers too"
    assert report["formats"][0]["difference"] == 0
    with pytest.raises(ArchdslError, match="'tflite' is no format; there are source"):
        archdsl.export(document, to="source, tflite", folder=tmp_path / "other")
    assert not (tmp_path / "other").exists()
