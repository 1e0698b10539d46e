"""Conditions in documents and keys: what is new leaves what is old as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archdsl.document.tree import tree_of
from archdsl.errors import DocumentError, MeasureError, StudyError
from archdsl.measuring.conditions import Conditions, MemoryConditions
from archdsl.measuring.latency import measure_latency
from archdsl.measuring.settings import settings_of
from archdsl.searching.read import check_study, read_study
from archdsl.searching.study import Study

CONV = {"device": "cpu", "batch": 2, "heads": "predicted", "precision": 0.5, "max_seconds": 0.05}


def test_new_conditions_at_their_defaults_are_not_part_of_the_key() -> None:
    keyed = Conditions(device="cpu", batch=64, threads=1).keyed()
    assert keyed == {
        "batch": 64, "dtype": "float32", "heads": "all", "tf32": False, "threads": 1,
    }  # fmt: skip
    chosen = Conditions(device="cpu", batch=64, threads=1, compile="default").keyed()
    assert chosen == {**keyed, "compile": "default"}


def test_studies_keep_their_identity() -> None:
    latency = read_study("digits").study.identity()["evaluate"]["latency"]
    assert latency == {
        "device": "cpu", "batch": 64, "dtype": "float32", "tf32": False, "threads": 1,
        "heads": "all", "precision": 0.01, "max_seconds": 1.5,
    }  # fmt: skip


def test_a_written_default_is_the_default() -> None:
    written = Conditions(device="cpu", batch=1, channels_last=False, compile=None)
    assert written.keyed() == Conditions(device="cpu", batch=1).keyed()


def test_conditions_survive_their_own_writing() -> None:
    for made in (
        Conditions(device="any", batch=1, dtype="bfloat16", autocast=True, channels_last=True),
        Conditions(device="A100", batch=1, tf32=True, cuda_graphs=True),
    ):
        assert Conditions.model_validate(made.model_dump(mode="json")) == made


def test_memory_has_no_conditions_without_effect() -> None:
    assert "max_seconds" not in MemoryConditions.model_fields
    with pytest.raises(StudyError, match=r"evaluate\.memory\.threads"):
        settings_of(
            MemoryConditions, {"device": "cpu", "batch": 1, "threads": 2}, "evaluate.memory"
        )


def test_every_word_without_effect_is_named_in_its_place() -> None:
    words = {"device": "cpu", "batch": 1, "autocast": True, "cuda_graphs": True}
    with pytest.raises(StudyError) as caught:
        settings_of(Conditions, words, "evaluate.latency")
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "evaluate.latency.autocast",
        "evaluate.latency.cuda_graphs",
    ]


class Convolution(nn.Module):
    """Notes the layout and types it works in."""

    seen: dict[str, object]

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3)

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.convolution(images)
        Convolution.seen = {
            "last": images.is_contiguous(memory_format=torch.channels_last),
            "weights last": self.convolution.weight.is_contiguous(
                memory_format=torch.channels_last
            ),
            "images": images.dtype,
            "weights": self.convolution.weight.dtype,
            "result": result.dtype,
        }
        return result


def measured(**words: object) -> dict[str, object]:
    measure_latency(
        Convolution(), image_shape=(3, 8, 8), conditions=Conditions.model_validate(CONV | words)
    )
    return Convolution.seen


@pytest.mark.slow
def test_channels_last() -> None:
    assert measured()["last"] is False
    seen = measured(channels_last=True)
    assert seen["last"] is True and seen["weights last"] is True


@pytest.mark.slow
def test_autocast_keeps_the_weights_and_a_low_type_does_not() -> None:
    low = torch.bfloat16
    cast = measured(dtype="bfloat16", autocast=True)
    assert (cast["images"], cast["weights"], cast["result"]) == (torch.float32, torch.float32, low)
    plain = measured(dtype="bfloat16")
    assert (plain["images"], plain["weights"], plain["result"]) == (low, low, low)


def test_cuda_graphs_need_a_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one here")
    with pytest.raises(MeasureError, match="CUDA graphs are asked for, but the device is cpu"):
        measured(device="any", cuda_graphs=True)


def test_a_study_may_aim_at_memory_and_throughput() -> None:
    study = Study.model_validate(
        {
            "archdsl": 1,
            "kind": "study",
            "name": "small",
            "base": "vittm-digits",
            "constraints": ["memory <= 1GiB", "throughput >= 100images/s"],
            "objectives": {"memory": "minimize", "throughput": "maximize"},
            "evaluate": {
                "memory": {"device": "cpu", "batch": 8},
                "throughput": {"device": "cpu", "batch": 8},
            },
            "budget": {"trials": 1},
        }
    )
    assert [each.right for each in study.parsed_constraints()] == [1024.0, 100.0]
    assert "latency" not in study.identity()["evaluate"]


def test_a_flaw_is_found_at_its_place_in_a_study() -> None:
    document = {
        "archdsl": 1,
        "kind": "study",
        "name": "small",
        "base": "vittm-digits",
        "objectives": {"latency": "minimize"},
        "evaluate": {"latency": {"device": "cpu", "batch": 8, "autocast": True}},
        "budget": {"trials": 1},
    }
    with pytest.raises(DocumentError) as caught:
        check_study(tree_of(document, source="test"), folder=Path())
    assert [each.path for each in caught.value.problems] == ["evaluate.latency.autocast"]
