"""Measuring and comparing from Python: whatever the model, whoever else measures."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

import archdsl
from archdsl.compiler.build import build_plan
from archdsl.errors import DeviceError, MeasureError, NameNotFoundError, StoreError, StudyError
from archdsl.measuring.compare import Verdict
from archdsl.measuring.conditions import Conditions, MemoryConditions
from archdsl.measuring.count import count
from archdsl.measuring.latency import measure_latency
from archdsl.measuring.measure import compare, measure
from archdsl.measuring.models import resolve
from archdsl.measuring.peak_memory import measure_memory
from archdsl.plan.read import read_model
from archdsl.store.store import open_store

SHAPE = (3, 8, 8)


class Answers(nn.Module):
    """Answers with anything but one tensor."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.linear = nn.Linear(192, 192)
        self.kind = kind

    def forward(self, images: Tensor) -> Any:
        found = self.linear(images.flatten(1))
        return {"logits": found, "more": [found]} if self.kind is dict else self.kind([found] * 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [dict, tuple, list])
def test_a_module_may_answer_with_a_collection(kind: type) -> None:
    found = measure(Answers(kind), image_shape=SHAPE, batch=3, threads=1, max_seconds=0.05)
    assert (found.quantity, found.unit) == ("latency", "ms")
    assert found.low <= found.value <= found.high
    assert found.protocol["heads"] == "predicted"
    assert found.protocol["batch"] == 3


@pytest.mark.slow
def test_a_document_is_measured_under_the_key_of_before() -> None:
    network = archdsl.compile(archdsl.load("vittm-digits"))
    conditions = Conditions(device="cpu", batch=2, threads=1, max_seconds=0.05)
    before = measure_latency(network, image_shape=(1, 8, 8), conditions=conditions)
    for model in ("vittm-digits", network):
        assert measure(model, batch=2, threads=1, max_seconds=0.05).key == before.key
    predicted = measure(network, batch=2, threads=1, heads="predicted", max_seconds=0.05)
    assert predicted.key != before.key


@pytest.mark.slow
def test_heads_are_all_where_both_have_them() -> None:
    short = {"threads": 1, "max_seconds": 0.05}
    assert compare("vittm-digits", "vittm-digits", **short).protocol["heads"] == "all"
    mixed = compare("vittm-digits", timm.create_model("test_vit"), **short)
    assert mixed.protocol["heads"] == "predicted"
    with pytest.raises(MeasureError, match=r"has no forward_heads.*heads: predicted"):
        compare("vittm-digits", "timm:test_vit", heads="all", **short)


@pytest.mark.slow
def test_a_module_is_compared_at_its_own_images_and_documents_at_the_same() -> None:
    found = compare("vittm-digits", "timm:test_resnet", batch=8, threads=1, max_seconds=0.3)
    busy = (Verdict.FASTER_THOUGH_BUSY, Verdict.UNCLEAR)
    assert found.verdict in (Verdict.FASTER, *busy)
    assert found.low <= found.ratio <= found.high
    with pytest.raises(MeasureError, match="only models of the same images"):
        compare("vittm-digits", "vit-b-32", max_seconds=0.05)


@pytest.mark.slow
def test_threads_that_measure_at_once_wait_for_each_other() -> None:
    before = torch.get_num_threads()
    counts = {1: before, before + 1: before}

    def run(threads: int) -> None:
        model = nn.Sequential(nn.Flatten(), nn.Linear(192, 64))
        found = measure(model, image_shape=SHAPE, threads=threads, max_seconds=0.2)
        counts[threads] = found.protocol["fingerprint"]["threads"]

    workers = [threading.Thread(target=run, args=(threads,)) for threads in counts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(threads == counted for threads, counted in counts.items())
    assert torch.get_num_threads() == before


def test_a_module_that_fails_on_its_images_is_named() -> None:
    with pytest.raises(MeasureError) as caught:
        measure(nn.Linear(7, 2), image_shape=SHAPE, max_seconds=0.05)
    message = str(caught.value)
    assert message.startswith("Linear on images (3, 8, 8) (channels, height, width) failed: ")
    assert "say image_shape" in message
    assert "\n" not in message


class Told(nn.Module):
    """Notes what torch was told when it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.notes = nn.Linear(192, 4), NOTES

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.linear(images.flatten(1))
        precise = getattr(torch.backends.mkldnn.matmul, "fp32_precision", None)
        self.notes.add((found.dtype, precise, torch.are_deterministic_algorithms_enabled()))
        return found

    def __deepcopy__(self, memo: object) -> Told:
        return Told()


NOTES: set[object] = set()


def test_what_torch_was_told_elsewhere_does_not_change_what_is_measured() -> None:
    memory = MemoryConditions(device="cpu", batch=1, heads="predicted")

    def measured() -> tuple[set[object], float]:
        NOTES.clear()
        measure(Told(), image_shape=SHAPE, threads=1, max_seconds=0.02)
        return {*NOTES}, measure_memory(Told(), image_shape=SHAPE, conditions=memory).value

    def told() -> tuple[object, ...]:
        return (
            torch.get_float32_matmul_precision(),
            torch.get_deterministic_debug_mode(),
            torch.is_autocast_enabled("cpu"),
        )

    before, plain = told(), measured()
    try:
        torch.set_float32_matmul_precision("medium")
        torch.use_deterministic_algorithms(True)
        torch.set_default_device("meta")
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.device("cpu"):
            here = told()
            assert measured() == plain
            assert told() == here != before
        with pytest.raises(MeasureError, match="meta device"):
            measure("vittm-digits")
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.use_deterministic_algorithms(False)
        torch.set_default_device(None)


class Keeps(nn.Module):
    """Keeps what it computed, and more where it is given more."""

    def __init__(self, **more: Any) -> None:
        super().__init__()
        self.linear, self.maps, self.more = nn.Linear(192, 4), [], more

    def forward(self, images: Tensor) -> Tensor:
        self.answer: Tensor = self.linear(images.flatten(1))
        self.maps = [{"map": self.answer}]
        return self.answer


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_modules_that_were_called_before_are_copied_and_stay_as_they_are() -> None:
    images = torch.zeros(1, *SHAPE)
    normed = nn.Sequential(nn.Flatten(), nn.utils.weight_norm(nn.Linear(192, 4)))
    for module in (Keeps(), normed):
        before = module(images)
        assert measure(module, image_shape=SHAPE, threads=1, max_seconds=0.02).value > 0
        assert count(module, image_shape=SHAPE).macs >= 4 * 192
        before.sum().backward()  # its graph is still there
    with pytest.raises(
        MeasureError, match=r"a copy of Keeps .* cannot make one: TypeError: .*lock"
    ):
        measure(Keeps(lock=threading.Lock()), image_shape=SHAPE, max_seconds=0.02)


def test_modules_without_weights_yet() -> None:
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(4))
    with pytest.raises(MeasureError, match=r"1\.weight of Sequential .* call it once on images"):
        measure(lazy, image_shape=SHAPE)
    with pytest.raises(MeasureError, match=r"linear\.weight of Keeps is on the meta device"):
        measure(Keeps().to("meta"), image_shape=SHAPE)


def test_what_is_wrong_is_said_before_anything_is_built() -> None:
    with pytest.raises(StudyError) as caught:
        measure("no such model", batch=0, dtype="int8")
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "measure.batch",
        "measure.dtype",
    ]
    with pytest.raises(NameNotFoundError):
        compare("vittm-digits", "timm:vittm-digits")
    with pytest.raises(DeviceError, match="no device 'Z9000' here"):
        measure("vittm-digits", device="Z9000")


@pytest.mark.slow
def test_a_measurement_is_kept_beside_the_document(tmp_path: Path) -> None:
    db = str(tmp_path / "kept.db")
    spec = archdsl.load("vittm-digits")
    made = [
        measure(model, batch=batch, threads=1, max_seconds=0.05, db=db)
        for model, batch in (("vittm-digits", 1), (archdsl.compile(spec), 2))
    ]
    with open_store(db, create=False) as store:
        arch_id = archdsl.compile(spec).plan.arch_id
        architecture = store.architectures.find(arch_id)
        assert architecture.spec == spec.document()
        assert [each.key for each in store.measurements.of_arch(arch_id)] == [
            each.key for each in made
        ]


@pytest.mark.slow
def test_a_module_is_kept_by_its_label_and_what_it_is_built_of(tmp_path: Path) -> None:
    db = str(tmp_path / "kept.db")
    for batch in (1, 2):
        measure("timm:test_resnet", batch=batch, threads=1, max_seconds=0.05, db=db)
    measure(nn.Flatten(), image_shape=SHAPE, threads=1, max_seconds=0.05, db=db)
    with open_store(db, create=False) as store:
        known = resolve(timm.create_model("test_resnet"))
        architecture = store.architectures.find(known.identity)
        assert (architecture.kind, architecture.label) == ("module", "timm:test_resnet")
        assert len(store.measurements.of_arch(known.identity)) == 2
        other = resolve(nn.Flatten(), image_shape=SHAPE)
        assert store.architectures.find(other.identity).label == "Flatten"


def test_what_cannot_be_kept_is_said_before_anything_is_timed(tmp_path: Path) -> None:
    db = tmp_path / "kept.db"
    network = build_plan(read_model("vittm-digits").plan)
    with pytest.raises(MeasureError, match="hand in the document"):
        measure(network, threads=1, max_seconds=0.05, db=str(db))
    assert not db.exists()
    with pytest.raises(StoreError, match="there is no folder"):
        measure("vittm-digits", max_seconds=60, db=str(tmp_path / "no/kept.db"))
