"""`archdsl measure`: the latency of a model here, or of two against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Json, Sets
from archdsl.cli.printing import print_json, say

if TYPE_CHECKING:
    from archdsl.measure.conditions import Conditions
    from archdsl.plan.read import Checked
    from archdsl.records import Measurement

NAME = "measure"
EXAMPLE = "Example: archdsl measure vittm-b-28-28 --vs vit-b-16 --batch 1 --max-seconds 2"


@handled
def command(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="Model document: a file or a name.")],
    versus: Annotated[
        str | None, typer.Option("--vs", metavar="SPEC", help="Time against this one, in turns.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, or a part of a GPU's name such as A100.")
    ] = "cpu",
    batch: Annotated[int, typer.Option(help="Images per call.")] = 1,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    threads: Annotated[int | None, typer.Option(help="CPU threads; torch's default.")] = None,
    heads: Annotated[str, typer.Option(help="all classifiers, or the predicted one.")] = "all",
    max_seconds: Annotated[float, typer.Option(help="Limit of timed seconds for each model.")] = 8,
    sets: Sets = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure latency: median of one batch with its 95 % interval, in ms."""
    from archdsl.measure.conditions import Conditions
    from archdsl.measure.settings import settings_of
    from archdsl.plan.read import read_model

    words: dict[str, Any] = {
        "device": device,
        "batch": batch,
        "dtype": dtype,
        "threads": threads,
        "heads": heads,
        "max_seconds": float(max_seconds),
    }
    conditions = settings_of(Conditions, words, "measure")
    model = read_model(spec, sets or [])
    if versus is None:
        _one(model, conditions, as_json)
    else:
        _two(model, read_model(versus), conditions, as_json)


def _one(model: Checked, conditions: Conditions, as_json: bool) -> None:
    from archdsl.compiler.build import build_plan
    from archdsl.measure.latency import measure_latency

    say(f"measuring {model.spec.name} …")
    found = measure_latency(
        build_plan(model.plan), image_shape=model.plan.image, conditions=conditions
    )
    if as_json:
        print_json(_as_json(model, found))
        return
    detail = found.detail
    low, high = found.low, found.high
    print(f"{model.spec.name}  arch_id {model.plan.arch_id}")
    print(f"latency  {found.value:.4g} ms per batch of {conditions.batch} (median)", end="")
    print("" if detail["steady"] else "  UNSTEADY: the interval did not close in time")
    print(
        f"         95 % interval {low:.4g} to {high:.4g} ms, p95 {detail['p95_ms']:.4g} ms, ",
        end="",
    )
    print(f"{detail['count']} samples, {detail['images_per_s']:.4g} images/s")
    print(f"device   {_device(found.protocol)}")


def _two(a: Checked, b: Checked, conditions: Conditions, as_json: bool) -> None:
    from archdsl.errors import MeasureError

    if a.plan.image != b.plan.image:
        raise MeasureError(
            f"{a.spec.name} takes images {a.plan.image}, {b.spec.name} {b.plan.image} "
            "(channels, height, width); only models of the same images can be compared"
        )
    from archdsl.compiler.build import build_plan
    from archdsl.measure.compare import compare_latency

    say(f"timing {a.spec.name} and {b.spec.name} in turns …")
    found = compare_latency(
        build_plan(a.plan), build_plan(b.plan), image_shape=a.plan.image, conditions=conditions
    )
    if as_json:
        print_json(
            {
                "a": {"name": a.spec.name, "arch_id": a.plan.arch_id},
                "b": {"name": b.spec.name, "arch_id": b.plan.arch_id},
                "verdict": found.verdict.value,
                "ratio": found.ratio,
                "low": found.low,
                "high": found.high,
                "protocol": dict(found.protocol),
            }
        )
        return
    print(
        f"{found.verdict.value}: {a.spec.name} takes {found.ratio:.3f} of the time of {b.spec.name}"
    )
    print(f"         95 % interval of the ratio {found.low:.3f} to {found.high:.3f}")
    print(f"device   {_device(found.protocol)}")


def _as_json(model: Checked, found: Measurement) -> dict[str, Any]:
    return {
        "name": model.spec.name,
        "arch_id": model.plan.arch_id,
        "latency_ms": found.value,
        "low_ms": found.low,
        "high_ms": found.high,
        "protocol": dict(found.protocol),
        **found.detail,
    }


def _device(protocol: Any) -> str:
    fingerprint = protocol["fingerprint"]
    return (
        f"{fingerprint['name']}, {protocol['threads']} threads, {protocol['dtype']}, "
        f"torch {fingerprint['torch']}"
    )
