"""Latencies of machines without archdsl: the script that measures there, and what it found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from archdsl.analysis.statistics import CONFIDENCE, blocks_interval, percentile
from archdsl.document.messages import counted, listed
from archdsl.document.text import read_mapping
from archdsl.errors import MeasureError
from archdsl.measuring import bench, interference, latency, timing
from archdsl.measuring.baselines import architecture_of
from archdsl.measuring.conditions import Conditions
from archdsl.plan.baseline import Baseline
from archdsl.plan.facts import facts
from archdsl.plan.read import check_model
from archdsl.records import Measurement
from archdsl.store.rows import Architecture

NAME = "bench.py"
_MOST_BLOCKS = 200
"""Whose Student's quantile the script knows; more have that of so many."""


def script(
    *,
    name: str,
    arch_id: str,
    document: Mapping[str, Any],
    image_shape: tuple[int, int, int],
    model: bytes,
) -> str:
    """`bench.py` for an ONNX file beside it.

    Args:
        name: of the network.
        arch_id: of its architecture.
        document: its document.
        image_shape: (channels, height, width).
        model: content of the file.
    """
    network = {
        "name": name,
        "arch_id": arch_id,
        "document": dict(document),
        "image_shape": image_shape,
        "sha256": sha256(model).hexdigest(),
    }
    text = Path(bench.__file__).read_text(encoding="utf-8")
    for word, value in {"NETWORK": network, "SAMPLING": _sampling()}.items():
        before, _, rest = text.partition(f"{word}: dict[str, Any] = ")
        text = f"{before}{word}: dict[str, Any] = {value!r}\n{rest.partition(chr(10))[2]}"
    return text


def _sampling() -> dict[str, Any]:
    """The figures by which `archdsl measure` samples."""
    from scipy.special import stdtrit

    limits = Conditions(device="cpu", batch=1)
    return {
        "confidence": CONFIDENCE,
        "precision": limits.precision,
        "max_seconds": limits.max_seconds,
        "least_blocks": latency.LEAST_BLOCKS,
        "shortest_sample_ms": timing.SHORTEST_SAMPLE_MS,
        "block_seconds": timing.BLOCK_SECONDS,
        "block_samples": timing.BLOCK_SAMPLES,
        "warm_up_share": timing.WARM_UP_SHARE,
        "warm_window_seconds": timing.WARM_WINDOW_SECONDS,
        "warm_window_samples": timing.WARM_WINDOW_SAMPLES,
        "warm_tolerance": timing.WARM_TOLERANCE,
        "foreign_cores": interference.FOREIGN_CORES,
        "foreign_share": interference.FOREIGN_SHARE,
        "patience_share": interference.PATIENCE_SHARE,
        "student": [
            round(float(stdtrit(degrees, (1 + CONFIDENCE) / 2)), 6)
            for degrees in range(1, _MOST_BLOCKS)
        ],
    }


Count = Annotated[int, Field(ge=1)]
Samples = Annotated[list[Annotated[FiniteFloat, Field(gt=0)]], Field(min_length=1)]


class _Node(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Network(_Node):
    name: str
    arch_id: str
    document: dict[str, Any]


class _Fingerprint(_Node):
    kind: Literal["cpu"]
    name: Annotated[str, Field(min_length=1)]
    capability: None
    driver: None
    power_limit_w: None
    logical_cores: Count | None
    usable_cores: Count | None = None
    threads: Count
    system: str
    torch: None
    cuda: None


class _Protocol(_Node):
    batch: Count
    dtype: Literal["float32"]
    heads: Literal["predicted"]
    tf32: Literal[False]
    backend: Literal["onnxruntime", "openvino"]
    engine: str
    threads: Count
    fingerprint: _Fingerprint


class _Result(_Node):
    """What the script writes."""

    form: Literal["bench/1"]
    network: _Network
    protocol: _Protocol
    blocks_ms: Annotated[list[Samples], Field(min_length=1)]
    discarded_ms: list[Samples]
    unsteady: list[str]
    calls_per_sample: Count
    system_release: str
    measured_at: str


def read_result(path: Path) -> tuple[Architecture, Measurement]:
    """What `bench.py` wrote: the network, and its latency by the samples that stand there.

    Raises:
        MeasureError: the file cannot be read, is not of that form, or this version of archdsl makes
            another architecture of its document.
        DocumentError: what is wrong with that document.
    """
    found = _read(path)
    architecture = _architecture(found.network.document, source=str(path))
    if architecture.arch_id != found.network.arch_id:
        raise MeasureError(
            f"{path} measured {found.network.arch_id}, and this version of archdsl makes "
            f"{architecture.arch_id} of its document; export it again, and measure again"
        )
    samples = [sample for block in found.blocks_ms for sample in block]
    low, high, coverage = blocks_interval(found.blocks_ms)
    value = median(samples)
    protocol = found.protocol.model_dump(exclude_unset=True)
    measurement = Measurement(
        quantity="latency",
        value=value,
        low=low,
        high=high,
        unit="ms",
        protocol={"evaluator": found.form, **protocol},
        detail={
            "blocks_ms": found.blocks_ms,
            "discarded_ms": found.discarded_ms,
            "count": len(samples),
            "p95_ms": percentile(samples, 95),
            "coverage": coverage,
            "steady": not found.unsteady,
            "unsteady": found.unsteady,
            "calls_per_sample": found.calls_per_sample,
            "images_per_s": found.protocol.batch * 1e3 / value,
            "system_release": found.system_release,
            "measured_at": found.measured_at,
        },
    )
    return architecture, measurement


def _architecture(document: Mapping[str, Any], *, source: str) -> Architecture:
    if "timm" in document:
        try:
            baseline = Baseline.read(document)
            assert baseline is not None
            return architecture_of(baseline)
        except (LookupError, TypeError, ValueError):
            raise MeasureError(f"{source} names no model of timm's: {document}") from None
    model = check_model(read_mapping(document, source=source))
    return Architecture(
        arch_id=model.plan.arch_id,
        spec=model.spec.document(),
        plan=model.plan.canonical(),
        facts=facts(model.plan),
    )


def _read(path: Path) -> _Result:
    try:
        return _Result.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise MeasureError(f"{path} cannot be read: {(error.strerror or '').lower()}") from None
    except ValidationError as error:
        places = [".".join(map(str, each["loc"])) or "the whole" for each in error.errors()]
        raise MeasureError(
            f"{path} is not what {NAME} writes ({counted(error.error_count(), 'problem')}: "
            f"{listed(places, most=5)}); measure again with the {NAME} that `archdsl export` wrote"
        ) from None
    except (ValueError, RecursionError):
        raise MeasureError(f"{path} is no JSON; give the file that {NAME} wrote") from None
