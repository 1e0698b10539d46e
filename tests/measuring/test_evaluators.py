"""The evaluators of a study: which, in what order, and what they measure."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from archdsl.errors import (
    ArchdslError,
    DataError,
    DeviceError,
    DocumentError,
    StudyError,
    WriteError,
)
from archdsl.measuring.evaluators import Evaluator, make_evaluators
from archdsl.records import Job
from archdsl.training.checkpoint import PROGRESS_KEY
from archdsl.training.tasks.per_class import PerClass

SPEC = {
    "archdsl": 1,
    "name": "tiny",
    "image": {"size": 8, "channels": 1},
    "depth": 1,
    "process": {
        "embed": {"type": "patch", "patch_size": 4},
        "dim": 16,
        "block": {"type": "transformer", "head_dim": 8, "mlp_ratio": 2},
    },
    "output": {"task": "classify", "num_classes": 10},
}
TOP1 = {"data": "digits", "recipe": "small-images", "epochs": 1}
LATENCY = {"device": "cpu", "batch": 4, "precision": 0.5, "max_seconds": 0.5}


@dataclass(frozen=True)
class Training:
    device: str = "cpu"


@dataclass(frozen=True)
class Place:
    name: str = "place"
    storage: str = "unused"
    training: Training = Training()
    data: Mapping[str, str] = field(default_factory=dict)
    training_threads: int = 1


def job(spec: Mapping[str, Any] = SPEC) -> Job:
    return Job(trial_id=0, number=0, arch_id="a", spec=spec, params={}, known=(), folder="unused")


def by_quantity(evaluate: Mapping[str, Any], storage: Path) -> dict[str, Evaluator]:
    return {e.quantity: e for e in make_evaluators(evaluate, Place(storage=str(storage)))}


def test_cheap_ones_come_first_and_the_final_score_last(tmp_path: Path) -> None:
    made = make_evaluators({"top1": TOP1, "latency": LATENCY}, Place(storage=str(tmp_path)))
    assert [evaluator.quantity for evaluator in made] == ["latency", "top1", "test_top1"]


def test_tables_need_no_torch(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("arch_id,latency,top1,test_top1\na,1,70,69\n")
    program = (
        "import sys\n"
        "from archdsl.measuring.evaluators import make_evaluators\n"
        "made = make_evaluators({q: {'table': 't.csv'} for q in ('top1', 'latency')}, None)\n"
        "print([e.quantity for e in made], 'torch' in sys.modules)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "['latency', 'top1', 'test_top1'] False\n"


def test_a_table_without_final_scores_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("arch_id,top1\na,70\n")
    assert list(by_quantity({"top1": {"table": str(path)}}, tmp_path)) == ["top1"]


@pytest.mark.slow
def test_a_latency_has_the_protocol_that_was_announced(tmp_path: Path) -> None:
    evaluator = by_quantity({"latency": LATENCY}, tmp_path)["latency"]
    measured = evaluator.measure(job(), report=lambda epoch, value: None)
    assert measured.protocol == evaluator.protocol()
    assert measured.protocol["heads"] == "all"
    assert measured.value > 0


def test_accuracy_is_trained_once_and_scored_on_test_with_the_same_weights(tmp_path: Path) -> None:
    reports: list[tuple[int, float]] = []
    evaluators = by_quantity({"top1": {**TOP1, "epochs": 2}}, tmp_path)
    top1 = evaluators["top1"].measure(job(), report=lambda *seen: reports.append(seen))
    assert top1.protocol == evaluators["top1"].protocol()
    assert top1.unit == "%"
    assert top1.low < top1.value < top1.high
    assert top1.value == 100 * top1.detail["correct"][0] / top1.detail["count"][0]
    assert [epoch for epoch, _ in reports] == [1, 2]
    assert reports[-1][1] == top1.value
    (weights,) = tmp_path.glob("a-*/seed-0/weights.safetensors")
    trained_at = weights.stat().st_mtime_ns

    test = evaluators["test_top1"].measure(job(), report=lambda epoch, value: None)
    assert weights.stat().st_mtime_ns == trained_at
    assert (test.quantity, test.unit) == ("test_top1", "%")
    assert test.protocol == evaluators["test_top1"].protocol()
    assert test.key != top1.key

    weights.unlink()
    again = evaluators["test_top1"].measure(job(), report=lambda epoch, value: None)
    assert again.value == test.value, "the same seed gives the same weights"
    assert weights.exists()


def test_one_training_serves_all_metrics(tmp_path: Path) -> None:
    names = ("top1", "top5", "balanced_accuracy", "f1")
    settings = {**TOP1, "epochs": 2}
    made = by_quantity(dict.fromkeys(names, settings), tmp_path)
    assert list(made) == [each for name in names for each in (name, f"test_{name}")]
    reports: list[int] = []
    found = {
        name: evaluator.measure(job(), report=lambda epoch, value: reports.append(epoch))
        for name, evaluator in made.items()
    }
    assert len(list(tmp_path.glob("a-*/seed-0/weights.safetensors"))) == 1
    assert len({found[name].detail["train_seconds"] for name in names}) == 1
    assert reports[:8] == [1, 2, 1, 2, 1, 2, 1, 2]
    for name, each in found.items():
        assert each.unit == "%"
        assert 0 < each.low < each.value < each.high < 100
        assert each.protocol == made[name].protocol()
        assert each.protocol["evaluator"] == f"{name}/1"
    assert len({each.key for each in found.values()}) == 8
    assert found["top5"].value > found["top1"].value
    assert [found[name].detail["history"][0][-1] for name in names] == [
        found[name].value for name in names
    ]
    behind = {name: sum(found["f1"].detail[name][0]) for name in PerClass.NAMES}
    images = found["f1"].detail["count"][0]
    hits = found["top1"].detail["correct"][0]
    assert behind == {"hits": hits, "predicted": images, "labelled": images}


def test_a_training_of_before_is_scored_by_metrics_of_later(tmp_path: Path) -> None:
    known = by_quantity({"top1": TOP1}, tmp_path)["top1"].measure(job(), report=lambda *_: None)
    expected = by_quantity({"f1": TOP1}, tmp_path)["f1"].measure(job(), report=lambda *_: None)
    (file,) = tmp_path.glob("a-*/seed-0/weights.safetensors")
    with safe_open(file, "pt") as opened:
        progress = json.loads(opened.metadata()[PROGRESS_KEY])
    tensors = load_file(file)
    progress["correct"] = [each["correct"] for each in progress.pop("counts")]
    save_file(tensors, file, {PROGRESS_KEY: json.dumps(progress)})
    before, reports = file.read_bytes(), []
    made = by_quantity({"top1": TOP1, "f1": TOP1}, tmp_path)
    top1, f1 = (
        made[name].measure(job(), report=lambda *told: reports.append(told))
        for name in ("top1", "f1")
    )
    assert file.read_bytes() == before, "nothing was trained"
    assert (top1.key, top1.value, top1.detail["correct"]) == (
        known.key,
        known.value,
        known.detail["correct"],
    )
    assert reports == [(1, top1.value)], "what f1 was on the way nobody has counted"
    assert f1.detail["history"] == [[]]
    assert (f1.value, f1.low, f1.high) == (expected.value, expected.low, expected.high)


def test_five_of_five_classes_say_nothing(tmp_path: Path) -> None:
    images = np.random.RandomState(0).randint(0, 256, (90, 8, 8), dtype=np.uint8)
    labels = np.arange(90) % 5
    np.savez(
        tmp_path / "five.npz",
        x_train=images[:60], y_train=labels[:60], x_val=images[60:], y_val=labels[60:],
    )  # fmt: skip
    data = {**TOP1, "data": f"npz:{tmp_path / 'five.npz'}"}
    for evaluate in ({"top5": data}, {"top1": data, "top5": data}):
        with pytest.raises(StudyError, match=r"evaluate\.top5: says nothing with fewer than 6"):
            by_quantity(evaluate, tmp_path)


def test_the_final_score_is_about_the_test_images(tmp_path: Path) -> None:
    draw = np.random.RandomState(0)
    arrays = {}
    for part, count in {"train": 60, "val": 30, "test": 17}.items():
        arrays[f"x_{part}"] = draw.randint(0, 256, (count, 8, 8), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(count) % 10
    np.savez(tmp_path / "noise.npz", **arrays)
    evaluators = by_quantity({"top1": {**TOP1, "data": f"npz:{tmp_path / 'noise.npz'}"}}, tmp_path)
    counts = {
        quantity: evaluator.measure(job(), report=lambda epoch, value: None).detail["count"]
        for quantity, evaluator in evaluators.items()
    }
    assert counts == {"top1": [30], "test_top1": [17]}


def test_several_seeds_give_a_mean_and_its_interval(tmp_path: Path) -> None:
    reports: list[int] = []
    evaluator = by_quantity({"top1": {**TOP1, "seeds": [0, 1]}}, tmp_path)["top1"]
    top1 = evaluator.measure(job(), report=lambda epoch, value: reports.append(epoch))
    first, second = (
        100 * correct / count
        for correct, count in zip(top1.detail["correct"], top1.detail["count"], strict=True)
    )
    assert first != second
    assert top1.value == pytest.approx((first + second) / 2)
    assert 0 <= top1.low <= min(first, second) <= max(first, second) <= top1.high <= 100
    assert reports == [1, 2]
    assert top1.protocol["seeds"] == [0, 1]


def test_the_protocol_of_an_accuracy_knows_no_device_and_no_candidate(tmp_path: Path) -> None:
    protocol = by_quantity({"top1": TOP1}, tmp_path)["top1"].protocol()
    assert set(protocol) == {"evaluator", "data", "recipe", "seeds", "split_seed"}
    assert protocol["recipe"]["epochs"] == 1
    other = by_quantity({"top1": {**TOP1, "split_seed": 1}}, tmp_path)["top1"].protocol()
    assert other["data"] != protocol["data"]


def test_a_training_takes_the_threads_that_it_is_worth_and_leaves_those_of_a_latency(
    tmp_path: Path,
) -> None:
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(3)
    try:
        made = make_evaluators({"top1": TOP1}, Place(storage=str(tmp_path), training_threads=2))
        made[0].measure(job(), report=lambda *_: seen.append(torch.get_num_threads()))
        assert (seen, torch.get_num_threads()) == ([1], 3)
    finally:
        torch.set_num_threads(before)


def test_data_that_do_not_fit_the_candidate(tmp_path: Path) -> None:
    evaluator = by_quantity({"top1": TOP1}, tmp_path)["top1"]
    large = {**SPEC, "image": {"size": 16, "channels": 1}}
    with pytest.raises(DataError, match=r"image\.size: the data has 8, the document expects 16"):
        evaluator.measure(job(large), report=lambda epoch, value: None)


@pytest.mark.parametrize(
    ("evaluate", "kind", "message"),
    [
        (
            {"latancy": {}},
            StudyError,
            "'latancy' is not one of: memory, latency, throughput, top1, top5, balanced_accuracy, ",
        ),
        ({"latency": {"batch": 1}}, StudyError, "evaluate.latency.device: missing"),
        (
            {"latency": {"device": "cpu", "batch": 0, "dtype": "int8"}},
            StudyError,
            "evaluate.latency.batch: 0 is below 1\nevaluate.latency.dtype: 'int8' is not one of",
        ),
        ({"latency": {"device": "Z9000", "batch": 1}}, DeviceError, "no device 'Z9000' here"),
        ({"latency": {"table": "no.csv", "batch": 1}}, StudyError, "evaluate.latency.batch"),
        ({"top1": {**TOP1, "data": "flowers"}}, DataError, "flowers"),
        ({"top1": {**TOP1, "recipe": "large"}}, StudyError, "'large' is not one of"),
        ({"top1": {**TOP1, "recipe": {"warmup_epochs": 5.0}}}, DocumentError, "must stay under"),
        ({"top1": {**TOP1, "seeds": []}}, StudyError, "evaluate.top1.seeds"),
        ({"top1": {**TOP1, "seeds": [1, 1]}}, StudyError, "a seed given twice"),
    ],
)
def test_what_cannot_be_measured_is_said_before_any_candidate(
    tmp_path: Path, evaluate: Mapping[str, Any], kind: type[ArchdslError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        by_quantity(evaluate, tmp_path)
    assert message in str(caught.value)


def test_storage_that_does_not_answer_is_said_before_any_candidate() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(WriteError, match=f"cannot write ftp://127.0.0.1:{port}/files/"):
        make_evaluators({"top1": TOP1}, Place(storage=f"ftp://127.0.0.1:{port}/files"))
