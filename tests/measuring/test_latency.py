"""Latency on this machine's CPU: what is timed, how long, and under which key."""

from __future__ import annotations

import time
from itertools import chain
from statistics import median

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from archdsl.errors import DeviceError, MeasureError
from archdsl.measuring import latency
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.interference import Block
from archdsl.measuring.latency import Taken, measure_latency
from archdsl.measuring.load import Load

SHAPE = (3, 8, 8)


def conditions(**words: object) -> Conditions:
    return Conditions.model_validate(
        {"device": "cpu", "batch": 2, "heads": "predicted", "max_seconds": 2.0} | words
    )


class Sleeper(nn.Module):
    """Takes a known time; cycles through `seconds`."""

    def __init__(self, *seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        time.sleep(self.seconds[self.calls % len(self.seconds)])
        self.calls += 1
        return images


class Witness(nn.Module):
    """Notes what it is called with; the notes survive the copy that is timed."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 8 * 8, 4)

    def forward(self, images: Tensor) -> Tensor:
        Witness.seen = {
            "shape": tuple(images.shape),
            "dtype": images.dtype,
            "inference": torch.is_inference_mode_enabled(),
            "training": self.training,
            "threads": torch.get_num_threads(),
            "images": images.clone(),
        }
        logits: Tensor = self.linear(images.flatten(1))
        return logits

    seen: dict[str, object]


@pytest.mark.slow
def test_the_value_is_the_median_of_all_samples_in_ms() -> None:
    result = measure_latency(Sleeper(0.01), image_shape=SHAPE, conditions=conditions())
    samples = list(chain.from_iterable(result.detail["blocks_ms"]))
    assert (result.quantity, result.unit) == ("latency", "ms")
    assert 10 <= result.value <= 20
    assert result.value == pytest.approx(median(samples), abs=1e-5)
    detail = result.detail
    assert result.low < detail["low_here_ms"] <= result.value
    assert result.value <= detail["high_here_ms"] < result.high
    assert detail["high_here_ms"] <= max(samples) + 1e-5
    assert result.detail["count"] == len(samples)
    assert result.detail["p95_ms"] >= result.value
    assert result.detail["images_per_s"] == pytest.approx(2000 / result.value)
    assert result.detail["warm_up_calls"] > 0
    assert len(result.detail["blocks_ms"]) >= 3


@pytest.mark.slow
def test_a_quiet_network_is_steady_in_about_a_second() -> None:
    started = time.perf_counter()
    result = measure_latency(
        Sleeper(0.0005), image_shape=SHAPE, conditions=conditions(precision=0.1)
    )
    disturbed = [line for line in result.detail["unsteady"] if "interval" not in line]
    assert result.detail["steady"] is not bool(disturbed)
    here = result.detail["high_here_ms"] - result.detail["low_here_ms"]
    assert here / 2 <= 0.1 * result.value
    assert time.perf_counter() - started < 7, "far from the limit of 8 s"


@pytest.mark.slow
def test_an_unsteady_network_stops_at_the_limit_and_says_so() -> None:
    started = time.perf_counter()
    result = measure_latency(
        Sleeper(0.002, 0.004),
        image_shape=SHAPE,
        conditions=conditions(precision=0.001, max_seconds=0.4),
    )
    assert not result.detail["steady"]
    assert "the interval did not close in the time given" in result.detail["unsteady"]
    assert time.perf_counter() - started < 7, "far from the usual limit of 8 s"


@pytest.mark.slow
def test_a_slow_network_is_called_a_few_times_only() -> None:
    result = measure_latency(
        Sleeper(0.1), image_shape=SHAPE, conditions=conditions(max_seconds=0.05)
    )
    assert result.detail["count"] == 3
    assert result.detail["warm_up_calls"] == 1
    assert result.detail["coverage"] == pytest.approx(0.75)
    assert not result.detail["steady"], "three samples hold the median too rarely"


@pytest.mark.slow
def test_short_calls_are_timed_several_at_once() -> None:
    result = measure_latency(nn.Identity(), image_shape=SHAPE, conditions=conditions(precision=0.2))
    assert result.detail["calls_per_sample"] > 50
    assert result.value < 0.1


@pytest.mark.slow
def test_the_network_is_called_as_the_conditions_say_and_left_as_it_was() -> None:
    model = Witness().train()
    measure_latency(
        model,
        image_shape=SHAPE,
        conditions=conditions(dtype="bfloat16", threads=1, precision=0.5),
    )
    first = Witness.seen
    assert first["shape"] == (2, *SHAPE)
    assert first["dtype"] is torch.bfloat16
    assert first["inference"] is True
    assert first["training"] is False
    assert first["threads"] == 1
    assert model.training
    assert model.linear.weight.dtype is torch.float32
    assert not torch.is_inference_mode_enabled()

    measure_latency(
        model,
        image_shape=SHAPE,
        conditions=conditions(dtype="bfloat16", threads=1, precision=0.5),
    )
    assert torch.equal(Witness.seen["images"], first["images"]), "the images have one seed"


class TwoHeads(nn.Module):
    """Predicting costs 2 ms, all heads 8."""

    def forward(self, images: Tensor) -> Tensor:
        time.sleep(0.002)
        return images

    def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
        time.sleep(0.008)
        return {"memory": images, "process": images}


@pytest.mark.slow
def test_all_heads_or_the_predicted_one() -> None:
    predicted = measure_latency(TwoHeads(), image_shape=SHAPE, conditions=conditions(precision=0.3))
    all_heads = measure_latency(
        TwoHeads(), image_shape=SHAPE, conditions=conditions(heads="all", precision=0.3)
    )
    assert all_heads.value > 8 > predicted.value > 2
    assert all_heads.key != predicted.key


def test_all_heads_of_a_network_without_them_is_an_error() -> None:
    with pytest.raises(MeasureError, match=r"Identity has no forward_heads.*heads: predicted"):
        measure_latency(nn.Identity(), image_shape=SHAPE, conditions=conditions(heads="all"))


@pytest.mark.slow
def test_the_key_holds_what_changes_the_number_and_nothing_else() -> None:
    def key(*, precision: float = 0.9, **words: object) -> str:
        asked = conditions(precision=precision, max_seconds=0.05, **words)
        return measure_latency(Sleeper(0.001), image_shape=SHAPE, conditions=asked).key

    threads = torch.get_num_threads()
    assert key() == key(precision=0.5) == key(threads=threads)
    others = {key(batch=3), key(threads=threads + 1), key(dtype="bfloat16")}
    assert len({key(), *others}) == 4


@pytest.mark.slow
def test_a_fingerprint_that_is_given_is_used() -> None:
    result = measure_latency(
        Sleeper(0.001),
        image_shape=SHAPE,
        conditions=conditions(precision=0.9),
        fingerprint={"name": "given"},
    )
    assert result.protocol["fingerprint"] == {"name": "given"}
    assert result.protocol["evaluator"] == "latency/2"


def test_a_device_that_is_not_there_is_an_error_that_names_what_is() -> None:
    with pytest.raises(DeviceError, match=r"no device 'Z9000' here; there is: cpu \(.+\)"):
        measure_latency(nn.Identity(), image_shape=SHAPE, conditions=conditions(device="Z9000"))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ({"tf32": True}, "tf32\n  has an effect only on float32"),
        (
            {"device": "A100", "dtype": "bfloat16", "tf32": True},
            "tf32\n  has an effect only on float32",
        ),
        ({"autocast": True}, "autocast\n  has no effect with float32"),
        ({"cuda_graphs": True}, "cuda_graphs\n  has an effect only on a CUDA device"),
        ({"device": "any", "cuda_graphs": True, "compile": "default"}, "name either"),
        ({"compile": "fast"}, "'default', 'reduce-overhead' or 'max-autotune'"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"batch": 2.0}, "valid integer"),
        ({"dtype": "float64"}, "'float32', 'bfloat16' or 'float16'"),
        ({"warmup": 10}, "Extra inputs"),
    ],
)
def test_conditions_without_effect_or_meaning_are_refused(
    words: dict[str, object], found: str
) -> None:
    with pytest.raises(ValidationError, match=found):
        conditions(**words)


def test_tf32_is_for_float32_on_a_gpu() -> None:
    assert conditions(device="A100", tf32=True).keyed()["tf32"] is True


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_timed_to_the_end_of_its_work() -> None:
    small, large = (
        measure_latency(
            nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, width), nn.Linear(width, width)),
            image_shape=(3, 64, 64),
            conditions=conditions(device="cuda", batch=512, precision=0.05),
        )
        for width in (64, 8192)
    )
    assert large.value > 3 * small.value
    assert large.protocol["fingerprint"]["kind"] == "cuda"


def taken(*medians: float) -> Taken:
    """Blocks of these medians, in ms."""
    load = Load(foreign_cores=0.0, own_cores=0.0)
    blocks = [
        Block(samples_ms=[ms * each for each in (0.99, 1.0, 1.01)], probe_ms=(1.0, 1.0), load=load)
        for ms in medians
    ]
    return Taken(blocks=blocks, discarded=(), precise=False, disturbances=())


@pytest.mark.parametrize(
    ("takes", "value", "wide"),
    [
        ([taken(4.0, 4.1, 4.0)], 4.0, False),
        ([taken(4.0, 9.0, 6.0), taken(4.0, 4.1, 4.0)], 4.0, False),
        ([taken(4.0, 9.0, 6.0), taken(3.0, 30.0, 9.0)], 6.0, True),
    ],
)
def test_what_is_hardly_known_is_measured_again(
    takes: list[Taken], value: float, wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(takes)
    monkeypatch.setattr(latency, "take_blocks", lambda *_, **__: left.pop(0))
    found = measure_latency(nn.Identity(), image_shape=SHAPE, conditions=conditions())
    assert not left, "once more, and no more"
    assert found.value == pytest.approx(value, rel=0.02)
    said = "of the median wide, also when measured again"
    assert any(said in words for words in found.detail["unsteady"]) == wide
    samples = [*found.detail["blocks_ms"], *found.detail["discarded_ms"]]
    assert len(samples) == 3 * len(takes), "every sample is stored"
